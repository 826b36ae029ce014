import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Pull, StoredEvent } from '#core/event.ts';
import { openEvents } from '#local/stores/events.ts';
import { hasOlderRows } from '#local/stores/older-events.ts';
import { byText, ids, pages, pull, storedEvent } from '../../contracts/samples.ts';
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

test('events and pulls of an older version, with the names of their fields, are read', async (t) => {
  const file = join(dataFolder(t), 'events.db');
  const events = openEvents(file, Date.now);
  const [event, act] = [storedEvent('e1', 1000), pull('e1', 1000)];
  const { user, repository } = event;
  const older = new DatabaseSync(file);
  older
    .prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)')
    .run('e1', user, repository, 1000, event.origin, JSON.stringify(event));
  older.prepare('INSERT INTO pulls VALUES (?, ?, ?, ?, ?)').run('e1', user, repository, 1000, JSON.stringify(act));
  assert.deepEqual(await events.events(user, repository, 0, 2000), [event]);
  assert.deepEqual(await events.pulls(user, repository, 0, 2000), [act]);
  assert.deepEqual(await events.put([event]), [true], 'a retry');
  assert.deepEqual(await events.put([{ ...event, origin: 'another:1:0' }]), [false]);
});

test('the rows of a file of an older version are moved, whatever order they lay in', async (t) => {
  const file = join(dataFolder(t), 'events.db');
  const older = new DatabaseSync(file);
  older.exec(
    `CREATE TABLE events (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT) WITHOUT ROWID;
     CREATE INDEX events_of ON events (user, repository, time, id);
     CREATE TABLE pulls (id TEXT PRIMARY KEY, user TEXT, repository TEXT, time REAL, doc TEXT) WITHOUT ROWID;
     CREATE INDEX pulls_of ON pulls (user, repository, time, id);
     CREATE INDEX pulls_history ON pulls (user, time DESC, id DESC);
     CREATE TABLE versions (user TEXT, repository TEXT, version INTEGER, PRIMARY KEY (user, repository)) WITHOUT ROWID;
     INSERT INTO versions VALUES ('Ann', 'library/redis', 7);`,
  );
  const times = [3, 1, 2].map((n) => n * 30 * 86_400_000);
  for (const [at, time] of times.entries()) {
    const { id, user, repository, origin, ...event } = storedEvent(`e${at}`, time);
    older
      .prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, user, repository, time, origin, JSON.stringify({ id, user, repository, origin, ...event }));
    older
      .prepare('INSERT INTO pulls VALUES (?, ?, ?, ?, ?)')
      .run(id, user, repository, time, JSON.stringify(pull(id, time)));
  }
  older.close();
  assert.ok(hasOlderRows(file));
  for (const store of [openEvents(file, Date.now), openEvents(file, Date.now)]) {
    assert.ok(!hasOlderRows(file));
    const order = ['e1', 'e2', 'e0'];
    assert.deepEqual(ids(await store.eventsAfter('Ann', 'library/redis', undefined, 10)), order);
    assert.deepEqual(ids((await store.history('Ann', { limit: 10 })).items), order.toReversed());
    assert.deepEqual(await store.put([storedEvent('e1', times[1])]), [true], 'a retry');
    assert.equal(await store.version('Ann', 'library/redis'), 7);
  }
});

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
        assert.deepEqual((await pages((cursor) => store.pairs({ cursor, limit }))).flat(), pairs);
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
