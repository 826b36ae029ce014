// Registries with names and tokens of their own, on a running server.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, runScript, startLocal, token } from '../support/run.ts';

const registries = [{ name: 'east', hosts: ['east.example:5000'] }, { name: 'west' }];
const at = Date.UTC(2026, 10, 20);

/** An event that both registries report with the same id. */
const event = (n: number, user: string, repository: string, host = 'east.example:5000') =>
  pullOf(user, repository, {
    ...{ n, time: at + n * 60_000, source: undefined },
    request: { addr: '81.2.69.142:1', host, method: 'GET', useragent: 'docker/27' },
  });

test('two registries are kept apart, each reports only for itself, and tokens change without a gap', {
  timeout: 300_000,
}, async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder, ['--registries', JSON.stringify(registries)]);
  t.after(() => running.kill());
  const tokens = async (...args: string[]) => {
    const { code, output } = await runScript('local/commands/token.ts', [...args, '--data', folder]);
    return { code, output: output.trim() };
  };
  const post = (bearer: string, events: unknown[] | string) =>
    running.post('/v1/registry-events', typeof events === 'string' ? events : { events }, {
      Authorization: `Bearer ${bearer}`,
    });
  const east = (await tokens('add', '--registry', 'east')).output;
  const west = (await tokens('add', '--registry', 'west')).output;
  assert.match(east, /^wr_[\w-]{43}$/);

  // The same event of the same repository in all three.
  for (const bearer of [token, east, west])
    assert.deepEqual(await (await post(bearer, [event(1, 'ann', 'team/app')])).json(), {
      ...{ accepted: 1, ignored: 0, quarantined: 0 },
    });
  assert.equal((await post(east, [event(2, 'bob', 'team/app')])).status, 202);
  assert.equal((await post(east, [event(1, 'ann', 'team/app')])).status, 202, 'a redelivery');

  type Row = { repository: string; registry?: string; pulls: number };
  const rows = await eventually(
    20,
    () => running.get<Row[]>('/v1/repositories?sort=name'),
    (found) => found.reduce((sum, { pulls }) => sum + pulls, 0) === 4,
  );
  assert.deepEqual(rows.map(({ repository, registry, pulls }) => [registry, repository, pulls]).sort(), [
    ['default', 'team/app', 1],
    ['east', 'team/app', 2],
    ['west', 'team/app', 1],
  ]);
  await everywhere(running);

  // No registry reports for another, whatever the body says.
  for (const [bearer, body, found] of [
    [token, [event(3, 'eve', 'east//team/app')], { quarantined: 1 }],
    [west, [event(3, 'eve', 'east//team/app')], { quarantined: 1 }],
    [token, [{ ...event(4, 'eve', 'team/other'), id: 'east//event-9' }], { accepted: 1 }],
    [east, [event(9, 'ann', 'team/app')], { accepted: 1 }],
    [east, [event(5, 'eve', 'team/app', 'west.example')], { quarantined: 1 }],
    [east, '{"events":', { quarantined: 1 }],
  ] as const)
    assert.deepEqual(await (await post(bearer, body as never)).json(), {
      ...{ accepted: 0, ignored: 0, quarantined: 0, ...found },
    });
  await eventually(
    20,
    () => running.get<{ total: { pulls: number } }>('/v1/pulls?registry=east'),
    ({ total }) => total.pulls === 3,
  );

  // Refused posts are counted by reason.
  for (let n = 0; n < 30; n++) assert.equal((await post('wrong', [])).status, 401);
  assert.equal((await fetch(`${running.origin}/v1/registry-events`, { method: 'POST' })).status, 401);
  const unset = await post((await tokens('add', '--registry', 'eats')).output, []);
  assert.equal(unset.status, 401);
  assert.match(await unset.text(), /belongs to the registry \\"eats\\", which the setting registries does not name/);
  type Refused = { reason: string; registry?: string; posts: number; lastAt: string };
  const { refused } = await eventually(
    20,
    () => running.get<{ refused: Refused[] }>('/v1/health'),
    ({ refused }) => refused.some(({ reason, posts }) => reason === 'wrong-token' && posts === 30),
  );
  assert.deepEqual(refused.map(({ reason, registry = '', posts }) => `${reason} ${registry} ${posts}`).sort(), [
    'no-token  1',
    'not-json east 1',
    'not-understood default 1',
    'not-understood west 1',
    'unknown-host east 1',
    'unset-registry eats 1',
    'wrong-token  30',
  ]);
  for (const { lastAt } of refused) assert.ok(Math.abs(Date.now() - Date.parse(lastAt)) < 60_000);
  const { items } = await running.get<{ items: { registry?: string; reason: string }[] }>('/v1/quarantine');
  assert.deepEqual(items.map(({ registry }) => registry).sort(), ['east', 'east', 'west', undefined]);
  assert.ok(items.some(({ reason }) => reason === 'distribution: host "west.example" is not one of this registry\'s'));
  // One registry only: its quarantined entries, and the alerts of its first pulls.
  type Alerts = { items: { data: { registry?: string; user?: string } }[] };
  const fresh = (n: number, user: string) => ({ ...event(n, user, 'team/app'), timestamp: new Date().toISOString() });
  for (const [n, [bearer, user]] of [
    [token, 'dora'],
    [east, 'emil'],
    [west, 'wanda'],
  ].entries())
    assert.equal((await post(bearer, [fresh(20 + n, user)])).status, 202);
  await eventually(
    20,
    () => running.get<Alerts>('/v1/alerts'),
    ({ items }) => ['dora', 'emil', 'wanda'].every((name) => items.some(({ data }) => data.user === name)),
  );
  for (const [name, user] of Object.entries({ default: 'dora', east: 'emil', west: 'wanda' })) {
    const waiting = await running.get<{ items: unknown[] }>(`/v1/quarantine?registry=${name}`);
    assert.deepEqual(
      waiting.items,
      items.filter(({ registry = 'default' }) => registry === name),
    );
    const alerts = await running.get<Alerts>(`/v1/alerts?registry=${name}`);
    assert.deepEqual(
      alerts.items.map(({ data }) => data.user),
      [user],
    );
  }
  for (const path of ['/v1/quarantine', '/v1/alerts']) {
    const unknown = await fetch(`${running.origin}${path}?registry=north`);
    assert.equal(unknown.status, 400);
    assert.match(await unknown.text(), /registry.*north.*must be one of default, east, west/);
  }

  // A change of tokens: both are valid, then only the newer one, without a restart.
  const next = (await tokens('rotate', '--registry', 'east')).output;
  const refusal = await tokens('rotate', '--registry', 'east');
  assert.equal(refusal.code, 1);
  assert.match(refusal.output, /^east still sends its token \S+, and has not sent \S+ yet: give it that one first/);
  const add = await running.post('/v1/registries/tokens?registry=east', {});
  assert.equal(add.status, 409);
  for (const bearer of [east, next]) assert.equal((await post(bearer, [])).status, 202);
  const last = (await tokens('rotate', '--registry', 'east')).output;
  assert.deepEqual(
    await Promise.all([east, next, last].map(async (bearer) => (await post(bearer, [])).status)),
    [401, 202, 202],
  );
  type Token = { id: string; registry: string; usedAt?: string };
  const made = (await running.get<{ items: Token[] }>('/v1/registries/tokens?registry=east')).items;
  assert.equal(made.length, 2);
  assert.ok(made.every(({ usedAt }) => usedAt !== undefined));
  assert.match((await tokens('list', '--registry', 'east')).output, new RegExp(`^${made[0].id}  made .* last used 20`));
  const gone = await fetch(`${running.origin}/v1/registries/tokens?registry=east&id=${made[0].id}`, {
    method: 'DELETE',
  });
  assert.equal(gone.status, 200);
  assert.equal((await tokens('revoke', '--registry', 'east', '--id', made[1].id)).output, `ended ${made[1].id}`);
  assert.deepEqual(
    await Promise.all([next, last, west, token].map(async (bearer) => (await post(bearer, [])).status)),
    [401, 401, 202, 202],
  );
  for (const [args, message] of [
    [['add'], /--registry is missing/],
    [['make', '--registry', 'east'], /"make" is not an action/],
    [['revoke', '--registry', 'east'], /--id is missing/],
    [['revoke', '--registry', 'east', '--id', 'x'], /--id is "x": east has no such token/],
  ] as const)
    assert.match((await tokens(...args)).output, message);
});

