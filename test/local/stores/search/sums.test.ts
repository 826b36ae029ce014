// Kept sums equal scanned sums: after any writes, redeliveries, removals, forgetting and expiry the tables equal those
// of a file with the same documents that is summed from the beginning.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import type { Pull, StoredEvent } from '#core/event.ts';
import { NotSummed, type SearchChange } from '#core/stores.ts';
import { openReader } from '#local/stores/search/reading.ts';
import { type LocalSearch, olderDocuments, openSearch } from '#local/stores/search/search.ts';
import { sumTables } from '#local/stores/search/sums.ts';
import { hasOlderRows } from '#local/stores/sqlite/older.ts';
import { pull, start, storedEvent } from '../../../contracts/samples.ts';
import { naming } from '../../../support/naming.ts';
import { eventually } from '../../../support/run.ts';

const root = mkdtempSync(join(tmpdir(), 'sums-'));
after(() => rmSync(root, { recursive: true }));
let files = 0;
const fresh = () => join(root, `${files++}.db`);
const day = 86_400_000;

/** Rows of a user whose number has lost its name. */
const isLeaving = 'user IN (SELECT number FROM user_numbers WHERE name IS NULL)';

/**
 * All sums, without repositories that have nothing left, and without the number of changes, which is not part of the
 * state.
 */
function sumsIn(file: string): Record<string, unknown[]> {
  const database = new DatabaseSync(file);
  const found = Object.fromEntries(
    sumTables.map((name) => [
      name,
      database
        .prepare(`SELECT * FROM ${name} ${name === 'pair_weeks' ? `WHERE NOT ${isLeaving}` : ''}`)
        .all()
        .map(({ stamp, ...row }) => row)
        .filter((row) => !(name === 'repositories' && row.pulls === 0 && row.manifests === 0))
        .filter((row) => row.people !== 0)
        .map((row) => JSON.stringify(row))
        .sort(),
    ]),
  );
  database.close();
  return found;
}

const [ann, bob] = ['ann-of-the-tests', 'bob-of-the-tests'];
const names = {
  user: fc.constantFrom(ann, ann, bob, 'Zoë', ''),
  repository: fc.constantFrom('a', 'a', 'b', 'east//a'),
  class: fc.constantFrom('human', 'human', 'ci', 'cluster', 'signature', 'scanner'),
  client: fc.constantFrom('docker', 'skopeo'),
  country: fc.constantFrom('FI', ''),
  tag: fc.constantFrom(undefined, '1', '2'),
  digest: fc.constantFrom(undefined, 'sha256:1', 'sha256:2'),
};
/** Of two weeks, and one that the trend of the first no longer reaches. */
const days = fc.constantFrom(0, 1, 6, 9, 125);
const time = fc.record({ days, ms: fc.constantFrom(0, 0.5, 1000, 3_600_000) });
const doc = fc.record({ ...names, time, uncertain: fc.constantFrom(undefined, true) });
const event = fc.record({
  ...{ ...names, time },
  action: fc.constantFrom('pull', 'pull', 'push', 'delete'),
  kind: fc.constantFrom('manifest', 'manifest', 'blob', 'other'),
  apart: fc.boolean(),
});
const pullStep = fc.record({ pull: fc.nat(7), version: fc.nat(4), doc: fc.option(doc, { freq: 4 }) });
const eventStep = fc.record({ event: fc.nat(7), version: fc.nat(4), doc: event });
/** An event and the pull that it opens. */
const openedStep = fc.record({ opened: fc.nat(7), version: fc.nat(4), doc });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.oneof(pullStep, eventStep, openedStep), { minLength: 1, maxLength: 5 }) },
  { weight: 1, arbitrary: fc.record({ forget: fc.constantFrom(ann, bob) }) },
  { weight: 1, arbitrary: fc.record({ expire: days }) },
  { weight: 1, arbitrary: fc.constant('leave' as const) },
  // What `npm run sums` does.
  { weight: 1, arbitrary: fc.constant('restart' as const) },
  { weight: 3, arbitrary: fc.constant('build' as const) },
);

