// The contract of the five stores: what every stage relies on, whichever way a store is made. One suite, run on the
// embedded stores and on the AWS adapters (stores.test.ts). `make` gives a test a store that is empty.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import type { Pull, PullClass, StoredEvent } from '#core/event.ts';
import type { Notice } from '#core/rules.ts';
import {
  BadCursor,
  type Checkpoint,
  type CheckpointStore,
  type ClaimStore,
  type Counts,
  type EventStore,
  forgottenKeptMs,
  type NoticeFeed,
  noticeKeptMs,
  type ObjectStore,
  type Page,
  PreconditionFailed,
  type PullsQuery,
  type SearchChange,
  type SearchStore,
  StreamRefused,
  type StreamWriter,
} from '#core/stores.ts';

const start = Date.UTC(2026, 10, 21);
const second = 1000;
const hour = 3_600_000;
const day = 86_400_000;

const byText = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

// --- stream ---------------------------------------------------------------------------------------------------------

export interface StreamUnderTest {
  stream: StreamWriter;
  /** Every record put, shard by shard, in the order a reader gets them. */
  read(): Promise<{ shard: string; sequenceNumber: string; key: string; data: Uint8Array }[]>;
}

export function streamContract(name: string, make: () => Promise<StreamUnderTest>): void {
  const record = (key: string, data: string) => ({ key, data: Buffer.from(data) });

  test(`${name}: what was put is read again, byte by byte`, async () => {
    const { stream, read } = await make();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await stream.put([{ key: 'Zoë', data: bytes }]);
    const [{ key, data }, ...others] = await read();
    assert.deepEqual(others, []);
    assert.deepEqual([key, Uint8Array.from(data)], ['Zoë', bytes]);
  });

  test(`${name}: putting nothing is done`, async () => {
    const { stream, read } = await make();
    await stream.put([]);
    assert.deepEqual(await read(), []);
  });

  test(`${name}: records of one key lie in one shard, in the order of the puts`, async () => {
    const { stream, read } = await make();
    for (let n = 0; n < 5; n++)
      await stream.put(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => record(key, `${key}${n}`)));
    const records = await read();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const own = records.filter((item) => item.key === key);
      assert.equal(new Set(own.map(({ shard }) => shard)).size, 1);
      assert.deepEqual(
        own.map(({ data }) => Buffer.from(data).toString()),
        [0, 1, 2, 3, 4].map((n) => `${key}${n}`),
      );
    }
  });

  test(`${name}: sequence numbers are decimals that grow within a shard`, async () => {
    const { stream, read } = await make();
    for (let n = 0; n < 4; n++) await stream.put(Array.from({ length: 8 }, (_, k) => record(`key ${k}`, `${n}`)));
    const records = await read();
    assert.ok(new Set(records.map(({ shard }) => shard)).size > 1, 'several shards');
    for (const [index, { shard, sequenceNumber }] of records.entries()) {
      assert.match(sequenceNumber, /^[1-9]\d*$/);
      const before = records[index - 1];
      if (before?.shard === shard) assert.ok(BigInt(sequenceNumber) > BigInt(before.sequenceNumber));
    }
  });

  test(`${name}: one put may hold more records and bytes than one call of Kinesis`, async () => {
    const { stream, read } = await make();
    const big = 'x'.repeat(700_000);
    const put = Array.from({ length: 1203 }, (_, n) => record(`key ${n}`, n < 10 ? `${n}${big}` : `${n}`));
    await stream.put(put);
    const texts = (await read()).map(({ data }) => Buffer.from(data).toString());
    assert.deepEqual(texts.sort(), put.map(({ data }) => data.toString()).sort());
  });

  test(`${name}: a record over 1 MiB is an error that names its size, and no refusal to be tried again`, async () => {
    const { stream, read } = await make();
    const put = stream.put([record('k', 'x'.repeat(1024 * 1024))]);
    await assert.rejects(put, (cause: Error) => !(cause instanceof StreamRefused) && /1048577/.test(cause.message));
    await stream.put([record('k', 'x'.repeat(1024 * 1024 - 1))]);
    assert.equal((await read()).length, 1);
  });
}

// --- checkpoints ----------------------------------------------------------------------------------------------------

export function checkpointContract(name: string, make: () => Promise<CheckpointStore>): void {
  const row = (previous: string, last: string, shard = 'shard-1'): Checkpoint => ({
    shard,
    previous,
    last,
    delta: `deltas/${shard}/${last}`,
    committedAt: start + 0.5,
  });
  /** Sequence numbers as Kinesis gives them: 56 digits. */
  const long = (n: number) => String(n).padStart(3, '0').padStart(56, '4959033827149025660');

  test(`${name}: a shard without rows has no latest`, async () => {
    const store = await make();
    assert.equal(await store.latest('shard-1'), undefined);
    assert.deepEqual(await store.shards(), []);
    assert.deepEqual(await store.after('shard-1', '0', 10), []);
  });

  test(`${name}: a committed row is the latest, whole`, async () => {
    const store = await make();
    assert.equal(await store.commit(row('0', long(1))), true);
    assert.deepEqual(await store.latest('shard-1'), row('0', long(1)));
    assert.equal(await store.latest('shard-2'), undefined);
  });

  test(`${name}: a second row of the same place is refused and changes nothing`, async () => {
    const store = await make();
    await store.commit(row('0', long(1)));
    assert.equal(await store.commit({ ...row('0', long(9)), delta: 'other' }), false);
    assert.equal(await store.commit(row('0', long(1))), false);
    assert.deepEqual(await store.after('shard-1', '0', 10), [row('0', long(1))]);
    assert.equal(await store.commit(row('0', long(2), 'shard-2')), true);
  });

  test(`${name}: of racing rows of the same place exactly one wins`, async () => {
    const store = await make();
    const rows = Array.from({ length: 8 }, (_, n) => ({ ...row('0', long(n + 1)), delta: `delta ${n}` }));
    const won = await Promise.all(rows.map((item) => store.commit(item)));
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(await store.latest('shard-1'), rows[won.indexOf(true)]);
  });

  test(`${name}: positions are compared as integers, not as text`, async () => {
    const store = await make();
    const chain = ['0', '9', '10', '99', '100', long(1), `1${'0'.repeat(56)}`];
    for (let n = 1; n < chain.length; n++) assert.ok(await store.commit(row(chain[n - 1], chain[n])));
    assert.equal((await store.latest('shard-1'))?.last, chain[6]);
    const after = async (position: string, limit = 10) =>
      (await store.after('shard-1', position, limit)).map(({ previous }) => previous);
    assert.deepEqual(await after('0'), chain.slice(0, 6));
    assert.deepEqual(await after('10'), chain.slice(2, 6));
    assert.deepEqual(await after('11'), chain.slice(3, 6));
    assert.deepEqual(await after('9', 2), ['9', '10']);
    assert.deepEqual(await after(long(2)), []);
  });

  test(`${name}: each shard that has a row is listed once`, async () => {
    const store = await make();
    for (const shard of ['b', 'a', 'c'])
      for (const [previous, last] of [
        ['0', '1'],
        ['1', '2'],
      ])
        await store.commit(row(previous, last, shard));
    assert.deepEqual((await store.shards()).sort(), ['a', 'b', 'c']);
  });

  test(`${name}: folded rows are removed, and removing them again is no error`, async () => {
    const store = await make();
    const chain = Array.from({ length: 131 }, (_, n) => row(n === 0 ? '0' : long(n), long(n + 1)));
    for (const item of chain) await store.commit(item);
    for (let round = 0; round < 2; round++) {
      await store.remove(chain.slice(0, 130));
      assert.deepEqual(await store.after('shard-1', '0', 1000), [chain[130]]);
    }
    assert.deepEqual(await store.latest('shard-1'), chain[130]);
    assert.deepEqual(await store.shards(), ['shard-1']);
  });

  test(`${name}: a shard's newest row is never removed`, async () => {
    const store = await make();
    await store.commit(row('0', long(1)));
    await store.commit(row(long(1), long(2)));
    await assert.rejects(store.remove([row(long(1), long(2))]));
    assert.deepEqual(await store.latest('shard-1'), row(long(1), long(2)));
    await store.remove([row('0', long(1))]);
    await assert.rejects(store.remove([row(long(1), long(2))]));
    assert.deepEqual(await store.after('shard-1', '0', 10), [row(long(1), long(2))]);
  });
}

