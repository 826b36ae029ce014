import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { openDatabase, transaction } from '#local/sqlite.ts';

const folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
after(() => rmSync(folder, { recursive: true }));

test('a transaction that fails stores nothing, and its reason is told', () => {
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
