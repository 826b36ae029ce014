// What a cache may keep of the map, and which pages of other sites may read it: only what everybody sees.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { PublicMap } from '#core/access.ts';
import { digestOf } from '#http/bearer.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import { noSnapshots } from '#serve/map/snapshots.ts';
import { cacheControl } from '#serve/replies.ts';
import { openSignIn } from '#serve/sign-in.ts';
import { accessAs } from '../../support/access.ts';
import { memoryStores } from '../../support/memory-stores.ts';

const now = Date.UTC(2026, 10, 28);

async function appOf(publicMap: PublicMap) {
  let asked = 0;
  const store = openCredentials(':memory:', () => now);
  for (const role of ['user', 'team'] as const)
    await store.put({ kind: 'token', digest: digestOf(`t-${role}`), name: role, role, createdAt: now });
  const credentials = {
    ...store,
    find: (...args: Parameters<typeof store.find>) => {
      asked++;
      return store.find(...args);
    },
  };
  const settings = { ...accessAs('public'), publicMap, everyone: 'public' as const, signIn: undefined };
  const app = serveApp({
    ...{ ...memoryStores(() => now), clock: () => now, keepDays: 7, snapshots: noSnapshots, models: {} },
    access: openSignIn({ settings, credentials, clock: () => now, peer: () => '192.0.2.1' }),
    report: (cause: unknown) => assert.fail(String(cause)),
  } as unknown as ServeOptions);
  return { app, asked: () => asked };
}

test('only what everybody sees lies in shared caches and is read by pages of other sites', async () => {
  const open = { status: 200, origin: '*', cache: cacheControl.newest };
  const own = { status: 200, origin: null, cache: cacheControl.newest.replace('public', 'private') };
  const refused = { status: 401, origin: null, cache: 'no-store' };
  const rows: [PublicMap, token: string | undefined, object][] = [
    ['names', undefined, { ...open, vary: false }],
    ['names', 't-team', { ...open, vary: false }],
    ['names', 'nope', { ...open, vary: false }],
    ['anonymous', undefined, { ...open, vary: true }],
    ['anonymous', 't-user', { ...open, vary: true }],
    ['anonymous', 't-team', { ...own, vary: true }],
    ['anonymous', 'nope', { ...open, vary: true }],
    [false, undefined, { ...refused, vary: false }],
    [false, 'nope', { ...refused, vary: false }],
    [false, 't-user', { ...own, vary: true }],
    [false, 't-team', { ...own, vary: true }],
  ];
  for (const [publicMap, token, expected] of rows) {
    const { app, asked } = await appOf(publicMap);
    const answer = await app.request('/points.json', token ? { headers: { Authorization: `Bearer ${token}` } } : {});
    const vary = answer.headers.get('vary') ?? '';
    const found = {
      status: answer.status,
      origin: answer.headers.get('access-control-allow-origin'),
      cache: answer.headers.get('cache-control'),
      vary: ['Authorization', 'Cookie'].every((name) => vary.includes(name)),
    };
    assert.deepEqual(found, expected, `${publicMap} ${token}`);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(asked() > 0, publicMap !== 'names' && token !== undefined, 'no store is asked who calls an open map');
  }
});

test('what is read of people is in no cache and for no page of another site', async () => {
  const { app } = await appOf('names');
  for (const [token, status, cache] of [
    ['t-team', 200, cacheControl.people],
    ['t-user', 403, 'no-store'],
    ['nope', 401, 'no-store'],
  ] as const) {
    const answer = await app.request('/v1/users', { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('cache-control'), cache);
    assert.equal(answer.headers.get('access-control-allow-origin'), null);
  }
});

test('if the map is not for everyone, embedded maps and badges say so, in their theme', async () => {
  const { app } = await appOf(false);
  for (const [query, colour] of [
    ['', '#d9e6ec'],
    ['?theme=light', '#d9e6ec'],
    ['?theme=dark', '#0b161d'],
  ]) {
    const answer = await app.request(`/v1/embed/map${query}`);
    const html = await answer.text();
    assert.deepEqual([answer.status, answer.headers.get('cache-control')], [401, cacheControl.people]);
    assert.ok(html.includes('This map is not public') && html.includes(colour), query);
  }
  assert.match(await (await app.request('/v1/embed/badge.svg')).text(), /not public/);
});

test('caches tell apart both what is compressed and who asks', async () => {
  const stores = memoryStores(() => now);
  await stores.objects.put('points.json', gzipSync('{"points":[]}'));
  const settings = { ...accessAs('public'), publicMap: false as const, everyone: 'team' as const, signIn: undefined };
  const app = serveApp({
    ...{ ...stores, clock: () => now, keepDays: 7, snapshots: noSnapshots, models: {} },
    access: openSignIn({
      ...{ settings, credentials: openCredentials(':memory:', () => now), clock: () => now, peer: () => '192.0.2.1' },
    }),
    report: (cause: unknown) => assert.fail(String(cause)),
  } as unknown as ServeOptions);
  const answer = await app.request('/points.json');
  assert.equal(answer.status, 200);
  assert.deepEqual(
    new Set(answer.headers.get('vary')?.split(', ')),
    new Set(['Accept-Encoding', 'Authorization', 'Cookie']),
  );
});
