import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pull, StoredEvent } from '#core/event.ts';
import { openEvents } from '#local/stores/events.ts';
import { olderEvents } from '#local/stores/older-events.ts';
import { hasOlderRows } from '#local/stores/sqlite/older.ts';
import { SettingError } from '#settings/error.ts';
import { byText, ids, pages, pull, storedEvent } from '../../contracts/samples.ts';
import { naming } from '../../support/naming.ts';
import { dataFolder } from '../../support/run.ts';

const text = fc.string({ unit: 'binary', maxLength: 8 });
const digits = fc.stringMatching(/^[1-9]0{0,60}[1-9]0{0,9}$/);
const optional = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const defined = <T extends object>(of: T) =>
  Object.fromEntries(Object.entries(of).filter(([, value]) => value !== undefined)) as T;
const moreOfEvent = fc.record({
  ...{ tag: optional(text), digest: optional(text), mediaType: optional(text), subject: optional(text) },
  ...{ references: optional(fc.array(text)), referenceTypes: optional(fc.array(text)), userType: optional(text) },
  ...{ size: optional(fc.nat()), addressDigests: fc.array(text), country: text, userAgent: text },
  origin: fc
    .tuple(text, digits, fc.nat())
    .map(([shard, sequence, line]) => `${shard.replaceAll('~', '')}:${sequence}:${line}`),
});
const moreOfPull = fc.record({
  ...{ tag: optional(text), digest: optional(text), country: text, events: fc.integer({ min: 1, max: 9 }) },
  uncertain: optional(fc.constant(true as const)),
});

test('events and pulls are read as they were stored, whatever their fields', async (t) => {
  const events = openEvents(join(dataFolder(t), 'events.db'), Date.now);
  let n = 0;
  await fc.assert(
    fc.asyncProperty(moreOfEvent, moreOfPull, async (ofEvent, ofPull) => {
      const time = ++n * 1000;
      const event = defined<StoredEvent>({ ...storedEvent(`e${n}`, time), ...ofEvent });
      const act = defined<Pull>({ ...pull(`e${n}`, time), ...ofPull });
      const { user, repository } = event;
      assert.deepEqual(await events.put([event]), [true]);
      assert.deepEqual(await events.put([event]), [true], 'a retry');
      assert.deepEqual(await events.put([{ ...event, origin: 'another:1:0' }]), [false]);
      const version = await events.version(user, repository);
      await events.replacePulls([{ user, repository, version, remove: [], put: [act] }]);
      assert.deepEqual(await events.events(user, repository, time, time), [event]);
      assert.deepEqual(await events.pulls(user, repository, time, time), [act]);
      assert.deepEqual(await events.eventsAfter(user, repository, time - 1, 1), [event]);
    }),
  );
});

/** The tables of older versions, whose rows lie by id, by user, or as they came. */
const older = [
  `CREATE TABLE events (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT) WITHOUT ROWID;
   CREATE INDEX events_of ON events (user, repository, time, id);
   CREATE TABLE pulls (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, doc TEXT) WITHOUT ROWID;
   CREATE INDEX pulls_of ON pulls (user, repository, time, id);
   CREATE INDEX pulls_history ON pulls (user, time DESC, id DESC);`,
  `CREATE TABLE events (id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT,
     PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;
   CREATE TABLE pulls (
     id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT, PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;`,
  `CREATE TABLE events (id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT);
   CREATE TABLE pulls (id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT);
   CREATE UNIQUE INDEX pulls_week ON pulls (CAST(time / 604800000 AS INTEGER), user, repository, time, id);`,
];

