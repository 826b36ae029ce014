// What one export writes, and what it leaves as it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeHit } from '#core/hits/hit.ts';
import { emptyManifest, manifestKey } from '#core/hits/manifest.ts';
import { type KeptDay, pointerKey, snapshotKey } from '#core/map/pointer.ts';
import { Damaged } from '#core/stores.ts';
import { graceMs } from '#process/expire.ts';
import { type ExportOptions, exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { memoryStores } from '../support/memory-stores.ts';

const start = Date.parse('2026-11-28T12:00:00Z');

function world() {
  let now = start;
  let made = 0;
  const [clock, newId] = [() => now, () => `n${made++}`];
  const stores = memoryStores(clock);
  const locator = { locate: (address: string) => (address ? { lat: 1, lon: 2, country: 'DE' } : undefined) };
  const options = { ...stores, locator, classify: () => 'human' as const, pullWindowSeconds: 2, clock, newId };
  return {
    stores,
    wait: (ms: number) => {
      now += ms;
    },
    async hit({ address = '1', id, domain = 'a.example' }: { address?: string; id?: string; domain?: string } = {}) {
      const line = encodeHit({
        type: 'hit',
        time: now,
        address,
        domain,
        action: 'view',
        ...(id && { id }),
      });
      await processBatch('s', [{ sequenceNumber: String(++made), data: Buffer.from(line), arrivedAt: now }], options);
    },
    export: async (of = stores, more: Partial<ExportOptions> = {}) =>
      (await exportPoints({ ...of, keepDays: 7, privateHostsOn: [], clock, newId, ...more })).manifest,
  };
}

test('hits that place nothing, and domains that leave without any, each make the state newer', async () => {
  const { hit, wait, export: exported } = world();
  await hit();
  const first = await exported();
  assert.equal(first.updatedAt, start);
  wait(1000);
  await hit({ address: '' });
  const second = await exported();
  assert.equal(second.updatedAt, start + 1000);
  assert.deepEqual([second.points, second.pointsGeneration], [first.points, first.pointsGeneration]);
  wait(1000);
  assert.equal((await exported()).updatedAt, start + 1000);
  wait(2 * 3_600_000);
  const noted = await exported();
  assert.deepEqual([noted.clock, noted.updatedAt], [start + 2000 + 2 * 3_600_000, start + 1000]);
  // By steps in which no clock jumped.
  let last = second;
  for (let hours = 0; hours < 8 * 24; hours += 6) {
    wait(6 * 3_600_000);
    last = await exported();
  }
  assert.notEqual(last.points, first.points);
  assert.ok(last.updatedAt > start + 2000);
});

test('an export without anything new writes nothing', async () => {
  const { stores, hit, export: exported } = world();
  const put: string[] = [];
  const listed: string[] = [];
  const objects: typeof stores.objects = {
    ...stores.objects,
    async list(prefix) {
      listed.push(prefix);
      return stores.objects.list(prefix);
    },
    async put(key, ...rest) {
      put.push(key);
      return stores.objects.put(key, ...rest);
    },
  };
  await exported({ ...stores, objects });
  await hit();
  await exported({ ...stores, objects });
  assert.ok(put.includes(pointerKey) && put.includes('points.json'));
  assert.ok(listed.includes('points/'));
  put.length = listed.length = 0;
  const { generation } = await exported({ ...stores, objects });
  assert.deepEqual([put, generation], [[], 2]);
  assert.ok(!listed.includes('points/'), 'old snapshots are looked for only beside a new one');
});

test('a row that names the delta of another stops export', async () => {
  for (const change of [{ shard: 'other' }, { previous: '1' }, { last: '9' }]) {
    const { stores, hit, export: exported } = world();
    await hit();
    const [row] = await stores.checkpoints.after('s', '0', 1);
    const other = { ...row, ...change };
    const checkpoints = {
      ...stores.checkpoints,
      shards: async () => [other.shard],
      // The chain itself is whole.
      after: async () => [{ ...other, previous: '0' }],
    };
    if (change.previous) checkpoints.after = async () => [other];
    const positions = change.previous ? { s: '1' } : {};
    if (change.previous)
      await stores.objects.put(manifestKey, JSON.stringify({ ...emptyManifest, generation: 1, positions }));
    await assert.rejects(
      exported({ ...stores, checkpoints: { ...checkpoints, latest: async () => other } }),
      /is not the delta of row/,
      JSON.stringify(change),
    );
  }
});

test('the owner is told once a day that hits are counted as other', async () => {
  const { stores, hit, wait, export: exported } = world();
  const told: string[] = [];
  const alerts = { add: async ({ id }: { id: string }) => void told.push(id) };
  const run = () => exported(stores, { alerts, mostDomains: 2 });
  const hits = async (...domains: string[]) => {
    for (const domain of domains) await hit({ domain });
    await run();
  };
  await run();
  await hits('a.example', 'b.example');
  assert.deepEqual(told, []);
  await hits('c.example');
  await hits('d.example');
  await run();
  assert.deepEqual(told, ['limit-other-2026-11-28']);
  wait(86_400_000);
  await hits('a.example');
  assert.equal(told.length, 1);
  await hits('b.example', 'e.example');
  assert.deepEqual(told.slice(1), ['limit-other-2026-11-29']);
});

test('ids are written where hits had any', async () => {
  const { hit, export: exported } = world();
  await hit();
  assert.equal((await exported()).seen, undefined);
  await hit({ id: 'one' });
  const { seen } = await exported();
  assert.ok(seen);
  await hit();
  assert.equal((await exported()).seen, seen);
});

test('a snapshot that another has followed is kept for the grace', async () => {
  const { stores, hit, wait, export: exported } = world();
  const snapshots = async () => (await stores.objects.list('points/')).filter(({ key }) => key.endsWith('.bin')).length;
  await hit();
  await exported();
  for (const [later, left] of [
    [1000, 2],
    [graceMs - 1000, 3],
    // The first is now older than the grace.
    [1, 3],
  ]) {
    wait(later);
    await hit();
    await exported();
    assert.equal(await snapshots(), left, `${later}`);
  }
});

test('a pointer that can not be read is made again; one whose store is down is left', async () => {
  const { stores, hit, export: exported } = world();
  await hit();
  const manifest = await exported();
  const read = async () => JSON.parse(Buffer.from((await stores.objects.get(pointerKey))!.body).toString());
  const whole: { snapshot: string; days: KeptDay[] } = await read();
  await stores.objects.put(pointerKey, '{');
  await exported();
  assert.deepEqual(await read(), whole);
  assert.ok(await stores.objects.head(snapshotKey(whole.snapshot)));

  const failing = (cause: Error) => ({
    ...stores,
    objects: {
      ...stores.objects,
      get: async (key: string) => {
        if (key === pointerKey) throw cause;
        return stores.objects.get(key);
      },
    },
  });
  await exported(failing(new Damaged(pointerKey)));
  await assert.rejects(exported(failing(new Error('down'))), /down/);
  assert.equal((await exported()).generation, manifest.generation);
});
