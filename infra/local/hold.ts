// One server a data folder. The lock is SQLite's own on a file of the folder: the system gives it back when the process ends,
// however it ends, so that no stale lock is ever in the way.
import { readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { SettingError } from '#settings/error.ts';

/** Files of the lock: of no use in a copy of the folder. */
export const holdFiles = ['hold.db', 'hold.json'];

interface Holder {
  pid: number;
  host: string;
  /** What it does: `npm start`. */
  as: string;
  since: string;
}

/** Kept open: a connection that is collected would give the lock back. */
const held: DatabaseSync[] = [];

/** Takes a data folder for this process, until it ends. Throws SettingError that names the process which has it. */
export function holdFolder(folder: string, as: string): void {
  const [lock, note] = holdFiles.map((name) => join(folder, name));
  const database = new DatabaseSync(lock, { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    if ((cause as { errcode?: number }).errcode !== busyCode) throw cause;
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

/** Whether a server has the folder. */
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
    // It has the lock and has not written its note yet.
    return 'another process';
  }
}
