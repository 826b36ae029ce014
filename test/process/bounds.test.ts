// What strangers choose is bounded: domains, days and actions of a request, of a batch and of a day, and domains on the
// map.
import assert from 'node:assert/strict';
import test from 'node:test';
import { domainFilter } from '#collect/bounds.ts';
import { readHits } from '#collect/hits.ts';
import { DaySums } from '#core/hits/day-sums.ts';
import { DeltaBuilder, decodeDelta } from '#core/hits/delta.ts';
import { encodeHit, parseLines, readLines } from '#core/hits/hit.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { readManifest } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { exportPoints } from '#process/export.ts';
import { locationsOf } from '#process/locate.ts';
import { processBatch } from '#process/process.ts';
import { memoryStores } from '../support/memory-stores.ts';

const now = Date.parse('2026-11-28T12:00:00Z');
const dayMs = 86_400_000;
const locator = { locate: (address: string) => (address === '' ? undefined : { lat: 1, lon: 2, country: 'DE' }) };
const line = (domain: string, rest: object = {}) =>
  encodeHit({ type: 'hit', time: now, address: '1', domain, action: 'view', ...rest });

function deltaOf(lines: string[]) {
  const builder = new DeltaBuilder(locationsOf(locator));
  readLines(Buffer.from(lines.join('\n')), {
    hit: (hit) => builder.hit(hit, now),
    other: assert.fail,
    bad: assert.fail,
  });
  return decodeDelta(builder.encode({ shard: 's', previous: '0', last: '1' }));
}

const domainsOf = (lines: string[]) => {
  const counts = new Map<string, number>();
  parseLines(Buffer.from(lines.join('\n')), {
    hit: ({ domain }) => counts.set(domain, (counts.get(domain) ?? 0) + 1),
    other: assert.fail,
    bad: assert.fail,
  });
  return counts;
};

test('a request keeps its first domains and days; further hits are counted as other', () => {
  const many = Array.from({ length: 5000 }, (_, n) => ({ domain: `d${n % 2500}.example` }));
  const domains = domainsOf(readHits(JSON.stringify(many), '1', now).lines);
  assert.equal(domains.size, hitLimits.domainsPerRequest + 1);
  assert.equal(domains.get('other'), 3000);
  assert.equal(domains.get('d0.example'), 2);

  const old = Array.from({ length: 400 }, (_, n) => ({
    domain: 'a.example',
    time: new Date(now - n * dayMs).toISOString(),
  }));
  const days = domainsOf(readHits(JSON.stringify(old), '1', now).lines);
  assert.deepEqual(
    [days.get('a.example'), days.get('other')],
    [hitLimits.daysPerRequest, 400 - hitLimits.daysPerRequest],
  );
});

test('hits of domains that the owner did not name are ignored, and counted as ignored', () => {
  const isOwn = domainFilter(['portal.example', '*.Shop.example']);
  const rows: [string, boolean][] = [
    ['portal.example', true],
    ['a.shop.example', true],
    ['a.b.shop.example', true],
    ['shop.example', false],
    ['xportal.example', false],
    ['portal.example.evil', false],
    ['portalxexample', false],
  ];
  for (const [domain, own] of rows) assert.equal(isOwn(domain), own, domain);
  const { lines, ignored } = readHits(JSON.stringify(rows.map(([domain]) => ({ domain }))), '1', now, isOwn);
  assert.deepEqual([lines.length, ignored], [3, 4]);
  assert.equal(domainFilter([])('anything'), true);
});

test('a batch keeps its first domains; further hits are counted as other, and have no dot', () => {
  const more = 1000;
  const lines = Array.from({ length: hitLimits.domainsPerBatch + more }, (_, n) => line(`d${n}.example`));
  const delta = deltaOf([...lines, ...lines.slice(0, 10)]);
  assert.equal(delta.counters.hits, lines.length + 10);
  assert.equal(delta.counters.other, more);
  const sums = DaySums.empty('2026-11-28');
  sums.merge(delta);
  assert.equal(sums.total, lines.length + 10);
  assert.deepEqual(sums.top('domain', 0, 1), [['other', more]]);
  const points = PointsState.empty();
  points.merge(delta);
  assert.equal(points.size, hitLimits.domainsPerBatch);
});

test('a day keeps its first domains and actions, and goes on counting these', () => {
  const sums = DaySums.empty('2026-11-28');
  const hits = (from: number, to: number) =>
    deltaOf(Array.from({ length: to - from }, (_, n) => line(`d${from + n}.example`, { action: `a${from + n}` })));
  assert.equal(sums.merge(hits(0, 100), 100), 0);
  assert.equal(sums.merge(hits(50, 150), 100), 50);
  assert.equal(sums.total, 200);
  assert.deepEqual(sums.top('domain', 0, 2), [
    ['other', 50],
    ['d50.example', 2],
  ]);
  for (let n = 0; n < 20; n++) sums.merge(hits(1000 * n, 1000 * n + 1000), 100);
  assert.ok(sums.count('action') <= hitLimits.actionsPerDay + 1);
  assert.equal(sums.total, 20_200);
});

test('the domains with the oldest hits leave the map first, exactly as many as exceed the limit', () => {
  const points = PointsState.empty();
  for (let n = 0; n < 100; n++) points.merge(deltaOf([line(`d${n}.example`, { time: now - (n % 50) * 1000 })]));
  assert.equal(points.keepNewest(100), 0);
  assert.equal(points.keepNewest(31), 69);
  assert.equal(points.size, 31);
  const ages = points.rows().map(([, , , , updatedAt]) => (now - updatedAt) / 1000);
  assert.deepEqual(Math.max(...ages), 15);
  assert.equal(ages.filter((age) => age < 15).length, 30);
});

test('in a flood of made-up domains sums stay complete, the map keeps its limit, and the owner gets one alert a day', async () => {
  const stores = memoryStores();
  const alerts = new Map<string, string>();
  let sequence = 0;
  const options = {
    ...stores,
    locator,
    classify: () => 'human' as const,
    pullWindowSeconds: 2,
    clock: () => now,
    newId: () => `id${sequence}`,
  };
  for (let batch = 0; batch < 4; batch++) {
    const lines = Array.from({ length: 2000 }, (_, n) => line(`flood-${batch}-${n}.example`));
    const record = { sequenceNumber: String(++sequence), data: Buffer.from(lines.join('\n')), arrivedAt: now };
    await processBatch('s', [record], options);
    await exportPoints({
      ...stores,
      ...{ keepDays: 7, mostDomains: 3000, privateHostsOn: [], clock: () => now, newId: () => `e${sequence}` },
      alerts: { add: async ({ id, text }) => void alerts.set(id, text) },
    });
  }
  const { manifest } = await readManifest(stores.objects);
  assert.equal(manifest.counters.hits, 8000);
  assert.equal(manifest.counters.other, 5000);
  assert.deepEqual(manifest.grown, { day: '2026-11-28', rows: 3001, other: 5000 });
  assert.deepEqual([...alerts.keys()], ['limit-other-2026-11-28']);
  const points = PointsState.decode((await stores.objects.get(String(manifest.points)))!.body);
  assert.equal(points.size, 3000);
});
