// Removes all traces of deleted rows from a database's files.
import { once } from 'node:events';
import { fstatSync, openSync, statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';

export interface WiperData {
  file: string;
  descriptor: number;
}

/**
 * Never closed, because closing any descriptor of a file releases the locks of all connections of the process on it,
 * and another process could then use the file.
 */
const descriptors = new Map<string, number>();

/**
 * Overwrites what SQLite left of removed rows in a file, and empties its log, in a separate thread. Readers go on;
 * writers wait while the file is read once. Throws if others keep reading or writing it for a minute; it may be called
 * again.
 */
export async function wipe(file: string): Promise<void> {
  let descriptor = descriptors.get(file);
  // Another file may have this name now.
  if (descriptor === undefined || fstatSync(descriptor).ino !== statSync(file).ino) descriptor = openSync(file, 'r+');
  descriptors.set(file, descriptor);
  const workerData: WiperData = { file, descriptor };
  await once(new Worker(new URL('./wiper.ts', import.meta.url), { workerData }), 'exit');
}

/**
 * Returns a function to call after each removal with whether anything was removed: then it wipes the file, and if that
 * fails, again at later calls until it succeeds.
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
