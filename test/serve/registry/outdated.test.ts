// GET /v1/outdated through the real app over the embedded stores, from registry events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryEvent } from '#core/event.ts';
import { answerErrors } from '#http/errors.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { router } from '#serve/parameters.ts';
import { outdatedRoutes } from '#serve/registry/outdated.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 28, 12);
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

let id = 0;
const event = (action: RegistryEvent['action'], user: string, image: string, daysAgo: number): RegistryEvent => {
  const [, repository, tag, letter] = /^([^:@]+)(?::([^@]+))?(?:@(.))?$/.exec(image) ?? [];
  const method = { pull: 'GET', push: 'PUT', delete: 'DELETE', mount: 'POST' }[action];
  return {
    ...{ id: `${id++}`, time: now - daysAgo * day, action, kind: action === 'delete' ? 'other' : 'manifest', method },
    ...{ repository, user, userAgent: 'docker/27.3.1', address: '', source: 'registry' },
    ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json' },
    ...(tag ? { tag } : {}),
    ...(letter ? { digest: digest(letter) } : {}),
  };
};

async function served(events: RegistryEvent[]) {
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
  app.route('/', outdatedRoutes({ search, clock: () => now }));
  return async (query: Record<string, string>) => {
    const response = await app.request(`/v1/outdated?${new URLSearchParams(query)}`);
    return { status: response.status, ...((await response.json()) as Answer) };
  };
}
interface Answer {
  items: { user: string; repository: string; tag?: string; evidence: Record<string, unknown>; text: string }[];
  error?: { message: string };
}

const events = [
  // `app:1` was pushed again six days ago; ann still pulls the old digest by its digest.
  event('push', 'maker', 'app:1@a', 30),
  event('pull', 'ann', 'app:1@a', 20),
  event('push', 'maker', 'app:1@b', 6),
  event('pull', 'ann', 'app@a', 2),
  event('pull', 'bob', 'app:1@b', 1),
  // Three of four others moved from 13 to 16.
  ...['bob', 'cid', 'dan', 'eve'].map((user) => event('pull', user, 'db:13@c', 40)),
  ...['bob', 'cid', 'dan'].map((user) => event('pull', user, 'db:16@d', 10)),
  event('pull', 'ann', 'db:13@c', 3),
  // `old:7` was deleted by its tag, as Distribution 3 reports it.
  event('push', 'maker', 'old:7@e', 30),
  event('pull', 'ann', 'old:7@e', 9),
  event('delete', 'maker', 'old:7', 4),
];

test("a user's outdated images come with their evidence, and the images of others don't", async () => {
  const ask = await served(events);
  const { items } = await ask({ user: 'ann' });
  const at = (daysAgo: number) => new Date(now - daysAgo * day).toISOString();
  assert.deepEqual(
    items.map(({ user, repository, tag, evidence }) => [user, repository, tag, evidence]),
    [
      ['ann', 'app', undefined, { reason: 'pushed-anew', pushedAt: at(6), digest: digest('b') }],
      ['ann', 'db', '13', { reason: 'others-moved', to: '16', moved: 3, others: 4 }],
      ['ann', 'old', '7', { reason: 'deleted', deletedAt: at(4), what: 'tag' }],
    ],
  );
  assert.match(items[0].text, /ann last pulled app@sha256:aaaa\S* 2 days ago; its tag was pushed again 6 days ago/);
  assert.match(items[1].text, /3 of 4 others moved from 13 to 16/);
  assert.match(items[2].text, /old:7 9 days ago; the tag was deleted 4 days ago/);
  assert.deepEqual((await ask({ user: 'bob' })).items, []);
  assert.deepEqual((await ask({ user: 'a stranger' })).items, []);
});

test('for a repository, all users with outdated images are listed', async () => {
  const ask = await served(events);
  assert.deepEqual(
    (await ask({ repository: 'app' })).items.map(({ user }) => user),
    ['ann'],
  );
  assert.deepEqual((await ask({ repository: 'app', user: 'bob' })).items, []);
  assert.deepEqual((await ask({ repository: 'nothing' })).items, []);
});

test('a missing or wrong parameter is named', async () => {
  const ask = await served([]);
  for (const [query, message] of [
    [{}, /give user=NAME or repository=NAME/],
    [{ user: '' }, /^user is "": give user=NAME/],
    [{ user: 'ann', limit: '0' }, /^limit is "0": must be an integer/],
  ] as const) {
    const { status, error } = await ask(query);
    assert.equal(status, 400);
    assert.match(error?.message ?? '', message);
  }
});
