// What a stranger can learn from the anonymous map, by every route: two worlds that differ only in what must stay
// hidden give the same responses, byte for byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Hono } from 'hono';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { mapRoutes } from '#serve/map/clusters.ts';
import { hitRoutes } from '#serve/map/hits.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { memoryCheckpoints, memoryObjects, open } from '../../support/memory-stores.ts';

const now = Date.UTC(2026, 10, 28, 9, 41, 17);
const hour = 3_600_000;
const least = 5;

interface Hit {
  domain: string;
  time: number;
  lat: number;
  lon: number;
  country: string;
  action: string;
}

/** All responses about these hits that a visitor who is not signed in can get, by URL. */
async function publicReads(hits: Hit[]): Promise<Map<string, string>> {
  const clock = () => now;
  const objects = memoryObjects(clock).through(open);
  const checkpoints = memoryCheckpoints().through(open);
  const lines = hits.map(({ domain, time, action }, n) =>
    JSON.stringify({ type: 'hit', time, address: String(n), domain, action }),
  );
  const records = [{ sequenceNumber: '1', data: Buffer.from(lines.join('\n')), arrivedAt: now }];
  await processBatch('s', records, {
    ...{ checkpoints, objects, clock, newId: () => 'id' },
    locator: {
      locate: (address: string) => {
        const { lat, lon, country } = hits[Number(address)];
        return { lat, lon, country };
      },
    },
  } as unknown as Parameters<typeof processBatch>[2]);
  await exportPoints({
    ...{ checkpoints, objects, keepDays: 7, clock, newId: () => 'n' },
    ...{ anonymousLeast: least, privateHostsOn: ['names', 'anonymous'] as const },
  } as unknown as Parameters<typeof exportPoints>[0]);

  const app = new Hono();
  app.route(
    '/',
    mapRoutes(() => objectSnapshots(objects, clock, { anonymous: true }), clock, 7),
  );
  app.route('/', hitRoutes({ objects, keepDays: 7, least, seenBy: () => 'anonymous' }));
  const reads = new Map<string, string>();
  const read = async (path: string) => {
    const reply = await app.request(path);
    const text = Buffer.from(await reply.arrayBuffer()).toString('latin1');
    reads.set(path, `${reply.status} ${reply.headers.get('etag')} ${text}`);
    return text;
  };
  const filters = ['', 'hours=1', 'hours=2', 'hours=48', 'country=DE', 'country=MC', 'country=DE&hours=2'];
  await read('/points.json');
  await read('/v1/points/latest');
  await read('/v1/embed/badge.svg');
  await read('/v1/embed/map');
  for (const by of ['day', 'country', 'action', 'domain'])
    for (const limit of [1, 2, 10_000]) await read(`/v1/hits?by=${by}&limit=${limit}`);
  for (const filter of filters) {
    for (const z of [0, 2, 8, 16]) {
      const found = await read(`/v1/clusters?bbox=-180,-85,180,85&zoom=${z}&${filter}`);
      await read(`/v1/clusters/yandex?bbox=-85,-180,85,180&zoom=${z}&${filter}`);
      for (const { id } of found.startsWith('{"type') ? JSON.parse(found).features : [])
        await read(`/v1/clusters/leaves?cluster=${id}&limit=1000&${filter}`);
    }
    for (const file of ['mvt', 'json', 'png'])
      for (const tile of ['0/0/0', '1/1/0', '1/0/1']) await read(`/v1/tiles/latest/${tile}.${file}?size=256&${filter}`);
  }
  return reads;
}

type Made<Of> = Of extends fc.Arbitrary<infer Value> ? Value : never;

const place = fc.record({
  // At least a thousandth of a degree from the border of a half-degree cell.
  cell: fc.tuple(fc.integer({ min: -80, max: 80 }), fc.integer({ min: -300, max: 300 })),
  within: fc.tuple(
    fc.double({ min: -0.24, max: 0.24, noNaN: true }),
    fc.double({ min: -0.24, max: 0.24, noNaN: true }),
  ),
});
const located = ({ cell: [y, x], within: [up, right] }: Made<typeof place>) => ({
  lat: Math.round((y / 2 + up) * 10_000) / 10_000,
  lon: Math.round((x / 2 + right) * 10_000) / 10_000,
});

/** Hits of a domain, all within one hour. */
const site = fc.record({
  hours: fc.integer({ min: 1, max: 20 }),
  minutes: fc.integer({ min: 0, max: 59 }),
  hits: fc.integer({ min: 1, max: 12 }),
  place,
  country: fc.constantFrom('DE', 'FR', 'MC', ''),
  action: fc.constantFrom('view', 'login'),
});
type Site = Made<typeof site>;

const hitsOf = ({ hours, minutes, hits, place, country, action }: Site, domain: string): Hit[] =>
  Array.from({ length: hits }, () => ({
    time: Math.floor(now / hour) * hour - hours * hour + minutes * 60_000,
    ...{ domain, country, action },
    ...located(place),
  }));

test('names, exact locations, minutes, and domains below the minimum are in no response, nor in the difference of two', async () => {
  const other = fc.record({ minutes: fc.integer({ min: 0, max: 59 }), within: place });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(site, other), { maxLength: 8 }), fc.integer(), async (sites, seed) => {
      const one = sites.flatMap(([each], n) => hitsOf(each, `a${n}.example`));
      const two = sites.flatMap(([each, change], n) => {
        // Domains below the minimum may move anywhere and to any hour of the day; those above it within their cell and
        // hour.
        const isSmall = each.hits < least;
        const moved = isSmall ? change.within : { cell: each.place.cell, within: change.within.within };
        return hitsOf(
          { ...each, minutes: change.minutes, place: moved },
          `b${(n * 7 + Math.abs(seed)) % 997}-${n}.example`,
        );
      });
      const [first, second] = [await publicReads(one), await publicReads(two)];
      for (const [path, found] of first) {
        assert.doesNotMatch(found, /[ab]\d+(-\d+)?\.example/, path);
        if (second.has(path)) assert.equal(second.get(path), found, path);
      }
      assert.deepEqual([...second.keys()], [...first.keys()]);
    }),
    { numRuns: 4 },
  );
});

test('another hit on the same day shows in no sum, nor in the rest of the total', async () => {
  const of = (country: string, action: string, hits: number): Hit[] =>
    Array.from({ length: hits }, (_, n) => ({
      ...{ domain: `of-${country.toLowerCase()}.example`, country, action, lat: 50, lon: 10 },
      time: now - 2 * hour - n,
    }));
  const world = [...of('DE', 'view', 12), ...of('FR', 'view', 5)];
  const before = await publicReads(world);
  for (const more of [of('MC', 'secret', 1), of('MC', 'secret', 2), [...of('DE', 'view', 1), ...of('FR', 'view', 1)]]) {
    const after = await publicReads([...world, ...more]);
    for (const [path, found] of before)
      if (path.startsWith('/v1/hits')) {
        assert.equal(after.get(path), found, path);
        assert.doesNotMatch(found, /MC|secret/);
      }
  }
  const rows = (by: string) =>
    JSON.parse((before.get(`/v1/hits?by=${by}&limit=10000`) ?? '').replace(/^\S+ \S+ /, '')).items;
  assert.deepEqual(rows('country'), [
    { day: '2026-11-28', key: 'DE', hits: 10 },
    { day: '2026-11-28', key: 'FR', hits: 5 },
  ]);
  assert.deepEqual(rows('day'), [{ day: '2026-11-28', key: '2026-11-28', hits: 15 }]);
});
