// The last snapshot of each day is kept as long as a domain is, and agrees with the day's sums.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import type { Pointer } from '#core/map/pointer.ts';
import { answerErrors } from '#http/errors.ts';
import { openObjects } from '#local/stores/objects.ts';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { daysKept } from '#process/publish.ts';
import { mapRoutes } from '#serve/map/clusters.ts';
import { hitRoutes } from '#serve/map/hits.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { memoryCheckpoints, open } from '../support/memory-stores.ts';
import { dataFolder } from '../support/run.ts';

const dayMs = 86_400_000;
const start = Date.UTC(2026, 10, 20, 22);
const keepDays = 4;
const dayAt = (index: number) => new Date(start + index * dayMs).toISOString().slice(0, 10);

test('each day has the map of its end, and the domains hit on that day are those in its sums', async (t) => {
  let now = start;
  const objects = openObjects(dataFolder(t), () => now);
  const checkpoints = memoryCheckpoints().through(open);
  let sequence = 0;
  /** Two exports on each day: the second is its last. */
  const pass = async (day: number, domains: string[]) => {
    for (const [part, some] of [domains.slice(0, 1), domains].entries()) {
      now = start + day * dayMs + part * 3_600_000;
      const lines = some.map((domain) =>
        JSON.stringify({ type: 'hit', time: now, address: '192.0.2.1', domain, action: 'view' }),
      );
      const records = [{ sequenceNumber: String(++sequence), data: Buffer.from(lines.join('\n')), arrivedAt: now }];
      if (lines.length > 0)
        await processBatch('s', records, {
          ...{ checkpoints, objects, clock: () => now, newId: () => `id${sequence}` },
          locator: { locate: () => ({ lat: 52.52, lon: 13.4, country: 'DE' }) },
        } as unknown as Parameters<typeof processBatch>[2]);
      await exportPoints({
        ...{ checkpoints, objects, keepDays, clock: () => now, newId: () => `n${sequence}-${part}` },
        privateHostsOn: [],
      });
    }
  };
  const visits = [['a', 'b'], ['b'], ['c', 'a'], [], ['a', 'd'], ['b'], ['b', 'e']];
  for (const [day, names] of visits.entries())
    await pass(
      day,
      names.map((name) => `${name}.example`),
    );

  const app = new Hono();
  answerErrors(app, () => {});
  app
    .route(
      '/',
      mapRoutes(
        () => snapshots,
        () => now,
        keepDays,
      ),
    )
    .route('/', hitRoutes({ objects, keepDays, least: 5, seenBy: () => 'names' }));
  const snapshots = objectSnapshots(objects, () => now);
  const get = async (path: string) => (await app.request(path)).json();
  const { items } = await get('/v1/points/days');
  assert.deepEqual(
    items.map(({ day }: { day: string }) => day),
    // On the fourth day nothing was published, and the last day is today.
    [dayAt(4), dayAt(5)],
  );
  for (const { day, snapshot } of items) {
    const { total, items: leaves } = await get(`/v1/clusters/leaves?snapshot=${snapshot}&since=${day}`);
    const { items: sums } = await get(`/v1/hits?by=domain&from=${day}&to=${day}`);
    const domains = (rows: { domain?: string; key?: string }[]) => rows.map(({ domain, key }) => domain ?? key).sort();
    assert.deepEqual(domains(leaves), domains(sums), day);
    assert.equal(total, sums.length, day);
    const tile = await get(`/v1/tiles/${snapshot}/0/0/0.json?since=${day}`);
    const count = (tile.features as { properties: { point_count?: number } }[]).reduce(
      (sum, { properties }) => sum + (properties.point_count ?? 1),
      0,
    );
    assert.equal(count, sums.length, day);
  }
  assert.equal((await get('/v1/points/latest')).days, undefined, 'the pointer is read at most once a second');
  const one = await get('/v1/hits?by=domain&domain=b.example');
  assert.deepEqual(
    one.items.map(({ day, hits }: { day: string; hits: number }) => [day, hits]),
    [
      [dayAt(0), 1],
      [dayAt(1), 2],
      [dayAt(5), 2],
      [dayAt(6), 2],
    ],
  );
  assert.match((await get('/v1/hits?domain=b.example')).error.message, /by is "day": must be "domain"/);
  const wrong = await get(`/v1/tiles/${items[0].snapshot}/0/0/0.json?since=2026-02-31`);
  assert.match(wrong.error.message, /since is "2026-02-31": must be a day/);

  // A day later, snapshots older than the grace period are gone, except the kept days, the current one, and the one
  // before it.
  await pass(7, ['a.example']);
  const kept = (await get('/v1/points/days')).items;
  assert.deepEqual(
    kept.map(({ day }: { day: string }) => day),
    [dayAt(4), dayAt(5), dayAt(6)],
  );
  const files = (await objects.list('points/')).map(({ key }) => key).filter((key) => key.endsWith('/points.bin'));
  for (const { snapshot } of kept) assert.ok(files.includes(`points/${snapshot}/points.bin`), snapshot);
  assert.ok(files.length <= kept.length + 2, files.join());
});

test('whatever the times of exports, each day is kept once, in order, and as long as domains are', () => {
  const pointer = (at: number, days?: Pointer['days']): Pointer => ({
    ...{ snapshot: `s${at}`, generation: 1, updatedAt: at, points: 1, days },
  });
  let current: Pointer | undefined;
  // Hours between exports; the clock is set back twice.
  for (const hours of [1, 5, 30, 2, -3, 24, 24, 49, 1, -26, 26, 24, 24, 200, 1]) {
    const at = (current?.updatedAt ?? start) + hours * 3_600_000;
    const days = daysKept(current, at, keepDays);
    const names = days.map(({ day }) => day);
    assert.deepEqual(names, [...new Set(names)].sort());
    const today = new Date(at).toISOString().slice(0, 10);
    for (const name of names) {
      const age = (Date.parse(today) - Date.parse(name)) / dayMs;
      assert.ok(age >= 1 && age < keepDays, `${name} on ${today}`);
    }
    current = pointer(at, days);
  }
});
