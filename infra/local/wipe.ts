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
