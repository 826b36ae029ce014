// Damage is noticed where it is opened, healed where that is possible, and named by health where it is not.
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { encodeHit } from '#core/hits/hit.ts';
import { manifestKey } from '#core/hits/manifest.ts';
import { pointerKey, snapshotKey } from '#core/map/pointer.ts';
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

test('a snapshot that is damaged or gone is made again from the state by the next export of a process', async (t) => {
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

test('a damaged state stops export loudly, and nothing is lost or believed', async (t) => {
  const { reopened, exported, manifest, change } = await world(t);
  for (const key of [String(manifest.points), Object.values(manifest.hits)[0], manifestKey]) {
    change(key);
    await assert.rejects(exported(reopened()), { name: 'Damaged', message: /"state\// });
  }
});