// --- events ---------------------------------------------------------------------------------------------------------

const storedEvent = (id: string, time: number, more: Partial<StoredEvent> = {}): StoredEvent => ({
  id,
  time,
  action: 'pull',
  kind: 'manifest',
  method: 'GET',
  repository: 'library/redis',
  tag: '7',
  digest: `sha256:${'a'.repeat(64)}`,
  user: 'Ann',
  userAgent: 'docker/28',
  source: 'registry.example',
  places: ['k1'],
  country: 'FI',
  client: 'docker',
  class: 'human',
  origin: 'shard-1:1:0',
  ...more,
});

const pull = (id: string, time: number, more: Partial<Pull> = {}): Pull => ({
  id,
  time,
  user: 'Ann',
  repository: 'library/redis',
  tag: '7',
  class: 'human',
  client: 'docker',
  country: 'FI',
  events: 2,
  ...more,
});

const ids = (items: { id: string }[]) => items.map(({ id }) => id);

async function pages<T>(read: (cursor?: string) => Promise<Page<T>>): Promise<T[][]> {
  const result: T[][] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await read(cursor);
    result.push(page.items);
    cursor = page.cursor;
    assert.ok(result.length < 1000, 'pages end');
  }
  return result;
}

export function eventContract(name: string, make: (clock: () => number) => Promise<EventStore>): void {
  const open = () => make(() => start);

  test(`${name}: an event is stored whole, with its microseconds`, async () => {
    const store = await open();
    const bare = storedEvent('2', start + 1.25, { places: [], user: '', country: '', references: ['sha256:1'] });
    delete bare.tag;
    delete bare.digest;
    const whole = storedEvent('1', start + 0.125, { referenceTypes: ['x/y'], mediaType: 'a/b', places: ['p', 'q'] });
    await store.put([whole, bare]);
    assert.deepEqual(await store.events('Ann', 'library/redis', start, start + 1), [whole]);
    assert.deepEqual(await store.events('', 'library/redis', start, start + 2), [bare]);
  });

  test(`${name}: the first delivery of an id stays, and each put says whether it was that`, async () => {
    const store = await open();
    const first = storedEvent('1', start);
    const again = storedEvent('1', start, { origin: 'shard-2:7:0', class: 'ci' });
    assert.deepEqual(await store.put([first]), [true]);
    assert.deepEqual(await store.put([again, storedEvent('2', start)]), [false, true]);
    assert.deepEqual(await store.put([first]), [true], 'a retried batch gets the same answer');
    assert.deepEqual((await store.events('Ann', 'library/redis', start, start))[0], first);
  });

  test(`${name}: of one id twice in a put the first stays`, async () => {
    const store = await open();
    const twice = [storedEvent('1', start), storedEvent('1', start, { origin: 'shard-1:2:0' })];
    assert.deepEqual(await store.put(twice), [true, false]);
    assert.deepEqual(await store.put(twice), [true, false]);
    assert.deepEqual(await store.events('Ann', 'library/redis', 0, start), [twice[0]]);
  });

  test(`${name}: a put of hundreds answers each`, async () => {
    const store = await open();
    const events = Array.from({ length: 230 }, (_, n) =>
      storedEvent(`${n % 200}`, start, { origin: `shard-1:${n}:0` }),
    );
    const expected = events.map((_, n) => n < 200);
    assert.deepEqual(await store.put(events), expected);
    assert.deepEqual(await store.put(events), expected);
    assert.equal((await store.events('Ann', 'library/redis', start, start)).length, 200);
  });

  test(`${name}: events of one person and repository come by (time, id), both ends included`, async () => {
    const store = await open();
    await store.put([
      storedEvent('c', start + 2),
      storedEvent('b', start + 1.5),
      storedEvent('a', start + 1.5),
      storedEvent('d', start + 1.4995),
      storedEvent('late', start + 2.001),
      storedEvent('early', start + 1),
      storedEvent('x', start + 2, { user: 'Bob' }),
      storedEvent('y', start + 2, { repository: 'library/redis2' }),
      storedEvent('z', start + 2, { user: 'Ann/library', repository: 'redis' }),
    ]);
    assert.deepEqual(ids(await store.events('Ann', 'library/redis', start + 1.4995, start + 2)), ['d', 'a', 'b', 'c']);
  });

  test(`${name}: replacing pulls grows the version by one, and needs the one before`, async () => {
    const store = await open();
    const replace = (version: number, ...put: Pull[]) =>
      store.replacePulls('Ann', 'library/redis', version, { remove: [], put });
    assert.equal(await store.version('Ann', 'library/redis'), 0);
    assert.equal(await replace(1, pull('1', start)), false);
    assert.equal(await replace(0, pull('1', start)), true);
    assert.equal(await replace(0, pull('2', start)), false);
    assert.equal(await replace(1), true, 'also a change of nothing');
    assert.equal(await store.version('Ann', 'library/redis'), 2);
    assert.equal(await store.version('Bob', 'library/redis'), 0);
    assert.deepEqual(await store.pulls('Ann', 'library/redis', 0, start), [pull('1', start)]);
  });

  test(`${name}: of changes that race from one version exactly one happens`, async () => {
    const store = await open();
    const won = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) =>
        store.replacePulls('Ann', 'library/redis', 0, { remove: [], put: [pull(`${n}`, start)] }),
      ),
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(ids(await store.pulls('Ann', 'library/redis', start, start)), [`${won.indexOf(true) + 1}`]);
    assert.equal(await store.version('Ann', 'library/redis'), 1);
  });

  test(`${name}: a change removes and puts; what it does both to stays`, async () => {
    const store = await open();
    const [one, two, three] = [pull('1', start), pull('2', start + second), pull('3', start + 2 * second)];
    await store.replacePulls('Ann', 'library/redis', 0, { remove: [], put: [one, two] });
    const grown = { ...two, events: 9 };
    await store.replacePulls('Ann', 'library/redis', 1, { remove: [one, two], put: [grown, three] });
    assert.deepEqual(await store.pulls('Ann', 'library/redis', start, start + 2 * second), [grown, three]);
    assert.deepEqual((await store.history('Ann', { limit: 10 })).items, [three, grown]);
    const moved = { ...grown, time: start + 5 * second };
    await store.replacePulls('Ann', 'library/redis', 2, { remove: [grown], put: [moved] });
    assert.deepEqual((await store.history('Ann', { limit: 10 })).items, [moved, three]);
  });

  test(`${name}: a change may hold more than a transaction of DynamoDB`, async () => {
    const store = await open();
    const before = Array.from({ length: 90 }, (_, n) => pull(`a${n}`, start + n));
    const after = Array.from({ length: 90 }, (_, n) => pull(`b${n}`, start + n));
    assert.equal(await store.replacePulls('Ann', 'library/redis', 0, { remove: [], put: before }), true);
    assert.equal(await store.replacePulls('Ann', 'library/redis', 1, { remove: before, put: after }), true);
    assert.deepEqual(await store.pulls('Ann', 'library/redis', start, start + hour), after);
    assert.equal(await store.version('Ann', 'library/redis'), 2);
  });

  test(`${name}: pulls of a range come by (time, id), both ends included`, async () => {
    const store = await open();
    const put = [
      pull('b', start + 1),
      pull('a', start + 1),
      pull('c', start),
      pull('d', start + 2),
      pull('e', start + 3),
    ];
    await store.replacePulls('Ann', 'library/redis', 0, { remove: [], put });
    assert.deepEqual(ids(await store.pulls('Ann', 'library/redis', start + 1, start + 2)), ['a', 'b', 'd']);
    assert.deepEqual(await store.pulls('Ann', 'library/other', 0, start + day), []);
  });

  test(`${name}: history is one person's pulls of all repositories, newest first, page by page`, async () => {
    const store = await open();
    for (const repository of ['b', 'a', 'c']) {
      const put = Array.from({ length: 7 }, (_, n) =>
        pull(`${repository}${n}`, start + (n % 3) * second, { repository }),
      );
      await store.replacePulls('Ann', repository, 0, { remove: [], put });
    }
    await store.replacePulls('Bob', 'a', 0, { remove: [], put: [pull('x', start, { user: 'Bob', repository: 'a' })] });
    const whole = (await store.history('Ann', { limit: 100 })).items;
    assert.equal(new Set(ids(whole)).size, 21);
    for (let n = 1; n < whole.length; n++) assert.ok(whole[n].time <= whole[n - 1].time);
    for (const limit of [1, 4, 7, 21]) {
      const read = await pages((cursor) => store.history('Ann', { cursor, limit }));
      assert.deepEqual(read.flat(), whole);
      assert.ok(read.slice(0, Math.floor(21 / limit)).every((page) => page.length === limit));
    }
    assert.deepEqual(await pages((cursor) => store.history('nobody', { cursor, limit: 5 })), [[]]);
  });

  test(`${name}: a page after one that changed neither repeats nor leaves out what stayed`, async () => {
    const store = await open();
    const put = Array.from({ length: 10 }, (_, n) => pull(`${n}`, start + n));
    await store.replacePulls('Ann', 'library/redis', 0, { remove: [], put });
    const { items, cursor } = await store.history('Ann', { limit: 4 });
    await store.replacePulls('Ann', 'library/redis', 1, { remove: [put[6], put[2]], put: [pull('new', start + hour)] });
    const rest = await pages((at) => store.history('Ann', { cursor: at ?? cursor, limit: 4 }));
    assert.deepEqual(
      [ids(items), ids(rest.flat())],
      [
        ['9', '8', '7', '6'],
        ['5', '4', '3', '1', '0'],
      ],
    );
  });

  test(`${name}: a cursor nobody handed out is a BadCursor`, async () => {
    const store = await open();
    for (const cursor of ['', 'x', 'e30', 'bnVsbA', Buffer.from('[1]').toString('base64url'), '%%', '💥']) {
      await assert.rejects(store.history('Ann', { cursor, limit: 1 }), BadCursor, JSON.stringify(cursor));
      await assert.rejects(store.quarantined({ cursor, limit: 1 }), BadCursor, JSON.stringify(cursor));
    }
  });

  test(`${name}: the quarantine keeps each id once, newest first, until it is released`, async () => {
    const store = await open();
    const entries = Array.from({ length: 60 }, (_, n) => ({
      id: `shard-1:${n}:0`,
      time: start + (n % 7) * second,
      reason: 'the body is no JSON',
      position: `shard-1:${n}:0`,
      body: `{"n": ${n}`,
    }));
    await store.quarantine(entries);
    await store.quarantine(entries.slice(0, 30));
    const read = (await pages((cursor) => store.quarantined({ cursor, limit: 25 }))).flat();
    assert.deepEqual(
      [...read].sort((a, b) => byText(a.id, b.id)),
      [...entries].sort((a, b) => byText(a.id, b.id)),
    );
    for (let n = 1; n < read.length; n++) assert.ok(read[n].time <= read[n - 1].time);
    await store.release(ids(entries.slice(1)));
    await store.release(['nobody']);
    assert.deepEqual((await store.quarantined({ limit: 25 })).items, [entries[0]]);
  });

  test(`${name}: a day has one digest key, which is gone a day after the day ends`, async () => {
    let now = start + 12 * hour;
    const store = await make(() => now);
    const key = await store.digestKey('2026-11-21');
    assert.ok(key.length >= 16);
    assert.notDeepEqual(await store.digestKey('2026-11-22'), key);
    now = start + 2 * day - 1;
    assert.deepEqual(await store.digestKey('2026-11-21'), key);
    now = start + 2 * day + 1;
    assert.notDeepEqual(await store.digestKey('2026-11-21'), key);
  });

  test(`${name}: callers that race for a day's first digest key get the same one`, async () => {
    const store = await open();
    const keys = await Promise.all(Array.from({ length: 6 }, () => store.digestKey('2026-11-21')));
    for (const key of keys) assert.deepEqual(key, keys[0]);
  });

  test(`${name}: a forgotten person has no events and no pulls, and nobody else is touched`, async () => {
    const store = await open();
    for (const user of ['Ann', 'Bob'])
      for (const repository of ['a', 'b']) {
        const own = { user, repository };
        await store.put([0, 1, 2].map((n) => storedEvent(`${user}${repository}${n}`, start, own)));
        const put = [0, 1].map((n) => pull(`${user}${repository}p${n}`, start, own));
        await store.replacePulls(user, repository, 0, { remove: [], put });
      }
    assert.ok((await store.forget('Ann')) >= 10);
    assert.equal(await store.forget('nobody'), 0);
    for (const repository of ['a', 'b']) {
      assert.deepEqual(await store.events('Ann', repository, 0, start), []);
      assert.deepEqual(await store.pulls('Ann', repository, 0, start), []);
      assert.equal((await store.events('Bob', repository, 0, start)).length, 3);
    }
    assert.deepEqual((await store.history('Ann', { limit: 10 })).items, []);
    assert.equal((await store.history('Bob', { limit: 10 })).items.length, 4);
  });

  test(`${name}: what was set aside and names a forgotten person goes too`, async () => {
    const store = await open();
    const aside = (id: string, body: string) => ({ id, time: start, reason: 'odd', position: id, body });
    const naming = aside('1', '{"events": [{"actor": {"name": "Zoë \\"Z\\""}, "action": 5}]}');
    const others = [aside('2', '{"actor": {"name": "Zoë"}}'), aside('3', 'no JSON, Zoë here')];
    await store.quarantine([naming, ...others]);
    assert.equal(await store.forget('Zoë "Z"'), 1);
    const { items } = await store.quarantined({ limit: 10 });
    assert.deepEqual(items.map(({ id }) => id).sort(), ['2', '3']);
  });

  test(`${name}: who was forgotten is known for as long as records may come back, the newest time of each`, async () => {
    let now = start;
    const store = await make(() => now);
    assert.deepEqual(await store.forgotten(['ann']), new Map());
    await store.markForgotten('ann', start + 5);
    await store.markForgotten('ann', start + 4.5);
    await store.markForgotten('Zoë "Z" 🐳', start + 1);
    const asked = ['bob', 'ann', 'Zoë "Z" 🐳', 'Ann', 'an'];
    const marks = new Map([
      ['ann', start + 5],
      ['Zoë "Z" 🐳', start + 1],
    ]);
    assert.deepEqual(await store.forgotten(asked), marks);
    assert.deepEqual(await store.forgotten([]), new Map());
    await store.forget('ann');
    now = start + forgottenKeptMs;
    assert.deepEqual(await store.forgotten(asked), marks);
    now = start + forgottenKeptMs + 1;
    assert.deepEqual(await store.forgotten(asked), new Map([['ann', start + 5]]));
    now = start;
    assert.deepEqual(await store.forgotten(asked), new Map([['ann', start + 5]]), 'a mark is gone for good');
  });
}

