import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildPyramid } from '#core/map/cluster.ts';
import { filtered } from '#core/map/filter.ts';
import { latToY, lonToX, SIZE, xToLon, yToLat } from '#core/map/mercator.ts';
import { type Box, DEEPEST_ZOOM, EXTENT, type Pyramid, SINGLE } from '#core/map/pyramid.ts';
import { BadSnapshot, encodePyramid, openPyramid } from '#core/map/snapshot.ts';
import { packNames } from '../../../bench/worlds/names.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { pointsOf, type Row } from '../../support/points-of.ts';

const edge = (low: number, high: number) =>
  fc.oneof(fc.constantFrom(low, 0, high), fc.double({ min: low, max: high, noNaN: true }));
/** Worlds with duplicates, poles, longitudes of +-180, a single location, a single point and no point. */
const world = fc.oneof(
  fc.array(fc.record({ lon: edge(-180, 180), lat: edge(-90, 90) }), { maxLength: 60, size: 'max' }),
  fc
    .tuple(
      edge(-180, 180),
      edge(-90, 90),
      fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
        maxLength: 60,
        size: 'max',
      }),
      fc.integer({ min: 0, max: 16 }),
    )
    .map(([lon, lat, steps, zoom]) =>
      steps.map(([dx, dy]) => ({
        lon: hold(lon + (dx * 20) / 2 ** zoom, 180),
        lat: hold(lat + (dy * 10) / 2 ** zoom, 90),
      })),
    ),
);
const times = (places: { lon: number; lat: number }[]): Row[] =>
  places.map((place, i) => ({
    ...place,
    domain: `d${i}.example`,
    updatedAt: 1e12 + ((i * 7919) % 31),
    country: i % 3 ? 'DE' : '',
  }));

function hold(value: number, most: number): number {
  return Math.max(-most, Math.min(most, value));
}

function everything(pyramid: Pyramid, zoom: number) {
  return pyramid.clusters([-180, -90, 180, 90], zoom);
}

function leafRange(start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => start + i);
}

/** Whether `place` is the floor of the mean: whether -off / count, modulo `count` worlds, is in [0, 1). */
function floorOf(off: bigint, count: bigint): boolean {
  const worlds = BigInt(SIZE) * count;
  const left = ((-off % worlds) + worlds) % worlds;
  return left < count;
}

test('every point is in exactly one item of every zoom, and means are exact', () => {
  fc.assert(
    fc.property(world, (places) => {
      const rows = times(places);
      const pyramid = buildPyramid(pointsOf(rows));
      for (let zoom = 0; zoom <= pyramid.maxZoom + 1; zoom++) {
        const items = everything(pyramid, zoom);
        const leaves = items.flatMap((item) => leafRange(item.leafStart, item.count));
        assert.deepEqual(
          leaves.sort((a, b) => a - b),
          leafRange(0, rows.length),
        );
        for (const item of items) {
          const own = leafRange(item.leafStart, item.count).map((leaf) => rows[pyramid.row(leaf)]);
          const count = BigInt(item.count);
          assert.equal(BigInt(item.y), own.reduce((sum, { lat }) => sum + BigInt(latToY(lat)), 0n) / count);
          // Each leaf may be counted a world further east or west: the mean is exact up to a whole number of worlds.
          const sum = own.reduce((sum, { lon }) => sum + BigInt(lonToX(lon)), 0n);
          const off = BigInt(item.x) * count - sum;
          assert.ok(
            own.some((_, worlds) => floorOf(off - BigInt(worlds) * BigInt(SIZE), count)),
            `${item.x}`,
          );
          // From zoom 4 on the leaves are near enough to know in which world each is counted.
          if (zoom < 4) continue;
          const near = own.map(({ lon }) => {
            const away = lonToX(lon) - item.x;
            return away > SIZE / 2 ? away - SIZE : away < -SIZE / 2 ? away + SIZE : away;
          });
          const mean = Math.floor(near.reduce((sum, away) => sum + away, 0) / item.count);
          assert.equal(mean, 0);
        }
      }
    }),
    { numRuns: 150, seed: 1 },
  );
});