/** Makes a file of an older version, whose rows have everything in `doc`; returns how to store another event. */
function olderFile(file: string, tables: string) {
  const database = new DatabaseSync(file);
  database.exec(
    `${tables}
     CREATE TABLE versions (user TEXT, repository TEXT, version INTEGER, PRIMARY KEY (user, repository)) WITHOUT ROWID;
     INSERT INTO versions VALUES ('Ann', 'library/redis', 7)`,
  );
  const putEvent = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)');
  const putPull = database.prepare('INSERT INTO pulls VALUES (?, ?, ?, ?, ?)');
  const put = (event: StoredEvent, doc = JSON.stringify(event)) => {
    const { id, user, repository, time, origin } = event;
    putEvent.run(id, user, repository, time, origin, doc);
    putPull.run(id, user, repository, time, JSON.stringify(pull(id, time, { user, repository })));
  };
  return { database, put };
}

for (const [layout, tables] of older.entries()) {
  test(`the rows of a file of an older version are moved, whatever order they lay in (${layout})`, async (t) => {
    const file = join(dataFolder(t), 'events.db');
    const { database, put } = olderFile(file, tables);
    const times = [3, 1, 2].map((n) => n * 30 * 86_400_000 + 0.125);
    const events = times.map((time, at) => storedEvent(`e${at}`, time));
    for (const event of events) put(event);
    database.close();
    assert.ok(hasOlderRows(file, olderEvents));
    for (const store of [openEvents(file, Date.now), openEvents(file, Date.now)]) {
      assert.ok(!hasOlderRows(file, olderEvents));
      const order = [1, 2, 0].map((at) => events[at]);
      assert.deepEqual(await store.eventsAfter('Ann', 'library/redis', undefined, 10), order);
      assert.deepEqual(
        (await store.history('Ann', { limit: 10 })).items,
        order.map(({ id, time }) => pull(id, time)).toReversed(),
      );
      assert.deepEqual(await store.put([events[1]]), [true], 'a retry');
      assert.deepEqual(await store.put([{ ...events[1], origin: 'another:1:0' }]), [false]);
      assert.equal(await store.version('Ann', 'library/redis'), 7);
    }
    const tablesNow = new DatabaseSync(file).prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    assert.deepEqual(
      tablesNow.filter(({ name }) => /^(older|moved)/.test(String(name))),
      [],
    );
    await openEvents(file, Date.now).forget('Ann');
    assert.deepEqual(naming(file, 'Ann'), [], 'nor is the name in what a row had of it');
  });

  test(`a move that was interrupted goes on at the next start, and each row is there once (${layout})`, async (t) => {
    const file = join(dataFolder(t), 'events.db');
    const { database, put } = olderFile(file, tables);
    const events = Array.from({ length: 20_500 }, (_, n) =>
      storedEvent(`e${String(n).padStart(5, '0')}`, 1000 + n, { user: n % 2 ? 'ann' : 'bob', repository: 'a' }),
    );
    database.exec('BEGIN');
    for (const event of events) put(event);
    const { id } = events[layout === 1 ? 20_498 : 20_499];
    database.prepare("UPDATE events SET doc = '{' WHERE id = ?").run(id);
    database.exec('COMMIT');
    assert.throws(() => openEvents(file, Date.now), SettingError);
    const count = (table: string) => Number(database.prepare(`SELECT COUNT(*) AS rows FROM ${table}`).get()?.rows);
    assert.deepEqual([count('events'), count('pulls')], [20_000, 0]);
    assert.ok(hasOlderRows(file, olderEvents));
    database.prepare('UPDATE older_events SET doc = ? WHERE id = ?').run(JSON.stringify(events[20_499]), id);
    const store = openEvents(file, Date.now);
    assert.deepEqual([count('events'), count('pulls')], [20_500, 20_500]);
    assert.deepEqual(store.stored(ids(events)).size, 20_500);
    assert.ok(!hasOlderRows(file, olderEvents));
    database.close();
  });
}

