// Whether the databases of a data folder are whole, looked at beside the running server: SQLite itself finds a damaged page only
// when it comes upon it.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Fault } from '#serve/health.ts';
import { markSearchDamaged } from '../search/refill.ts';

/** What `PRAGMA quick_check` said first of a database. */
export interface Damage {
  file: string;
  found: string;
}

/** The databases of a folder and what is below it, named from there. */
export const databasesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.db'))
    .sort();

/** Reads every page of every database once, in a thread of its own; returns the faults for the health page. */
export function checkDatabases(folder: string): Promise<Fault[]> {
  const files = databasesOf(folder).map((name) => join(folder, name));
  const worker = new Worker(new URL('./integrity-check.ts', import.meta.url), { workerData: files, name: 'integrity' });
  worker.unref();
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (damaged: Damage[]) => resolve(damaged.map((one) => faultOf(folder, one))));
  });
}

function faultOf(folder: string, { file, found }: Damage): Fault {
  const isSearch = file === join(folder, 'search.db');
  if (isSearch) markSearchDamaged(folder);
  const fix = isSearch
    ? 'start the server again, and it is made from events'
    : 'stop the server, and restore the data folder from a backup: npm run restore';
  return { reason: `${file} is damaged (${found}): ${fix}`, stands: true };
}
