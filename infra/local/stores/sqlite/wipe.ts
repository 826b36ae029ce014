// Leaves nothing of removed rows in a database's files.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';

/**
 * Rewrites a SQLite file without what was removed, and empties its log, in a thread of its own: collect goes on, writers
 * of this file wait. Throws when others keep reading or writing it for a minute; it may be called again.
 */
export async function wipe(file: string): Promise<void> {
  await once(new Worker(new URL('./wiper.ts', import.meta.url), { workerData: file }), 'exit');
}

/**
 * Makes what is called after each removal, and says whether it removed anything: the file is wiped then, and as long as
 * that has not come through once.
 */
export function wiper(file: string): (removed: boolean) => Promise<void> {
  let clean = false;
  return async (removed) => {
    if (removed) clean = false;
    // A database in memory has no file.
    if (clean || file === ':memory:') return;
    await wipe(file);
    clean = true;
  };
}