test('reads return the same whatever weeks the rows lie in', async (t) => {
  const folder = dataFolder(t);
  const users = ['', 'ann', 'bob'];
  const repositories = ['team/app', 'team/base'];
  const week = 7 * 86_400_000;
  const times = fc.oneof(
    fc.integer({ min: 0, max: 2 ** 43 }),
    // Near the ends of weeks.
    fc.tuple(fc.integer({ min: 2240, max: 2250 }), fc.integer({ min: -1, max: 1 })).map(([n, by]) => n * week + by),
  );
  const some = fc.record({
    user: fc.constantFrom(...users),
    repository: fc.constantFrom(...repositories),
    time: times,
  });
  const sorted = <T extends { id: string; time: number }>(rows: T[]) =>
    rows.toSorted((a, b) => a.time - b.time || byText(a.id, b.id));
  const of = <T extends { user: string; repository: string }>(rows: T[], user: string, repository: string) =>
    rows.filter((row) => row.user === user && row.repository === repository);
  let n = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(some, { maxLength: 40 }),
      fc.tuple(times, times),
      fc.integer({ min: 1, max: 5 }),
      async (rows, range, limit) => {
        const store = openEvents(join(folder, `${n++}.db`), Date.now);
        const all = rows.map((row, at) => storedEvent(`e${at}`, row.time, row));
        const acts = sorted(all.map(({ id, time, user, repository }) => pull(id, time, { user, repository })));
        await store.put(all);
        const [from, to] = range.toSorted((a, b) => a - b);
        const isInside = ({ time }: { time: number }) => time >= from && time <= to;
        const pairs: { user: string; repository: string }[] = [];
        for (const user of users)
          for (const repository of repositories) {
            const own = sorted(of(all, user, repository));
            const put = of(acts, user, repository);
            await store.replacePulls([{ user, repository, version: 0, remove: [], put }]);
            if (own.length > 0) pairs.push({ user, repository });
            assert.deepEqual(await store.events(user, repository, from, to), own.filter(isInside));
            assert.deepEqual(await store.pulls(user, repository, from, to), put.filter(isInside));
            for (const after of [undefined, from])
              assert.deepEqual(
                await store.eventsAfter(user, repository, after, limit),
                own.filter(({ time }) => after === undefined || time > after).slice(0, limit),
              );
          }
        const byName = (list: object[]) => list.map((pair) => JSON.stringify(pair)).sort();
        const found = (await pages((cursor) => store.pairs({ cursor, limit }))).flat();
        assert.deepEqual(byName(found), byName(pairs));
        for (const user of users)
          assert.deepEqual(
            (await pages((cursor) => store.history(user, { cursor, limit }))).flat(),
            acts.filter((act) => act.user === user).toReversed(),
          );
      },
    ),
    { numRuns: 40 },
  );
});

test('a batch that read before all pairs got a common version is refused if its pair changed since', async (t) => {
  const store = openEvents(join(dataFolder(t), 'events.db'), Date.now);
  const replaced = (repository: string, version: number) =>
    store.replacePulls([{ user: 'ann', repository, version, remove: [], put: [] }]);
  const many = async (from: number) => {
    const pairs = Array.from({ length: 20_001 }, (_, n) => ({ user: 'ann', repository: `more/${from + n}` }));
    const versions = await store.versions(pairs);
    await store.replacePulls(pairs.map((pair, at) => ({ ...pair, version: versions[at], remove: [], put: [] })));
  };
  assert.deepEqual(await replaced('team/app', 0), [true]);
  assert.deepEqual(await replaced('team/app', 1), [true]);
  await many(0);
  const version = await store.version('ann', 'team/app');
  assert.ok(version >= 2, `${version} never decreases`);
  assert.deepEqual(await replaced('team/app', 1), [false], 'read before its last change');
  assert.deepEqual(await replaced('team/app', version), [true], 'unchanged since it was read');
  assert.deepEqual(await replaced('team/app', version), [false]);
  await many(100_000);
  assert.ok((await store.version('ann', 'team/app')) > version);
  assert.deepEqual(await replaced('team/app', version), [false]);
});
