// Forgetting a user of events.db takes the name away at once, and the rows leave afterwards.
import assert from 'node:assert/strict';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { takeBackup } from '#local/stores/backup.ts';
import { openEvents } from '#local/stores/events.ts';
import { hour, ids, pages, pull, start, storedEvent } from '../../contracts/samples.ts';
import { naming } from '../../support/naming.ts';
import { dataFolder, eventually, startLocal } from '../../support/run.ts';

const name = 'zoe-of-the-tests';
const repository = 'team/app';
const whole = [0, Number.MAX_SAFE_INTEGER] as const;
const many = 2500;

/** A store with many events and pulls of the user, and one of `ann`. */
async function filled(folder: string) {
  const file = join(folder, 'events.db');
  const store = openEvents(file, () => start);
  const events = Array.from({ length: many }, (_, n) =>
    storedEvent(`e${n}`, start + n * hour, { user: name, repository }),
  );
  await store.put([...events, storedEvent('ann', start, { user: 'ann', repository })]);
  const put = events.map(({ id, time }) => pull(id, time, { user: name, repository }));
  await store.replacePulls([{ user: name, repository, version: 0, remove: [], put }]);
  return { file, store, events };
}

/** How many events and pulls a file has, whosever they are. */
function rowsIn(file: string): number[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const rows = ['events', 'pulls'].map((table) =>
    Number(database.prepare(`SELECT COUNT(*) AS rows FROM ${table}`).get()?.rows),
  );
  database.close();
  return rows;
}

test('once a user with many rows is forgotten, no file has the name and no read finds a row, while most are still there', async (t) => {
  const { file, store, events } = await filled(dataFolder(t));
  assert.equal(await store.forget(name), 2 * many + 2, 'with a version and the name');
  assert.deepEqual(naming(file, name), []);
  assert.ok(store.isLeaving());
  assert.ok(
    rowsIn(file).every((rows) => rows > many / 2 && rows < many),
    rowsIn(file).join(),
  );
  assert.deepEqual(await store.events(name, repository, ...whole), []);
  assert.deepEqual(await store.eventsAfter(name, repository, undefined, 9), []);
  assert.deepEqual(await store.pulls(name, repository, ...whole), []);
  assert.deepEqual((await store.history(name, { limit: 9 })).items, []);
  assert.deepEqual((await pages((cursor) => store.pairs({ cursor, limit: 1 }))).flat(), [{ user: 'ann', repository }]);
  assert.equal(store.stored(ids(events)).size, 0);
  await store.rewrite(events);
  assert.equal(await store.forget(name), 0, 'nobody has the name');
  await store.leave();
  assert.ok(!store.isLeaving());
  assert.deepEqual(rowsIn(file), [1, 0]);
  assert.deepEqual(ids(await store.events('ann', repository, ...whole)), ['ann']);
});

test('events that come again while those of the forgotten user leave are new, whoever they are of, and stay', async (t) => {
  const { file, store, events } = await filled(dataFolder(t));
  await store.forget(name);
  const again = [events[many - 1], { ...events[many - 2], origin: 'another:1:0' }];
  const ofBob = { ...events[many - 3], user: 'bob' };
  const sent = [...again, ofBob];
  assert.deepEqual(await store.put(sent), [true, true, true]);
  assert.deepEqual(await store.put(sent), [true, true, true], 'a retry');
  assert.deepEqual(await store.put([{ ...ofBob, origin: 'another:2:0' }]), [false]);
  assert.equal(store.stored(ids(events)).size, 3);
  const put = [pull(again[0].id, again[0].time, { user: name, repository })];
  const version = await store.version(name, repository);
  assert.deepEqual(await store.replacePulls([{ user: name, repository, version, remove: [], put }]), [true]);
  await store.leave();
  assert.deepEqual(await store.events(name, repository, ...whole), again.toReversed());
  assert.deepEqual(await store.events('bob', repository, ...whole), [ofBob]);
  assert.deepEqual((await store.history(name, { limit: 9 })).items, put);
  assert.deepEqual(rowsIn(file), [4, 1]);
  const { number } = new DatabaseSync(file).prepare('SELECT number FROM users WHERE name = ?').get(name) ?? {};
  assert.equal(number, 3, 'the first number is not given again');
});

test('a call that failed in the quarantine leaves no name once it is repeated', async (t) => {
  const { file, store } = await filled(dataFolder(t));
  await store.forget('ann');
  const database = new DatabaseSync(file);
  database.exec("INSERT INTO quarantine VALUES ('unreadable', 1, '{')");
  await assert.rejects(store.forget(name), SyntaxError);
  database.exec("DELETE FROM quarantine WHERE id = 'unreadable'");
  database.close();
  await store.forget(name);
  assert.deepEqual(naming(file, name), []);
});

test('a user whose rows have expired is in no byte once forgotten', async (t) => {
  const { file, store } = await filled(dataFolder(t));
  await store.forget('ann');
  await store.expire(start + many * hour);
  assert.notDeepEqual(naming(file, name), []);
  assert.equal(await store.forget(name), 0);
  assert.deepEqual(naming(file, name), []);
});

test('a number is given to nobody else after its rows have left', async (t) => {
  const file = join(dataFolder(t), 'events.db');
  const store = openEvents(file, () => start);
  const numberOf = async (user: string) => {
    await store.put([storedEvent(user, start, { user })]);
    return new DatabaseSync(file).prepare('SELECT number FROM users WHERE name = ?').get(user)?.number;
  };
  assert.equal(await numberOf('ann'), 1);
  await store.forget('ann');
  assert.ok(!store.isLeaving(), 'a few rows leave at once');
  assert.equal(await numberOf('bob'), 2);
});

test('users without rows expire with the last of them', async (t) => {
  const { file, store } = await filled(dataFolder(t));
  await store.put([storedEvent('late', start + 9999 * hour, { user: 'bob', repository })]);
  await store.expire(start + many * hour);
  const users = new DatabaseSync(file).prepare('SELECT name FROM users').all();
  assert.deepEqual(
    users.map((row) => row.name),
    ['bob'],
  );
});

test('after a kill, and in a backup, the rows of a forgotten user go on leaving', { timeout: 120_000 }, async (t) => {
  const [folder, killed] = [dataFolder(t), dataFolder(t)];
  const backup = join(dataFolder(t), 'backup');
  const { store } = await filled(folder);
  await store.forget(name);
  // What the files are at this moment is what a kill leaves.
  cpSync(folder, killed, { recursive: true });
  await takeBackup(folder, backup, () => start);
  for (const left of [killed, backup]) {
    assert.deepEqual(naming(left, name), []);
    assert.ok(rowsIn(join(left, 'events.db'))[0] > 1);
  }
  const running = await startLocal(killed);
  t.after(() => running.kill());
  await eventually(
    60,
    async () => rowsIn(join(killed, 'events.db')),
    (rows) => rows.join() === '1,0',
  );
  assert.deepEqual(naming(killed, name), []);
});