// --- objects --------------------------------------------------------------------------------------------------------

export function objectContract(name: string, make: () => Promise<ObjectStore>): void {
  const text = (found: { body: Uint8Array } | undefined) => found && Buffer.from(found.body).toString();

  test(`${name}: what was put is got, with its ETag and size`, async () => {
    const store = await make();
    const body = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    const options = { contentType: 'application/json', cacheControl: 'max-age=2', contentEncoding: 'gzip' };
    const { etag } = await store.put('points.bin', body, options);
    const found = await store.get('points.bin');
    assert.deepEqual([Uint8Array.from(found!.body), found!.etag], [body, etag]);
    const info = await store.head('points.bin');
    assert.deepEqual([info!.key, info!.etag, info!.size], ['points.bin', etag, 100_000]);
    assert.ok(Number.isFinite(info!.modified));
    assert.match(etag, /^"[^"]+"$/, 'as an HTTP header has it');
  });

  test(`${name}: text is stored as UTF-8, and nothing is a body, too`, async () => {
    const store = await make();
    await store.put('text', '🐳');
    await store.put('empty', '');
    assert.deepEqual([text(await store.get('text')), (await store.head('text'))!.size], ['🐳', 4]);
    assert.deepEqual([text(await store.get('empty')), (await store.head('empty'))!.size], ['', 0]);
  });

  test(`${name}: what is not there is undefined`, async () => {
    const store = await make();
    assert.equal(await store.get('nothing'), undefined);
    assert.equal(await store.get('nothing', { start: 0, end: 5 }), undefined);
    assert.equal(await store.head('nothing'), undefined);
    assert.deepEqual(await store.list('nothing'), []);
  });

  for (const size of [10, 200_000])
    test(`${name}: a range of ${size} bytes begins at start and ends before end`, async () => {
      const store = await make();
      const body = Uint8Array.from({ length: size }, (_, index) => index % 251);
      await store.put('key', body);
      for (const [from, to] of [
        [0, size],
        [0, 1],
        [3, 7],
        [size - 1, size],
        [5, size + 100],
        [4, 4],
        [size, size + 5],
        [size + 3, size + 5],
      ])
        assert.deepEqual(
          Uint8Array.from((await store.get('key', { start: from, end: to }))!.body),
          body.slice(from, to),
          `${from} to ${to}`,
        );
    });

  test(`${name}: If-None-Match puts only what is not there`, async () => {
    const store = await make();
    await store.put('key', 'first', { ifNoneMatch: '*' });
    await assert.rejects(store.put('key', 'second', { ifNoneMatch: '*' }), PreconditionFailed);
    assert.equal(text(await store.get('key')), 'first');
    await store.remove(['key']);
    await store.put('key', 'third', { ifNoneMatch: '*' });
    assert.equal(text(await store.get('key')), 'third');
  });

  test(`${name}: If-Match replaces only what it names`, async () => {
    const store = await make();
    await assert.rejects(store.put('key', 'x', { ifMatch: '"0"' }), PreconditionFailed, 'nothing is there');
    const first = await store.put('key', 'first');
    const second = await store.put('key', 'second', { ifMatch: first.etag });
    assert.notEqual(second.etag, first.etag);
    await assert.rejects(store.put('key', 'third', { ifMatch: first.etag }), PreconditionFailed);
    assert.equal(text(await store.get('key')), 'second');
    assert.equal((await store.get('key'))!.etag, second.etag);
    await store.remove(['key']);
    await assert.rejects(store.put('key', 'fourth', { ifMatch: second.etag }), PreconditionFailed);
  });

  test(`${name}: of writers that count in one object at once, none overwrites another's count`, async () => {
    const store = await make();
    const count = async () => {
      for (let won = 0; won < 3; ) {
        const held = await store.get('counter');
        const next = String(Number(text(held) ?? 0) + 1);
        try {
          await store.put('counter', next, held ? { ifMatch: held.etag } : { ifNoneMatch: '*' });
          won++;
        } catch (cause) {
          if (!(cause instanceof PreconditionFailed)) throw cause;
        }
      }
    };
    await Promise.all([count(), count(), count(), count()]);
    assert.equal(text(await store.get('counter')), '12');
  });

  test(`${name}: a list holds the keys under a prefix, sorted, all of them`, async () => {
    const store = await make();
    const keys = [
      'deltas',
      'deltas/b/2',
      'deltas/a/1',
      'deltas/ü',
      'deltas/\u{1F433}',
      'deltas/\uFF5E',
      'deltas2',
      'a',
      'd',
    ];
    for (const key of keys) await store.put(key, key);
    const listed = await store.list('deltas/');
    assert.deepEqual(
      listed.map(({ key }) => key),
      keys.filter((key) => key.startsWith('deltas/')).sort(byText),
    );
    for (const { key, etag, size } of listed) {
      assert.equal(size, Buffer.byteLength(key));
      assert.equal(etag, (await store.head(key))!.etag);
    }
    assert.equal((await store.list('')).length, keys.length);
  });

  test(`${name}: a list and a removal go beyond a thousand keys`, async () => {
    const store = await make();
    const keys = Array.from({ length: 1003 }, (_, n) => `many/${String(n).padStart(4, '0')}`);
    for (let from = 0; from < keys.length; from += 50)
      await Promise.all(keys.slice(from, from + 50).map((key) => store.put(key, '')));
    assert.deepEqual(
      (await store.list('many/')).map(({ key }) => key),
      keys,
    );
    await store.remove(keys.slice(1));
    assert.deepEqual(
      (await store.list('')).map(({ key }) => key),
      [keys[0]],
    );
  });

  test(`${name}: keys are any text, and removing what is not there is no error`, async () => {
    const store = await make();
    const keys = ['a b+c', 'ä/ö', 'q?x=1&y#z', '%2F', "it's", '(1)', 'a//b', 'A', 'a'];
    for (const key of keys) await store.put(key, key);
    for (const key of keys) assert.equal(text(await store.get(key)), key);
    await store.remove([keys[0], 'nothing']);
    await store.remove([]);
    assert.deepEqual(
      (await store.list('')).map(({ key }) => key),
      keys.slice(1).sort(byText),
    );
  });
}

