import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { buildPyramid } from '#core/map/cluster.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { SINGLE } from '#core/map/pyramid.ts';
import { encodePyramid, openInPart, openPyramid } from '#core/map/snapshot.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { pointsOf, type Row } from '../../support/points-of.ts';

const world: [number, number, number, number] = [-180, -90, 180, 90];
const codes = ['', 'DE', 'FJ'];
const rows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.record({
      lon: fc.oneof(
        fc.constantFrom(-180, 180),
        fc.integer({ min: -40, max: 40 }).map((step) => step / 8),
      ),
      lat: fc.integer({ min: -40, max: 40 }).map((step) => step / 8),
      updatedAt: fc.integer({ min: 1000, max: 1099 }),
      country: fc.constantFrom(...codes),
    }),
    { maxLength: 200, size: 'max' },
  )
  .map((list) => list.map((row, i) => ({ ...row, domain: `d${i}` })));
const filter = fc.record({
  since: fc.option(fc.integer({ min: 990, max: 1110 }), { nil: undefined }),
  country: fc.option(fc.constantFrom(...codes, 'XX'), { nil: undefined }),
});

test('what a filter leaves is exact: counts, means, single points, and the zoom where a cluster splits', () => {
  fc.assert(
    fc.property(rows, filter, (list, { since, country }) => {
      const pyramid = openPyramid(encodePyramid(buildPyramid(pointsOf(list))));
      const matches = pyramid.matching({ since, country });
      const kept = (row: Row) =>
        (since === undefined || row.updatedAt >= since) && (country === undefined || row.country === country);
      const levels = new Map<number, Map<string, number>>();
      /** Of each domain that is kept, the item at that zoom which holds it. */
      const itemOf = (level: number) => {
        const known =
          levels.get(level) ??
          new Map(
            pyramid
              .clusters(world, level, matches)
              .flatMap(({ id }) => pyramid.leaves(id, 1000, 0, matches).map(({ domain }) => [domain, id])),
          );
        levels.set(level, known);
        return known;
      };
      const byName = new Map(list.map((row) => [row.domain, row]));
      for (const zoom of [0, 1, 3, 6, 9, 16, 17]) {
        const items = pyramid.clusters(world, zoom, matches);
        const names: string[] = [];
        for (const item of items) {
          const leaves = pyramid.leaves(item.id, 1000, 0, matches);
          assert.equal(leaves.length, item.count);
          assert.equal(item.count === 1, item.id % 32 === SINGLE);
          const own = leaves.map(({ domain }) => byName.get(domain)!);
          names.push(...leaves.map(({ domain }) => domain));
          assert.equal(item.x, Math.floor(own.reduce((sum, { lon }) => sum + lonToX(lon), 0) / item.count));
          assert.equal(item.y, Math.floor(own.reduce((sum, { lat }) => sum + latToY(lat), 0) / item.count));
          const parts = (level: number) => new Set(own.map(({ domain }) => itemOf(level).get(domain))).size;
          if (item.expansionZoom !== undefined) {
            assert.ok(parts(item.expansionZoom) > 1);
            assert.equal(parts(item.expansionZoom - 1), 1);
          } else assert.equal(parts(17), 1);
        }
        assert.deepEqual(
          names.sort(),
          list
            .filter(kept)
            .map(({ domain }) => domain)
            .sort(),
        );
      }
    }),
    { numRuns: 60, seed: 1 },
  );
});

const none = () => false;
const first = (place: number) => place === 0;
const last = (place: number) => place === 63;
const some = (place: number) => place % 5 === 2;

test('counts, the first and the last match of any range are those of looking at every leaf, past whole blocks of none', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 400 }),
      // Of each block of 64 leaves, those that match.
      fc.array(fc.constantFrom(none, none, first, last, some), { minLength: 7, maxLength: 7 }),
      fc.nat(),
      (length, blocks, seed) => {
        const random = seeded(seed);
        const points = Array.from({ length }, (_, i) => ({
          ...{ lon: random() * 360 - 180, lat: random() * 170 - 85, domain: `d${i}` },
          ...{ updatedAt: 1000, country: 'FR' },
        }));
        // The order of leaves follows from their places alone.
        const order = buildPyramid(pointsOf(points));
        for (let leaf = 0; leaf < length; leaf++)
          if (blocks[leaf >> 6](leaf % 64)) points[order.row(leaf)].country = 'DE';
        const matches = openPyramid(encodePyramid(buildPyramid(pointsOf(points)))).matching({ country: 'DE' })!;
        const kept = Array.from({ length }, (_, leaf) => leaf).filter((leaf) => matches.has(leaf));
        assert.equal(kept.length, points.filter(({ country }) => country === 'DE').length);
        for (let at = 0; at <= length; at++) {
          const next = kept.find((leaf) => leaf >= at);
          const before = kept.findLast((leaf) => leaf < at);
          if (next !== undefined) assert.equal(matches.first(at), next);
          if (before !== undefined) assert.equal(matches.last(at), before);
          assert.equal(matches.count(0, at), kept.filter((leaf) => leaf < at).length);
          assert.equal(matches.count(at, length), kept.filter((leaf) => leaf >= at).length);
        }
      },
    ),
    { seed: 2, numRuns: 100 },
  );
});

test('a filtered tile holds every filtered item in it and its margin', () => {
  const pyramid = buildPyramid(skewedPoints(20_000, 2));
  const matches = pyramid.matching({ since: pyramid.newestAt - 86_400_000, country: 'FR' });
  for (const z of [0, 2, 3, 5, 8]) {
    const all = pyramid.clusters(world, z, matches);
    const span = SIZE / 2 ** z;
    for (let x = 0; x < 2 ** z; x += Math.ceil(2 ** z / 9)) {
      for (let y = 0; y < 2 ** z; y += Math.ceil(2 ** z / 9)) {
        const tile = pyramid.tile(z, x, y, matches);
        const got = Array.from(
          { length: tile.length },
          (_, i) => `${tile.leafStart(i) * 32 + tile.formed(i)} ${tile.count(i)}`,
        );
        const want = all.flatMap((item) =>
          [-SIZE, 0, SIZE].flatMap((shift) => {
            const [left, top] = [(item.x + shift) / span - x, item.y / span - y];
            return left >= -1 / 8 && left < 9 / 8 && top >= -1 / 8 && top < 9 / 8 ? [`${item.id} ${item.count}`] : [];
          }),
        );
        assert.deepEqual(got.sort(), want.sort());
      }
    }
  }
});

test('a filter that keeps all changes nothing, and works on a file opened in part', async () => {
  const file = encodePyramid(buildPyramid(skewedPoints(4000, 3)));
  const whole = openPyramid(file);
  const all = whole.matching({ since: 0 });
  for (const zoom of [0, 4, 17]) assert.deepEqual(whole.clusters(world, zoom, all), whole.clusters(world, zoom));
  const part = await openInPart(async (start, end) => file.slice(start, end), 1024, 8192);
  const ask = (pyramid: typeof whole) => pyramid.clusters(world, 5, pyramid.matching({ country: 'BR' }));
  assert.deepEqual(await part.load(() => ask(part)), ask(whole));
  assert.ok(ask(whole).length > 50);
});
