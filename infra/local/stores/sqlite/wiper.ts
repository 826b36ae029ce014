// The thread of wipe.ts. A removal lies in the write-ahead log at first: until the log is written back the main file holds
// the rows as they were, and until it is cut the log does. And secure_delete overwrites removed rows, but no copies that
// SQLite left in the unused middle of pages when it moved rows to others. VACUUM rewrites every page, in time that grows with
// the file; overwriting the unused middles costs reading it: SQLite never looks at them.
import { fdatasyncSync, readSync, statSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';
import { mostPages, zeroUnused } from './pages.ts';
import type { WiperData } from './wipe.ts';

const patienceMs = 60_000;
const busyCode = 5;
const readBytes = 4 * 1024 * 1024;

const { file, descriptor } = workerData as WiperData;
const end = performance.now() + patienceMs;
const database = new DatabaseSync(file, { timeout: 5000 });
database.exec('PRAGMA cache_size = 8');
const pragma = (name: string) => Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
// Busy is an expected result, not an error: somebody still reads the log.
const emptyLog = () => database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
if (pragma('auto_vacuum') > 0 || pragma('page_count') > mostPages) {
  patiently(() => {
    database.exec('VACUUM');
    return true;
  });
  patiently(emptyLog);
} else patiently(overwritten);
database.close();

/** Returns false when somebody wrote meanwhile. */
function overwritten(): boolean {
  patiently(emptyLog);
  // Nobody writes from here on.
  database.exec('BEGIN IMMEDIATE');
  try {
    if (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size) return false;
    overwrite(pragma('page_size'));
    // A commit, so that no connection keeps a page as it was: it would write it back with what was in it.
    const version = pragma('user_version');
    database.exec(`PRAGMA user_version = ${version + 1}; PRAGMA user_version = ${version}`);
  } finally {
    database.exec('COMMIT');
  }
  patiently(emptyLog);
  return true;
}

function overwrite(pageBytes: number): void {
  const bytes = Buffer.alloc(readBytes);
  for (let at = 0; ; ) {
    const length = readSync(descriptor, bytes, 0, readBytes, at);
    if (length === 0) break;
    for (let page = 0; page + pageBytes <= length; page += pageBytes) {
      const unused = zeroUnused(bytes.subarray(page, page + pageBytes), at + page === 0);
      if (unused) writeSync(descriptor, bytes, page + unused.from, unused.to - unused.from, at + page + unused.from);
    }
    at += length;
  }
  fdatasyncSync(descriptor);
}

/** Does the work again until it is done; each try waits for others itself. */
function patiently(work: () => boolean): void {
  for (;;) {
    try {
      if (work()) return;
    } catch (cause) {
      if ((cause as { errcode?: number }).errcode !== busyCode) throw cause;
    }
    if (performance.now() > end) throw new Error('the database is in use: removed rows may still be in its files');
  }
}
