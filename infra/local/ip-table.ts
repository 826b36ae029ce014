// The IP table that an owner installed with npm run ip-update. It is in the data folder and replaces the embedded
// databases.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ipDatabaseBuiltAt } from './defaults.ts';

interface Pointer {
  /** Name of the table, in the same folder. */
  file: string;
  /** When its databases were built, milliseconds since the epoch. */
  builtAt: number;
}

const folderOf = (data: string) => join(data, 'geo');
const pointerOf = (data: string) => join(folderOf(data), 'current.json');

const readPointer = (data: string): Pointer | undefined =>
  existsSync(pointerOf(data)) ? (JSON.parse(readFileSync(pointerOf(data), 'utf8')) as Pointer) : undefined;

/** Path of the table; undefined if none was installed. */
export function installedTable(data: string): string | undefined {
  const pointer = readPointer(data);
  return pointer && join(folderOf(data), pointer.file);
}

/** When the table in use was built, milliseconds. */
export const ipTableBuiltAt = async (data: string): Promise<number> =>
  readPointer(data)?.builtAt ?? ipDatabaseBuiltAt();

/**
 * Installs a table: `make` writes it to the given path. The server uses it within seconds; if this fails, it goes on
 * with the previous one.
 */
export async function installTable(
  data: string,
  builtAt: number,
  make: (path: string) => Promise<void>,
): Promise<void> {
  const folder = folderOf(data);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const before = readPointer(data)?.file;
  const file = `${new Date().toISOString().replace(/\D/g, '')}.bin`;
  await make(join(folder, file));
  const draft = `${pointerOf(data)}.draft`;
  writeFileSync(draft, `${JSON.stringify({ file, builtAt } satisfies Pointer)}\n`, { flush: true });
  renameSync(draft, pointerOf(data));
  // The previous table stays for a reader that is opening it; older ones are removed.
  for (const name of readdirSync(folder))
    if (name.endsWith('.bin') && name !== file && name !== before) rmSync(join(folder, name), { force: true });
}
