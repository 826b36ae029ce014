import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { buildPyramid } from '#core/cluster.ts';
import { latToY, lonToX, SIZE } from '#core/mercator.ts';
import { SINGLE } from '#core/pyramid.ts';
import { encodePyramid, openInPart, openPyramid } from '#core/snapshot.ts';
import { pointsOf, type Row, skewedPoints } from './points-of.ts';

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
    { maxLength: 200 },
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
          const parts = (level: number) =>
            pyramid
              .clusters(world, level, matches)
              .filter((part) =>
                pyramid.leaves(part.id, 1, 0, matches).some(({ domain }) => own.some((row) => row.domain === domain)),
              ).length;
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