test('a tile has the items in it and in a margin of one radius, also across the antimeridian', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 0, max: DEEPEST_ZOOM }), fc.nat(), fc.nat(), (places, z, anyX, anyY) => {
      const pyramid = buildPyramid(pointsOf(times(places)));
      // Half of the requested tiles contain a point.
      const near = places[anyX % Math.max(1, places.length)];
      const hit = near !== undefined && anyY % 2 === 0;
      const x = hit ? Math.floor((lonToX(near.lon) / SIZE) * 2 ** z) : anyX % 2 ** z;
      const y = hit ? Math.floor((latToY(near.lat) / SIZE) * 2 ** z) : anyY % 2 ** z;
      const tile = pyramid.tile(z, x, y);
      const got = leafRange(0, tile.length).map((i) => [
        tile.x(i),
        tile.y(i),
        tile.count(i),
        tile.formed(i),
        tile.leafStart(i),
      ]);
      const margin = EXTENT / 8;
      const span = SIZE / 2 ** z;
      const want = everything(pyramid, Math.min(z, 17)).flatMap((item) =>
        [-SIZE, 0, SIZE].flatMap((shift) => {
          const [left, top] = [(item.x + shift - x * span) / span, (item.y - y * span) / span];
          if (left < -1 / 8 || left >= 9 / 8 || top < -1 / 8 || top >= 9 / 8) return [];
          const grid = (unit: number) => Math.floor((unit * 2 ** z * EXTENT) / SIZE);
          return [
            [grid(item.x + shift) - x * EXTENT, grid(item.y) - y * EXTENT, item.count, item.id % 32, item.leafStart],
          ];
        }),
      );
      assert.deepEqual(got.sort(byText), want.sort(byText));
      for (const [px, py] of got)
        assert.ok(px >= -margin && px < EXTENT + margin && py >= -margin && py < EXTENT + margin);
    }),
    { numRuns: 400, seed: 2 },
  );
});

function byText(a: number[], b: number[]): number {
  return a.join() < b.join() ? -1 : 1;
}

test('a box query returns the items in the box, across the antimeridian, at any zoom', () => {
  const longitude = fc.oneof(edge(-180, 180), fc.double({ min: -720, max: 720, noNaN: true }));
  const zooms = fc.oneof(fc.double({ min: -5, max: 30, noNaN: true }), fc.constantFrom(-1e300, 1e300));
  fc.assert(
    fc.property(
      world,
      longitude,
      edge(-100, 100),
      longitude,
      edge(-100, 100),
      zooms,
      (places, west, a, east, b, zoom) => {
        const pyramid = buildPyramid(pointsOf(times(places)));
        const [south, north] = [Math.min(a, b), Math.max(a, b)];
        const box: Box = [west, south, east, north];
        const level = Math.max(0, Math.min(17, Math.floor(zoom)));
        // Bounds are read as supercluster 9 reads them.
        const wrap = (lon: number) => ((((lon + 180) % 360) + 360) % 360) - 180;
        const inWorld = (lon: number) => (lon >= -180 && lon < 180 ? lon : wrap(lon));
        const [first, last] = [inWorld(west), east === 180 ? 180 : inWorld(east)];
        const [left, right] = [lonToX(first), lonToX(last)];
        const inside = (x: number) =>
          east - west >= 360 || (first <= last ? x >= left && x <= right : x >= left || x <= right);
        const want = everything(pyramid, level).filter(
          ({ x, y }) => inside(x) && y >= latToY(hold(north, 90)) && y <= latToY(hold(south, 90)),
        );
        const ids = (list: { id: number }[]) => list.map(({ id }) => id).sort((p, q) => p - q);
        assert.deepEqual(ids(pyramid.clusters(box, zoom)), ids(want));
        assert.equal(pyramid.countClusters(box, zoom), want.length);
      },
    ),
    { numRuns: 400, seed: 3 },
  );
});

test('180 to 180 is the whole world, -190 to -170 a strip across the antimeridian, and latitudes end at the poles', () => {
  const at = (lon: number, lat: number) => ({ lon, lat, domain: `${lon}`, updatedAt: 1, country: '' });
  const pyramid = buildPyramid(pointsOf([at(-175, 80), at(0, 0), at(175, -80)]));
  const found = (box: Box) =>
    pyramid
      .clusters(box, 9)
      .map(({ leafStart }) => pyramid.domain(leafStart))
      .sort();
  assert.deepEqual(found([180, -91, 180, 91]), ['-175', '0', '175']);
  assert.deepEqual(found([-190, -90, -170, 90]), ['-175', '175']);
  assert.deepEqual(found([170, -90, 190, 90]), ['-175', '175']);
  assert.deepEqual(found([170, -90, -170, 90]), ['-175', '175']);
  assert.deepEqual(found([350, -10, 370, 10]), ['0']);
  assert.deepEqual(found([-20, -10, 20, 10]), ['0']);
  assert.deepEqual(found([-180, 60, -180, 90]), []);
});

