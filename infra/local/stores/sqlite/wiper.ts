// The thread of wipe.ts. A removal lies in the write-ahead log at first: until the log is written back the main file holds
// the rows as they were, and until it is cut the log does. And secure_delete overwrites removed rows, but no copies that
// SQLite left in the unused middle of pages when it moved rows to others: only VACUUM rewrites every page.
import { DatabaseSync } from 'node:sqlite';
import { workerData } from 'node:worker_threads';

const patienceMs = 60_000;
const busyCode = 5;

const database = new DatabaseSync(workerData as string, { timeout: 5000 });
const end = performance.now() + patienceMs;
patiently(() => {
  database.exec('VACUUM');
  return true;
});
// Busy is an expected result, not an error: somebody still reads the log.
patiently(() => database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0);
database.close();

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
