// The access table: every route and page, called as every role, for the caller's own name and for others, on both
// wirings.
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, test } from 'node:test';
import type { Hono } from 'hono';
import { handle, type LambdaEvent } from 'hono/aws-lambda';
import { peerOf } from '#aws/gateway.ts';
import { collectApp } from '#collect/app.ts';
import type { AccessSettings, PublicMap, Role } from '#core/access.ts';
import { assertRow, needsOf } from '#http/access.ts';
import { digestOf } from '#http/bearer.ts';
import { localApp, type ServerOptions } from '#local/server.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import { openSignIn } from '#serve/sign-in.ts';
import { pages } from '../../web/html.ts';

// The roles that each row allows. For `own`, a user's calls must name ann in user=.
const none = { public: false, own: false, user: false, team: false, owner: false };
const kinds = {
  anyone: { public: true, own: true, user: true, team: true, owner: true },
  webhook: none,
  map: { public: true, own: true, user: true, team: true, owner: true },
  own: { ...none, own: true, team: true, owner: true },
  user: { ...none, own: true, user: true, team: true, owner: true },
  team: { ...none, team: true, owner: true },
  owner: { ...none, owner: true },
};

const table: Record<string, keyof typeof kinds> = {
  'POST /v1/registry-events': 'webhook',
  'POST /v1/hits': 'anyone',
  'GET /points.json': 'map',
  'GET /v1/points/latest': 'map',
  'GET /v1/points/days': 'map',
  'GET /v1/tiles/latest/0/0/0.mvt': 'map',
  'GET /v1/clusters': 'map',
  'GET /v1/clusters/leaves': 'map',
  'GET /v1/clusters/yandex': 'map',
  'GET /v1/hits': 'map',
  'GET /v1/embed/badge.svg': 'map',
  'GET /v1/embed/map': 'map',
  'GET /v1/history': 'own',
  'GET /v1/recommendations': 'own',
  'GET /v1/pulls': 'own',
  'GET /v1/outdated': 'own',
  'POST /v1/recommendations': 'user',
  'GET /v1/similar': 'user',
  'GET /v1/users': 'team',
  'GET /v1/pullers': 'team',
  'GET /v1/repositories': 'team',
  'GET /v1/unused': 'team',
  'GET /v1/images': 'team',
  'GET /v1/model': 'team',
  'GET /v1/alerts': 'team',
  'GET /v1/registries': 'user',
  'GET /v1/health/live': 'anyone',
  'GET /v1/health/ready': 'anyone',
  'GET /metrics': 'owner',
  'GET /v1/health': 'owner',
  'GET /v1/quarantine': 'owner',
  'POST /v1/model/rollback': 'owner',
  'DELETE /v1/model/rollback': 'owner',
  'DELETE /v1/users': 'owner',
  'GET /v1/tokens': 'owner',
  'POST /v1/tokens': 'owner',
  'DELETE /v1/tokens': 'owner',
  'GET /v1/registries/tokens': 'owner',
  'POST /v1/registries/tokens': 'owner',
  'DELETE /v1/registries/tokens': 'owner',
  'GET /v1/sessions': 'owner',
  'DELETE /v1/sessions': 'owner',
  'GET /v1/me': 'anyone',
  'GET /v1/session/login': 'anyone',
  'GET /v1/session/callback': 'anyone',
  'POST /v1/session/logout': 'anyone',
  'GET /v1/openapi.json': 'anyone',
};
/** Pages contain no data: they request it from the routes above, as the reader who opened them. */
const pageTable = Object.keys(pages).map((name) => `/${name === 'index' ? '' : name}`);

const settings: AccessSettings = {
  publicUrl: 'https://whales.example',
  signIn: { issuer: 'http://127.0.0.1:9', clientId: 'whalewatch', scopes: ['openid'] },
  rules: { userClaim: 'name', roles: { team: { groups: ['dev'] }, owner: { groups: ['ops'] } } },
  everyone: 'public',
  publicMap: 'names',
  publicMapLeast: 5,
  sessionHours: 12,
};
const sessions = { own: [], user: [], team: ['dev'], owner: ['dev', 'ops'] };

/** Stores whose every call fails: a request that reaches them was allowed. */
const closed = new Proxy(
  {},
  { get: (_, name) => (name === 'then' ? undefined : async () => Promise.reject(new Error('reached'))) },
);

/** The local stream returns its lag synchronously. */
const closedStream = new Proxy(
  {},
  {
    get: () => () => {
      throw new Error('reached');
    },
  },
);

const now = Date.UTC(2026, 10, 28);

interface Wiring {
  app: Hono;
  call: (method: string, path: string, headers: Record<string, string>) => Promise<number>;
}

