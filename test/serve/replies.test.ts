// A small team of two registries, and what each read says of it: every field, worked out by hand.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RegistryEvent } from '#core/event.ts';
import { alsDefaults } from '#core/recommender/als.ts';
import { encodeModel, plainAls } from '#core/recommender/model-file.ts';
import { type Card, latestKey, refusedKey } from '#core/recommender/model-list.ts';
import { eventOf } from '#core/registry/name.ts';
import type { ObjectStore } from '#core/stores.ts';
import { digestOf } from '#http/bearer.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { storeEvents } from '#process/pulls.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import type { Identity } from '#serve/identify.ts';
import { noSnapshots } from '#serve/map/snapshots.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { accessAs } from '../support/access.ts';
import { memoryStores } from '../support/memory-stores.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 28, 12);
const at = (daysAgo: number) => new Date(now - daysAgo * day).toISOString();
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

const owner: Identity = { role: 'owner', by: 'machine' };

async function world({ objects, identity = owner }: { objects?: ObjectStore; identity?: Identity } = {}) {
  const clock = () => now;
  const memory = memoryStores(clock);
  const stores = { ...memory, objects: objects ?? memory.objects };
  const credentials = openCredentials(':memory:', clock);
  let made = 0;
  const event = (registry: string, daysAgo: number, more: Partial<RegistryEvent>) => ({
    event: eventOf(registry, {
      ...{ id: `e${made}`, time: now - daysAgo * day, action: 'pull', kind: 'manifest', method: 'GET' },
      ...{ repository: 'team/app', user: 'ann', userAgent: 'docker/28.0', address: '', source: '' },
      ...more,
    } as RegistryEvent),
    origin: `s:${made++}:0`,
  });
  const push = (registry: string, daysAgo: number, more: Partial<RegistryEvent>) =>
    event(registry, daysAgo, {
      ...{ action: 'push', method: 'PUT', user: 'ci', userAgent: 'buildkit/0.12' },
      ...{ mediaType: 'application/vnd.oci.image.manifest.v1+json', references: [] },
      ...more,
    });
  await storeEvents(
    [
      push('default', 60, { tag: '1', digest: digest('a'), size: 100 }),
      push('default', 50, { tag: '2', digest: digest('b') }),
      push('east', 40, { tag: '1', digest: digest('c') }),
      // Nobody ever pulled it.
      push('east', 35, { tag: '2', digest: digest('d') }),
      event('default', 45, { tag: '1', digest: digest('a') }),
      event('default', 2, { tag: '2', digest: digest('b'), user: 'bob' }),
      event('default', 1, { tag: '2', digest: digest('b') }),
      event('east', 1.5, { tag: '1', digest: digest('c') }),
      event('east', 0.5, { tag: '1', digest: digest('c') }),
    ],
    { ...stores, locator: { locate: () => undefined }, classify: () => 'human', pullWindowSeconds: 2 },
  );
  const app = serveApp({
    ...{ ...stores, clock, registries: [{ name: 'east' }], keepDays: 7, snapshots: noSnapshots },
    models: modelSource(stores.objects, clock, (cause) => assert.fail(String(cause))),
    access: { ...accessAs(identity.role), credentials, identify: async () => identity },
    report: (cause: unknown) => assert.fail(String(cause)),
  } as unknown as ServeOptions);
  return {
    objects: stores.objects,
    credentials,
    async ask(path: string, method = 'GET') {
      const answer = await app.request(path, { method });
      const isJson = answer.headers.get('content-type')?.includes('json');
      // Fields that are left out, and those that are null, are told apart.
      const body = isJson ? await answer.json() : (await answer.text()).split('\r\n').slice(0, -1);
      return { status: answer.status, body };
    },
  };
}

const pulled = (registry: string, id: string, daysAgo: number, tag: string, letter: string) => ({
  ...{ id, time: at(daysAgo), action: 'pull', repository: 'team/app', registry, tag, digest: digest(letter) },
  ...{ class: 'human', client: 'docker' },
});
const pulls = [
  pulled('east', 'east//e8', 0.5, '1', 'c'),
  pulled('default', 'e6', 1, '2', 'b'),
  pulled('east', 'east//e7', 1.5, '1', 'c'),
  pulled('default', 'e4', 45, '1', 'a'),
];
const ok = (body: unknown) => ({ status: 200, body });

