// The thread of checkDatabases.
import { DatabaseSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { Damage } from './integrity.ts';

function damageOf(file: string): string | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const found = String(database.prepare('PRAGMA quick_check(1)').get()?.quick_check);
    return found === 'ok' ? undefined : found.replaceAll('\n', ' ');
  } catch (cause) {
    return (cause as Error).message;
  } finally {
    database?.close();
  }
}

const damaged = (workerData as string[]).flatMap((file): Damage[] => {
  const found = damageOf(file);
  return found === undefined ? [] : [{ file, found }];
});
parentPort?.postMessage(damaged);
