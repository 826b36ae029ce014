// The contract of the event store: what every stage relies on in each implementation. `make` returns an empty store for
// a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pull } from '#core/event.ts';
import { BadCursor, type EventStore, forgottenKeptMs } from '#core/stores.ts';
import { byText, day, hour, ids, pages, pull, second, start, storedEvent } from './samples.ts';

const replace = async (
  store: EventStore,
  user: string,
  repository: string,
  version: number,
  change: { remove: Pull[]; put: Pull[] },
) => (await store.replacePulls([{ user, repository, version, ...change }]))[0];

/** `bounds`: limits of the quarantine, in bytes. */
type Make = (clock: () => number, bounds?: { mostQuarantineBytes: number }) => Promise<EventStore>;

export function eventContract(name: string, make: Make): void {
  const open = () => make(() => start);
  const aside = (id: string, body: string, time = start) => ({ id, time, reason: 'odd', position: id, body });

  test(`${name}: an event is stored whole, with its microseconds`, async () => {
    const store = await open();
    const bare = storedEvent('2', start + 1.25, {
      addressDigests: [],
      user: '',
      country: '',
      references: ['sha256:1'],
    });
    delete bare.tag;
    delete bare.digest;
    const whole = storedEvent('1', start + 0.125, {
      referenceTypes: ['x/y'],
      mediaType: 'a/b',
      addressDigests: ['p', 'q'],
    });
    await store.put([whole, bare]);
    assert.deepEqual(await store.events('Ann', 'library/redis', start, start + 1), [whole]);
    assert.deepEqual(await store.events('', 'library/redis', start, start + 2), [bare]);
  });

  test(`${name}: the first delivery of an id stays, and each put returns whether it was the first`, async () => {
    const store = await open();
    const first = storedEvent('1', start);
    const again = storedEvent('1', start, { origin: 'shard-2:7:0', class: 'ci' });
    assert.deepEqual(await store.put([first]), [true]);
    assert.deepEqual(await store.put([again, storedEvent('2', start)]), [false, true]);
    assert.deepEqual(await store.put([first]), [true], 'a retried batch gets the same result');
    assert.deepEqual((await store.events('Ann', 'library/redis', start, start))[0], first);
  });

  test(`${name}: of two events with one id in the same put, the first stays`, async () => {
    const store = await open();
    const twice = [storedEvent('1', start), storedEvent('1', start, { origin: 'shard-1:2:0' })];
    assert.deepEqual(await store.put(twice), [true, false]);
    assert.deepEqual(await store.put(twice), [true, false]);
    assert.deepEqual(await store.events('Ann', 'library/redis', 0, start), [twice[0]]);
  });

  test(`${name}: a put of hundreds of events returns a result for each`, async () => {
    const store = await open();
    const events = Array.from({ length: 230 }, (_, n) =>
      storedEvent(`${n % 200}`, start, { origin: `shard-1:${n}:0` }),
    );
    const expected = events.map((_, n) => n < 200);
    assert.deepEqual(await store.put(events), expected);
    assert.deepEqual(await store.put(events), expected);
    assert.equal((await store.events('Ann', 'library/redis', start, start)).length, 200);
  });

  test(`${name}: events of one user and repository are sorted by (time, id), both ends of the range included`, async () => {
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

  test(`${name}: stored events are rewritten, pair by pair and page by page; events that are not stored are not added`, async () => {
    const store = await open();
    const pairs = Array.from({ length: 7 }, (_, n) => ({ user: n < 4 ? 'Ann' : '', repository: `r ${n}` }));
    const events = pairs.flatMap((pair, n) => [
      storedEvent(`${n} a`, start + 0.5, pair),
      storedEvent(`${n} b`, start + 1, pair),
      storedEvent(`${n} c`, start + 1, pair),
    ]);
    await store.put(events);
    const found = (await pages((cursor) => store.pairs({ cursor, limit: 3 }))).flat();
    const byName = (list: object[]) => list.map((pair) => JSON.stringify(pair)).sort();
    assert.deepEqual(byName(found), byName(pairs));
    const after = async (time: number | undefined, limit: number) =>
      ids(await store.eventsAfter('Ann', 'r 1', time, limit));
    assert.deepEqual(await after(undefined, 2), ['1 a', '1 b']);
    assert.deepEqual(await after(start + 0.5, 9), ['1 b', '1 c']);
    assert.deepEqual(await after(start + 1, 9), []);
    const changed = { ...events[3], class: 'ci' as const };
    await store.rewrite([changed, storedEvent('gone', start, { user: 'Ann', repository: 'r 1' })]);
    assert.deepEqual(await store.events('Ann', 'r 1', 0, start + 9), [changed, events[4], events[5]]);
  });

  test(`${name}: replacing pulls increments the version, and requires the current one`, async () => {
    const store = await open();
    const replaceBy = (version: number, ...put: Pull[]) =>
      replace(store, 'Ann', 'library/redis', version, { remove: [], put });
    assert.equal(await store.version('Ann', 'library/redis'), 0);
    assert.equal(await replaceBy(1, pull('1', start)), false);
    assert.equal(await replaceBy(0, pull('1', start)), true);
    assert.equal(await replaceBy(0, pull('2', start)), false);
    assert.equal(await replaceBy(1), true, 'an empty change, too');
    assert.equal(await store.version('Ann', 'library/redis'), 2);
    assert.equal(await store.version('Bob', 'library/redis'), 0);
    assert.deepEqual(await store.pulls('Ann', 'library/redis', 0, start), [pull('1', start)]);
  });

  test(`${name}: changes of many users share a call, and each succeeds or fails on its own`, async () => {
    const store = await open();
    const pairs = Array.from({ length: 150 }, (_, n) => ({ user: `u${n % 7}`, repository: `r${n}` }));
    const put = (version: number) =>
      store.replacePulls(
        pairs.map(({ user, repository }, n) => ({
          ...{ user, repository, remove: [], version: n === 60 ? 5 : version },
          put: [pull(`${n} ${version}`, start + version, { user, repository })],
        })),
      );
    const won = await put(0);
    assert.deepEqual([won.length, won.filter((one) => !one).length, won[60]], [150, 1, false]);
    assert.equal((await put(1)).filter(Boolean).length, 149);
    assert.deepEqual(
      await store.versions([pairs[0], pairs[60], { user: 'nobody', repository: 'r0' }, pairs[149]]),
      [2, 0, 0, 2],
    );
    assert.deepEqual(ids(await store.pulls('u0', 'r0', 0, start + hour)), ['0 0', '0 1']);
    assert.deepEqual(await store.pulls('u4', 'r60', 0, start + hour), []);
    assert.equal((await put(2)).filter(Boolean).length, 149);
  });

  test(`${name}: of racing changes from one version exactly one succeeds`, async () => {
    const store = await open();
    const won = await Promise.all(
      [1, 2, 3, 4, 5, 6].map((n) =>
        replace(store, 'Ann', 'library/redis', 0, { remove: [], put: [pull(`${n}`, start)] }),
      ),
    );
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(ids(await store.pulls('Ann', 'library/redis', start, start)), [`${won.indexOf(true) + 1}`]);
    assert.equal(await store.version('Ann', 'library/redis'), 1);
  });

  test(`${name}: a change removes and puts; a pull that it both removes and puts stays`, async () => {
    const store = await open();
    const [one, two, three] = [pull('1', start), pull('2', start + second), pull('3', start + 2 * second)];
    await replace(store, 'Ann', 'library/redis', 0, { remove: [], put: [one, two] });
    const grown = { ...two, events: 9 };
    await replace(store, 'Ann', 'library/redis', 1, { remove: [one, two], put: [grown, three] });
    assert.deepEqual(await store.pulls('Ann', 'library/redis', start, start + 2 * second), [grown, three]);
    assert.deepEqual((await store.history('Ann', { limit: 10 })).items, [three, grown]);
    const moved = { ...grown, time: start + 5 * second };
    await replace(store, 'Ann', 'library/redis', 2, { remove: [grown], put: [moved] });
    assert.deepEqual((await store.history('Ann', { limit: 10 })).items, [moved, three]);
  });

  test(`${name}: a change may have more rows than a DynamoDB transaction`, async () => {
    const store = await open();
    const before = Array.from({ length: 90 }, (_, n) => pull(`a${n}`, start + n));
    const after = Array.from({ length: 90 }, (_, n) => pull(`b${n}`, start + n));
    assert.equal(await replace(store, 'Ann', 'library/redis', 0, { remove: [], put: before }), true);
    assert.equal(await replace(store, 'Ann', 'library/redis', 1, { remove: before, put: after }), true);
    assert.deepEqual(await store.pulls('Ann', 'library/redis', start, start + hour), after);
    assert.equal(await store.version('Ann', 'library/redis'), 2);
  });

  test(`${name}: pulls of a range are sorted by (time, id), both ends included`, async () => {
    const store = await open();
    const put = [
      pull('b', start + 1),
      pull('a', start + 1),
      pull('c', start),
      pull('d', start + 2),
      pull('e', start + 3),
    ];
    await replace(store, 'Ann', 'library/redis', 0, { remove: [], put });
    assert.deepEqual(ids(await store.pulls('Ann', 'library/redis', start + 1, start + 2)), ['a', 'b', 'd']);
    assert.deepEqual(await store.pulls('Ann', 'library/other', 0, start + day), []);
  });

  test(`${name}: the history has one user's pulls of all repositories, newest first, page by page`, async () => {
    const store = await open();
    for (const repository of ['b', 'a', 'c']) {
      const put = Array.from({ length: 7 }, (_, n) =>
        pull(`${repository}${n}`, start + (n % 3) * second, { repository }),
      );
      await replace(store, 'Ann', repository, 0, { remove: [], put });
    }
    await replace(store, 'Bob', 'a', 0, { remove: [], put: [pull('x', start, { user: 'Bob', repository: 'a' })] });
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

  test(`${name}: when rows change between two pages, no remaining row is repeated or left out`, async () => {
    const store = await open();
    const put = Array.from({ length: 10 }, (_, n) => pull(`${n}`, start + n));
    await replace(store, 'Ann', 'library/redis', 0, { remove: [], put });
    const { items, cursor } = await store.history('Ann', { limit: 4 });
    await replace(store, 'Ann', 'library/redis', 1, { remove: [put[6], put[2]], put: [pull('new', start + hour)] });
    const rest = await pages((at) => store.history('Ann', { cursor: at ?? cursor, limit: 4 }));
    assert.deepEqual(
      [ids(items), ids(rest.flat())],
      [
        ['9', '8', '7', '6'],
        ['5', '4', '3', '1', '0'],
      ],
    );
  });

  test(`${name}: a made-up cursor is a BadCursor`, async () => {
    const store = await open();
    const made = ['[1]', '["1","a"]', '[1,2]', '[1e999,"a"]', '[null,"a"]'];
    const cursors = made.map((text) => Buffer.from(text).toString('base64url'));
    for (const cursor of ['', 'x', 'e30', 'bnVsbA', '%%', '💥', ...cursors]) {
      await assert.rejects(store.history('Ann', { cursor, limit: 1 }), BadCursor, JSON.stringify(cursor));
      await assert.rejects(store.quarantined({ cursor, limit: 1 }), BadCursor, JSON.stringify(cursor));
    }
  });

  test(`${name}: the quarantine keeps each id once, newest first, until it is released`, async () => {
    const store = await open();
    const entries = Array.from({ length: 60 }, (_, n) => ({
      id: `shard-1:${n}:0`,
      time: start + (n % 7) * second,
      reason: 'the body is not JSON',
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
    // In steps, as while the server runs: a clock that jumps is treated differently.
    for (; now < start + 2 * day; now += 6 * hour) assert.deepEqual(await store.digestKey('2026-11-21'), key);
    now = start + 2 * day - 1;
    assert.deepEqual(await store.digestKey('2026-11-21'), key);
    now = start + 2 * day + 1;
    assert.notDeepEqual(await store.digestKey('2026-11-21'), key);
  });

  test(`${name}: concurrent callers get the same first digest key of a day`, async () => {
    const store = await open();
    const keys = await Promise.all(Array.from({ length: 6 }, () => store.digestKey('2026-11-21')));
    for (const key of keys) assert.deepEqual(key, keys[0]);
  });

  test(`${name}: a forgotten user has no events and no pulls left, and no other user loses any`, async () => {
    const store = await open();
    for (const user of ['Ann', 'Bob'])
      for (const repository of ['a', 'b']) {
        const own = { user, repository };
        await store.put([0, 1, 2].map((n) => storedEvent(`${user}${repository}${n}`, start, own)));
        const put = [0, 1].map((n) => pull(`${user}${repository}p${n}`, start, own));
        await replace(store, user, repository, 0, { remove: [], put });
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

  test(`${name}: quarantined entries that name a forgotten user go too`, async () => {
    const store = await open();
    const naming = aside('1', '{"events": [{"actor": {"name": "Zoë \\"Z\\""}, "action": 5}]}');
    const others = [aside('2', '{"actor": {"name": "Zoë"}}'), aside('3', 'no JSON, Zoë here')];
    await store.quarantine([naming, ...others]);
    assert.equal(await store.forget('Zoë "Z"'), 1);
    const { items } = await store.quarantined({ limit: 10 });
    assert.deepEqual(items.map(({ id }) => id).sort(), ['2', '3']);
  });

  test(`${name}: forgotten users are remembered for as long as records may come back, each with the newest time`, async () => {
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
    for (; now < start + forgottenKeptMs; now += 12 * hour) await store.forgotten(['bob']);
    assert.deepEqual(await store.forgotten(asked), marks);
    now = start + forgottenKeptMs + 1;
    assert.deepEqual(await store.forgotten(asked), new Map([['ann', start + 5]]));
    now = start + 6;
    assert.deepEqual(await store.forgotten(asked), new Map([['ann', start + 5]]), 'a mark is removed for good');
  });

  test(`${name}: a quarantined text is readable for its days, and afterwards by nobody`, async () => {
    let now = start + day + hour;
    const store = await make(() => now);
    await store.quarantine([aside('1', 'older', start), aside('2', 'newer', start + day)]);
    const bodies = async () => (await store.quarantined({ limit: 10 })).items.map(({ body }) => body);
    for (const days of [10, 20, 30]) {
      for (; now < start + days * day; now += 12 * hour) await store.quarantined({ limit: 1 });
      assert.deepEqual(await bodies(), ['newer', 'older'], `${days} days`);
    }
    now = start + 31 * day + hour;
    assert.deepEqual(await bodies(), ['newer']);
    now = start + 32 * day + hour;
    assert.deepEqual(await bodies(), []);
    await store.quarantine([aside('3', 'newest', now)]);
    now = start + 30 * day;
    assert.deepEqual(await bodies(), ['newest'], 'their keys are gone for good');
  });

  test(`${name}: a full quarantine drops its oldest entries, and counts them`, async () => {
    const store = await make(() => start, { mostQuarantineBytes: 50_000 });
    assert.deepEqual(await store.quarantineState(), { entries: 0, bytes: 0, dropped: 0 });
    const body = 'x'.repeat(900);
    const entries = Array.from({ length: 120 }, (_, n) => aside(`${n}`, body, start + n));
    for (let at = 0; at < 120; at += 40) await store.quarantine(entries.slice(at, at + 40));
    const read = (await pages((cursor) => store.quarantined({ cursor, limit: 50 }))).flat();
    const state = await store.quarantineState();
    assert.ok(state.bytes <= 50_000 && state.bytes > 40_000, `${state.bytes} bytes`);
    assert.deepEqual(state, { entries: read.length, bytes: state.bytes, dropped: 120 - read.length, droppedAt: start });
    assert.deepEqual(read, entries.slice(-read.length).reverse());
    await store.release(ids(read.slice(0, 10)));
    await store.release(ids(read.slice(0, 10)));
    assert.equal((await store.quarantineState()).entries, read.length - 10);
    await store.quarantine([{ ...aside('alone', 'y'.repeat(60_000), start + day) }]);
    assert.equal(
      (await store.quarantineState()).entries,
      0,
      'an entry larger than the whole quarantine is dropped too',
    );
    assert.equal((await store.quarantineState()).bytes, 0);
  });

  test(`${name}: a page of the quarantine has at most a megabyte, and together the pages have everything`, async () => {
    const store = await open();
    // Each of these characters takes six in JSON.
    const entries = Array.from({ length: 40 }, (_, n) => aside(`${n}`, '\u0001'.repeat(64 * 1024), start + n));
    await store.quarantine(entries);
    const read = await pages((cursor) => store.quarantined({ cursor, limit: 1000 }));
    for (const page of read) assert.ok(JSON.stringify(page).length <= 1024 * 1024 + 100, `${page.length} entries`);
    assert.deepEqual(ids(read.flat()), ids(entries).reverse());
  });
}
