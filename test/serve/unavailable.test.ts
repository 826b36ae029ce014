// How each route responds while the search store is down.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SearchStore, StoreUnavailable } from '#core/stores.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import { accessAs } from '../support/access.ts';

const start = Date.UTC(2026, 10, 1);
const minute = 60_000;

async function shop() {
  const [events, search] = [openEvents(':memory:', () => start), openSearch(':memory:')];
  const acts = [1, 2, 3].flatMap((user) => ['team/app', 'team/base', `own/${user}`].map((name) => [`u${user}`, name]));
  await storeEvents(
    acts.map(([user, repository], at) => ({
      event: {
        ...{ id: `${at}`, time: start + at * minute, repository, user, userAgent: 'docker', address: '' },
        ...{ source: 'registry', tag: 'latest', kind: 'manifest' as const, action: 'pull' as const, method: 'GET' },
      },
      origin: `shard-0:${at}:0`,
    })),
    {
      ...{ events, search, locator: { locate: () => undefined }, pullWindowSeconds: 2 },
      classify: () => 'human',
    },
  );
  const state = { down: false, now: start + 100 * minute };
  const failing = new Proxy(search, {
    get: (target, name: keyof SearchStore) =>
      state.down ? () => Promise.reject(new StoreUnavailable('down')) : target[name]?.bind(target),
  });
  const reported: unknown[] = [];
  const app = serveApp({
    access: accessAs('owner'),
    ...{ events, search: failing, models: { current: async () => undefined }, clock: () => state.now, keepDays: 7 },
    report: (cause: unknown) => reported.push(cause),
  } as unknown as ServeOptions);
  return { app, state, reported };
}

interface List {
  items: { repository: string; pulledBy: number }[];
  partial?: true;
}

test('recommendations go on with the last known catalogue, and say that they are partial', async () => {
  const { app, state } = await shop();
  const list = async () => {
    const response = await app.request('/v1/recommendations?user=u1');
    assert.equal(response.status, 200, await response.clone().text());
    return (await response.json()) as List;
  };
  const before = await list();
  assert.ok(before.items.length > 0 && before.partial === undefined);
  state.down = true;
  state.now += 60 * minute;
  const during = await list();
  assert.deepEqual([during.items, during.partial], [before.items, true]);
  state.down = false;
  state.now += 60 * minute;
  assert.equal((await list()).partial, undefined);
});

test('before the first reading there is nothing to serve: 503, as for everything that only search has', async () => {
  const { app, state, reported } = await shop();
  state.down = true;
  for (const path of [
    '/v1/recommendations?user=u1',
    '/v1/users',
    '/v1/repositories',
    '/v1/pulls',
    '/v1/pullers?repository=team/app',
    '/v1/unused',
    '/v1/outdated?user=u1',
    '/v1/similar?repository=team/app',
  ]) {
    const response = await app.request(path);
    assert.equal(response.status, 503, path);
    assert.equal(response.headers.get('retry-after'), '5');
    assert.equal(response.headers.get('cache-control'), 'no-store');
    assert.equal(((await response.json()) as { error: { code: string } }).error.code, 'unavailable');
  }
  assert.ok(reported.length > 0);
  assert.equal((await app.request('/v1/history?user=u1')).status, 200);
});
