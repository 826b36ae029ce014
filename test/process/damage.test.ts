// Damage is noticed when an object is opened, repaired if possible, and otherwise named by health.
import assert from 'node:assert/strict';
import { cpSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { DaySums } from '#core/hits/day-sums.ts';
import { encodeHit } from '#core/hits/hit.ts';
import { type Manifest, manifestKey, previousManifestKey } from '#core/hits/manifest.ts';
import { pointerKey, snapshotKey } from '#core/map/pointer.ts';
import { openCheckpoints } from '#local/stores/checkpoints.ts';
import { openObjects } from '#local/stores/objects.ts';
import { exportPoints } from '#process/export.ts';
import { processBatch } from '#process/process.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { memoryStores } from '../support/memory-stores.ts';
import { dataFolder } from '../support/run.ts';

const now = Date.parse('2026-11-28T12:00:00Z');

async function world(t: { after(work: () => void): void }) {
  const folder = dataFolder(t);
  const reopened = () => ({ ...memory, objects: openObjects(folder) });
  const memory = memoryStores();
  let made = 0;
  const clock = () => now;
  const newId = () => `n${made++}`;
  const locator = { locate: () => ({ lat: 1, lon: 2, country: 'DE' }) };
  const lines = Array.from({ length: 3000 }, (_, n) =>
    encodeHit({ type: 'hit', time: now, address: '1', domain: `d${n}.example`, action: 'view' }),
  );
  const stores = reopened();
  await processBatch('s', [{ sequenceNumber: '1', data: Buffer.from(lines.join('\n')), arrivedAt: now }], {
    ...{ ...stores, locator, classify: () => 'human' as const, pullWindowSeconds: 2, clock, newId },
  });
  const exported = (of: ReturnType<typeof reopened>) =>
    exportPoints({ ...of, keepDays: 7, privateHostsOn: [], clock, newId });
  const { manifest } = await exported(stores);
  const pointer = JSON.parse(String(Buffer.from((await stores.objects.get(pointerKey))!.body)));
  const change = (key: string, sql = "body = CAST('{}' AS BLOB)") => {
    const database = new DatabaseSync(join(folder, 'index.db'));
    const row = database.prepare('SELECT version, body IS NULL AS large FROM objects WHERE key = ?').get(key)!;
    if (row.large) {
      const file = join(folder, 'bodies', String(row.version));
      writeFileSync(file, Buffer.alloc(70_000, 7));
    } else database.exec(`UPDATE objects SET ${sql} WHERE key = '${key}'`);
    database.close();
  };
  return { folder, reopened, exported, manifest, pointer, change };
}

test('a damaged or missing snapshot is rebuilt from the state by the first export of a process', async (t) => {
  const { folder, reopened, exported, pointer, change } = await world(t);
  for (const harm of ['changed', 'removed']) {
    if (harm === 'changed') change(snapshotKey(pointer.snapshot));
    else await openObjects(folder).remove([snapshotKey(pointer.snapshot)]);
    const stores = reopened();
    await exported(stores);
    assert.equal((await objectSnapshots(stores.objects, () => now).latest())?.points, 3000, harm);
    const pyramid = await objectSnapshots(stores.objects, () => now).open(pointer.snapshot);
    assert.equal(pyramid?.size, 3000);
  }
  assert.ok(readdirSync(join(folder, 'bodies')).length > 0);
});

test('a damaged state without a predecessor stops export with an error: nothing is lost, and nothing damaged is used', async (t) => {
  const { reopened, exported, manifest, change } = await world(t);
  for (const key of [String(manifest.points), Object.values(manifest.hits)[0], manifestKey]) {
    await reopened().objects.remove([previousManifestKey]);
    change(key);
    await assert.rejects(exported(reopened()), { name: 'Damaged', message: /"state\// });
  }
});

const day = 86_400_000;
const domains = 40;

/**
 * A data folder after several batches of two shards and several exports, the last batch not folded yet; and a function
 * that opens its stores.
 */
async function history(t: { after(work: () => void): void }) {
  const folder = dataFolder(t);
  let made = 0;
  const newId = () => `n${made++}`;
  const locator = { locate: () => ({ lat: 1, lon: 2, country: 'DE' }) };
  const opened = (of: string) => ({
    ...memoryStores(),
    checkpoints: openCheckpoints(join(of, 'checkpoints.db')),
    objects: openObjects(join(of, 'objects')),
  });
  const exported = (stores: Pick<ReturnType<typeof opened>, 'checkpoints' | 'objects'>) =>
    exportPoints({ ...stores, keepDays: 7, privateHostsOn: [], clock: () => now, newId });
  const stores = opened(folder);
  let hits = 0;
  for (const [batch, shard] of ['a', 'b', 'a', 'a', 'b', 'b'].entries()) {
    const lines = Array.from({ length: domains }, (_, n) =>
      encodeHit({
        type: 'hit',
        time: now - (batch % 2) * day,
        address: '1',
        domain: `d${n}.example`,
        action: 'view',
        id: `${n % 3 ? batch : 0}-${n}`,
      }),
    );
    hits += lines.filter((_, n) => n % 3 > 0 || batch === 0).length;
    await processBatch(
      shard,
      [{ sequenceNumber: `${batch + 1}`, data: Buffer.from(lines.join('\n')), arrivedAt: now }],
      {
        ...{ ...stores, locator, classify: () => 'human' as const, pullWindowSeconds: 2, clock: () => now, newId },
      },
    );
    if (batch < 5) await exported(stores);
  }
  return { folder, opened, exported, hits, stores };
}

/** All hits in the sums of all days. */
async function sumOf(manifest: Manifest, objects: ReturnType<typeof openObjects>) {
  let sum = 0;
  for (const key of Object.values(manifest.hits)) {
    const found = await objects.get(key);
    for (const [, hits] of DaySums.decode(found!.body).top('domain')) sum += hits;
  }
  return sum;
}

test('whichever object is damaged or missing, either the sums become exact again, or export says what to do and publishes nothing', async (t) => {
  const { folder, opened, exported, hits, stores } = await history(t);
  const keys = (await stores.objects.list('')).map(({ key }) => key);
  assert.ok(keys.includes(previousManifestKey) && keys.filter((key) => key.startsWith('deltas/')).length >= 2);
  const outcomes: Record<string, string[]> = { exact: [], stopped: [] };
  for (const [at, key] of [...keys, 'checkpoints'].entries())
    for (const harm of ['changed', 'removed']) {
      const copy = join(dataFolder(t), `${at}-${harm}`);
      cpSync(folder, copy, { recursive: true });
      if (key === 'checkpoints') {
        const database = new DatabaseSync(join(copy, 'checkpoints.db'));
        database.exec(harm === 'changed' ? "DELETE FROM checkpoints WHERE shard = 'a'" : 'DELETE FROM checkpoints');
        database.close();
      } else {
        const database = new DatabaseSync(join(copy, 'objects/index.db'));
        database
          .prepare(
            harm === 'changed'
              ? "UPDATE objects SET body = CAST(substr(body, 1, length(body) - 1) || '!' AS BLOB) WHERE key = ?"
              : 'DELETE FROM objects WHERE key = ?',
          )
          .run(key);
        database.close();
      }
      const again = opened(copy);
      const what = `${key} ${harm}`;
      try {
        const first = await exported(again);
        const { manifest, healed } = await exported(again);
        assert.equal(healed, undefined, what);
        if (key === manifestKey) assert.match(String(first.healed), /is damaged/, what);
        assert.equal(await sumOf(manifest, again.objects), hits, what);
        const snapshots = objectSnapshots(again.objects, () => now);
        assert.equal((await snapshots.latest())?.points, domains, what);
        outcomes.exact.push(what);
      } catch (cause) {
        if (cause instanceof assert.AssertionError) throw cause;
        assert.match(String((cause as Error).message), /is damaged: .*npm run restore/, what);
        outcomes.stopped.push(what);
      }
    }
  const healed = (key: string) => outcomes.exact.filter((what) => what.startsWith(key)).length;
  for (const key of [manifestKey, previousManifestKey, 'points/', 'points.json'])
    assert.ok(healed(key) >= 2, `${key}: ${JSON.stringify(outcomes)}`);
  assert.ok(healed('state/seen-') >= 2 && healed('state/hits-') >= 2, JSON.stringify(outcomes));
  assert.equal(healed('checkpoints'), 0);
});