interface Judged {
  x: bigint;
  y: bigint;
  /** The remainder of the coordinate sums beyond x and y times the count. */
  over: [x: bigint, y: bigint];
  domains: string[];
}

/**
 * The rule of cluster.ts by brute force: each item is compared with each other on a wrapping world, in big integers.
 */
function judged(items: Judged[], reach: number, rowBits: number): Judged[] {
  const size = BigInt(SIZE);
  const away = (from: bigint, to: bigint) => {
    const east = (((to - from) % size) + size) % size;
    return east > size / 2n ? east - size : east;
  };
  const isNear = (a: Judged, b: Judged) => Number(away(a.x, b.x)) ** 2 + Number(b.y - a.y) ** 2 <= reach ** 2;
  const row = ({ y }: Judged) => Number(y) >>> rowBits;
  const order = items.toSorted((a, b) => row(a) - row(b) || Number(a.x - b.x) || Number(a.y - b.y));
  const weight = ({ domains }: Judged) => Math.clz32(domains.length);
  const left = new Set(order);
  const next: Judged[] = [];
  for (const centre of order.toSorted((a, b) => weight(a) - weight(b))) {
    if (!left.has(centre)) continue;
    const taken = [...left].filter((other) => isNear(centre, other));
    if (taken.length === 1) continue;
    for (const item of taken) left.delete(item);
    const domains = taken.flatMap((item) => item.domains);
    const count = BigInt(domains.length);
    const sums = taken.map((item): [bigint, bigint] => {
      const own = BigInt(item.domains.length);
      return [(centre.x + away(centre.x, item.x)) * own + item.over[0], item.y * own + item.over[1]];
    });
    const [x, y] = [0, 1].map((axis) => sums.reduce((sum, part) => sum + part[axis], 0n));
    const floor = (sum: bigint) => (sum - (((sum % count) + count) % count)) / count;
    const mean = floor(x);
    next.push({
      x: ((mean % size) + size) % size,
      y: floor(y),
      over: [x - mean * count, y - floor(y) * count],
      domains,
    });
  }
  return [...left, ...next];
}

test('clusters equal those of brute force on a wrapping world, across the antimeridian too', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          fc.double({ min: -12, max: 12, noNaN: true }),
          fc.integer({ min: 0, max: 12 }),
          fc.double({ min: -30, max: 30, noNaN: true }),
        ),
        { maxLength: 60, size: 'max' },
      ),
      fc.constantFrom(40, 64, 256),
      (places, radius) => {
        const rows = times(
          places.map(([lon, zoom, lat]) => {
            const east = 180 + lon / 2 ** zoom;
            return { lon: east >= 180 ? east - 360 : east, lat };
          }),
        );
        const pyramid = buildPyramid(pointsOf(rows), { radius });
        const spots = new Map<string, Judged>();
        for (const { domain, lon, lat } of rows) {
          const [x, y] = [lonToX(lon), latToY(lat)];
          const spot = spots.get(`${x} ${y}`) ?? { x: BigInt(x), y: BigInt(y), over: [0n, 0n], domains: [] };
          spot.domains.push(domain);
          spots.set(`${x} ${y}`, spot);
        }
        let want = [...spots.values()];
        const text = (items: { x: number | bigint; y: number | bigint; domains: string[] }[]) =>
          items.map(({ x, y, domains }) => `${x} ${y} ${domains.toSorted().join()}`).sort();
        for (let zoom = 16; zoom >= 0; zoom--) {
          const reach = (radius / 512) * (SIZE / 2 ** zoom);
          want = judged(want, reach, pyramid.levels[zoom].rowBits);
          if (zoom <= 2) want = judged(want, reach * 0.95, pyramid.levels[zoom].rowBits);
          const got = everything(pyramid, zoom).map((item) => ({
            ...item,
            domains: pyramid.leaves(item.id, 1000, 0).map(({ domain }) => domain),
          }));
          assert.deepEqual(text(got), text(want), `zoom ${zoom}`);
        }
      },
    ),
    { numRuns: 60, seed: 9 },
  );
});

test('the bounding box of a cluster contains its leaves, across the antimeridian too', () => {
  const at = (lon: number, lat: number) => ({ lon, lat, domain: `${lon}`, updatedAt: 1, country: '' });
  const pyramid = buildPyramid(pointsOf([at(179, -17), at(-178, -16), at(-179.5, -18), at(20, 50), at(21, 51)]));
  const boxes = pyramid
    .clusters([-180, -90, 180, 90], 3)
    .map((cluster) => pyramid.bounds(cluster).map((degrees) => Math.round(degrees * 100) / 100))
    .sort((a, b) => a[0] - b[0]);
  assert.deepEqual(boxes, [
    [20, 50, 21, 51],
    [179, -18, -178, -16],
  ]);
});

