// Removes all traces of deleted rows from a database's files.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { descriptorOf } from './checkpoint.ts';

export interface WiperData {
  file: string;
  descriptor: number;
  task: 'wipe' | 'scrub';
}

/**
 * Overwrites what SQLite left of removed rows in a file, and empties its log, in a separate thread. It takes as long
 * as a checkpoint; a file that was not scrubbed yet is read once. Readers go on, and writers wait for milliseconds.
 * Throws if others keep reading or writing it for a minute; it may be called again.
 */
export const wipe = (file: string): Promise<void> => run(file, 'wipe');

/** Reads the file once in a separate thread, if that is needed, so that no later `wipe` has to. */
export const scrub = (file: string): Promise<void> => run(file, 'scrub');

async function run(file: string, task: WiperData['task']): Promise<void> {
  // A database in memory has none.
  if (file === ':memory:') return;
  const workerData: WiperData = { file, descriptor: descriptorOf(file), task };
  const worker = new Worker(new URL('./wiper.ts', import.meta.url), { workerData });
  if (task === 'scrub') worker.unref();
  await once(worker, 'exit');
}
