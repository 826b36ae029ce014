// GET /v1/images and /v1/pulls over the embedded stores, from registry events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryEvent } from '#core/event.ts';
import { answerErrors } from '#http/errors.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { router } from '#serve/parameters.ts';
import { registriesOf } from '#serve/registries.ts';
import { imageRoutes } from '#serve/registry/images.ts';
import { repositoryRoutes } from '#serve/registry/repositories.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 28, 12);
const hex = (letter: string) => `sha256:${letter.repeat(64)}`;
const at = (daysAgo: number) => new Date(now - daysAgo * day).toISOString();

let id = 0;
const event = (
  action: 'push' | 'pull',
  image: { repository?: string; tag?: string; digest: string; size?: number },
  daysAgo: number,
): RegistryEvent => ({
  ...{ id: `${id++}`, time: now - daysAgo * day, action, kind: 'manifest', method: action === 'push' ? 'PUT' : 'GET' },
  ...{ repository: 'team/app', user: 'ann', userAgent: 'docker/27.3.1', address: '', source: 'registry' },
  ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json', references: [], referenceTypes: [] },
  ...image,
});

async function served(events: RegistryEvent[], names: string[] = []) {
  const [store, search] = [openEvents(':memory:', () => now), openSearch(':memory:')];
  await storeEvents(
    events.map((event) => ({ event, origin: `shard-0:${event.id}:0` })),
    {
      ...{ events: store, search, locator: { locate: () => undefined }, pullWindowSeconds: 2 },
      classify: () => 'human',
    },
  );
  const app = router();
  answerErrors(app, (cause) => assert.fail(String(cause)));
  const registries = registriesOf(names.map((name) => ({ name })));
  app.route('/', imageRoutes({ search, registries }));
  app.route('/', repositoryRoutes({ search, registries, clock: () => now }));
  return async (path: string, query: Record<string, string>) => {
    const response = await app.request(`${path}?${new URLSearchParams(query)}`);
    const text = await response.text();
    return { status: response.status, text, ...(text.startsWith('{') ? JSON.parse(text) : {}) };
  };
}

const pushes = [
  event('push', { tag: '1.0', digest: hex('a'), size: 1000 }, 30),
  event('push', { tag: '1.1', digest: hex('b'), size: 2000 }, 20),
  event('push', { tag: 'latest', digest: hex('b'), size: 2000 }, 20),
  event('push', { tag: '=1+1', digest: hex('c') }, 10),
  event('pull', { tag: '1.0', digest: hex('a') }, 1),
];

test('each tag has its digest, size, newest push and newest pull; the newest push comes first', async () => {
  const ask = await served(pushes);
  const row = { repository: 'team/app' };
  assert.deepEqual((await ask('/v1/images', { repository: 'team/app' })).items, [
    { ...row, tag: '=1+1', digest: hex('c'), size: null, lastPush: at(10), lastPull: null },
    { ...row, tag: '1.1', digest: hex('b'), size: 2000, lastPush: at(20), lastPull: null },
    { ...row, tag: 'latest', digest: hex('b'), size: 2000, lastPush: at(20), lastPull: null },
    { ...row, tag: '1.0', digest: hex('a'), size: 1000, lastPush: at(30), lastPull: at(1) },
  ]);
  assert.deepEqual((await ask('/v1/images', { repository: 'team/other' })).items, []);
});

test('pages have each image once, whatever the page size', async () => {
  const ask = await served(pushes);
  for (const limit of [1, 2, 3, 4, 9]) {
    const tags: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await ask('/v1/images', {
        repository: 'team/app',
        limit: `${limit}`,
        ...(cursor ? { cursor } : {}),
      });
      assert.ok(page.items.length <= limit);
      tags.push(...page.items.map(({ tag }: { tag: string }) => tag));
      cursor = page.cursor;
    } while (cursor);
    assert.deepEqual(tags, ['=1+1', '1.1', 'latest', '1.0'], `pages of ${limit}`);
  }
});

test('as CSV no tag becomes a formula, and with several registries each row names its own', async () => {
  const ask = await served(pushes);
  const { text } = await ask('/v1/images', { repository: 'team/app', format: 'csv' });
  const [head, first] = text.split('\r\n');
  assert.equal(head, 'repository,tag,digest,size,lastPush,lastPull,platforms,describes');
  assert.equal(first, `team/app,'=1+1,${hex('c')},,${at(10)},,,`);

  const two = await served(
    [...pushes, event('push', { repository: 'east//team/app', tag: '2', digest: hex('e') }, 5)],
    ['east'],
  );
  const lines = async (query: object) =>
    (await two('/v1/images', { repository: 'team/app', format: 'csv', ...query })).text.split('\r\n').slice(0, -1);
  assert.equal((await lines({})).length, 6);
  assert.deepEqual(await lines({ registry: 'east' }), [
    'repository,registry,tag,digest,size,lastPush,lastPull,platforms,describes',
    `team/app,east,2,${hex('e')},,${at(5)},,,`,
  ]);
});

test('a missing or wrong parameter is named', async () => {
  const ask = await served([]);
  for (const [path, query, message] of [
    ['/v1/images', {}, /^repository is missing: give repository=NAME/],
    ['/v1/images', { repository: 'a', limit: '0' }, /^limit is "0"/],
    ['/v1/images', { repository: 'a', cursor: 'x' }, /^cursor is "x"/],
    ['/v1/images', { repository: 'a', registry: 'x' }, /^registry is "x"/],
    ['/v1/pulls', { top: '3' }, /^top is "3": must be given with by=/],
    ['/v1/pulls', { by: 'tag', top: '0' }, /^top is "0"/],
  ] as const) {
    const { status, error } = await ask(path, query);
    assert.equal(status, 400, JSON.stringify(query));
    assert.match(error.message, message);
  }
});

test('pulls by day and tag keep the tags with most pulls, and sum the others', async () => {
  const pulls = ['1', '1', '1', '2', '2', '3', '4'].map((tag, at) =>
    event('pull', { tag, digest: hex(tag) }, at / 100),
  );
  const ask = await served(pulls);
  const { total, buckets } = await ask('/v1/pulls', { by: 'tag', interval: 'day', top: '2' });
  assert.equal(total.pulls, 7);
  assert.deepEqual(
    buckets.map(({ key, others, pulls }: { key?: string; others?: number; pulls: number }) => [key ?? others, pulls]),
    [
      ['1', 3],
      ['2', 2],
      [2, 2],
    ],
  );
  const { text } = await ask('/v1/pulls', { by: 'tag', interval: 'day', top: '2', format: 'csv' });
  assert.match(text, /^from,key,others,pulls/);
});
