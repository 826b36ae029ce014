import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The files of a database or a folder that have a text in them. */
export function naming(path: string, text: string): string[] {
  const isFolder = statSync(path).isDirectory();
  const folder = isFolder ? path : dirname(path);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => isFolder || name.startsWith(basename(path)))
    .map((name) => join(folder, name))
    .filter((name) => statSync(name).isFile() && readFileSync(name).includes(text));
}