/** Of two pulls at the same time either may be the newest: so each of these has a different time. */
const at = ({ days, ms }: { days: number; ms: number }, n: number) => start + days * day + ms + 10 * n;
interface Step {
  pull?: number;
  event?: number;
  opened?: number;
  version: number;
  doc: { time: { days: number; ms: number }; apart?: boolean } | null;
}
function changesOf({ pull: ofPull, event: ofEvent, opened, version, doc }: Step): SearchChange[] {
  const n = opened ?? ofPull ?? ofEvent ?? 0;
  const { apart, time, ...more } = doc ?? { time: { days: 0, ms: 0 } };
  const changes: SearchChange[] = [];
  if (ofPull === undefined) {
    const event = storedEvent(`${n}`, 0, { ...(more as Partial<StoredEvent>), time: at(time, n) });
    changes.push({ kind: 'event', id: `${n}`, version, doc: event, apart });
  }
  if (ofEvent === undefined)
    changes.push({
      ...{ kind: 'pull', id: `${n}`, version },
      doc: doc && pull(`${n}`, 0, { ...(more as Partial<Pull>), time: at(time, n) }),
    });
  return changes;
}

async function summedAnew(file: string): Promise<void> {
  const { sums } = openSearch(file);
  sums.restart();
  while (sums.build());
}

/** The sums that are kept must be those of all documents. */
async function assertSummed(file: string): Promise<void> {
  const kept = sumsIn(file);
  await summedAnew(file);
  assert.deepEqual(kept, sumsIn(file));
}

test('kept sums equal scanned sums, whatever is written, removed, forgotten or expired', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30, size: 'max' }), async (steps) => {
      const file = fresh();
      // The tables can only be read from a file. Who has two documents or more is forgotten in two steps.
      const store = openSearch(file, 1, { manyDocuments: 1, stepRows: 3 });
      for (const one of steps) {
        if (one === 'leave') await store.leave();
        else if (Array.isArray(one)) await store.write(one.flatMap(changesOf));
        else if (one === 'restart') store.sums.restart();
        else if (one === 'build') store.sums.build();
        else if ('forget' in one) {
          await store.forget(one.forget);
          assert.deepEqual(naming(file, one.forget), []);
        } else await store.expire(start + one.expire * day);
      }
      while (store.sums.build());
      await assertSummed(file);
    }),
    { seed: 6, numRuns: 40, endOnFailure: true },
  );
});

test('the trend of pulls that an older version has counted is scanned again', async () => {
  const file = fresh();
  const store = openSearch(file);
  const write = (id: string, time: number) => store.write([{ kind: 'pull', id, version: 0, doc: pull(id, time) }]);
  await write('1', start);
  const database = new DatabaseSync(file);
  const older = database.prepare('SELECT * FROM recent_pulls').get()!;
  await write('2', start);
  database
    .prepare('UPDATE recent_pulls SET total = ?, newest = ?, days = ?')
    .run(older.total, older.newest, older.days);
  database.close();
  await write('3', start + day);
  await assertSummed(file);
});

test('an event and the pull that it opens are one row as long as they say the same', async () => {
  const file = fresh();
  const store = openSearch(file);
  const write = async (version: number, more: Partial<Pull> | null) => {
    const digest = `sha256:${'a'.repeat(64)}`;
    await store.write([
      { kind: 'event', id: '1', version, doc: storedEvent('1', start) },
      { kind: 'pull', id: '1', version, doc: more && pull('1', start, { digest, ...more }) },
    ]);
    const database = new DatabaseSync(file);
    const kinds = database.prepare('SELECT kind, gone FROM documents ORDER BY kind').all();
    database.close();
    const { total } = await store.counts({});
    await assertSummed(file);
    return { rows: kinds.map(({ kind, gone }) => `${kind}${gone ? ' gone' : ''}`), pulls: total.pulls, raw: total.raw };
  };
  assert.deepEqual(await write(1, {}), { rows: ['both'], pulls: 1, raw: 1 });
  assert.deepEqual(await write(2, { tag: '8' }), { rows: ['event', 'pull'], pulls: 1, raw: 1 });
  assert.deepEqual(await write(1, {}), { rows: ['event', 'pull'], pulls: 1, raw: 1 }, 'an older version');
  assert.deepEqual(await write(3, { uncertain: true }), { rows: ['both'], pulls: 1, raw: 1 });
  assert.deepEqual(await write(4, null), { rows: ['event', 'pull gone'], pulls: 0, raw: 1 });
  assert.deepEqual(await write(5, {}), { rows: ['both'], pulls: 1, raw: 1 });
  await store.forget('Ann');
  assert.deepEqual((await store.counts({})).total, { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 });
});

