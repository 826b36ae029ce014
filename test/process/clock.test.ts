// Clocks that are wrong by days, in both directions.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeHit } from '#core/hits/hit.ts';
import { readManifest } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { memoryStores } from '../support/memory-stores.ts';

const start = Date.parse('2026-11-28T12:00:00Z');
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const keepDays = 7;

function world() {
  const stores = memoryStores();
  let now = start;
  let made = 0;
  const clock = () => now;
  const locator = { locate: (address: string) => ({ lat: Number(address), lon: 0, country: 'DE' }) };
  const options = {
    ...stores,
    locator,
    classify: () => 'human' as const,
    pullWindowSeconds: 2,
    clock,
    newId: () => `n${made++}`,
  };
  return {
    stores,
    set: (time: number) => {
      now = time;
    },
    async hit(domain: string, { lat = 1, time = now } = {}) {
      const data = Buffer.from(encodeHit({ type: 'hit', time, address: String(lat), domain, action: 'view' }));
      await processBatch('s', [{ sequenceNumber: String(++made), data, arrivedAt: now }], options);
    },
    async export() {
      const { manifest } = await exportPoints({
        ...stores,
        keepDays,
        privateHostsOn: [],
        clock,
        newId: () => `n${made++}`,
      });
      const found = manifest.points && (await stores.objects.get(manifest.points));
      const rows = found ? PointsState.decode(found.body).rows() : [];
      return { manifest, rows: new Map(rows.map(([domain, lat, , , updatedAt]) => [domain, { lat, updatedAt }])) };
    },
  };
}

test('a clock that jumps by a week or a year does not empty the map; once it is corrected, all is as before', async () => {
  for (const jump of [8 * dayMs, 365 * dayMs]) {
    const { set, hit, export: exported } = world();
    for (let n = 0; n < 20; n++) await hit(`d${n}.example`);
    assert.equal((await exported()).rows.size, 20);
    // The clock stays wrong for hours, with exports every ten minutes.
    for (let minutes = 0; minutes < 6 * 60; minutes += 10) {
      set(start + jump + minutes * minuteMs);
      const { rows, manifest } = await exported();
      assert.equal(rows.size, 20);
      assert.equal(manifest.held?.domains, 20);
    }
    await hit('during.example');
    await exported();
    set(start + 6 * hourMs);
    const { rows, manifest } = await exported();
    assert.equal(rows.size, 21);
    assert.equal(manifest.held, undefined);
    assert.equal(rows.get('during.example')?.updatedAt, start + 6 * hourMs - 5 * minuteMs);
  }
});

test('after days without any run, old domains leave the map only after a day of exports', async () => {
  const { set, hit, export: exported } = world();
  for (let n = 0; n < 20; n++) await hit(`d${n}.example`);
  await exported();
  for (let minutes = 0; minutes <= 24 * 60; minutes += 10) {
    set(start + 8 * dayMs + minutes * minuteMs);
    assert.equal((await exported()).rows.size, minutes < 24 * 60 ? 20 : 0);
  }
});

test('when time passes normally, old domains leave the map as usual', async () => {
  const { set, hit, export: exported } = world();
  await hit('early.example');
  for (let hours = 0; hours < keepDays * 24 + 2; hours += 6) {
    set(start + hours * hourMs);
    if (hours === 48) for (const name of ['a', 'b', 'c']) await hit(`${name}.example`);
    const { rows } = await exported();
    assert.equal(rows.has('early.example'), hours <= keepDays * 24, String(hours));
  }
});

test('a clock that goes back by two days freezes no dot: the latest arrival wins', async () => {
  const { set, hit, export: exported } = world();
  await hit('a.example', { lat: 1 });
  await exported();
  set(start - 2 * dayMs + minuteMs);
  await hit('a.example', { lat: 2 });
  assert.deepEqual((await exported()).rows.get('a.example'), { lat: 2, updatedAt: start - 2 * dayMs + minuteMs });
});

test('a hit with a future time does not pin its dot, not even for minutes', async () => {
  const { set, hit, export: exported } = world();
  for (const ahead of [1000, 4 * minuteMs, 6 * minuteMs, 365 * dayMs, 8e15 - start]) {
    await hit('a.example', { lat: 1, time: start + ahead });
    set(start + 500);
    await hit('a.example', { lat: 2 });
    assert.equal((await exported()).rows.get('a.example')?.lat, 2, String(ahead));
    set(start);
  }
});

test('the manifest records the clock once an hour, not at each idle export', async () => {
  const { stores, set, hit, export: exported } = world();
  await hit('a.example');
  await exported();
  const before = (await readManifest(stores.objects)).manifest.generation;
  for (let minutes = 1; minutes < 130; minutes++) {
    set(start + minutes * minuteMs);
    await exported();
  }
  assert.equal((await readManifest(stores.objects)).manifest.generation, before + 2);
});