async function wirings(change: Partial<AccessSettings> = {}): Promise<Record<'local' | 'aws', Wiring>> {
  const access = { ...settings, ...change };
  const credentials = openCredentials(':memory:', () => now);
  for (const [role, groups] of Object.entries(sessions)) {
    const claims = { name: ['ann'], groups };
    await credentials.put({
      kind: 'session',
      digest: digestOf(`s-${role}`),
      name: 'ann',
      user: 'ann',
      claims,
      createdAt: now,
    });
    const tokenRole = role === 'own' ? 'user' : (role as Role);
    await credentials.put({
      kind: 'token',
      digest: digestOf(`t-${role}`),
      name: 'ci',
      role: tokenRole,
      user: 'ann',
      createdAt: now,
    });
  }
  const clock = () => now;
  const report = () => {};
  const stores = {
    objects: closed,
    events: closed,
    search: closed,
    checkpoints: closed,
    alerts: closed,
    stream: closedStream,
    hits: closedStream,
  };
  const metrics = async () => assert.fail('reached');
  const serve = {
    ...stores,
    ...{ snapshots: closed, anonymousSnapshots: closed, models: closed, clock, report, metrics },
  } as unknown as ServeOptions;

  const local = localApp({
    stores: { ...stores, credentials },
    token: () => 'w',
    web: 'build/web',
    log: { info() {}, error: report, middleware: () => [] },
    metrics: { read: metrics },
    access,
    settings: {
      ...{ listen: '0.0.0.0', keepDays: 7, trustedProxies: [], registries: [] },
      ...{ addressHeader: 'X-Forwarded-For', networks: {} },
    },
  } as unknown as ServerOptions);
  const incoming = {
    socket: { remoteAddress: '192.0.2.1' },
    headers: {},
    httpVersion: '1.1',
  } as unknown as IncomingMessage;

  const aws = serveApp({
    ...serve,
    access: openSignIn({ settings: access, credentials, clock, peer: (c) => peerOf(c.req.raw, c.env) }),
  });
  const collect = collectApp({
    ...{ stream: closed, hits: closed, token: async () => 'w', peer: () => '192.0.2.1' },
    ...{ trustedProxies: [], addressHeader: 'X-Forwarded-For', networks: {}, clock, newKey: () => 'k', report },
  } as never);
  const lambda = { serve: handle(aws), collect: handle(collect) };

  return {
    local: {
      app: local,
      call: async (method, path, headers) =>
        (
          await local.request(
            `https://whales.example${path}`,
            { method, headers: { Host: 'whales.example', ...headers } },
            { incoming },
          )
        ).status,
    },
    aws: {
      app: aws as unknown as Hono,
      async call(method, path, headers) {
        const [rawPath, rawQueryString = ''] = path.split('?');
        const isEndpoint = method === 'POST' && ['/v1/hits', '/v1/registry-events'].includes(rawPath);
        const { cookie, ...others } = Object.fromEntries(
          Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
        );
        const event = {
          ...{ version: '2.0', routeKey: '$default', rawPath, rawQueryString, isBase64Encoded: false, body: null },
          ...{ headers: others, cookies: cookie ? [cookie] : [] },
          requestContext: { http: { method, path: rawPath, sourceIp: '192.0.2.1' }, domainName: 'api.example' },
        } as unknown as LambdaEvent;
        const reply = (await lambda[isEndpoint ? 'collect' : 'serve'](event)) as { statusCode: number };
        return reply.statusCode;
      },
    },
  };
}

const refused = (status: number) => [401, 403, 421].includes(status);
const callers = {
  session: (role: string): Record<string, string> =>
    role === 'public' ? {} : { Cookie: `__Host-whalewatch=s-${role}` },
  token: (role: string): Record<string, string> => (role === 'public' ? {} : { Authorization: `Bearer t-${role}` }),
};