test("a person's pulls, of all registries and of one, page by page", async () => {
  const { ask } = await world();
  assert.deepEqual(await ask('/v1/history?user=ann'), ok({ items: pulls }));
  const of = (registry: string) => pulls.filter((one) => one.registry === registry);
  for (const registry of ['default', 'east']) {
    assert.deepEqual(await ask(`/v1/history?user=ann&registry=${registry}`), ok({ items: of(registry) }));
    assert.deepEqual(await ask(`/v1/history?user=ann&registry=${registry}&limit=2`), ok({ items: of(registry) }));
    const { body: first } = await ask(`/v1/history?user=ann&registry=${registry}&limit=1`);
    assert.deepEqual(first.items, [of(registry)[0]]);
    const next = `/v1/history?user=ann&registry=${registry}&limit=1&cursor=${first.cursor}`;
    assert.deepEqual(await ask(next), ok({ items: [of(registry)[1]] }));
  }
  assert.deepEqual(
    await ask('/v1/history?user=bob&format=csv'),
    ok([
      'id,time,action,repository,registry,tag,digest,class,client',
      `e5,${at(2)},pull,team/app,default,2,${digest('b')},human,docker`,
    ]),
  );
});

test('who pulls, and who pulled an image', async () => {
  const { ask } = await world();
  const days = (...last: number[]) => [...Array(30 - last.length).fill(0), ...last];
  const ann = { user: 'ann', kind: 'human', pulls: 4, firstPull: at(45), lastPull: at(0.5), days: days(2, 1) };
  const bob = { user: 'bob', kind: 'human', pulls: 1, firstPull: at(2), lastPull: at(2), days: days(1, 0, 0) };
  assert.deepEqual(await ask('/v1/users'), ok({ items: [ann, bob] }));
  assert.deepEqual(
    await ask('/v1/users?registry=east&format=csv'),
    ok(['user,kind,pulls,firstPull,lastPull', `ann,human,2,${at(1.5)},${at(0.5)}`]),
  );
  const puller = (user: string, registry: string, pulls: number, daysAgo: number, tag: string, letter: string) => ({
    ...{ user, repository: 'team/app', registry, pulls, lastPull: at(daysAgo), tag, digest: digest(letter) },
    ...{ class: 'human', client: 'docker', country: '' },
  });
  const pullers = [
    puller('ann', 'east', 2, 0.5, '1', 'c'),
    puller('ann', 'default', 2, 1, '2', 'b'),
    puller('bob', 'default', 1, 2, '2', 'b'),
  ];
  assert.deepEqual(await ask('/v1/pullers?repository=team/app'), ok({ items: pullers }));
  assert.deepEqual(await ask('/v1/pullers?repository=team/app&registry=east'), ok({ items: [pullers[0]] }));
  assert.deepEqual(await ask(`/v1/pullers?digest=${digest('c')}`), ok({ items: [pullers[0]] }));
  assert.deepEqual(await ask(`/v1/pullers?digest=&repository=team/app`), ok({ items: pullers }));
  assert.deepEqual(
    await ask('/v1/pullers?repository=team/app&registry=east&format=csv'),
    ok([
      'user,repository,registry,pulls,lastPull,tag,digest,class,client,country',
      `ann,team/app,east,2,${at(0.5)},1,${digest('c')},human,docker,`,
    ]),
  );
});