test('a file that an older version wrote is summed in steps, and documents written meanwhile are neither missed nor counted twice', async () => {
  const file = fresh();
  const store = openSearch(file);
  const random = seeded(3);
  const pick = <T>(items: T[]): T => items[Math.floor(random() * items.length)];
  const made = (n: number, version: number): SearchChange => ({
    ...{ kind: 'pull', id: `${n}`, version },
    doc: pull(`${n}`, start + Math.floor(random() * 5 * day), {
      user: pick(['ann', 'bob']),
      repository: pick(['a', 'b']),
    }),
  });
  await store.write(Array.from({ length: 21_000 }, (_, n) => made(n, 1)));
  store.sums.restart();
  await assert.rejects(store.users({ sort: 'name', limit: 1, now: start }), NotSummed);
  assert.deepEqual([store.sums.missing()?.done, store.sums.missing()?.total], [0, 21_000]);
  let steps = 0;
  while (store.sums.build()) {
    steps++;
    await store.write(Array.from({ length: 50 }, () => made(Math.floor(random() * 22_000), 2)));
    await store.write([{ kind: 'pull', id: `${steps * 1000}`, version: 3, doc: null }]);
  }
  assert.ok(steps > 3);
  await assertSummed(file);
});

test('a file of a version whose pairs by week have names, or that lacks them, is summed again', async () => {
  const file = fresh();
  const pulls = (version: number) =>
    Array.from({ length: 300 }, (_, n): SearchChange => {
      const named = { user: ['ann', 'bob', ''][n % 3], repository: ['a', 'b'][n % 2] };
      return { kind: 'pull', id: `${n}`, version, doc: pull(`${n}`, start + n * day, named) };
    });
  await openSearch(file).write(pulls(1));
  const kept = sumsIn(file);
  const older = (hasNames: boolean) => {
    const database = new DatabaseSync(file);
    database.exec('DROP TABLE pair_weeks');
    if (hasNames)
      database.exec(
        'CREATE TABLE pair_weeks (week INTEGER, user TEXT, repository TEXT, lastPull REAL, PRIMARY KEY (week, user, repository))',
      );
    return database;
  };
  older(true).close();
  const newest = await openSearch(file).pullers({ repository: 'a', limit: 2 });
  assert.deepEqual([newest.map(({ user }) => user), sumsIn(file)], [['bob', 'ann'], kept]);
  // And one that is only partly summed.
  const database = older(false);
  database.exec("INSERT INTO summing VALUES ('pull', '200', 100, 300)");
  database.close();
  openSearch(file);
  assert.deepEqual(sumsIn(file), kept);
});

test('the newest users of a repository are found in the last weeks in which somebody pulled it', async () => {
  const search = openSearch(fresh());
  const users = ['daily', 'weekly', 'once', 'yearly'];
  const steps = [1, 7, 1000, 365];
  await search.write(
    users.flatMap((user, at) =>
      Array.from({ length: Math.ceil(500 / steps[at]) }, (_, n): SearchChange => {
        const id = `${user} ${n}`;
        return {
          ...{ kind: 'pull', id, version: 1 },
          doc: pull(id, start - (n * steps[at] + at) * day, { user, repository: 'a' }),
        };
      }),
    ),
  );
  const found = async (limit: number) =>
    (await search.pullers({ repository: 'a', limit })).map(({ user, pulls }) => [user, pulls]);
  const expected = [
    ['daily', 500],
    ['weekly', 72],
    ['once', 1],
    ['yearly', 2],
  ];
  assert.deepEqual([await found(9), await found(3)], [expected, expected.slice(0, 3)]);
});

test('of users who pulled a repository last at the same time the first by name are listed, and none who is forgotten', async () => {
  const search = openSearch(fresh(), 8, { manyDocuments: 3 });
  const pullsOf = (user: string) =>
    Array.from({ length: 5 }, (_, n): SearchChange => {
      const id = `${user} ${n}`;
      return { kind: 'pull', id, version: 1, doc: pull(id, start + n, { user, repository: 'a' }) };
    });
  await search.write(['zoe', 'dan', 'amy', 'bob'].flatMap(pullsOf));
  const found = async () => (await search.pullers({ repository: 'a', limit: 2 })).map(({ user }) => user);
  assert.deepEqual(await found(), ['amy', 'bob']);
  await search.forget('amy');
  assert.ok(search.isLeaving());
  assert.deepEqual(await found(), ['bob', 'dan']);
});

