// The thread of wipe.ts. A removal is first in the write-ahead log: the main file still has the rows until the log is
// copied, and the log has them until it is begun again.
import { setTimeout as wait } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { Checkpointer, sleep, sliceBytes, unlessBusy } from './checkpoint.ts';
import { isBegunAgain } from './log.ts';
import { pauseMs } from './sqlite.ts';
import type { WiperData } from './wipe.ts';

const patienceMs = 60_000;
/** How long readers of the log are waited for while writers wait, at most. */
const longestDrainMs = 500;

const { file, descriptor, task } = workerData as WiperData;
const checkpointer = new Checkpointer(file, descriptor, 5000);
const { lock } = checkpointer;
// When a commit of this connection begins the log again, the rest of the log is cut off.
lock.exec('PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 0');
let end = performance.now() + patienceMs;
let drainMs = 10;
if (!checkpointer.canScrub) {
  if (task === 'wipe') await patiently(vacuumed);
} else await (task === 'wipe' ? patiently(wiped) : scrubbed());
checkpointer.close();

function vacuumed(): boolean {
  lock.exec('VACUUM');
  return lock.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0;
}

/** Returns false if a reader still needs the log, another connection wrote meanwhile, or the file is not whole. */
function wiped(): boolean {
  const copied = checkpointer.run(4 * sliceBytes, drained, longestDrainMs);
  if (copied.outcome === 'part') end = performance.now() + patienceMs;
  if (copied.outcome !== 'whole') return false;
  lock.exec('BEGIN IMMEDIATE');
  try {
    // Its pages may be from a cache that it filled before they were scrubbed.
    if (checkpointer.pragma('data_version') !== copied.dataVersion) return false;
    // A commit, so that no connection keeps an old page in its cache, which it could write again.
    const version = checkpointer.pragma('user_version');
    lock.exec(`PRAGMA user_version = ${version + 1}; PRAGMA user_version = ${version}`);
  } finally {
    lock.exec('COMMIT');
  }
  return isBegunAgain(file, copied.salts);
}

/** Readers that began before all of the log was copied keep it from being begun again; those that begin now do not. */
function drained(): void {
  sleep(drainMs);
  drainMs = Math.min(longestDrainMs, 2 * drainMs);
}

/** Scrubs the file in slices, so that others can write in between. */
async function scrubbed(): Promise<void> {
  for (;;) {
    const outcome = unlessBusy(() => checkpointer.run(sliceBytes).outcome);
    if (outcome === 'whole') return;
    await wait(outcome === 'part' ? pauseMs : 1000);
  }
}

/** Repeats the work until it succeeds; each attempt waits for the write lock itself. */
async function patiently(work: () => boolean): Promise<void> {
  while (!unlessBusy(work)) {
    if (performance.now() > end) throw new Error('the database is in use: removed rows may still be in its files');
    await wait(pauseMs);
  }
}