test('repositories, their pulls by time and tag, and what nobody uses', async () => {
  const { ask } = await world();
  const repository = (registry: string, pulls: number, pulledBy: number, daysAgo: number) => ({
    ...{ repository: 'team/app', registry, pulls, raw: pulls, pulledBy, lastPull: at(daysAgo) },
  });
  assert.deepEqual(await ask('/v1/repositories'), ok([repository('default', 3, 2, 1), repository('east', 2, 1, 0.5)]));
  assert.deepEqual(
    await ask('/v1/repositories?registry=east&format=csv'),
    ok(['repository,registry,pulls,raw,pulledBy,lastPull', `team/app,east,2,2,1,${at(0.5)}`]),
  );
  const count = (pulls: number, pushes: number) => ({ pulls, raw: pulls, pushes, rawPushes: pushes });
  assert.deepEqual(
    await ask('/v1/pulls?by=tag'),
    ok({
      ...{ total: count(5, 4), upperBound: false },
      buckets: [
        { key: '1', ...count(3, 2) },
        { key: '2', ...count(2, 2) },
      ],
    }),
  );
  assert.deepEqual(
    await ask('/v1/pulls?by=tag&top=1&format=csv'),
    ok(['from,key,others,pulls,raw,pushes,rawPushes', ',1,,3,3,2,2', ',,1,2,2,2,2']),
  );
  const dayOf = (daysAgo: number) => `${at(daysAgo).slice(0, 10)}T00:00:00.000Z`;
  const byDay = [
    [40, count(0, 1)],
    [35, count(0, 1)],
    [1, count(1, 0)],
    [0, count(1, 0)],
  ].map(([daysAgo, counts]) => ({ from: dayOf(daysAgo as number), ...(counts as object) }));
  const ofEast = { total: count(2, 2), upperBound: false };
  assert.deepEqual(await ask('/v1/pulls?registry=east'), ok({ ...ofEast, buckets: byDay }));
  assert.deepEqual(await ask('/v1/pulls?registry=east&interval=day'), ok({ ...ofEast, buckets: byDay }));

  const unused = (registry: string, tag: string, letter: string, push: number, pull: number | null) => ({
    ...{ repository: 'team/app', registry, tag, digest: digest(letter), lastPush: at(push) },
    ...{ lastPull: pull === null ? null : at(pull), size: letter === 'a' ? 100 : null },
    reason: pull === null ? 'never pulled' : `last pulled on ${at(pull).slice(0, 10)}`,
    ...{ confidence: 'known', dryRun: `DELETE /v2/team/app/manifests/${digest(letter)}` },
  });
  const [ofDefault, neverPulled] = [unused('default', '1', 'a', 60, 45), unused('east', '2', 'd', 35, null)];
  const { body } = await ask('/v1/unused?days=30');
  assert.deepEqual(body, { since: at(30), items: [ofDefault, neverPulled] });
  assert.deepEqual(await ask('/v1/unused?days=30&registry=east'), ok({ since: at(30), items: [neverPulled] }));
  assert.deepEqual(
    await ask('/v1/unused?days=30&registry=east&format=csv'),
    ok([
      'repository,registry,tag,digest,lastPush,lastPull,size,reason,confidence,dryRun',
      `team/app,east,2,${digest('d')},${at(35)},,,never pulled,known,DELETE /v2/team/app/manifests/${digest('d')}`,
    ]),
  );
});

test('what is missing or wrong is named', async () => {
  const { ask } = await world();
  const rows: [path: string, says: string][] = [
    ['/v1/pulls?top=2', 'top is "2": must be given with by='],
    ['/v1/pullers', 'digest and repository are missing: give digest=DIGEST or repository=NAME'],
    ['/v1/pullers?digest=', 'digest and repository are missing: give digest=DIGEST or repository=NAME'],
    ...['users?', 'repositories?', 'unused?', 'history?user=ann&', 'pulls?', 'pullers?repository=a&'].map(
      (path): [string, string] => [`/v1/${path}registry=west`, 'registry is "west": must be one of default, east'],
    ),
  ];
  for (const [path, message] of rows)
    assert.deepEqual(await ask(path), { status: 400, body: { error: { code: 'bad_request', message } } }, path);
});

