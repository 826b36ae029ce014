import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildPyramid } from '#core/map/cluster.ts';
import { anonymousPointerKey, anonymousPrefix, pointerKey, snapshotKey } from '#core/map/pointer.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import type { ObjectStore } from '#core/stores.ts';
import { noSnapshots, objectSnapshots, SNAPSHOT_NAME } from '#serve/map/snapshots.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';

function world() {
  const objects = new Map<string, Uint8Array>();
  const reads: string[] = [];
  let now = 0;
  let down = false;
  const etag = (body: Uint8Array) => `"${Buffer.from(body).toString('base64').slice(0, 400)}"`;
  const store: ObjectStore = {
    async get(key, range) {
      reads.push(key);
      if (down) throw new Error('the store is down');
      const body = objects.get(key);
      return body && { body: range ? body.slice(range.start, range.end + 1) : body, etag: etag(body) };
    },
    async head(key) {
      reads.push(`head ${key}`);
      if (down) throw new Error('the store is down');
      const body = objects.get(key);
      return body && { key, etag: etag(body), size: body.length, modified: 0 };
    },
    async put() {
      throw new Error('not here');
    },
    async list() {
      throw new Error('not here');
    },
    async remove() {},
  };
  const put = (snapshot: string, points: number, bytes = encodePyramid(buildPyramid(skewedPoints(points, 1)))) => {
    objects.set(snapshotKey(snapshot), bytes);
    point(snapshot, points);
  };
  const point = (snapshot: string, points: number) =>
    objects.set(pointerKey, new TextEncoder().encode(JSON.stringify({ snapshot, updatedAt: 5, points })));
  return {
    objects,
    reads,
    put,
    point,
    store,
    clock: () => now,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    breakDown: (broken: boolean) => {
      down = broken;
    },
  };
}

test('the pointer is read at most once a second, and a new snapshot is opened', async () => {
  const { store, clock, pass, put, reads } = world();
  const source = objectSnapshots(store, clock);
  assert.equal(await source.latest(), undefined);
  pass(1000);
  put('one', 100);
  assert.deepEqual(await source.latest(), { snapshot: 'one', updatedAt: 5, points: 100 });
  reads.length = 0;
  for (let i = 0; i < 9; i++) await source.latest();
  assert.deepEqual(reads, []);
  put('two', 200);
  pass(999);
  assert.equal((await source.latest())?.snapshot, 'one');
  pass(1);
  assert.equal((await source.latest())?.snapshot, 'two');
  assert.equal((await source.open('two'))?.size, 200);
  assert.equal((await source.open('one'))?.size, 100);
  assert.equal(await source.open('never'), undefined);
});

test('a truncated, foreign or missing snapshot is reported, and the last good one stays in service', async () => {
  const { store, clock, pass, put, point } = world();
  const bad: string[] = [];
  const source = objectSnapshots(store, clock, {
    onBad: (snapshot, error) => bad.push(`${snapshot}: ${error.message}`),
  });
  put('good', 100);
  assert.equal((await source.latest())?.snapshot, 'good');
  put('torn', 300, encodePyramid(buildPyramid(skewedPoints(300, 2))).slice(0, -100));
  pass(1000);
  assert.equal((await source.latest())?.snapshot, 'good');
  put('foreign', 300, new TextEncoder().encode('{"points": []}'.padEnd(200)));
  pass(1000);
  assert.equal((await source.latest())?.snapshot, 'good');
  point('missing', 1);
  pass(1000);
  assert.equal((await source.latest())?.snapshot, 'good');
  assert.match(bad[0], /torn: .*torn/);
  assert.match(bad[1], /foreign: not a points\.bin/);
  assert.match(bad[2], /missing: .*does not exist/);
  put('mended', 50);
  pass(1000);
  assert.equal((await source.latest())?.snapshot, 'mended');
});

test('while the store is down a good snapshot stays in service, and the store is tried once a second', async () => {
  const { store, clock, pass, put, breakDown, reads } = world();
  const source = objectSnapshots(store, clock);
  breakDown(true);
  await assert.rejects(source.latest());
  breakDown(false);
  put('good', 100);
  assert.equal((await source.latest())?.snapshot, 'good');
  breakDown(true);
  pass(5000);
  reads.length = 0;
  for (let request = 0; request < 10; request++) assert.equal((await source.latest())?.snapshot, 'good');
  assert.equal(reads.length, 1);
  assert.equal((await source.open('good'))?.size, 100);
});

