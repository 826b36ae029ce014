// The state that export continues from, for each combination of what is whole, damaged and missing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyManifest, type Manifest, manifestKey, previousManifestKey } from '#core/hits/manifest.ts';
import { Damaged } from '#core/stores.ts';
import { doubtState, readState } from '#process/state.ts';
import { memoryCheckpoints, memoryObjects, open } from '../support/memory-stores.ts';

const manifest = (generation: number, change: Partial<Manifest> = {}): Manifest => ({
  ...{ ...emptyManifest, generation, positions: { a: '5' }, points: `points-${generation}` },
  ...{ seen: `seen-${generation}`, hits: { '2026-05-20': `hits-${generation}` } },
  ...change,
});
const segmentsOf = ({ points, seen, hits }: Manifest) =>
  [points, seen, ...Object.values(hits)].filter((key) => key !== undefined);

/** Stores with these manifests (a text as it is), their segments but the missing ones, and a row up to `row`. */
async function world({
  now,
  before,
  missing = [],
  row = '5',
}: {
  now?: Manifest | string;
  before?: Manifest | string;
  missing?: string[];
  row?: string;
}) {
  const objects = memoryObjects(() => 0).through(open);
  const checkpoints = memoryCheckpoints().through(open);
  for (const [key, one] of [
    [manifestKey, now],
    [previousManifestKey, before],
  ] as const) {
    if (one !== undefined) await objects.put(key, typeof one === 'string' ? one : JSON.stringify(one));
    if (typeof one === 'object')
      for (const segment of segmentsOf(one)) if (!missing.includes(segment)) await objects.put(segment, 'x');
  }
  if (row) await checkpoints.commit({ shard: 'a', previous: '0', last: row, delta: 'd', committedAt: 0 });
  return { objects, checkpoints };
}

const etags = async ({ objects }: Awaited<ReturnType<typeof world>>) => ({
  etag: (await objects.head(manifestKey))?.etag,
  previousEtag: (await objects.head(previousManifestKey))?.etag,
});

test('a whole state is taken, with the one before it if that can be read', async () => {
  for (const [now, before] of [
    [undefined, undefined],
    [manifest(1), undefined],
    [manifest(2), manifest(1)],
    [manifest(9), manifest(1)],
    [manifest(2), '{'],
    [{ ...emptyManifest, generation: 2 }, undefined],
  ]) {
    const stores = await world({ now: now as Manifest, before: before as Manifest });
    assert.deepEqual(
      { etag: undefined, ...(await readState(stores)) },
      {
        ...{ manifest: now ?? emptyManifest, previous: typeof before === 'string' ? undefined : before },
        ...(await etags(stores)),
      },
    );
  }
});

test('the one before it takes the place of a damaged state, as a newer generation', async () => {
  for (const [what, of] of [
    ['is missing', { now: undefined }],
    ['is not a manifest', { now: '{' }],
    ['is not a manifest', { now: '{"hits":{}}' }],
    ['points-2', { now: manifest(2), missing: ['points-2'] }],
    ['seen-2', { now: manifest(2), missing: ['seen-2'] }],
    ['hits-2', { now: manifest(2), missing: ['hits-2'] }],
    ['newest row is of 5', { now: manifest(2, { positions: { a: '6' } }) }],
    ['newest row is missing', { now: manifest(2, { positions: { a: '5', b: '1' } }) }],
  ] as const) {
    const stores = await world({ before: manifest(1), ...of } as Parameters<typeof world>[0]);
    const { healed, ...state } = await readState(stores);
    assert.match(String(healed), new RegExp(what));
    assert.deepEqual(state, {
      manifest: manifest(1, { generation: 2 }),
      previous: manifest(1),
      ...(await etags(stores)),
    });
  }
});

test('a damaged state stops export unless the one right before it is whole', async () => {
  const damaged = { now: manifest(2), missing: ['points-2'] };
  for (const of of [
    damaged,
    { ...damaged, before: '{' },
    { ...damaged, before: manifest(2, { points: 'points-1' }) },
    { now: manifest(3), missing: ['points-3'], before: manifest(1) },
    { ...damaged, missing: ['points-2', 'seen-1'], before: manifest(1) },
    { ...damaged, before: manifest(1), row: '' },
    { ...damaged, before: manifest(1), row: '4' },
  ]) {
    const now = of.now.points;
    await assert.rejects(
      async () => readState(await world(of)),
      (cause) => cause instanceof Damaged && cause.message.includes(String(now)),
    );
  }
});

test('a store that is down is not damage', async () => {
  const stores = await world({ now: manifest(2), before: manifest(1) });
  for (const down of [manifestKey, previousManifestKey, 'points-2']) {
    const get: typeof stores.objects.get = async (key, range) => {
      if (key === down) throw new Error('down');
      return stores.objects.get(key, range);
    };
    await assert.rejects(readState({ ...stores, objects: { ...stores.objects, get } }), /down/);
  }
});

test('a state once found whole is checked again only after a failure', async () => {
  const stores = await world({ now: manifest(2), before: manifest(1) });
  await readState(stores);
  await stores.objects.remove(['points-2']);
  assert.equal((await readState(stores)).healed, undefined);
  doubtState(stores.objects);
  assert.match(String((await readState(stores)).healed), /points-2/);
});

test('a row up to the position or beyond it is whole', async () => {
  for (const row of ['5', '6', '12'])
    assert.equal((await readState(await world({ now: manifest(1), row }))).healed, undefined, row);
});
