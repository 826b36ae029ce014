// node web/build.ts: the pages, as static files in build/web. Does nothing when no input changed since the last build.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Rolldown } from 'vite';

const web = import.meta.dirname;
const root = join(web, '..');
const outDir = join(root, 'build/web');
const stamp = join(outDir, '.inputs');

/** The size budgets, in gzipped KiB, of what a reader waits for. The files of a row load together. */
const budgets: { what: string; most: number; files: RegExp }[] = [
  { what: 'map', most: 290, files: /^assets\/view-.*\.js$/ },
  { what: 'map worker', most: 145, files: /^assets\/maplibre-gl-worker.*\.js$/ },
  { what: 'charts', most: 255, files: /^assets\/g2-.*\.js$/ },
  { what: 'YAML', most: 40, files: /^assets\/(browser|yaml|dist).*\.js$/ },
  { what: 'base map, coarse', most: 25, files: /^assets\/land-110m-.*\.json$/ },
  { what: 'base map, fine', most: 162, files: /^assets\/land-50m-.*\.json$/ },
  { what: 'countries by name', most: 25, files: /^assets\/countries-.*\.json$/ },
  { what: 'cities by name', most: 90, files: /^assets\/places-.*\.json$/ },
  { what: 'style', most: 8, files: /\.css$/ },
  { what: 'beacon', most: 1, files: /^hit\.js$/ },
];
const pageBudget = 25;

/** A hash of some files and of everything in some folders of the project. */
export function hashOf(...names: string[]): string {
  const hash = createHash('sha256');
  const files = names
    .map((name) => join(root, name))
    .flatMap((path) =>
      statSync(path).isFile()
        ? [path]
        : readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name)),
    )
    .filter((file) => statSync(file).isFile())
    .sort();
  for (const file of files) hash.update(`${file.slice(root.length)}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

const kibibytes = (bytes: number) => Math.round((bytes / 1024) * 10) / 10;
const gzipped = (content: string | Uint8Array) => gzipSync(content, { level: 9 }).length;

/** Gzipped KiB by what they are for, the pages' own scripts included. */
function sizes(output: Rolldown.RolldownOutput['output']): { what: string; size: number; most: number }[] {
  const content = (file: Rolldown.OutputChunk | Rolldown.OutputAsset) =>
    file.type === 'chunk' ? file.code : file.source;
  const rows = budgets.map(({ what, most, files }) => {
    const found = output.filter((file) => files.test(file.fileName));
    if (found.length === 0) throw new Error(`the build made no file for the budget "${what}" (${files})`);
    return { what, most, size: kibibytes(found.reduce((sum, file) => sum + gzipped(content(file)), 0)) };
  });
  const chunks = new Map(output.filter((file) => file.type === 'chunk').map((file) => [file.fileName, file]));
  for (const page of output) {
    if (page.type !== 'asset' || !page.fileName.endsWith('.html')) continue;
    const loaded = new Set([...String(page.source).matchAll(/"\.\/(assets\/[^"]+\.js)"/g)].map(([, name]) => name));
    for (const name of loaded) for (const next of chunks.get(name)?.imports ?? []) loaded.add(next);
    const size = [...loaded].reduce((sum, name) => sum + gzipped(chunks.get(name)?.code ?? ''), 0);
    rows.push({ what: page.fileName, most: pageBudget, size: kibibytes(size) });
  }
  return rows;
}

/** A process that held the lock for longer was killed. */
const lockStaleMs = 120_000;

/** Runs `work` while no other process does so for this folder of `build`: in a fresh clone tests start side by side. */
export async function alone<T>(folder: string, work: () => Promise<T>): Promise<T> {
  const lock = `${folder}.lock`;
  mkdirSync(dirname(lock), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
      const held = statSync(lock, { throwIfNoEntry: false });
      if (held && Date.now() - held.mtimeMs > lockStaleMs) rmSync(lock, { recursive: true, force: true });
      else await setTimeout(50);
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

const isBuilt = (now: string) => existsSync(stamp) && readFileSync(stamp, 'utf8') === now;

type Size = ReturnType<typeof sizes>[number];

/** Builds the pages unless they are built already; returns their folder. */
export async function buildPages(on: { begin?: () => void; end?: (sizes: Size[]) => void } = {}): Promise<string> {
  // The installed package contains the pages but not their sources.
  if (!existsSync(join(web, 'vite.config.ts'))) return outDir;
  const now = hashOf('web', 'package-lock.json');
  if (isBuilt(now)) return outDir;
  await alone(outDir, async () => {
    if (isBuilt(now)) return;
    on.begin?.();
    // Built in another folder and then renamed, so that no half-built page is served.
    const fresh = `${outDir}.new`;
    // Loaded only when there is something to build: it takes longer than all the rest of a start.
    const { build } = await import('vite');
    const built = await build({ configFile: join(web, 'vite.config.ts'), build: { outDir: fresh } });
    const rows = sizes((built as Rolldown.RolldownOutput).output);
    on.end?.(rows);
    const over = rows.filter(({ size, most }) => size > most);
    if (over.length > 0)
      throw new Error(
        over.map(({ what, size, most }) => `${what} is ${size} KiB gzipped, its budget is ${most}`).join('; '),
      );
    writeFileSync(join(fresh, '.inputs'), now);
    rmSync(outDir, { recursive: true, force: true });
    renameSync(fresh, outDir);
  });
  return outDir;
}

/**
 * The same for a process that stays: in a process of its own, because a build leaves half a gigabyte of heap behind.
 * Calls `begin` if there is something to build.
 */
export async function builtPages(begin: () => void): Promise<string> {
  if (!existsSync(join(web, 'vite.config.ts')) || isBuilt(hashOf('web', 'package-lock.json'))) return outDir;
  begin();
  const build = spawn(process.execPath, [import.meta.filename], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(build, 'exit');
  if (code !== 0) throw new Error('the pages could not be built: the error is above');
  return outDir;
}

if (import.meta.main)
  await buildPages({
    end(sizes) {
      for (const { what, size, most } of sizes)
        console.log(`${what.padEnd(18)} ${String(size).padStart(6)} KiB of ${most}`);
    },
  });