test('at its expansion zoom a cluster is more than one item, and at every zoom before just one', () => {
  fc.assert(
    fc.property(world, (places) => {
      const pyramid = buildPyramid(pointsOf(times(places)));
      for (let zoom = 0; zoom <= pyramid.maxZoom; zoom++) {
        for (const { id, leafStart, count, expansionZoom } of everything(pyramid, zoom)) {
          const parts = (level: number) =>
            everything(pyramid, level).filter(
              (item) => item.leafStart >= leafStart && item.leafStart < leafStart + count,
            ).length;
          assert.equal(pyramid.expansionZoom(id), expansionZoom);
          if (expansionZoom === undefined) assert.equal(parts(pyramid.maxZoom + 1), 1);
          else {
            assert.ok(parts(expansionZoom) > 1);
            assert.equal(parts(expansionZoom - 1), 1);
          }
        }
      }
    }),
    { numRuns: 60, seed: 4 },
  );
});

test('the leaves of a cluster come newest first, page by page', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 0, max: 17 }), fc.integer({ min: 1, max: 9 }), (places, zoom, limit) => {
      const rows = times(places);
      const pyramid = openPyramid(encodePyramid(buildPyramid(pointsOf(rows))));
      for (const { id, leafStart, count } of everything(pyramid, zoom)) {
        const paged = leafRange(0, Math.ceil(count / limit)).flatMap((page) => pyramid.leaves(id, limit, page * limit));
        const want = leafRange(leafStart, count).sort((p, q) => pyramid.updatedAt(q) - pyramid.updatedAt(p) || p - q);
        assert.deepEqual(
          paged.map((leaf) => leaf.domain),
          want.map((leaf) => pyramid.domain(leaf)),
        );
        assert.deepEqual(pyramid.leaves(id, limit, count), []);
      }
    }),
    { numRuns: 100, seed: 5 },
  );
});

test('a leaf has its own domain, location, time and country', () => {
  const rows: Row[] = [
    { domain: 'ä.example', lon: 13.4, lat: 52.5, updatedAt: 1_700_000_000_001, country: 'DE' },
    { domain: 'b.example', lon: -179.9, lat: -16, updatedAt: 1_700_000_999_999, country: 'FJ' },
    { domain: '', lon: 0, lat: 0, updatedAt: 1_699_999_999_999, country: '' },
  ];
  for (const pyramid of [buildPyramid(pointsOf(rows)), openPyramid(encodePyramid(buildPyramid(pointsOf(rows))))]) {
    for (const item of everything(pyramid, 17)) {
      const [leaf] = pyramid.leaves(item.id, 1, 0);
      const row = rows.find(({ domain }) => domain === leaf.domain);
      assert.ok(row);
      assert.equal(leaf.updatedAt, row.updatedAt);
      assert.equal(leaf.country, row.country);
      assert.ok(Math.abs(leaf.lon - row.lon) < 2e-6 && Math.abs(leaf.lat - row.lat) < 2e-6);
    }
  }
});

test('the order of the input changes only the order of leaves at one location', () => {
  fc.assert(
    fc.property(world, (places) => {
      const forward = buildPyramid(pointsOf(times(places)));
      const backward = buildPyramid(pointsOf(times(places).reverse()));
      assert.deepEqual(backward.levels, forward.levels);
    }),
    { numRuns: 50, seed: 6 },
  );
});

test('an opened file gives the same results as the pyramid it was made from, and encodes to the same bytes', () => {
  const built = buildPyramid(skewedPoints(5000, 7));
  const file = encodePyramid(built);
  const opened = openPyramid(file);
  assert.deepEqual(encodePyramid(opened), file);
  for (let zoom = 0; zoom <= 17; zoom++) assert.deepEqual(everything(opened, zoom), everything(built, zoom));
  for (let leaf = 0; leaf < built.size; leaf += 17) assert.deepEqual(opened.leaf(leaf), built.leaf(leaf));
  const unaligned = new Uint8Array(file.length + 3);
  unaligned.set(file, 3);
  assert.equal(openPyramid(unaligned.subarray(3)).size, built.size);
});

