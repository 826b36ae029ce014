import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { clusterPlaces } from '#core/map/cluster.ts';
import { clusterRoom } from '#core/map/cluster-kernel.ts';
import { COORDINATE_BITS, SIZE } from '#core/map/mercator.ts';
import { type Clustered, mergingOf } from '#core/map/merging.ts';

function finish(steps: Generator<void, Clustered>): Clustered {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** Clusters the locations in both ways; every word of the result must be the same. */
function same(xs: ArrayLike<number>, ys: ArrayLike<number>, radius = 64, maxZoom = 16): Clustered {
  const merging = mergingOf(xs.length, radius, maxZoom);
  const reference = finish(clusterPlaces({ x: Uint32Array.from(xs), y: Uint32Array.from(ys) }, merging));
  const room = clusterRoom(xs.length, 2 ** (COORDINATE_BITS - merging.rowBitsOf(maxZoom + 1)));
  assert.ok(room);
  room.x.set(xs);
  room.y.set(ys);
  const made = finish(room.cluster(merging));
  for (const [zoom, level] of reference.levels.entries()) {
    const { starts, items, ...rest } = made.levels[zoom];
    const { starts: ofStarts, items: ofItems, ...ofRest } = level;
    assert.deepEqual(rest, ofRest, `level ${zoom}`);
    assert.ok(Buffer.from(starts.slice().buffer).equals(Buffer.from(ofStarts.slice().buffer)), `starts of ${zoom}`);
    assert.ok(Buffer.from(items.slice().buffer).equals(Buffer.from(ofItems.slice().buffer)), `items of ${zoom}`);
    const before = reference.levels[zoom - 1];
    if (zoom > 0)
      assert.equal(
        made.levels[zoom - 1] === made.levels[zoom],
        before === level,
        `level ${zoom} is the object of level ${zoom - 1} exactly when it is in the reference`,
      );
  }
  for (const column of ['x', 'y', 'order'] as const)
    assert.deepEqual([...made[column].subarray(0, xs.length)], [...reference[column].subarray(0, xs.length)], column);
  return made;
}

const unit = fc.oneof(
  fc.nat(SIZE - 1),
  fc.constantFrom(0, 1, SIZE - 1, SIZE - 2, SIZE / 2, SIZE / 2 - 1),
  // A crowd of locations, and one across the antimeridian.
  fc.integer({ min: 2 ** 27 - 3000, max: 2 ** 27 + 3000 }),
  fc.nat(3000),
  fc.integer({ min: SIZE - 3000, max: SIZE - 1 }),
);

test('the levels of any locations equal the reference’s', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(unit, unit), { maxLength: 120 }),
      fc.constantFrom(16, 33.3, 64, 100, 256),
      fc.nat(16),
      (places, radius, maxZoom) => {
        same(
          places.map(([x]) => x),
          places.map(([, y]) => y),
          radius,
          maxZoom,
        );
      },
    ),
    { seed: 11, numRuns: 600 },
  );
});

for (const [size, radius, maxZoom, reach] of [
  [40_000, 64, 16, SIZE],
  [40_000, 64, 16, 2 ** 17],
  [40_000, 256, 9, 2 ** 22],
  [40_000, 16, 16, 2 ** 11],
  [3000, 100, 0, 2 ** 20],
])
  test(`levels of ${size} locations within ${reach} units, radius ${radius}, to zoom ${maxZoom} equal the reference’s`, () => {
    const random = seeded(3);
    const around = (middle: number) => Math.floor(middle + (random() - 0.5) * reach * random() ** 3) & (SIZE - 1);
    const xs = Array.from({ length: size }, (_, row) => around(row % 3 === 0 ? 0 : SIZE / 3));
    const ys = Array.from({ length: size }, (_, row) => around(row % 5 === 0 ? SIZE / 4 : SIZE / 2));
    assert.ok(same(xs, ys, radius, maxZoom).levels[0].count < size);
  });

test('the levels of one location, and of none, equal the reference’s', () => {
  same([], []);
  same([7], [9]);
  same(new Array(70_000).fill(SIZE - 1), new Array(70_000).fill(0));
});

test('locations that do not fit into memory are left to the reference', () => {
  assert.equal(clusterRoom(2 ** 25, 2), undefined);
});