// --- search ---------------------------------------------------------------------------------------------------------

export interface SearchUnderTest {
  store: SearchStore;
  /** Resolves when what was written is found. */
  settled(): Promise<void>;
}

const eventChange = (doc: StoredEvent, version = 1): SearchChange => ({ kind: 'event', id: doc.id, version, doc });
const pullChange = (doc: Pull, version = 1): SearchChange => ({ kind: 'pull', id: doc.id, version, doc });

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}

/** Documents of a made-up fortnight: few names, so that every query has ties and groups. */
function madeUp(random: () => number, count: number): { events: StoredEvent[]; pulls: Pull[] } {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)];
  const common = () => ({
    time: start - Math.floor(random() * 40 * day) + pick([0, 0.25]),
    user: pick(['ann', 'Bob', 'bobby', 'Zoë', '', 'x*y']),
    repository: pick(['a/redis', 'a/kafka', 'a_b/redis', 'axb/one', 'B/Redis', 'a']),
    class: pick(['human', 'ci', 'cluster', 'scanner'] as const),
    client: pick(['docker', 'skopeo']),
    country: pick(['FI', 'DE', '']),
    tag: pick([undefined, 'latest', '7']),
    digest: pick(['sha256:1', 'sha256:2', undefined]),
  });
  const present = <T extends object>(doc: T) => JSON.parse(JSON.stringify(doc)) as T;
  return {
    events: Array.from({ length: count }, (_, n) =>
      present(
        storedEvent(`event ${n}`, 0, {
          ...common(),
          action: pick(['pull', 'pull', 'push', 'delete']),
          kind: pick(['manifest', 'manifest', 'blob']),
        }),
      ),
    ),
    pulls: Array.from({ length: count }, (_, n) => present(pull(`pull ${n}`, 0, common()))),
  };
}

