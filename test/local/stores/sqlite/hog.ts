// A thread that holds a database's write lock without a pause: see sqlite.test.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { openDatabase, transaction } from '#local/stores/sqlite/sqlite.ts';

const database = openDatabase(workerData as string, 'CREATE TABLE IF NOT EXISTS rows (n INTEGER)', {
  isScrubbed: true,
});
const put = database.prepare('INSERT INTO rows VALUES (?)');
const end = performance.now() + 15_000;
for (let n = 0; performance.now() < end; n++) {
  transaction(database, () => {
    put.run(n);
    for (const until = performance.now() + 200; performance.now() < until; );
  });
  if (n === 1) parentPort?.postMessage('holds it');
}
