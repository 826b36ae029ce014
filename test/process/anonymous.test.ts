// The anonymous map, which everyone sees if names are for the team only: published beside the full map, tested from hit
// to tile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { anonymousPoints } from '#core/map/anonymous.ts';
import { openObjects } from '#local/stores/objects.ts';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { memoryCheckpoints, open } from '../support/memory-stores.ts';
import { pointsOf } from '../support/points-of.ts';
import { dataFolder } from '../support/run.ts';

const now = Date.UTC(2026, 10, 28, 9, 41, 17);

test('no name, town or minute of a point is left, and no domain below the minimum of hits', () => {
  const row = fc.record({
    domain: fc.domain(),
    lon: fc.double({ min: -180, max: 180, noNaN: true }),
    lat: fc.double({ min: -85, max: 85, noNaN: true }),
    updatedAt: fc.integer({ min: now - 7 * 86_400_000, max: now }),
    country: fc.constantFrom('', 'DE', 'FR'),
    hits: fc.nat(10),
  });
  fc.assert(
    fc.property(fc.array(row, { size: 'max', maxLength: 100 }), fc.nat(10), (rows, least) => {
      const points = anonymousPoints(pointsOf(rows), (at) => rows[at].hits >= least, least);
      const kept = rows.filter(({ hits }) => hits >= least);
      assert.equal(points.lat.length, kept.length);
      assert.deepEqual([points.domains.utf8.length, points.domains.offsets.length], [0, kept.length + 1]);
      for (const column of [points.lat, points.lon])
        for (const degrees of column) assert.ok(Number.isInteger(degrees * 2));
      for (const at of points.updatedAt) assert.equal(at % 3_600_000, 0);
      // The order reveals nothing about names: rows are sorted by their visible values.
      const said = [...points.lat.keys()].map((at) => [points.lat[at], points.lon[at], points.updatedAt[at]]);
      assert.deepEqual(
        said,
        said.toSorted((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
      );
    }),
    { numRuns: 100 },
  );
});

test("both maps are published; a caller who may see only the anonymous map can't open the other", async (t) => {
  const objects = openObjects(dataFolder(t));
  const checkpoints = memoryCheckpoints().through(open);
  const hits = [...Array(5).fill('busy.example'), ...Array(4).fill('quiet.example'), ...Array(9).fill('nas.local')].map(
    (domain, n) => JSON.stringify({ type: 'hit', time: now - n, address: '192.0.2.1', domain, action: 'view' }),
  );
  const records = [{ sequenceNumber: '1', data: Buffer.from(hits.join('\n')), arrivedAt: now }];
  await processBatch('s', records, {
    ...{ checkpoints, objects, clock: () => now, newId: () => 'id' },
    locator: { locate: () => ({ lat: 52.52, lon: 13.4, country: 'DE' }) },
  } as unknown as Parameters<typeof processBatch>[2]);
  await exportPoints({
    ...{ checkpoints, objects, keepDays: 7, clock: () => now, newId: () => 'n' },
    anonymousLeast: 5,
    privateHostsOn: [],
  });

  const named = objectSnapshots(objects, () => now);
  const anonymous = objectSnapshots(objects, () => now, { anonymous: true });
  const [all, some] = [await named.latest(), await anonymous.latest()];
  assert.deepEqual([all?.points, some?.points], [2, 1]);
  assert.equal(await anonymous.open(all?.snapshot ?? ''), undefined);
  const text = new TextDecoder('latin1').decode((await objects.get(`points/${some?.snapshot}/points.bin`))?.body);
  assert.doesNotMatch(text, /busy|quiet/);
  assert.ok(await anonymous.open(some?.snapshot ?? ''));
});

test('by location the export has a row for each cell, and the minimum applies in each cell', async (t) => {
  const objects = openObjects(dataFolder(t));
  const checkpoints = memoryCheckpoints().through(open);
  const cities = { '1': { lat: 52.52, lon: 13.4, country: 'DE' }, '2': { lat: 48.85, lon: 2.35, country: 'FR' } };
  // Five hits in Berlin within two days; in Paris five over three days, with fewer than five on any two consecutive
  // days.
  const day = 86_400_000;
  const visits = [
    ...[0, 0, 0, day, day].map((ago) => ({ ago, address: '1' })),
    ...[0, 0, day, 2 * day, 2 * day].map((ago) => ({ ago, address: '2' })),
  ];
  const hits = visits.map(({ ago, address }) =>
    JSON.stringify({ type: 'hit', time: now - ago, address, domain: 'portal.example', action: 'view' }),
  );
  await processBatch('s', [{ sequenceNumber: '1', data: Buffer.from(hits.join('\n')), arrivedAt: now }], {
    ...{ checkpoints, objects, clock: () => now, newId: () => 'id', points: 'location' },
    locator: { locate: (address: '1' | '2') => cities[address] },
  } as unknown as Parameters<typeof processBatch>[2]);
  await exportPoints({
    ...{ checkpoints, objects, keepDays: 7, clock: () => now, newId: () => 'n' },
    ...{ points: 'location', anonymousLeast: 3, privateHostsOn: [] },
  });
  const zipped = (await objects.get('points.json'))?.body as Uint8Array;
  const { points } = JSON.parse(gunzipSync(zipped).toString());
  assert.deepEqual(
    points.map(({ domain, lat, updatedAt }: { domain: string; lat: number; updatedAt: string }) => [
      domain,
      lat,
      updatedAt,
    ]),
    [
      ['portal.example', 52.52, new Date(now).toISOString()],
      ['portal.example', 48.85, new Date(now).toISOString()],
    ],
  );
  const named = objectSnapshots(objects, () => now);
  const latest = await named.latest();
  assert.deepEqual([latest?.points, latest?.domains], [2, 1]);
  const pyramid = await named.open(latest?.snapshot ?? '');
  assert.deepEqual([0, 1].map((leaf) => pyramid?.leaf(leaf).hits).sort(), [5, 5]);
  const anonymous = await objectSnapshots(objects, () => now, { anonymous: true }).latest();
  assert.equal(anonymous?.points, 1, 'Paris had two hits on one day and one on the previous day');
});