test('tokens: each with its role, its user and its end, shown once, and gone when it is removed', async () => {
  const { ask } = await world();
  const made = async (query: string) => {
    const { status, body } = await ask(`/v1/tokens?${query}`, 'POST');
    assert.equal(status, 201, query);
    const { token, ...rest } = body;
    assert.match(token, /^ww_[\w-]{43}$/);
    return rest;
  };
  const one = await made('name=laptop&role=user&user=ann&days=2');
  const { id } = one;
  assert.deepEqual(one, { id, name: 'laptop', role: 'user', user: 'ann', createdAt: at(0), expiresAt: at(-2) });
  const two = await made('name=grafana&role=team');
  assert.deepEqual(two, { id: two.id, name: 'grafana', role: 'team', createdAt: at(0) });
  const { body } = await ask('/v1/tokens');
  const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
  assert.deepEqual(body.items.sort(byName), [two, one]);
  for (const role of ['team', 'owner'])
    assert.deepEqual((await ask(`/v1/tokens?name=x&user=ann&role=${role}`, 'POST')).body.error, {
      ...{
        code: 'bad_request',
        message: `user is "ann": may be given only with role=user; ${role} reads everybody's history`,
      },
    });
  assert.deepEqual(await ask(`/v1/tokens?id=${id}`, 'DELETE'), ok(one));
  assert.equal((await ask(`/v1/tokens?id=${id}`, 'DELETE')).status, 404);
  assert.deepEqual(await ask('/v1/tokens'), ok({ items: [two] }));
});

test('webhook tokens of registries: two at the most, each ended by its id', async () => {
  const { ask, credentials } = await world();
  assert.deepEqual(await ask('/v1/registries'), ok({ items: [{ name: 'default' }, { name: 'east' }] }));
  const make = (query: string) => ask(`/v1/registries/tokens?${query}`, 'POST');
  const { token, ...first } = (await make('registry=east')).body;
  assert.match(token, /^wr_/);
  assert.deepEqual(first, { id: first.id, registry: 'east', createdAt: at(0) });
  const { token: kept, ...second } = (await make('registry=east')).body;
  assert.equal((await make('registry=east')).status, 409);
  assert.equal((await make('registry=east&rotate=true')).status, 409, 'the newer was not used yet');
  assert.equal((await make('registry=default')).status, 201);
  const { items } = (await ask('/v1/registries/tokens?registry=east')).body;
  const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
  assert.deepEqual(items.sort(byId), [first, second].sort(byId));
  assert.equal((await ask('/v1/registries/tokens')).body.items.length, 3);
  assert.deepEqual(await ask(`/v1/registries/tokens?registry=east&id=${first.id}`, 'DELETE'), ok(first));
  assert.equal((await ask(`/v1/registries/tokens?registry=east&id=${first.id}`, 'DELETE')).status, 404);
  assert.deepEqual(await ask('/v1/registries/tokens?registry=east'), ok({ items: [second] }));

  const { token: third } = (await make('registry=east&rotate=true')).body;
  for (const used of [kept, third]) await credentials.used('registry', digestOf(used), now);
  assert.equal((await make('registry=east&rotate=false')).status, 409, 'only a rotation ends the older one');
  assert.equal((await make('registry=east')).status, 409);
  const rotated = await make('registry=east&rotate=true');
  assert.equal(rotated.status, 201);
  const left = (await ask('/v1/registries/tokens?registry=east')).body.items as { id: string }[];
  assert.ok(left.length === 2 && left.some(({ id }) => id === rotated.body.id));
});

test('the models that are kept, which one is in service, and one that was refused', async () => {
  const { ask, objects } = await world();
  const nothing = { current: null, held: false, items: [], refused: null };
  assert.deepEqual(await ask('/v1/model'), ok(nothing));
  const card = (id: string, daysAgo: number, auc?: number) => ({ id, trainedAt: now - daysAgo * day, auc }) as Card;
  const cards = [card('two', 1, 0.9), card('one', 2)];
  await objects.put(latestKey, JSON.stringify({ current: 'one', cards }));
  const model = { ...plainAls, ...alsDefaults, rank: 1, items: ['team/app'], factors: new Float32Array([1]) };
  await objects.put('models/one/model.bin', encodeModel(model));
  await objects.put(refusedKey, JSON.stringify(card('three', 0.5)));
  const shown = (id: string, daysAgo: number, current: boolean, auc: number | null = null) => ({
    ...{ id, trainedAt: at(daysAgo), auc, popularityAuc: null, current },
  });
  const [two, one, three] = [shown('two', 1, false, 0.9), shown('one', 2, true), shown('three', 0.5, false)];
  const { ask: again } = await world({ objects });
  assert.deepEqual(await again('/v1/model'), ok({ current: one, held: false, items: [two, one], refused: three }));
});

