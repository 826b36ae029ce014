import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { seeded } from '#core/bytes/random.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { openDatabase, transaction } from '#local/stores/sqlite/sqlite.ts';
import { wipe } from '#local/stores/sqlite/wipe.ts';
import { storedEvent } from '../../../contracts/samples.ts';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
after(() => rmSync(folder, { recursive: true }));

test('a transaction that fails stores nothing, and throws its reason', () => {
  const database = openDatabase(join(folder, 'a.db'), 'CREATE TABLE IF NOT EXISTS log (data BLOB)');
  const insert = database.prepare('INSERT INTO log VALUES (?)');
  const rows = () => database.prepare('SELECT count(*) AS rows FROM log').get()?.rows;
  const failing = () =>
    transaction(database, () => {
      insert.run('one');
      throw new Error('no further');
    });
  assert.throws(failing, /no further/);
  assert.equal(rows(), 0);
  database.exec('PRAGMA max_page_count = 20');
  const tooMuch = () => transaction(database, () => insert.run(new Uint8Array(1_000_000)));
  assert.throws(tooMuch, /disk is full/);
  transaction(database, () => insert.run('two'));
  assert.equal(rows(), 1);
});

test('wiped files contain nothing of removed rows, not even copies that SQLite left when it moved them', async () => {
  const file = join(folder, 'wiped.db');
  const database = openDatabase(file, 'CREATE TABLE IF NOT EXISTS log (key TEXT PRIMARY KEY, data TEXT) WITHOUT ROWID');
  const insert = database.prepare('INSERT INTO log VALUES (?, ?)');
  const random = seeded(1);
  // In random key order and of many lengths, so that pages are split and balanced.
  for (let batch = 0; batch < 60; batch++)
    transaction(database, () => {
      for (let n = 0; n < 200; n++) {
        const name = random() < 0.02 ? 'remove me' : 'keep me';
        insert.run(`${random()}`, `${name} ${'x'.repeat(random() * 3000)}`);
      }
    });
  const holds = (text: string) =>
    readdirSync(folder).some((name) => name.startsWith('wiped.db') && readFileSync(join(folder, name)).includes(text));
  transaction(database, () => database.exec("DELETE FROM log WHERE data LIKE 'remove me%'"));
  assert.ok(holds('remove me'));
  const reader = openDatabase(file, '');
  const reading = reader.prepare('SELECT * FROM log').iterate();
  reading.next();
  const wiped = wipe(file);
  // A reader of the removed rows delays the wipe, and is not disturbed.
  setTimeout(() => assert.equal([...reading].length > 10_000, true), 200);
  await wiped;
  assert.ok(!holds('remove me'));
  assert.ok(holds('keep me'));
  insert.run('z', 'still open');
  // Another connection's cache from before does not bring removed rows back when it writes.
  database.exec("UPDATE log SET data = 'keep us' || substr(data, 8); PRAGMA wal_checkpoint(TRUNCATE)");
  assert.ok(!holds('remove me'));
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
});

test('no statement numbers its parameters: SQLite of Node before 22.20 and 24.9 can not bind them', () => {
  const local = join(import.meta.dirname, '../../../../infra/local');
  for (const name of readdirSync(local, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts')))
    assert.doesNotMatch(readFileSync(join(local, name), 'utf8'), /(?<![\\\w)\]}])\?\d/, name);
});

test('who writes without a pause lets others write before they give up', { timeout: 60_000 }, async (t) => {
  const file = join(folder, 'hogged.db');
  const hog = new Worker(new URL('./hog.ts', import.meta.url), { workerData: file });
  t.after(() => hog.terminate());
  await once(hog, 'message');
  const database = openDatabase(file, '');
  transaction(database, () => database.exec('INSERT INTO rows VALUES (-1)'));
  database.close();
});

test('a search store is opened while another connection writes, also if no image has platforms', async () => {
  const file = join(folder, 'search.db');
  await openSearch(file).write([{ kind: 'event', id: '1', version: 0, doc: storedEvent('1', 0, { action: 'push' }) }]);
  const writer = new DatabaseSync(file);
  writer.exec('BEGIN IMMEDIATE');
  assert.equal((await openSearch(file).counts({})).total.pushes, 1);
  writer.exec('ROLLBACK');
  writer.close();
});
