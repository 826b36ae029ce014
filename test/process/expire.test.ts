// What export removes: only what is folded or named by nothing, and old enough.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyManifest, type Manifest } from '#core/hits/manifest.ts';
import { expire, graceMs } from '#process/expire.ts';
import { memoryCheckpoints, memoryObjects, open } from '../support/memory-stores.ts';

const key = (shard: string, last: number, id = 'id') => `deltas/${shard}/${String(last).padStart(64, '0')}-${id}`;

const manifest = (change: Partial<Manifest>): Manifest => ({ ...emptyManifest, ...change });

/** Expires at the time 0, where `old` objects were put a millisecond more than the grace ago and `fresh` ones just then. */
async function left(
  { old, fresh = [], now, before }: { old: string[]; fresh?: string[]; now: Manifest; before?: Manifest },
  rows: [shard: string, previous: number, last: number][] = [],
) {
  let time = -graceMs - 1;
  const [objects, checkpoints] = [memoryObjects(() => time).through(open), memoryCheckpoints().through(open)];
  for (const name of old) await objects.put(name, 'x');
  time = -graceMs;
  for (const name of fresh) await objects.put(name, 'x');
  for (const [shard, previous, last] of rows) {
    const row = { shard, previous: String(previous), last: String(last), delta: key(shard, last) };
    await checkpoints.commit({ ...row, committedAt: 0 });
  }
  await expire(now, before, { checkpoints, objects, clock: () => 0 });
  const kept: string[] = [];
  for (const shard of await checkpoints.shards())
    kept.push(...(await checkpoints.after(shard, '0', 100)).map(({ last }) => `${shard} ${last}`));
  return { objects: (await objects.list('')).map(({ key }) => key), rows: kept };
}

test('a delta without a row leaves once a later one of its shard is folded, and not before', async () => {
  const old = [key('a', 4), key('a', 5), key('a', 6), key('b', 1), 'deltas/odd'];
  const positions = { a: '5' };
  const { objects } = await left({ old, now: manifest({}), before: manifest({ positions }) });
  assert.deepEqual(objects, [key('a', 6), key('b', 1), 'deltas/odd']);
});

test('what is as old as the grace stays', async () => {
  const fresh = [key('a', 4), 'state/points-1-x.bin'];
  const positions = { a: '5' };
  const { objects } = await left({ old: [], fresh, now: manifest({}), before: manifest({ positions }) });
  assert.deepEqual(objects, fresh);
});

test('rows up to the position leave with their deltas; the newest row of a shard stays', async () => {
  const rows = [
    ['a', 0, 3],
    ['a', 3, 5],
    ['a', 5, 7],
    ['b', 0, 2],
  ] as [string, number, number][];
  const fresh = rows.map(([shard, , last]) => key(shard, last));
  const before = manifest({ positions: { a: '5', b: '2' } });
  assert.deepEqual(await left({ old: [], fresh, now: before, before }, rows), {
    objects: [key('a', 7), key('b', 2)],
    rows: ['a 7', 'b 2'],
  });
});

test('a segment that neither manifest names leaves, and nothing else beside it', async () => {
  const [of, points] = ['state/', 'state/points-1-a.bin'];
  const old = [
    ...[points, `${of}points-2-b.bin`, `${of}seen-1-a.bin`, `${of}seen-2-b.bin`, `${of}hits-2026-05-20-1-a.bin`],
    ...[`${of}points-0-z.bin`, `${of}manifest.json`],
  ];
  const now = manifest({ points: `${of}points-2-b.bin`, seen: `${of}seen-2-b.bin` });
  const before = manifest({
    points,
    seen: `${of}seen-1-a.bin`,
    hits: { '2026-05-20': `${of}hits-2026-05-20-1-a.bin` },
  });
  const { objects } = await left({ old, now, before });
  assert.deepEqual(objects, old.filter((name) => name !== `${of}points-0-z.bin`).sort());
});
