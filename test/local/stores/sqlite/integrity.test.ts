import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { checkDatabases, databasesOf } from '#local/stores/sqlite/integrity.ts';
import { openDatabase } from '#local/stores/sqlite/sqlite.ts';
import { storedEvent } from '../../../contracts/samples.ts';
import { dataFolder, eventually, startLocal } from '../../../support/run.ts';

const pageBytes = 4096;

function fill(file: string): void {
  const database = openDatabase(file, 'CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO rows (text) VALUES (?)');
  for (let n = 0; n < 500; n++) insert.run(`row ${n} `.repeat(20));
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
}

function damage(file: string, page: number): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(pageBytes, 0x5a), 0, pageBytes, (page - 1) * pageBytes);
  closeSync(handle);
}

test('a changed page is found wherever it is, and reported with the fix', async (t) => {
  const folder = dataFolder(t);
  const files = ['search.db', 'stream/0.db'].map((name) => join(folder, name));
  for (const file of files) fill(file);
  assert.deepEqual(databasesOf(folder), ['search.db', 'stream/0.db']);
  assert.deepEqual(await checkDatabases(folder), []);

  for (const page of [2, 10]) {
    damage(files[1], page);
    const [fault, ...others] = await checkDatabases(folder);
    assert.equal(others.length, 0);
    assert.ok(fault.isStuck);
    assert.match(fault.reason, /stream.0\.db is damaged \(.+\): stop the server.*npm run restore/);
  }
});

test('a file that is no longer a database is found; one that another process has locked is not reported as damaged', async (t) => {
  const folder = dataFolder(t);
  const [held, broken] = ['held.db', 'broken.db'].map((name) => join(folder, name));
  for (const file of [held, broken]) fill(file);
  const holder = new DatabaseSync(held);
  t.after(() => holder.close());
  holder.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE');
  damage(broken, 1);
  assert.deepEqual(
    (await checkDatabases(folder)).map(({ reason }) => reason.includes('broken.db is damaged')),
    [true],
  );
});

test('while a file is checked its log can be begun again, so that forgetting does not wait; what others write is not reported', async (t) => {
  const folder = dataFolder(t);
  const writer = new DatabaseSync(join(folder, 'large.db'), { timeout: 0 });
  t.after(() => writer.close());
  writer.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE rows (id INTEGER PRIMARY KEY, bytes)');
  writer.exec(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
     INSERT INTO rows (bytes) SELECT randomblob(3000) FROM n`,
  );
  let isOver = false;
  const checked = checkDatabases(folder).finally(() => {
    isOver = true;
  });
  const busy = new Set();
  while (!isOver) {
    writer.exec('UPDATE rows SET bytes = randomblob(3000) WHERE id = 1');
    busy.add(writer.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.deepEqual([await checked, [...busy]], [[], [0]]);
});

test('what remains of a forgotten user is not taken for events that were lost', async (t) => {
  const folder = dataFolder(t);
  const event = storedEvent('e1', Date.now(), { user: 'ann' });
  const events = openEvents(join(folder, 'events.db'), Date.now);
  const search = openSearch(join(folder, 'search.db'));
  await search.write([{ kind: 'event', id: event.id, version: 0, doc: event }]);
  assert.match((await checkDatabases(folder)).map(({ reason }) => reason).join(), /lacks events that search has/);

  await events.put([event]);
  await events.forget('ann');
  await search.forget('ann');
  assert.equal((await search.images({ repository: event.repository })).length, 1, 'what is known of its image');
  assert.deepEqual(await checkDatabases(folder), []);
});

test('a server with a damaged database reports it as soon as it has checked, whatever requests it gets', {
  timeout: 120_000,
}, async (t) => {
  const folder = dataFolder(t);
  fill(join(folder, 'events.db'));
  damage(join(folder, 'events.db'), 10);
  const running = await startLocal(folder);
  t.after(() => running.kill());
  const health = async () => {
    const response = await fetch(`${running.origin}/v1/health`);
    return { status: response.status, reasons: ((await response.json()) as { reasons: string[] }).reasons.join() };
  };
  const found = await eventually(60, health, ({ status }) => status === 503);
  // A database that the server itself has locked is not damaged.
  assert.equal(found.reasons.split('is damaged').length, 2, found.reasons);
  assert.match(found.reasons, /events\.db is damaged .*npm run restore/);
});
