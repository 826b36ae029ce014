// Checks the databases of a data folder for damage, beside the running server: SQLite itself notices a damaged page
// only when it reads it.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import type { Fault } from '#serve/health.ts';
import { markSearchDamaged } from '../search/refill.ts';
import { checkpoint } from './checkpoint.ts';
import { scrubbedOf } from './scrubbed.ts';
import { scrub } from './wipe.ts';

/** The first finding of `PRAGMA quick_check` for a database. */
export interface Damage {
  file: string;
  found: string;
}

/** The databases in a folder and its subfolders, by relative path. */
export const databasesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.db'))
    .sort();

/** The databases that hold what is stored nowhere else, and are empty files: to be called before they are opened. */
export const emptyDatabases = (folder: string): string[] =>
  databasesOf(folder)
    .filter((name) => !/^(hold|search|[\w-]*pump)\.db$/.test(name))
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).size === 0);

/**
 * Copies each database's log into its file, once nothing else writes: people take a file that ends with -wal for a
 * leftover.
 */
export function foldLogs(folder: string): void {
  for (const name of databasesOf(folder).filter((name) => name !== 'hold.db')) {
    const file = join(folder, name);
    if (existsSync(scrubbedOf(file))) checkpoint(file, 1000);
    const database = new DatabaseSync(file, { timeout: 1000 });
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    database.close();
  }
}

/** Reads what may hold removed rows of the large databases once, in separate threads: later forgetting need not. */
export async function scrubDatabases(folder: string): Promise<void> {
  for (const name of ['events.db', 'search.db']) {
    const file = join(folder, name);
    if (existsSync(file)) await scrub(file);
  }
}

/** Reads every page of every database once, in a separate thread; returns the faults for the health page. */
export function checkDatabases(folder: string): Promise<Fault[]> {
  const files = databasesOf(folder).map((name) => join(folder, name));
  const [events, search] = ['events.db', 'search.db'].map((name) => join(folder, name));
  const worker = new Worker(new URL('./integrity-check.ts', import.meta.url), {
    ...{ workerData: { files, events, search }, name: 'integrity' },
  });
  worker.unref();
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (damaged: Damage[]) => resolve(damaged.map((one) => faultOf(folder, one))));
  });
}

/** The fault that a database is damaged. */
export function faultOf(folder: string, { file, found }: Damage): Fault {
  const isSearch = file === join(folder, 'search.db');
  if (isSearch) markSearchDamaged(folder);
  const fix = isSearch
    ? 'restart the server, which rebuilds it from events'
    : 'stop the server, and restore the data folder from a backup: npm run restore';
  return { reason: `${file} is damaged (${found}): ${fix}`, isStuck: true };
}
