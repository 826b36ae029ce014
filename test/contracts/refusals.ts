// The contract of the counts of refused posts: one suite for the embedded and the DynamoDB one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RefusalStore } from '#core/stores.ts';

const noon = Date.UTC(2026, 10, 28, 12);
const day = 86_400_000;

export function refusalContract(name: string, make: (clock: () => number) => Promise<RefusalStore>): void {
  test(`${name}: posts are summed by reason and registry, the newest first`, async () => {
    const store = await make(() => noon);
    assert.deepEqual(await store.list(), []);
    await store.add({ reason: 'wrong-token', registry: '', posts: 3, lastAt: noon - day });
    await store.add({ reason: 'not-json', registry: 'east', posts: 1, lastAt: noon - 5 });
    await store.add({ reason: 'not-json', registry: 'west', posts: 1, lastAt: noon - 4 });
    await store.add({ reason: 'wrong-token', registry: '', posts: 2, lastAt: noon - 1 });
    assert.deepEqual(await store.list(), [
      { reason: 'wrong-token', registry: '', posts: 5, lastAt: noon - 1 },
      { reason: 'not-json', registry: 'west', posts: 1, lastAt: noon - 4 },
      { reason: 'not-json', registry: 'east', posts: 1, lastAt: noon - 5 },
    ]);
  });

  test(`${name}: posts older than seven days no longer count`, async () => {
    let now = noon;
    const store = await make(() => now);
    await store.add({ reason: 'no-token', registry: '', posts: 7, lastAt: noon });
    now = noon + 6 * day;
    await store.add({ reason: 'no-token', registry: '', posts: 1, lastAt: now });
    assert.deepEqual(await store.list(), [{ reason: 'no-token', registry: '', posts: 8, lastAt: now }]);
    now = noon + 7 * day;
    assert.deepEqual(await store.list(), [{ reason: 'no-token', registry: '', posts: 1, lastAt: noon + 6 * day }]);
  });
}