test('points by location keep their hits in a file, filtered or not; a file without hits has the older format version', async () => {
  const points = skewedPoints(3000, 8);
  const hits = Float64Array.from({ length: 3000 }, (_, row) => row * 3 + 1);
  const built = buildPyramid({ ...points, hits });
  const file = encodePyramid(built);
  const opened = openPyramid(file);
  assert.deepEqual(encodePyramid(opened), file);
  const since = { since: opened.newestAt - 86_400_000 };
  const [kept, want] = await Promise.all([opened, built].map((pyramid) => filtered(pyramid, since, async () => {})));
  for (let leaf = 0; leaf < built.size; leaf += 7) {
    assert.equal(opened.leaf(leaf).hits, built.row(leaf) * 3 + 1);
    if (leaf < want.size) assert.deepEqual(kept.leaf(leaf), want.leaf(leaf));
  }
  const plain = encodePyramid(buildPyramid(points));
  assert.deepEqual([file[4], plain[4]], [2, 1]);
  assert.equal('hits' in openPyramid(plain).leaf(0), false);
});

test('times more than 32 bits of milliseconds apart are rounded by at most their unit', () => {
  const rows = [0, 1e12, 1.8e12].map((updatedAt, i) => ({ domain: `${i}`, lon: i, lat: 0, updatedAt, country: '' }));
  const opened = openPyramid(encodePyramid(buildPyramid(pointsOf(rows))));
  for (const leaf of [0, 1, 2].map((index) => opened.leaf(index)))
    assert.ok(Math.abs(leaf.updatedAt - rows[Number(leaf.domain)].updatedAt) <= opened.timeUnit);
});

test('a truncated or foreign file is refused with the reason', () => {
  const file = encodePyramid(buildPyramid(skewedPoints(300, 8)));
  const other = encodePyramid(buildPyramid(skewedPoints(300, 9)));
  const changed = (at: number, value: number) => {
    const copy = file.slice();
    copy[at] = value;
    return copy;
  };
  const cases: [Uint8Array, RegExp][] = [
    [new Uint8Array(0), /0 bytes hold no header/],
    [new TextEncoder().encode(JSON.stringify({ points: [] }).padEnd(100)), /not a points\.bin/],
    [changed(4, 9), /version 9/],
    [file.subarray(0, file.length - 8), /torn: \d+ bytes of \d+/],
    [changed(70, 255), /header does not add up/],
    [changed(28, 255), /header does not add up/],
    [changed(file.length - 1, file[file.length - 1] ^ 1), /end belongs to another file/],
  ];
  for (const [bytes, message] of cases)
    assert.throws(
      () => openPyramid(bytes),
      (error: Error) => error instanceof BadSnapshot && message.test(error.message),
    );
  const mixed = file.slice();
  mixed.set(other.subarray(-4000), file.length - 4000);
  assert.throws(() => openPyramid(mixed), BadSnapshot);
});

test('an impossible query or world is refused with the wrong value', () => {
  const pyramid = buildPyramid(skewedPoints(100, 10));
  assert.throws(() => pyramid.tile(25, 0, 0), /zoom is 25/);
  assert.throws(() => pyramid.tile(1.5, 0, 0), /zoom is 1\.5/);
  assert.throws(() => pyramid.tile(1, 2, 0), /tile 1\/2\/0/);
  assert.throws(() => pyramid.clusters([0, 10, 0, -10], 1), /south 10/);
  assert.throws(() => pyramid.clusters([0, 0, 0, 0], Number.NaN), /zoom/);
  for (const id of [-1, 0.5, 32 * 100, 3, Number.NaN]) assert.throws(() => pyramid.leaves(id, 1, 0), /no cluster/);
  const row = { domain: 'a', lon: 0, lat: 0, updatedAt: 0, country: '' };
  assert.throws(() => buildPyramid(pointsOf([{ ...row, lon: Number.NaN }])), /point 0/);
  assert.throws(() => buildPyramid(pointsOf([row]), { radius: 3 }), /radius is 3/);
  assert.throws(() => buildPyramid(pointsOf([row]), { maxZoom: 17 }), /maxZoom is 17/);
  assert.throws(() => buildPyramid({ ...pointsOf([row]), domains: packNames([]) }), /domains has 0 rows/);
});

test('units and degrees convert into each other', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -180, max: 180, noNaN: true }),
      fc.double({ min: -85, max: 85, noNaN: true }),
      (lon, lat) => {
        assert.ok(Math.abs(xToLon(lonToX(lon)) - lon) < 1e-6 && Math.abs(yToLat(latToY(lat)) - lat) < 1e-6);
      },
    ),
  );
  assert.deepEqual([lonToX(-180), lonToX(180), latToY(90), latToY(-90)], [0, SIZE - 1, 0, SIZE - 1]);
  assert.equal(SINGLE, 31);
});