test('only the newest few snapshots stay open, and the current one always does', async () => {
  const { store, clock, put, reads, objects } = world();
  const source = objectSnapshots(store, clock, { keep: 2 });
  for (const name of ['a', 'b', 'c']) put(name, 10);
  await source.latest();
  await source.open('a');
  await source.open('b');
  reads.length = 0;
  await source.open('c');
  assert.deepEqual(reads, []);
  await source.open('a');
  assert.equal(reads.length, 1);
  assert.equal(objects.size, 4);
});

test('what a pointer says is taken as far as it can be', async () => {
  const { store, clock, objects } = world();
  const whole = { snapshot: 'one', updatedAt: 5, points: 3 };
  objects.set(snapshotKey('one'), encodePyramid(buildPyramid(skewedPoints(3, 1))));
  const latest = async (pointer: unknown) => {
    objects.set(pointerKey, new TextEncoder().encode(JSON.stringify(pointer)));
    return objectSnapshots(store, clock).latest();
  };
  const day = { day: '2026-05-20', snapshot: 'old', points: 2 };
  for (const [given, taken] of [
    [whole, whole],
    [{ ...whole, generation: 4 }, whole],
    [
      { ...whole, updatedAt: '2026-05-20T00:00:00Z' },
      { ...whole, updatedAt: Date.UTC(2026, 4, 20) },
    ],
    [
      { ...whole, domains: 2 },
      { ...whole, domains: 2 },
    ],
    [{ ...whole, domains: '2' }, whole],
    [{ ...whole, days: day }, whole],
    [
      { ...whole, days: [day] },
      { ...whole, days: [day] },
    ],
    ...[null, 'day', ...Object.keys(day)].map((field) => {
      const odd = typeof field === 'string' && field in day ? { ...day, [field]: null } : field;
      return [
        { ...whole, days: [odd, day, odd] },
        { ...whole, days: [day] },
      ];
    }),
  ])
    assert.deepEqual(await latest(given), taken, JSON.stringify(given));
  for (const odd of [
    ...[null, 7, 'one', [], {}],
    ...[undefined, 7, '', '../one', 'a'.repeat(65)].map((snapshot) => ({ ...whole, snapshot })),
    ...[undefined, null, 'soon', {}].map((updatedAt) => ({ ...whole, updatedAt })),
    ...[undefined, '3'].map((points) => ({ ...whole, points })),
  ])
    assert.equal(await latest(odd), undefined, JSON.stringify(odd));
});

test('a name of a snapshot has at most 64 characters and leads to no other folder', () => {
  for (const name of ['a', 'A-1_b.c', 'a'.repeat(64)]) assert.match(name, SNAPSHOT_NAME);
  for (const name of ['', '.', '..', '-a', '_a', 'a/b', 'a b', 'a\n', 'a'.repeat(65)])
    assert.doesNotMatch(name, SNAPSHOT_NAME);
});

test('who may see only the anonymous map opens no other snapshot, and has its own pointer', async () => {
  const { store, clock, objects, put } = world();
  put('one', 3);
  const name = `${anonymousPrefix}one`;
  objects.set(snapshotKey(name), objects.get(snapshotKey('one'))!);
  const source = objectSnapshots(store, clock, { anonymous: true });
  assert.equal(await source.open('one'), undefined);
  assert.equal((await source.open(name))?.size, 3);
  assert.equal(await source.latest(), undefined);
  objects.set(
    anonymousPointerKey,
    new TextEncoder().encode(JSON.stringify({ snapshot: name, updatedAt: 5, points: 3 })),
  );
  assert.equal((await objectSnapshots(store, clock, { anonymous: true }).latest())?.snapshot, name);
  assert.equal((await objectSnapshots(store, clock).latest())?.snapshot, 'one');
});

test('other failures of the store do not mark a snapshot as bad, and a deployment without exports has no snapshot', async () => {
  const { store, clock, put, pass, breakDown } = world();
  const source = objectSnapshots(store, clock, { onBad: () => assert.fail('reported') });
  put('one', 3);
  await source.latest();
  put('two', 3);
  pass(1000);
  const { get } = store;
  store.get = async (key, range) => {
    if (key === snapshotKey('two')) throw new Error('torn away');
    return get(key, range);
  };
  assert.equal((await source.latest())?.snapshot, 'one');
  store.get = get;
  breakDown(false);
  pass(1000);
  assert.equal((await source.latest())?.snapshot, 'two', 'it is tried again');
  assert.equal(await noSnapshots.latest(), undefined);
  assert.equal(await noSnapshots.open('one'), undefined);
});