export function searchContract(name: string, make: () => Promise<SearchUnderTest>): void {
  const open = async (...changes: SearchChange[]) => {
    const { store, settled } = await make();
    if (changes.length > 0) await store.write(changes);
    await settled();
    return { store, settled };
  };
  const world = madeUp(seeded(1), 400);
  const filled = () =>
    open(...world.events.map((doc) => eventChange(doc)), ...world.pulls.map((doc) => pullChange(doc)));
  const listed = { limit: 100, now: start, halfLifeMs: 7 * day };
  const raw = world.events.filter(({ action, kind }) => action === 'pull' && kind === 'manifest');
  const pushes = world.events.filter(({ action, kind }) => action === 'push' && kind === 'manifest');
  const newest = (docs: { time: number }[]) => docs.reduce((most, { time }) => Math.max(most, time), 0);
  const repositoryRow = (repository: string) => {
    const own = world.pulls.filter((doc) => doc.repository === repository);
    return {
      repository,
      pulls: own.length,
      raw: raw.filter((doc) => doc.repository === repository).length,
      pulledBy: new Set(own.map(({ user }) => user).filter(Boolean)).size,
      lastPull: newest(own),
    };
  };
  const repositories = [...new Set(world.pulls.map(({ repository }) => repository))].sort(byText);
  const groups = (docs: Pull[], key: (doc: Pull) => string) => [...Map.groupBy(docs, key).values()];

  test(`${name}: a store of nothing answers nothing`, async () => {
    const { store } = await open();
    assert.deepEqual(await store.users({ limit: 10 }), []);
    for (const sort of ['popular', 'trending', 'name'] as const)
      assert.deepEqual(await store.repositories({ sort, ...listed }), []);
    assert.deepEqual(await store.catalogue(listed), []);
    assert.deepEqual(await store.pushed('Ann'), []);
    const nothing = { total: { pulls: 0, raw: 0, pushes: 0 }, buckets: [] };
    assert.deepEqual(await store.counts({}), nothing);
    assert.deepEqual(await store.counts({ interval: 'day', by: 'tag' }), nothing);
    assert.deepEqual(await store.pullers({ repository: 'a', limit: 10 }), []);
    assert.deepEqual(await store.unused({ since: start, limit: 10 }), []);
    assert.deepEqual(await all(store.pairs({ classes: ['human'] })), []);
    assert.equal(await store.recommendations('Ann'), undefined);
    await store.write([]);
    await store.forget('Ann');
  });

  test(`${name}: users are the named people with pulls, by any part of the name in any case`, async () => {
    const { store } = await filled();
    const expected = (search: string) =>
      groups(
        world.pulls.filter(({ user }) => user !== '' && user.toLowerCase().includes(search.toLowerCase())),
        ({ user }) => user,
      )
        .map((docs) => ({ user: docs[0].user, pulls: docs.length, lastPull: newest(docs) }))
        .sort((a, b) => b.lastPull - a.lastPull);
    assert.deepEqual(plain(await store.users({ limit: 100 })), expected(''));
    for (const search of ['BOB', 'n', 'ZOË', '*', 'o', 'nobody'])
      assert.deepEqual(plain(await store.users({ search, limit: 100 })), expected(search), search);
    assert.deepEqual(plain(await store.users({ limit: 2 })), expected('').slice(0, 2));
  });

  test(`${name}: repositories come by pulls, by name, and by pulls whose weight halves`, async () => {
    const { store } = await filled();
    const weight = (repository: string) =>
      world.pulls
        .filter((doc) => doc.repository === repository)
        .reduce((sum, { time }) => sum + 0.5 ** ((start - time) / listed.halfLifeMs), 0);
    const order = {
      popular: (a: string, b: string) => repositoryRow(b).pulls - repositoryRow(a).pulls || byText(a, b),
      trending: (a: string, b: string) => weight(b) - weight(a),
      name: byText,
    };
    for (const sort of ['popular', 'trending', 'name'] as const) {
      const expected = [...repositories].sort(order[sort]).map(repositoryRow);
      assert.deepEqual(plain(await store.repositories({ sort, ...listed })), expected, sort);
      assert.deepEqual(plain(await store.repositories({ sort, ...listed, limit: 2 })), expected.slice(0, 2), sort);
      for (const search of ['REDIS', 'a_', 'a/'])
        assert.deepEqual(
          plain(await store.repositories({ sort, ...listed, search })),
          expected.filter(({ repository }) => repository.toLowerCase().includes(search.toLowerCase())),
          `${sort} ${search}`,
        );
    }
  });

  test(`${name}: a repository that was only pushed is listed; one that was only deleted is not`, async () => {
    const { store } = await open(
      eventChange(storedEvent('1', start, { action: 'push', repository: 'pushed' })),
      eventChange(storedEvent('2', start, { action: 'delete', kind: 'other', repository: 'deleted' })),
      eventChange(storedEvent('3', start, { kind: 'blob', repository: 'layers' })),
    );
    const expected = [{ repository: 'pushed', pulls: 0, raw: 0, pulledBy: 0, lastPull: 0 }];
    for (const sort of ['popular', 'trending', 'name'] as const)
      assert.deepEqual(plain(await store.repositories({ sort, ...listed })), expected, sort);
  });

  test(`${name}: the catalogue counts the pulls that teach, their people, and their weight`, async () => {
    const { store, settled } = await open(
      ...world.pulls.map((doc) => pullChange(doc)),
      pullChange(pull('scanned', start, { repository: 'scanned', class: 'scanner' })),
      pullChange(pull('nobody', start + day, { repository: 'z/nobody', user: '' })),
      eventChange(storedEvent('pushed', start, { action: 'push', repository: 'pushed' })),
    );
    const taught = world.pulls.filter((doc) => doc.class === 'human' || doc.class === 'cluster');
    const expected = groups(taught, ({ repository }) => repository).map((docs) => ({
      repository: docs[0].repository,
      pulls: docs.length,
      pulledBy: new Set(docs.map(({ user }) => user).filter(Boolean)).size,
      weight: docs.reduce((sum, { time }) => sum + 0.5 ** ((start - time) / listed.halfLifeMs), 0),
    }));
    // A pull of tomorrow weighs no more than one of now.
    expected.push({ repository: 'z/nobody', pulls: 1, pulledBy: 0, weight: 1 });
    const rounded = (rows: typeof expected) =>
      rows.map((row) => ({ ...row, weight: row.weight.toFixed(9) })).sort((a, b) => byText(a.repository, b.repository));
    const read = async () => rounded(plain(await store.catalogue(listed)));
    assert.deepEqual(await read(), rounded(expected));
    await store.write(world.pulls.map((doc) => pullChange(doc, 2)));
    await settled();
    assert.deepEqual(await read(), rounded(expected), 'the same after a redelivery');
    await store.write(['scanned', 'nobody'].map((id) => ({ kind: 'pull', id, version: 2, doc: null })));
    await settled();
    assert.deepEqual(await read(), rounded(expected.slice(0, -1)), 'without what is gone');
  });

  test(`${name}: what a person pushed are the repositories of their manifests`, async () => {
    const push = (id: string, more: Partial<StoredEvent>) =>
      eventChange(storedEvent(id, start, { action: 'push', ...more }));
    const { store } = await open(
      push('1', { repository: 'b' }),
      push('2', { repository: 'b', tag: '8' }),
      push('3', { repository: 'a' }),
      push('4', { repository: 'layers', kind: 'blob' }),
      push('5', { repository: "another's", user: 'Bob' }),
      eventChange(storedEvent('6', start, { repository: 'pulled' })),
    );
    assert.deepEqual(await store.pushed('Ann'), ['a', 'b']);
    assert.deepEqual(await store.pushed('ann'), []);
  });

  test(`${name}: counts are exact, whatever the filter, interval and field`, async () => {
    const { store } = await filled();
    const random = seeded(2);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)];
    for (let round = 0; round < 30; round++) {
      const query: PullsQuery = {
        repository: pick([undefined, undefined, 'a/redis', 'nothing']),
        user: pick([undefined, undefined, 'ann', '']),
        from: pick([undefined, start - 20 * day, world.pulls[0].time]),
        to: pick([undefined, start - 5 * day, world.pulls[1].time]),
        interval: pick([undefined, 'day', 'week', 'month'] as const),
        by: pick([undefined, 'tag', 'class', 'country', 'client'] as const),
      };
      assert.deepEqual(plain(await store.counts(query)), expectedCounts(query), JSON.stringify(query));
    }
  });

  function expectedCounts(query: PullsQuery) {
    const inside = <T extends { repository: string; user: string; time: number }>(docs: T[]) =>
      docs.filter(
        ({ repository, user, time }) =>
          (query.repository === undefined || repository === query.repository) &&
          (query.user === undefined || user === query.user) &&
          (query.from === undefined || time >= query.from) &&
          (query.to === undefined || time < query.to),
      );
    const total: Counts = { pulls: 0, raw: 0, pushes: 0 };
    const buckets = new Map<string, { from?: number; key?: string } & Counts>();
    for (const [field, docs] of Object.entries({
      pulls: inside(world.pulls),
      raw: inside(raw),
      pushes: inside(pushes),
    }))
      for (const doc of docs as (Pull & StoredEvent)[]) {
        total[field as keyof Counts]++;
        const from = query.interval && { from: bucketStart(doc.time, query.interval) };
        const key = query.by && { key: doc[query.by] ?? '' };
        if (!from && !key) continue;
        const name = JSON.stringify([from, key]);
        const bucket = buckets.get(name) ?? { ...from, ...key, pulls: 0, raw: 0, pushes: 0 };
        bucket[field as keyof Counts]++;
        buckets.set(name, bucket);
      }
    const order = (a: { from?: number; key?: string }, b: { from?: number; key?: string }) =>
      (a.from ?? 0) - (b.from ?? 0) || byText(a.key ?? '', b.key ?? '');
    return { total, buckets: [...buckets.values()].sort(order) };
  }

  test(`${name}: who pulled a digest or repository, newest first`, async () => {
    const { store } = await filled();
    for (const query of [
      { digest: 'sha256:1' },
      { repository: 'a/redis' },
      { digest: 'sha256:2', repository: 'a', from: start - 30 * day, to: start - 3 * day },
      { digest: 'sha256:9' },
    ]) {
      const expected = groups(
        world.pulls.filter(
          ({ user, repository, digest, time }) =>
            user !== '' &&
            (query.repository === undefined || repository === query.repository) &&
            (query.digest === undefined || digest === query.digest) &&
            time >= (query.from ?? 0) &&
            time < (query.to ?? Infinity),
        ),
        ({ user, repository }) => JSON.stringify([user, repository]),
      )
        .map((docs) => ({
          user: docs[0].user,
          repository: docs[0].repository,
          pulls: docs.length,
          lastPull: newest(docs),
        }))
        .sort((a, b) => b.lastPull - a.lastPull);
      assert.deepEqual(plain(await store.pullers({ ...query, limit: 100 })), expected);
      assert.deepEqual(plain(await store.pullers({ ...query, limit: 3 })), expected.slice(0, 3));
    }
  });

  test(`${name}: unused is what was pushed and not pulled since by anyone but scanners`, async () => {
    const push = (id: string, time: number, tag: string | undefined, digest: string) =>
      eventChange(storedEvent(id, time, { action: 'push', tag, digest }));
    const pulled = (id: string, time: number, tag: string | undefined, digest: string, more: Partial<Pull> = {}) =>
      pullChange(pull(id, time, { tag, digest, ...more }));
    const old = start - 10 * day;
    const { store } = await open(
      push('1', old, 'never', 'sha256:1'),
      push('2', old + 1, 'scanned', 'sha256:2'),
      pulled('2', start, 'scanned', 'sha256:2', { class: 'scanner' }),
      push('3', old + 2, 'once', 'sha256:3'),
      pulled('3', old + hour, 'once', 'sha256:3'),
      push('4', old + 3, 'used', 'sha256:4'),
      pulled('4', start + 1, 'used', 'sha256:4', { class: 'ci' }),
      push('5', old + 4, 'by-digest', 'sha256:5'),
      pulled('5', start + 1, undefined, 'sha256:5'),
      push('6', start + 1, 'fresh', 'sha256:6'),
      push('7', old + 5, 'other-repository', 'sha256:7'),
      pulled('7', start + 1, 'other-repository', 'sha256:7', { repository: 'library/other' }),
      push('8', old + 6, 'deleted', 'sha256:8'),
      eventChange(storedEvent('8d', old + 7, { action: 'delete', kind: 'other', tag: undefined, digest: 'sha256:8' })),
      push('9', old + 8, undefined, 'sha256:9'),
    );
    const expected = [
      { repository: 'library/redis', tag: 'never', digest: 'sha256:1', lastPush: old },
      { repository: 'library/redis', tag: 'scanned', digest: 'sha256:2', lastPush: old + 1 },
      { repository: 'library/redis', tag: 'once', digest: 'sha256:3', lastPush: old + 2, lastPull: old + hour },
      { repository: 'library/redis', tag: 'other-repository', digest: 'sha256:7', lastPush: old + 5 },
      { repository: 'library/redis', digest: 'sha256:9', lastPush: old + 8 },
    ];
    const found = plain(await store.unused({ since: start, limit: 10 }));
    assert.deepEqual(
      [...found].sort((a, b) => a.lastPush - b.lastPush),
      expected,
    );
    assert.equal((await store.unused({ since: start, limit: 2 })).length, 2);
  });

  test(`${name}: pairs are every person's pulls of a repository, sorted, of the classes asked`, async () => {
    const { store } = await filled();
    for (const query of [
      { classes: ['human'] },
      { classes: ['human', 'cluster'], from: start - 20 * day, to: start - day },
      { classes: ['human', 'ci', 'cluster', 'scanner'], repositoryPrefix: 'a_' },
      { classes: ['human'], repositoryPrefix: 'A/' },
      { classes: [] },
    ] as { classes: PullClass[]; from?: number; to?: number; repositoryPrefix?: string }[]) {
      const expected = groups(
        world.pulls.filter(
          (doc) =>
            doc.user !== '' &&
            query.classes.includes(doc.class) &&
            doc.repository.startsWith(query.repositoryPrefix ?? '') &&
            doc.time >= (query.from ?? 0) &&
            doc.time < (query.to ?? Infinity),
        ),
        ({ user, repository }) => JSON.stringify([user, repository]),
      )
        .map((docs) => ({
          user: docs[0].user,
          repository: docs[0].repository,
          pulls: docs.length,
          firstPull: docs.reduce((least, { time }) => Math.min(least, time), Infinity),
          lastPull: newest(docs),
        }))
        .sort((a, b) => byText(a.user, b.user) || byText(a.repository, b.repository));
      assert.deepEqual(plain(await all(store.pairs(query))), expected, JSON.stringify(query));
    }
  });

  test(`${name}: pairs go beyond any page, in their order`, async () => {
    const pulls = Array.from({ length: 2300 }, (_, n) =>
      pull(`${n}`, start, { user: `user ${(n * 7919) % 2300}`, repository: `r${n % 3}` }),
    );
    const { store } = await open(...pulls.map((doc) => pullChange(doc)));
    const users = (await all(store.pairs({ classes: ['human'] }))).map(({ user }) => user);
    assert.deepEqual(users, pulls.map(({ user }) => user).sort(byText));
  });

  test(`${name}: a late writer can't undo a newer version, nor bring back what is gone`, async () => {
    const { store, settled } = await open(pullChange(pull('1', start, { repository: 'new' }), 5));
    const names = async () => {
      await settled();
      return (await store.repositories({ sort: 'name', ...listed })).map(({ repository }) => repository);
    };
    await store.write([pullChange(pull('1', start, { repository: 'old' }), 4)]);
    assert.deepEqual(await names(), ['new']);
    await store.write([{ kind: 'pull', id: '1', version: 4, doc: null }]);
    assert.deepEqual(await names(), ['new']);
    await store.write([pullChange(pull('1', start, { repository: 'same' }), 5)]);
    assert.deepEqual(await names(), ['same']);
    await store.write([{ kind: 'pull', id: '1', version: 6, doc: null }]);
    assert.deepEqual(await names(), []);
    await store.write([pullChange(pull('1', start, { repository: 'old' }), 5)]);
    assert.deepEqual(await names(), []);
    await store.write([pullChange(pull('1', start, { repository: 'newest' }), 7)]);
    assert.deepEqual(await names(), ['newest']);
  });

  test(`${name}: of versions in one write the highest stays, and an event may have a pull's id`, async () => {
    const { store } = await open(
      pullChange(pull('1', start, { repository: 'two' }), 2),
      pullChange(pull('1', start, { repository: 'one' }), 1),
      { kind: 'pull', id: '2', version: 1, doc: null },
      eventChange(storedEvent('1', start, { repository: 'event' }), 1),
    );
    const names = (await store.repositories({ sort: 'name', ...listed })).map(({ repository }) => repository);
    assert.deepEqual(names, ['event', 'two']);
  });

  test(`${name}: saved recommendations replace those before; an empty list leaves none`, async () => {
    const { store, settled } = await open();
    const saved = (user: string, model: string) => ({ user, model, items: [{ repository: 'a/redis', score: 0.5 }] });
    await store.saveRecommendations([saved('Ann', 'm1'), saved('Bob', 'm1')]);
    await store.saveRecommendations([saved('Ann', 'm2')]);
    await settled();
    assert.deepEqual(await store.recommendations('Ann'), saved('Ann', 'm2'));
    await store.saveRecommendations(['Ann', 'nobody'].map((user) => ({ user, model: 'm3', items: [] })));
    await settled();
    assert.equal(await store.recommendations('Ann'), undefined);
    assert.deepEqual(await store.recommendations('Bob'), saved('Bob', 'm1'));
    assert.equal(await store.recommendations('ann'), undefined);
  });

  test(`${name}: a forgotten person is in no answer, and nobody else is touched`, async () => {
    const { store, settled } = await filled();
    const saved = (user: string) => ({ user, model: 'm', items: [{ repository: 'a', score: 1 }] });
    await store.saveRecommendations([saved('bobby'), saved('Bob')]);
    await settled();
    await store.forget('bobby');
    await settled();
    const users = (await store.users({ limit: 100 })).map(({ user }) => user);
    assert.deepEqual(users.sort(), ['Bob', 'Zoë', 'ann', 'x*y'].sort());
    assert.deepEqual((await store.counts({ user: 'bobby' })).total, { pulls: 0, raw: 0, pushes: 0 });
    assert.deepEqual(plain((await store.counts({ user: 'Bob' })).total), expectedCounts({ user: 'Bob' }).total);
    assert.equal(await store.recommendations('bobby'), undefined);
    assert.deepEqual(await store.recommendations('Bob'), saved('Bob'));
    for (const { repository, pulledBy } of await store.catalogue(listed)) {
      const own = world.pulls.filter(
        (doc) => doc.repository === repository && ['human', 'cluster'].includes(doc.class),
      );
      const people = new Set(own.map(({ user }) => user));
      assert.equal(pulledBy, [...people].filter((user) => user !== '' && user !== 'bobby').length, repository);
    }
  });
}

