import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { buildPyramid } from '#core/map/cluster.ts';
import { type Filter, filtered, TooManyFilters } from '#core/map/filter.ts';
import { encodeTile } from '#core/map/mvt.ts';
import { Pyramid } from '#core/map/pyramid.ts';
import { encodePyramid, openInPart, openPyramid } from '#core/map/snapshot.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { pointsOf, type Row } from '../../support/points-of.ts';

const world: [number, number, number, number] = [-180, -90, 180, 90];
const pause = async () => {};
const codes = ['', 'DE', 'FJ'];
const rows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.record({
      lon: fc.oneof(
        fc.constantFrom(-180, 180),
        fc.double({ min: 170, max: 190, noNaN: true }).map((lon) => (lon >= 180 ? lon - 360 : lon)),
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

const keeps =
  ({ since, country }: Filter) =>
  (row: Row) =>
    (since === undefined || row.updatedAt >= since) && (country === undefined || row.country === country);

const shown = (pyramid: Pyramid, zoom: number) =>
  pyramid
    .clusters(world, zoom)
    .map(({ id, x, y, count, expansionZoom }) => {
      const domains = pyramid.leaves(id, 1000, 0).map(({ domain }) => domain);
      return [x, y, count, expansionZoom, domains.sort().join()].join(' ');
    })
    .sort();

test('a filtered map is the map of the points that match: clusters, means, leaves and expansion zooms', async () => {
  await fc.assert(
    fc.asyncProperty(rows, filter, async (list, filter) => {
      const pyramid = openPyramid(encodePyramid(buildPyramid(pointsOf(list))));
      const got = await filtered(pyramid, filter, pause);
      const want = buildPyramid(pointsOf(list.filter(keeps(filter))));
      for (let zoom = 0; zoom <= 17; zoom++) {
        assert.deepEqual(shown(got, zoom), shown(want, zoom));
        for (const { id, expansionZoom } of got.clusters(world, zoom)) {
          assert.equal(got.expansionZoom(id), expansionZoom);
          assert.equal(Pyramid.isFiltered(id), got !== pyramid);
        }
      }
      const names = new Map(list.map((row) => [row.domain, row]));
      for (let leaf = 0; leaf < got.size; leaf++) {
        const { domain, updatedAt, country } = got.leaf(leaf);
        assert.deepEqual([updatedAt, country], [names.get(domain)?.updatedAt, names.get(domain)?.country]);
      }
    }),
    { numRuns: 25, seed: 1 },
  );
});

test('a partly read file is filtered as a whole one is, names included', async () => {
  const file = encodePyramid(buildPyramid(skewedPoints(4000, 3)));
  const ask = async (pyramid: Pyramid) => {
    const found = await filtered(pyramid, { country: 'BR' }, setImmediate);
    return {
      size: found.size,
      tile: await pyramid.load(() => encodeTile(found, found.tile(0, 0, 0))),
      leaves: await pyramid.load(() => found.clusters(world, 3).map(({ id }) => found.leaves(id, 5, 1))),
    };
  };
  const whole = await ask(openPyramid(file));
  const part = await openInPart(async (start, end) => file.slice(start, end), 1024, 8192);
  assert.deepEqual(await ask(part), whole);
  assert.ok(whole.size > 50 && whole.tile.length > 100);
});

test('a filtered map is built once for concurrent requests, and too many at once are refused', async () => {
  const pyramid = buildPyramid(skewedPoints(2000, 4));
  const [one, same] = await Promise.all([0, 1].map(() => filtered(pyramid, { country: 'FR' }, setImmediate)));
  assert.equal(one, same);
  assert.equal(await filtered(pyramid, {}, pause), pyramid);
  const many = Array.from({ length: 40 }, (_, since) => filtered(pyramid, { since }, setImmediate));
  const outcomes = await Promise.allSettled(many);
  const refused = outcomes.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[];
  assert.ok(refused.length > 0 && refused.length < 40);
  assert.ok(refused.every(({ reason }) => reason instanceof TooManyFilters));
  // A refused filter is built when it is requested again.
  assert.equal((await filtered(pyramid, { since: 39 }, setImmediate)).size, pyramid.size);
});
