import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import { checkpoint } from '#local/stores/sqlite/checkpoint.ts';
import { foldLogs } from '#local/stores/sqlite/integrity.ts';
import { unusedOf } from '#local/stores/sqlite/pages.ts';
import { openDatabase, transaction } from '#local/stores/sqlite/sqlite.ts';
import { scrub, wipe } from '#local/stores/sqlite/wipe.ts';

const folder = mkdtempSync(join(tmpdir(), 'checkpoint-'));
after(() => rmSync(folder, { recursive: true }));
const schema = 'CREATE TABLE IF NOT EXISTS log (key TEXT PRIMARY KEY, data TEXT) WITHOUT ROWID';
const open = (file: string) => openDatabase(file, schema, { isScrubbed: true });

/** Rows in random order and of many lengths, so that pages are split and balanced; some are removed again. */
function churn(database: DatabaseSync, random: () => number, rows = 300): void {
  const insert = database.prepare('INSERT OR REPLACE INTO log VALUES (?, ?)');
  transaction(database, () => {
    for (let n = 0; n < rows; n++)
      insert.run(`${random()}`, `${random() < 0.1 ? 'remove me' : 'keep me'} ${'x'.repeat(random() * 3000)}`);
    const from = random();
    database.prepare('DELETE FROM log WHERE key BETWEEN ? AND ?').run(`${from}`, `${from + 0.02}`);
  });
}

/** How many pages of the main file have bytes where they have no cells. */
function unscrubbed(file: string): number {
  const bytes = readFileSync(file);
  let found = 0;
  for (let at = 0; at < bytes.length; at += 4096) if (unusedOf(bytes.subarray(at, at + 4096), at === 0)) found++;
  return found;
}

const holds = (file: string, text: string) =>
  [file, `${file}-wal`].some((name) => existsSync(name) && readFileSync(name).includes(text));

test('a checkpoint of a long log comes by itself and leaves nothing between cells', () => {
  const file = join(folder, 'long.db');
  const database = open(file);
  const random = seeded(1);
  for (let batch = 0; batch < 120; batch++) churn(database, random, 500);
  assert.ok(statSync(file).size > 2 * 2 ** 20, 'it was copied');
  assert.ok(statSync(`${file}-wal`).size < 80 * 2 ** 20, 'the log is begun again');
  assert.equal(unscrubbed(file), 0);
  assert.equal(checkpoint(file, 1000), 'whole');
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
  database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  database.close();
  assert.equal(unscrubbed(file), 0);
});

test('a log of large batches becomes longer, and is copied after the next small one', () => {
  const file = join(folder, 'batches.db');
  const database = open(file);
  const random = seeded(5);
  for (let batch = 0; batch < 12; batch++) churn(database, random, 6000);
  const copied = statSync(file).size;
  assert.ok(statSync(`${file}-wal`).size > 128 * 2 ** 20, 'the log has several batches');
  churn(database, random, 1);
  assert.ok(statSync(file).size > copied, 'it was copied');
  assert.equal(unscrubbed(file), 0);
  database.close();
});

test('a large file that SQLite wrote itself is scrubbed in slices, or whole by wipe and scrub', async () => {
  const file = join(folder, 'large.db');
  const random = seeded(2);
  const made = openDatabase(file, schema);
  const fill = () => {
    for (let batch = 0; batch < 30; batch++) churn(made, random, 400);
    made.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    assert.ok(unscrubbed(file) > 100);
  };
  fill();
  assert.ok(statSync(file).size > 16 * 2 ** 20);
  assert.equal(checkpoint(file, 1000), 'part');
  while (checkpoint(file, 1000) !== 'whole');
  assert.equal(unscrubbed(file), 0);
  fill();
  await scrub(file);
  assert.equal(unscrubbed(file), 0);
  fill();
  await wipe(file);
  assert.equal(unscrubbed(file), 0);
  assert.equal(made.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
  // From then on what a checkpoint copies is enough, also after a stop.
  churn(made, random);
  assert.equal(checkpoint(file, 1000), 'whole');
  churn(made, random);
  foldLogs(folder);
  made.close();
  const again = open(file);
  churn(again, random);
  assert.equal(checkpoint(file, 1000), 'whole');
  again.close();
});

test('whoever copies the log and begins it again, a wipe leaves nothing of removed rows', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const file = join(folder, `several-${seed}.db`);
    const random = seeded(seed);
    let [one, other] = [open(file), open(file)];
    const steps = [
      () => churn(one, random),
      () => churn(other, random),
      () => checkpoint(file, 1000),
      () => other.exec('PRAGMA wal_checkpoint(PASSIVE)'),
      () => other.exec('PRAGMA wal_checkpoint(RESTART)'),
      () => one.exec('PRAGMA wal_checkpoint(TRUNCATE)'),
      () => one.exec('VACUUM'),
      () => foldLogs(folder),
      () => {
        for (const database of [one, other]) database.close();
        [one, other] = [open(file), open(file)];
      },
    ];
    for (let n = 0; n < 30; n++) steps[Math.floor(random() * steps.length)]();
    for (const database of [one, other]) {
      transaction(database, () => database.exec("DELETE FROM log WHERE data LIKE 'remove me%'"));
    }
    await wipe(file);
    assert.equal(unscrubbed(file), 0, `seed ${seed}`);
    assert.ok(!holds(file, 'remove me'), `seed ${seed}`);
    // Pages that the connections had in their caches.
    for (const database of [one, other])
      transaction(database, () => database.exec("UPDATE log SET data = data || '.'"));
    assert.ok(!holds(file, 'remove me'), `seed ${seed}`);
    assert.equal(one.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
    for (const database of [one, other]) database.close();
  }
});

test('a reader keeps the log from being copied, and the next checkpoint catches up', () => {
  const file = join(folder, 'reader.db');
  const [database, reader] = [open(file), new DatabaseSync(file)];
  const random = seeded(3);
  churn(database, random);
  reader.exec('BEGIN; SELECT count(*) FROM log');
  churn(database, random);
  assert.equal(checkpoint(file, 1000), 'pinned');
  reader.exec('COMMIT');
  assert.equal(checkpoint(file, 1000), 'whole');
  assert.equal(unscrubbed(file), 0);
  database.exec('BEGIN IMMEDIATE');
  assert.equal(checkpoint(file, 10), 'pinned');
  database.exec('ROLLBACK');
  for (const each of [database, reader]) each.close();
});
