import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  openEntry,
  quarantineBounds,
  quarantineKeyExpiry,
  quarantineKeyName,
  sealEntry,
} from '#core/registry/sealed.ts';

const day = 86_400_000;
const start = Date.UTC(2026, 10, 21);
const key = new Uint8Array(32).fill(7);
const entry = { id: 'shard:1:0', time: start, reason: 'odd', position: 'shard:1:0', body: 'Zoë 🐳 was here' };

test('an entry can be read back only with its key and id', async () => {
  const sealed = await sealEntry(entry, key);
  assert.deepEqual(await openEntry(entry.id, sealed, key), entry);
  assert.ok(!Buffer.from(sealed).includes('was here'));
  await assert.rejects(openEntry('shard:2:0', sealed, key));
  await assert.rejects(openEntry(entry.id, sealed, new Uint8Array(32).fill(8)));
  for (const at of [0, 11, 12, sealed.length - 1]) {
    const changed = sealed.slice();
    changed[at] ^= 1;
    await assert.rejects(openEntry(entry.id, changed, key), `byte ${at}`);
  }
  assert.notDeepEqual(await sealEntry(entry, key), sealed, 'each time a new nonce');
});

test('a key lives for the retention of its entries, whatever times they have', () => {
  const lives = (quarantineBounds.days + 1) * day;
  assert.equal(quarantineKeyName(start + day - 1), 'quarantine 2026-11-21');
  assert.equal(quarantineKeyExpiry(start + 5, start + 9), start + lives);
  assert.equal(quarantineKeyExpiry(start + 365 * day, start), start + lives, 'dated ahead');
  assert.equal(
    quarantineKeyExpiry(start - 365 * day, start),
    start + day,
    'long past, but kept long enough to be read',
  );
});