test('a user with many documents is anonymous at once, and the documents leave in parts, each of which leaves correct sums', async () => {
  const file = fresh();
  const search = openSearch(file, 8, { manyDocuments: 1000 });
  await search.write(
    Array.from({ length: 2500 }, (_, n): SearchChange[] => {
      const named = { user: n % 50 === 0 ? 'bob' : 'ann', repository: `app-${n % 7}`, time: start + n * 3_600_000 };
      return [
        { kind: 'pull', id: `p${n}`, version: 1, doc: pull(`p${n}`, named.time, named) },
        {
          ...{ kind: 'event', id: `e${n}`, version: 1 },
          doc: storedEvent(`e${n}`, named.time, { ...named, action: n % 9 === 0 ? 'push' : 'pull', kind: 'manifest' }),
        },
      ];
    }).flat(),
  );
  await search.forget('ann');
  assert.deepEqual(
    (await search.users({ sort: 'name', limit: 9, now: start })).map(({ user }) => user),
    ['bob'],
  );
  assert.deepEqual(naming(file, 'ann'), []);
  const looks: number[] = [];
  while (search.isLeaving()) {
    const { total } = await search.counts({});
    if (total.pulls !== looks.at(-1)) looks.push(total.pulls);
    await assertSummed(file);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(looks.length > 2, looks.join());
  assert.equal((await search.counts({})).total.pulls, 50);
  await assertSummed(file);
});

test('documents that were still leaving when the server was killed leave after its next start or forgetting', async () => {
  const [file, killed, forgetting] = [fresh(), fresh(), fresh()];
  const search = openSearch(file);
  await search.write([...pullsOfZoe(2500), { kind: 'pull', id: 'bob', version: 1, doc: pull('bob', start) }]);
  await search.forget(zoe);
  // What the files are at this moment is what a kill leaves.
  for (const end of ['', '-wal']) for (const copy of [killed, forgetting]) cpSync(file + end, copy + end);
  assert.deepEqual(naming(killed, zoe), []);
  assert.ok(openSearch(killed).isLeaving());
  assert.ok(rowsIn(killed) > 2000, 'most are still there');
  const after = openReader(killed, () => {});
  await eventually(
    20,
    () => after.counts({}),
    ({ total }) => total.pulls === 1,
  );
  await eventually(
    20,
    async () => rowsIn(killed),
    (rows) => rows === 1,
  );
  const next = openSearch(forgetting);
  await next.forget('nobody');
  await eventually(
    20,
    async () => next.isLeaving(),
    (is) => !is,
  );
  assert.equal(rowsIn(forgetting), 1);
});

const zoe = 'zoe-of-the-tests';
const pullsOfZoe = (count: number) =>
  Array.from({ length: count }, (_, n): SearchChange => {
    const doc = pull(`p${n}`, start + n * 3_600_000, { user: zoe, repository: 'app' });
    return { kind: 'pull', id: doc.id, version: 1, doc };
  });
const eventOfZoe = (n: number): SearchChange => ({
  ...{ kind: 'event', id: `p${n}`, version: 1 },
  doc: storedEvent(`p${n}`, start + n * 3_600_000, { user: zoe, repository: 'app', kind: 'manifest', class: 'human' }),
});

/** How many documents a file has, and pairs by week that are of no named user. */
function rowsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  const count = (from: string) => Number(database.prepare(`SELECT COUNT(*) AS rows FROM ${from}`).get()?.rows);
  const rows =
    count('documents') + count('pair_weeks WHERE user NOT IN (SELECT number FROM user_numbers WHERE name IS NOT NULL)');
  database.close();
  return rows;
}

test('documents that come while those of the forgotten user leave stay, and their user has another number', async () => {
  const file = fresh();
  const search = openSearch(file);
  const all = pullsOfZoe(2500);
  // An event and its pull are one row. The last leave last.
  await search.write([...all.slice(0, -1), eventOfZoe(2499), all[2499]]);
  await search.forget(zoe);
  const again: SearchChange[] = [
    { ...all[2498], version: 2 } as SearchChange,
    { ...eventOfZoe(2499), version: 2 } as SearchChange,
    // Versions begin again once the user is forgotten.
    { ...all[2497], version: 0 } as SearchChange,
    { kind: 'pull', id: 'new', version: 1, doc: pull('new', start, { user: zoe, repository: 'app' }) },
  ];
  await search.write(again);
  const ofZoe = async () => (await search.counts({ user: zoe })).total;
  assert.deepEqual(await ofZoe(), { pulls: 3, raw: 1, pushes: 0, rawPushes: 0 });
  await search.leave();
  assert.deepEqual(await ofZoe(), { pulls: 3, raw: 1, pushes: 0, rawPushes: 0 });
  assert.deepEqual((await search.counts({})).total, await ofZoe(), 'nothing else is left, of no row that was two');
  const [{ user, pulls }] = await search.pullers({ repository: 'app', from: 0, limit: 9 });
  assert.deepEqual({ user, pulls }, { user: zoe, pulls: 3 });
  await assertSummed(file);
  await search.forget(zoe);
  assert.deepEqual(naming(file, zoe), [], 'a few documents leave at once');
});

