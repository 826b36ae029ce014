import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryEvent, RegistryLine } from '#core/event.ts';
import { forgetPerson } from '#core/forget.ts';
import { classifier } from '#core/registry/classify.ts';
import { openCheckpoints } from '#local/stores/checkpoints.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { processBatch } from '#process/process.ts';
import { userName } from '#serve/parameters.ts';
import { memoryObjects, open } from '../support/memory-stores.ts';

const clock = () => Date.UTC(2026, 10, 28);
const composed = 'zo\u00eb';
const decomposed = 'zoe\u0308';

const event = (id: string, user: string): RegistryEvent => ({
  ...{ id, time: clock() + Number(id) * 100_000, action: 'pull', kind: 'manifest', method: 'GET', repository: 'app' },
  ...{ tag: '1', digest: 'd', user, userAgent: 'docker/27', source: '', address: '' },
});

test('two spellings of a name that look the same are one user, and are forgotten together', async () => {
  const stores = {
    ...{ events: openEvents(':memory:', clock), search: openSearch(':memory:') },
    ...{ checkpoints: openCheckpoints(':memory:'), objects: memoryObjects(clock).through(open) },
  };
  const records = [composed, decomposed, decomposed].map((user, at) => {
    const line: RegistryLine = { type: 'registry', receivedAt: clock(), event: event(`${at}`, user) };
    return { sequenceNumber: `${at + 1}`, data: Buffer.from(JSON.stringify(line)), arrivedAt: clock() };
  });
  await processBatch('s', records, {
    ...{ ...stores, locator: { locate: () => undefined }, classify: classifier(), pullWindowSeconds: 2, clock },
    newId: () => 'delta',
  });
  assert.deepEqual(
    (await stores.search.users({ sort: 'recent', limit: 10, now: clock() })).map(({ user, pulls }) => [user, pulls]),
    [[composed, 3]],
  );
  const [row] = await stores.search.catalogue({ now: clock(), halfLifeMs: 1 });
  assert.equal(row.pulledBy, 1);
  // Both spellings query the same user.
  for (const user of [composed, decomposed]) {
    const { items } = await stores.events.history(userName.parse(user), { limit: 10 });
    assert.equal(items.length, 3);
  }
  // An older version stored names as they were spelled.
  await stores.search.write([
    {
      ...{ kind: 'pull', id: 'older', version: 1 },
      doc: {
        ...{ id: 'older', time: clock(), user: decomposed, repository: 'app', class: 'human', client: '' },
        ...{ country: '', events: 1 },
      },
    },
  ]);
  await forgetPerson(stores, composed, clock());
  assert.deepEqual(await stores.search.users({ sort: 'recent', limit: 10, now: clock() }), []);
  assert.deepEqual(await stores.search.catalogue({ now: clock(), halfLifeMs: 1 }), []);
});