test('who is refused reads what is needed, and what they have', async () => {
  const own = 'The role "user" can read only its own pulls: ';
  const needs = (least: string, role: string) => `This needs the role "${least}"; yours is "${role}".`;
  const signIn = 'Sign in, or send an API token as "Authorization: Bearer TOKEN".';
  const by = 'session' as const;
  const ann = { role: 'user' as const, user: 'ann', by };
  const rows: [Identity, path: string, status: number, message: string][] = [
    [{ role: 'public', by: 'nothing' }, '/v1/history?user=bob', 401, signIn],
    [{ role: 'user', by: 'nothing' }, '/v1/users', 401, signIn],
    [ann, '/v1/history?user=bob', 403, `${own}yours is user=ann.`],
    [{ role: 'user', by }, '/v1/pulls?user=bob', 403, `${own}you have no user name of the registry.`],
    [{ role: 'public', by }, '/v1/history?user=bob', 403, needs('user', 'public')],
    [{ role: 'public', by }, '/points.json', 403, needs('user', 'public')],
    [ann, '/v1/users', 403, needs('team', 'user')],
    [{ role: 'team', by }, '/v1/quarantine', 403, needs('owner', 'team')],
  ];
  for (const [identity, path, status, message] of rows) {
    const answer = await (await world({ identity })).ask(path);
    assert.deepEqual([answer.status, answer.body.error.message], [status, message], path);
  }
});

test('who calls is told who they are here', async () => {
  const me = async (identity: Identity) => (await (await world({ identity })).ask('/v1/me')).body;
  assert.deepEqual(await me(owner), { role: 'owner', map: 'names', signedIn: false });
  for (const by of ['token', 'proxy', 'nothing'] as const)
    assert.equal((await me({ role: 'team', by })).signedIn, false, by);
  assert.deepEqual(await me({ role: 'user', user: 'ann', by: 'session' }), {
    ...{ role: 'user', user: 'ann', map: 'anonymous', signedIn: true },
  });
});

test('hits of one domain are asked for by domain', async () => {
  const { ask } = await world();
  assert.deepEqual(await ask('/v1/hits?by=domain&domain=a.example'), ok({ items: [] }));
  for (const by of ['day', 'country', 'action'])
    assert.match((await ask(`/v1/hits?by=${by}&domain=a.example`)).body.error.message, /^by is ".*": must be "domain"/);
  assert.deepEqual(await ask('/v1/hits?by=country'), ok({ items: [] }));
});

test("a person's sessions are ended, and nobody else's", async () => {
  const { ask, credentials } = await world();
  for (const [digest, name, createdAt] of [
    ['a', 'ann', now - 2],
    ['b', 'bob', now - 1],
    ['c', 'ann', now],
  ] as const)
    await credentials.put({ kind: 'session', digest, name, claims: {}, createdAt, expiresAt: now + day });
  const session = (user: string, before: number) => ({
    ...{ user, createdAt: new Date(now - before).toISOString(), expiresAt: at(-1) },
  });
  const all = [session('ann', 2), session('bob', 1), session('ann', 0)];
  assert.deepEqual(await ask('/v1/sessions'), ok({ items: all }));
  assert.deepEqual(await ask('/v1/sessions?user=an', 'DELETE'), ok({ user: 'an', ended: 0 }));
  assert.deepEqual(await ask('/v1/sessions?user=ann', 'DELETE'), ok({ user: 'ann', ended: 2 }));
  assert.deepEqual(await ask('/v1/sessions'), ok({ items: [all[1]] }));
});