/** The same values without prototypes: SQLite's rows have none of ours. */
const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));

function bucketStart(time: number, interval: 'day' | 'week' | 'month'): number {
  const date = new Date(time);
  const [year, month, dayOfMonth] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (interval === 'month') return Date.UTC(year, month, 1);
  return Date.UTC(year, month, dayOfMonth - (interval === 'week' ? (date.getUTCDay() + 6) % 7 : 0));
}

// --- claims ---------------------------------------------------------------------------------------------------------

export function claimContract(name: string, make: () => Promise<ClaimStore & Pick<NoticeFeed, 'forget'>>): void {
  test(`${name}: a key is claimed by the first, for good, and the first may ask again`, async () => {
    const claims = await make();
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('k', 'b'), 'a');
    assert.equal(await claims.claim('k', 'a'), 'a');
    assert.equal(await claims.claim('["Zoë","k"]', 'b'), 'b');
  });

  test(`${name}: of many that claim a key at once, one has it`, async () => {
    const claims = await make();
    const names = Array.from({ length: 20 }, (_, index) => `claimant ${index}`);
    const holders = new Set(await Promise.all(names.map((by) => claims.claim('k', by))));
    assert.equal(holders.size, 1);
    assert.ok(names.includes([...holders][0]));
  });

  test(`${name}: parts of a sum count once each, whoever sets them`, async () => {
    const claims = await make();
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 5);
    assert.equal(await claims.tally('k', 'shard-1:0', 2), 7);
    assert.equal(await claims.tally('k', 'shard-0:0', 5), 7);
    assert.equal(await claims.tally('other', 'shard-0:0', 1), 1);
    assert.equal(await claims.claim('k', 'a'), 'a');
  });

  test(`${name}: a claim that names a person is theirs, and free again when they are forgotten`, async () => {
    const claims = await make();
    const people = ['ann', 'annette', 'zoë "z"', 'x'.repeat(255), '🐳'.repeat(255)];
    const key = (rule: string, person: string) => JSON.stringify([rule, `person ${person}`]);
    for (const person of people) {
      assert.equal(await claims.claim(key('first', person), 'a', person), 'a');
      assert.equal(await claims.claim(key('first', person), 'b', person), 'a');
      assert.equal(await claims.claim(key('second', person), 'c', person), 'c');
    }
    assert.equal(await claims.claim('ann', 'd'), 'd');
    assert.equal(await claims.forget('ann'), 2);
    assert.equal(await claims.forget('nobody'), 0);
    assert.equal(await claims.claim(key('first', 'ann'), 'e', 'ann'), 'e');
    assert.equal(await claims.claim(key('second', 'annette'), 'e', 'annette'), 'c');
    assert.equal(await claims.claim('ann', 'e'), 'd');
  });
}