/** Every list can be of one registry; without a name it is of all. */
async function everywhere(running: Running) {
  const get = <T>(path: string) => running.get<T>(path);
  type Items = { items: { user?: string; repository?: string; registry?: string; pulls?: number }[] };
  type Counted = { total: { pulls: number } };
  const names = async (path: string) => (await get<Items>(path)).items.map(({ user, registry }) => user ?? registry);
  const pulls = async (query: string) => (await get<Counted>(`/v1/pulls?${query}`)).total.pulls;

  assert.deepEqual(
    await Promise.all(['', 'registry=east', 'registry=west', 'registry=default'].map(pulls)),
    [4, 2, 1, 1],
  );
  assert.equal(await pulls('repository=team/app'), 4);
  assert.equal(await pulls('repository=team/app&registry=west'), 1);
  assert.deepEqual((await names('/v1/users')).sort(), ['ann', 'bob']);
  assert.deepEqual(await names('/v1/users?registry=west'), ['ann']);
  assert.deepEqual((await names('/v1/pullers?repository=team/app')).sort(), ['ann', 'ann', 'ann', 'bob']);
  assert.deepEqual((await names('/v1/pullers?repository=team/app&registry=east')).sort(), ['ann', 'bob']);
  const history = async (query: string) => (await get<Items>(`/v1/history?user=ann${query}`)).items;
  assert.deepEqual((await history('')).map(({ registry }) => registry).sort(), ['default', 'east', 'west']);
  assert.deepEqual(
    (await history('&registry=east')).map(({ repository }) => repository),
    ['team/app'],
  );
  const listed = async (query: string) => (await get<Items['items']>(`/v1/repositories?${query}`)).length;
  assert.deepEqual(await Promise.all(['', 'registry=east', 'search=east', 'search=APP'].map(listed)), [3, 1, 0, 3]);
  assert.deepEqual((await get<Items>('/v1/unused?registry=east')).items, []);
  assert.deepEqual((await get<Items>('/v1/outdated?user=ann&registry=east')).items, []);
  // Bob pulled from east; the same repositories of the other registries count separately, and may be recommended.
  const { items } = await get<Items>('/v1/recommendations?user=bob');
  assert.deepEqual(items.map(({ registry }) => registry).sort(), ['default', 'west']);
  assert.deepEqual(await names('/v1/recommendations?user=bob&registry=west'), ['west']);
  assert.deepEqual(await names('/v1/recommendations?user=bob&exclude=team/app'), []);
  assert.deepEqual((await names('/v1/registries')).length, 3);
  for (const path of [
    '/v1/pulls',
    '/v1/users',
    '/v1/repositories',
    '/v1/unused',
    '/v1/history?user=ann',
    '/v1/pullers?repository=a',
    '/v1/outdated?user=ann',
    '/v1/recommendations?user=ann',
    '/v1/similar?repository=a',
    '/v1/registries/tokens',
  ]) {
    const reply = await fetch(`${running.origin}${path}${path.includes('?') ? '&' : '?'}registry=north`);
    assert.equal(reply.status, 400, path);
    assert.match(await reply.text(), /registry is \\"north\\": must be one of default, east, west/, path);
  }
}
