// Leaves nothing of removed rows in a database's files.
import { once } from 'node:events';
import { fstatSync, openSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export interface WiperData {
  file: string;
  descriptor: number;
}

/**
 * Never closed: to close any descriptor of a file gives up the locks that all connections of the process hold on it, and
 * another process would take the file for its own.
 */
const descriptors = new Map<string, number>();

/**
 * Overwrites what SQLite left of removed rows in a file, and empties its log, in a thread of its own. Readers go on, writers wait
 * while the file is read once. Throws when others keep reading or writing it for a minute; it may be called again.
 */
export async function wipe(file: string): Promise<void> {
  let descriptor = descriptors.get(file);
  // Another file may have its name now.
  if (descriptor === undefined || fstatSync(descriptor).ino !== statSync(file).ino) descriptor = openSync(file, 'r+');
  descriptors.set(file, descriptor);
  const workerData: WiperData = { file, descriptor };
  await once(new Worker(new URL('./wiper.ts', import.meta.url), { workerData }), 'exit');
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