test('a user who is forgotten while a file is summed is in no sum', async () => {
  const file = fresh();
  const search = openSearch(file);
  await search.write([
    ...Array.from({ length: 12_000 }, (_, n): SearchChange => {
      const doc = pull(`p${String(n).padStart(5, '0')}`, start + n, { user: zoe, repository: 'app' });
      return { kind: 'pull', id: doc.id, version: 1, doc };
    }),
    { kind: 'pull', id: 'bob', version: 1, doc: pull('bob', start, { user: 'bob', repository: 'app' }) },
  ]);
  search.sums.restart();
  assert.ok(search.sums.build(), 'some are summed');
  await search.forget(zoe);
  assert.deepEqual(naming(file, zoe), []);
  while (search.sums.build());
  await assertSummed(file);
});

test('users without documents expire with the last of them, and are in no byte once forgotten', async () => {
  const file = fresh();
  const search = openSearch(file);
  await search.forget('nobody');
  await search.write([...pullsOfZoe(3), { kind: 'pull', id: 'bob', version: 1, doc: pull('bob', start + 9 * day) }]);
  await search.expire(start + day);
  const users = new DatabaseSync(file).prepare('SELECT name FROM user_numbers').all();
  assert.deepEqual(
    users.map(({ name }) => name),
    ['Ann'],
  );
  await search.forget(zoe);
  assert.deepEqual(naming(file, zoe), []);
});

test('the documents of a file of an older version, which have names, are moved', async () => {
  const file = fresh();
  const before = openSearch(file);
  await before.write([
    ...pullsOfZoe(5),
    eventOfZoe(1),
    { kind: 'pull', id: 'none', version: 1, doc: pull('none', start, { user: '' }) },
    { kind: 'pull', id: 'gone', version: 1, doc: null },
  ]);
  const read = async (search: LocalSearch) => {
    const pairs: unknown[] = [];
    for await (const pair of search.pairs({ classes: ['human'] })) pairs.push(pair);
    return [
      pairs,
      await search.pullers({ repository: 'app', limit: 9 }),
      await search.pullers({ repository: 'app', from: start, limit: 9 }),
      await search.counts({ user: zoe, from: start + 1, interval: 'day' }),
      await search.imageUse({ user: zoe, from: 0 }),
    ];
  };
  const [found, kept] = [await read(before), sumsIn(file)];
  const database = new DatabaseSync(file);
  database.exec(
    `CREATE TABLE named AS SELECT * FROM documents;
     UPDATE named SET user = (SELECT name FROM user_numbers WHERE number = user);
     DROP TABLE documents; DROP TABLE user_numbers; DELETE FROM sqlite_sequence;
     CREATE TABLE documents (
       kind TEXT, id TEXT, version INTEGER, gone INTEGER, user TEXT, repository TEXT, time REAL, action TEXT,
       manifest INTEGER, tag TEXT, digest TEXT, class TEXT, country TEXT, client TEXT, apart INTEGER, uncertain INTEGER,
       PRIMARY KEY (kind, id));
     INSERT INTO documents SELECT * FROM named; DROP TABLE named;
     CREATE INDEX documents_users ON documents (user, time)`,
  );
  database.close();
  assert.ok(hasOlderRows(file, olderDocuments));
  const after = openSearch(file);
  assert.ok(!hasOlderRows(file, olderDocuments));
  assert.deepEqual(await read(after), found);
  await summedAnew(file);
  assert.deepEqual(sumsIn(file), kept);
  await after.write([{ kind: 'pull', id: 'gone', version: 0, doc: pull('gone', start) }]);
  assert.deepEqual(await read(after), found, 'a removed pull stays removed');
  await after.forget(zoe);
  assert.deepEqual(naming(file, zoe), []);
});
