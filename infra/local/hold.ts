// Allows only one server per data folder. The lock is SQLite's own, on a file in the folder: the system releases it
// when the process ends for any reason, so there is never a stale lock.
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SettingError } from '#settings/error.ts';

/** Files of the lock, which a copy of the folder does not need. */
export const holdFiles = ['hold.db', 'hold.json'];

interface Holder {
  pid: number;
  host: string;
  /** What the process runs: `npm start`. */
  as: string;
  since: string;
}

/** Kept referenced: a garbage-collected connection would release the lock. */
const held: DatabaseSync[] = [];

/** Locks a data folder for this process until it ends. Throws SettingError, with the process that has locked it. */
export function holdFolder(folder: string, as: string): void {
  const [lock, note] = holdFiles.map((name) => join(folder, name));
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lock, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database?.close();
    if ((cause as { errcode?: number }).errcode !== busyCode)
      throw new SettingError(`${lock} can't be used: ${(cause as Error).message}. It holds no data: remove it`, {
        cause,
      });
    throw new SettingError(
      `--data ${folder} is in use by ${holderOf(note)}: stop that one, or give this one a folder of its own with --data DIR`,
      { cause },
    );
  }
  held.push(database);
  const holder: Holder = { pid: process.pid, host: hostname(), as, since: new Date().toISOString() };
  writeFileSync(note, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
}

const busyCode = 5;

/** Whether a server has locked the folder. */
export function isHeld(folder: string): boolean {
  const database = new DatabaseSync(join(folder, holdFiles[0]), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE; ROLLBACK');
    return false;
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode !== busyCode) throw cause;
    return true;
  } finally {
    database.close();
  }
}

function holderOf(note: string): string {
  try {
    const { pid, host, as, since } = JSON.parse(readFileSync(note, 'utf8')) as Holder;
    return `process ${pid}${host === hostname() ? '' : ` of ${host}`} (${as}, since ${since})`;
  } catch {
    // It has the lock but has not written its note yet.
    return 'another process';
  }
}
