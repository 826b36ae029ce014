// The thread of wipe.ts. A removal is first in the write-ahead log: the main file still has the rows until the log is
// written back, and the log has them until it is truncated. Moreover, secure_delete overwrites removed rows, but not
// copies that SQLite left in the unused middle of pages when it moved rows. VACUUM rewrites every page, in time that
// grows with the file; overwriting the unused middles costs only reading the file: SQLite never reads them.
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
// Busy is an expected result, not an error: another connection still reads the log.
const emptyLog = () => database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
if (pragma('auto_vacuum') > 0 || pragma('page_count') > mostPages) {
  patiently(() => {
    database.exec('VACUUM');
    return true;
  });
  patiently(emptyLog);
} else patiently(overwritten);
database.close();

/** Returns false if another connection wrote meanwhile. */
function overwritten(): boolean {
  patiently(emptyLog);
  // Nobody writes from here on.
  database.exec('BEGIN IMMEDIATE');
  try {
    if (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size) return false;
    overwrite(pragma('page_size'));
    // A commit, so that no connection keeps an old page in its cache, which it could write back.
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

/** Repeats the work until it succeeds; each attempt waits for others itself. */
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