// --- notices --------------------------------------------------------------------------------------------------------

export function noticeContract(name: string, make: (clock: () => number) => Promise<NoticeFeed>): void {
  const notice = (id: string, time: number, user?: string): Notice => ({
    ...{ id, time, rule: 'people', when: 'first-pull', text: `${user} pulls`, data: user ? { user } : {} },
  });
  const ids = ({ items }: Page<Notice>) => items.map(({ id }) => id);

  test(`${name}: messages come newest first, page by page, each once`, async () => {
    const feed = await make(() => start);
    const added = Array.from({ length: 12 }, (_, n) => notice(`n${n}`, start - Math.floor(n / 2) * 1000.5, 'ann'));
    for (const one of [...added].reverse().concat(added[3])) await feed.add(one);
    const read = (await pages((cursor) => feed.notices({ cursor, limit: 5 }))).flat();
    assert.deepEqual(new Set(read.map(({ id }) => id)).size, 12);
    for (let n = 1; n < read.length; n++) assert.ok(read[n].time <= read[n - 1].time);
    assert.deepEqual(
      read.find(({ id }) => id === 'n3'),
      added[3],
    );
    await assert.rejects(feed.notices({ cursor: 'x', limit: 1 }), BadCursor);
  });

  test(`${name}: a message is gone when it has been kept for its time`, async () => {
    let now = start;
    const feed = await make(() => now);
    await feed.add(notice('old', start));
    now += noticeKeptMs + 1000;
    await feed.add(notice('new', start - 1000));
    assert.deepEqual(ids(await feed.notices({ limit: 5 })), ['new']);
  });

  test(`${name}: messages that name a forgotten person go, no others`, async () => {
    const feed = await make(() => start);
    for (const [n, user] of ['ann', 'annette', undefined, 'ann'].entries())
      await feed.add(notice(`n${n}`, start + n, user));
    assert.equal(await feed.forget('ann'), 2);
    assert.deepEqual(ids(await feed.notices({ limit: 5 })), ['n2', 'n1']);
    assert.equal(await feed.forget('ann'), 0);
  });
}
