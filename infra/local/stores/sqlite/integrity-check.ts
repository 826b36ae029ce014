// The thread of checkDatabases.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Damage } from './integrity.ts';

/**
 * SQLite's result codes of a damaged file: IOERR, CORRUPT, NOTADB. Any other, such as BUSY, says nothing about its
 * pages.
 */
const damageCodes = [10, 11, 26];

function damageOf(file: string): string | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 1000 });
    const found = String(database.prepare('PRAGMA quick_check(1)').get()?.quick_check);
    return found === 'ok' ? undefined : found.replaceAll('\n', ' ');
  } catch (cause) {
    const { errcode = 0, message } = cause as Error & { errcode?: number };
    return damageCodes.includes(errcode & 0xff) ? message : undefined;
  } finally {
    database?.close();
  }
}

const damaged = (workerData as string[]).flatMap((file): Damage[] => {
  const found = damageOf(file);
  return found === undefined ? [] : [{ file, found }];
});
parentPort?.postMessage(damaged);