for (const wiring of ['local', 'aws'] as const)
  describe(`access, ${wiring}`, () => {
    for (const [route, kind] of Object.entries(table))
      test(`${route}: ${kind}`, async () => {
        const { call } = (await wirings())[wiring];
        const [method, path] = route.split(' ');
        for (const [by, headers] of Object.entries(callers))
          for (const [role, may] of Object.entries(kinds[kind])) {
            const about = role === 'own' ? '?user=ann' : '?user=bob';
            const status = await call(method, path + about, headers(role));
            assert.equal(!refused(status), may, `${role} by ${by}, ${about}: ${status}`);
            assert.notEqual(status, 404, `${route} is not a route`);
            if (role !== 'public' && !may && kind !== 'webhook') assert.equal(status, 403);
          }
      });

    test("a user's own name must be given once, and whole", async () => {
      const { call } = (await wirings())[wiring];
      for (const query of [
        '',
        '?user=',
        '?user=an',
        '?user=Ann',
        '?user=ann&user=bob',
        '?user=bob&user=ann',
        '?user=ann%20',
        '?users=ann',
        '?user=ann&%75ser=bob',
        '?us%65r=bob&user=ann',
        '?user=ann%00',
        '?user[]=ann',
      ])
        for (const [route] of Object.entries(table).filter(([, kind]) => kind === 'own'))
          assert.equal(await call('GET', route.split(' ')[1] + query, callers.session('user')), 403, route + query);
    });

    test('an unknown or expired token or session counts as not signed in', async () => {
      const { call } = (await wirings())[wiring];
      for (const headers of [
        { Authorization: 'Bearer nope' },
        { Authorization: 'Basic dDpvd25lcg==' },
        { Cookie: '__Host-whalewatch=nope' },
        { Cookie: 'whalewatch=s-owner' },
        { Cookie: '__Host-whalewatch=t-owner' },
        { Authorization: 'Bearer s-owner' },
      ] as Record<string, string>[])
        assert.equal(await call('GET', '/v1/users', headers), 401, JSON.stringify(headers));
    });

    test("a page of another site can't change anything, whoever is signed in", async () => {
      const { call } = (await wirings())[wiring];
      const changes = Object.keys(table).filter(
        (route) =>
          !route.startsWith('GET') && !['token', 'webhook'].includes(table[route]) && route !== 'POST /v1/hits',
      );
      assert.ok(changes.length > 4);
      for (const route of changes)
        for (const [foreign, own] of [
          [{ 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-origin' }],
          [{ 'Sec-Fetch-Site': 'same-site' }, { 'Sec-Fetch-Site': 'none' }],
          // As browsers send over plain HTTP, and old ones always.
          ...['https://evil.example', 'https://evil.whales.example', 'http://whales.example', 'null'].map(
            (Origin) => [{ Origin }, { Origin: 'https://whales.example' }] as const,
          ),
        ] as [Record<string, string>, Record<string, string>][]) {
          const [method, path] = route.split(' ');
          const which = `${route} ${JSON.stringify(foreign)}`;
          assert.equal(await call(method, path, { ...callers.session('owner'), ...foreign }), 403, which);
          assert.ok(!refused(await call(method, path, { ...callers.session('owner'), ...own })), which);
        }
    });

    test('the map is open to those for whom the owner opens it', async () => {
      const opened: [PublicMap, Record<string, boolean>][] = [
        ['names', { public: true, user: true, team: true }],
        ['anonymous', { public: true, user: true, team: true }],
        [false, { public: false, user: true, team: true }],
      ];
      for (const [publicMap, who] of opened) {
        const { call } = (await wirings({ publicMap }))[wiring];
        for (const route of Object.keys(table).filter((route) => table[route] === 'map'))
          for (const [role, may] of Object.entries(who))
            assert.equal(
              !refused(await call('GET', route.split(' ')[1], callers.session(role))),
              may,
              `${publicMap} ${role} ${route}`,
            );
        for (const [role, may] of Object.entries({
          public: publicMap === 'names',
          user: publicMap === 'names',
          team: true,
        }))
          assert.equal(
            !refused(await call('GET', '/v1/hits?by=domain', callers.session(role))),
            may,
            `${publicMap} ${role} by domain`,
          );
      }
    });

    test('everyone may have a role, but not with an unknown token', async () => {
      const { call } = (await wirings({ everyone: 'team', signIn: undefined }))[wiring];
      assert.ok(!refused(await call('GET', '/v1/users', {})));
      assert.equal(await call('DELETE', '/v1/users?user=ann', {}), 401);
      assert.equal(await call('GET', '/v1/users', { Authorization: 'Bearer nope' }), 401);
    });
  });

test('every served route and every page has a row here', async () => {
  const { local, aws } = await wirings();
  const pattern = (route: string) => route.replace('/latest/0/0/0.mvt', '/:snapshot/:z/:x/:file');
  const served = (app: Hono) =>
    new Set(
      app.routes
        .filter(({ method, path }) => method !== 'ALL' && path !== '*' && path !== '/*')
        .map(({ method, path }) => `${method} ${path}`),
    );
  const rows = Object.keys(table).map(pattern).sort();
  assert.deepEqual([...served(local.app)].sort(), rows);
  assert.deepEqual([...served(aws.app), 'POST /v1/registry-events', 'POST /v1/hits'].sort(), rows);
  for (const path of pageTable) assert.equal(await local.call('GET', path, {}), 200, path);
});

test('a route without a row keeps the server from starting', () => {
  assertRow('GET', '/v1/tiles/{snapshot}/{z}/{x}/{file}');
  assert.throws(() => assertRow('GET', '/v1/secrets'), /GET \/v1\/secrets has no row/);
  assert.throws(() => assertRow('PUT', '/v1/users'), /no row/);
});

test('what a call needs is known by its method and its whole path', () => {
  for (const [method, path, needs] of [
    ['GET', '/v1/tiles/latest/0/0/0.mvt', 'map'],
    ['HEAD', '/v1/tiles/latest/0/0/0.mvt', 'map'],
    ['HEAD', '/v1/history', 'own'],
    ['POST', '/v1/tiles/latest/0/0/0.mvt', undefined],
    ['GET', '/v1/tiles/latest/0/0/0.mvt/x', undefined],
    ['GET', '/v1/nowhere', undefined],
    ['DELETE', '/v1/history', undefined],
  ] as const)
    assert.equal(needsOf(method, path), needs, `${method} ${path}`);
});
