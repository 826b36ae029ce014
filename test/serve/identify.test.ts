// Who calls: what counts as a proof, and from whom. Everything else that a request says of its sender says nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import type { AccessSettings } from '#core/access.ts';
import { digestOf } from '#http/bearer.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { type Identity, isForeign } from '#serve/identify.ts';
import { openSignIn, type SignInOptions } from '#serve/sign-in.ts';

const now = Date.UTC(2026, 10, 28);
const rules = { userClaim: 'user', roles: { team: { groups: ['dev'] }, owner: { groups: ['ops'] } } };
const base: AccessSettings = {
  ...{ publicUrl: 'https://whales.example', rules, everyone: 'public', publicMap: false, publicMapLeast: 5 },
  sessionHours: 12,
};

/** Who a request with these headers is, over a connection from `peer`. */
async function who(
  headers: Record<string, string>,
  {
    peer = '192.0.2.1',
    ...more
  }: { peer?: string } & Partial<Omit<SignInOptions, 'peer'>> & Partial<AccessSettings> = {},
): Promise<Partial<Identity>> {
  const credentials = openCredentials(':memory:', () => now);
  for (const role of ['user', 'team', 'owner'] as const)
    await credentials.put({ kind: 'token', digest: digestOf(`t-${role}`), name: role, role, createdAt: now });
  const of = { digest: digestOf('ended'), name: 'x', role: 'owner' as const, createdAt: now - 2, expiresAt: now - 1 };
  await credentials.put({ kind: 'token', ...of });
  const claims = { user: ['ann'], groups: ['ops'] };
  await credentials.put({ kind: 'session', digest: digestOf('s'), name: 'ann', user: 'ann', claims, createdAt: now });
  await credentials.put({ kind: 'registry', digest: digestOf('wr'), name: 'east', createdAt: now });
  const settings = { ...base, ...more };
  const { identify } = openSignIn({ settings, credentials, clock: () => now, peer: () => peer, ...more });
  const app = new Hono();
  let found: Identity | undefined;
  app.all('/x', async (c) => {
    found = await identify(c);
    return c.body(null);
  });
  await app.request('/x', { headers });
  const { session: _, ...identity } = found as Identity;
  return identity;
}
const nobody = { role: 'public', by: 'nothing' };
const proxy = {
  signIn: { proxies: ['192.0.2.1'], userHeader: 'X-Forwarded-User', groupsHeader: 'X-Forwarded-Groups' },
};

test('a proxy names people, from its own address alone', async () => {
  const named = { 'X-Forwarded-User': 'ann', 'X-Forwarded-Groups': 'dev, ops' };
  assert.deepEqual(await who(named, proxy), { role: 'owner', user: 'ann', by: 'proxy' });
  assert.deepEqual(await who({ ...named, 'X-Forwarded-Groups': 'dev' }, proxy), {
    ...{ role: 'team', user: 'ann', by: 'proxy' },
  });
  assert.deepEqual(await who({ 'X-Forwarded-User': 'ann' }, proxy), { role: 'user', user: 'ann', by: 'proxy' });
  const more = { Forwarded: 'for=192.0.2.1', 'X-Forwarded-For': '192.0.2.1', 'X-Real-IP': '192.0.2.1' };
  for (const peer of ['192.0.2.2', '127.0.0.1', '::1', '', '192.0.2.1.evil'])
    assert.deepEqual(await who({ ...named, ...more }, { ...proxy, peer }), nobody, peer);
  // Where people sign in otherwise, or nobody does, the headers mean nothing.
  for (const signIn of [undefined, { issuer: 'https://id.example', clientId: 'w', scopes: [] }])
    assert.deepEqual(await who(named, { signIn }), nobody);
});

test('a header that came twice, or is empty, names nobody', async () => {
  for (const user of ['ann,eve', 'ann, ann', ',', '', ',ann'])
    assert.deepEqual(await who({ 'X-Forwarded-User': user, 'X-Forwarded-Groups': 'ops' }, proxy), nobody, user);
  for (const groups of ['', ',', ' , ', 'OPS', 'ops;dev', 'o ps'])
    assert.equal((await who({ 'X-Forwarded-User': 'ann', 'X-Forwarded-Groups': groups }, proxy)).role, 'user', groups);
  assert.deepEqual(await who({ 'X-Forwarded-Groups': 'ops' }, proxy), nobody);
  const userOnly = { signIn: { proxies: ['192.0.2.1'], userHeader: 'X-Forwarded-User' } };
  const named = { 'X-Forwarded-User': 'ann', 'X-Forwarded-Groups': 'ops' };
  assert.equal((await who(named, userOnly)).role, 'user', 'groups count where a header is named for them');
});

test('a token is its own proof, and one that is not known or has ended is nobody, whatever else is sent', async () => {
  for (const role of ['user', 'team', 'owner'])
    assert.deepEqual(await who({ Authorization: `Bearer t-${role}` }, proxy), { role, by: 'token' });
  const named = { 'X-Forwarded-User': 'ann', 'X-Forwarded-Groups': 'ops', Cookie: '__Host-whalewatch=s' };
  for (const token of ['nope', 'ended', 'wr', 's', 't-owner2', 'T-OWNER', digestOf('t-owner')])
    assert.deepEqual(await who({ ...named, Authorization: `Bearer ${token}` }, proxy), {
      ...{ role: 'public', by: 'nothing', wrongToken: true },
    });
});

test("a deployment's own token is the owner's, compared whole", async () => {
  const ownerToken = async () => 'a-secret-of-the-deployment';
  assert.deepEqual(await who({ Authorization: 'Bearer a-secret-of-the-deployment' }, { ownerToken }), {
    ...{ role: 'owner', by: 'token' },
  });
  for (const token of ['a-secret-of-the-deploymen', 'a-secret-of-the-deployment2', 'A-SECRET-OF-THE-DEPLOYMENT'])
    assert.equal((await who({ Authorization: `Bearer ${token}` }, { ownerToken })).by, 'nothing', token);
});

test('a session is in the cookie of this address alone', async () => {
  const openId = { signIn: { issuer: 'https://id.example', clientId: 'w', scopes: [] } };
  assert.deepEqual(await who({ Cookie: '__Host-whalewatch=s' }, openId), { role: 'owner', user: 'ann', by: 'session' });
  for (const cookie of ['whalewatch=s', '__Secure-whalewatch=s', '__host-whalewatch=s', '__Host-whalewatch=', 'a=s'])
    assert.deepEqual(await who({ Cookie: cookie }, openId), nobody, cookie);
  // Nobody signs in by a session where there is no issuer.
  assert.deepEqual(await who({ Cookie: '__Host-whalewatch=s' }), nobody);
  assert.deepEqual(await who({ Cookie: '__Host-whalewatch=s' }, proxy), nobody);
});

test("this machine's user is the owner where nobody signs in, unless a page of another site asks", async () => {
  const isOwnUser = async () => true;
  const machine = { role: 'owner', by: 'machine' };
  assert.deepEqual(await who({}, { isOwnUser }), machine);
  assert.deepEqual(await who({}, { isOwnUser: async () => false }), nobody);
  assert.deepEqual(await who({ 'Sec-Fetch-Site': 'cross-site' }, { isOwnUser }), nobody);
  assert.deepEqual(await who({ Authorization: 'Bearer t-user' }, { isOwnUser }), { role: 'user', by: 'token' });
  assert.deepEqual(await who({}, { isOwnUser, ...proxy }), nobody, 'where people sign in, so does the owner');
});

test('a page of another site is recognised by the headers that browsers send', async () => {
  const app = new Hono();
  app.all('/x', (c) => c.json(isForeign(c)));
  const rows: [method: string, site: string | undefined, mode: string | undefined, foreign: boolean][] = [
    ['GET', undefined, undefined, false],
    ['POST', undefined, undefined, false],
    ['POST', 'same-origin', 'cors', false],
    ['POST', 'none', 'navigate', false],
    ['GET', 'cross-site', 'navigate', false],
    ['GET', 'cross-site', 'cors', true],
    ['GET', 'cross-site', 'no-cors', true],
    ['GET', 'same-site', 'no-cors', true],
    ['GET', 'cross-site', undefined, true],
    ['POST', 'cross-site', 'navigate', true],
    ['POST', 'same-site', 'cors', true],
    ['DELETE', 'cross-site', 'cors', true],
  ];
  for (const [method, site, mode, foreign] of rows) {
    const headers = { ...(site && { 'Sec-Fetch-Site': site }), ...(mode && { 'Sec-Fetch-Mode': mode }) };
    const answer = await app.request('/x', { method, headers });
    assert.equal(await answer.json(), foreign, `${method} ${site} ${mode}`);
  }
});

test('without that, an Origin that is not ours tells', async () => {
  const app = new Hono();
  app.all('/x', (c) => c.json([isForeign(c, 'https://whales.example'), isForeign(c)]));
  const rows: [headers: Record<string, string>, foreign: boolean][] = [
    [{}, false],
    [{ Origin: 'https://whales.example' }, false],
    [{ Origin: 'https://whales.example:8443' }, true],
    [{ Origin: 'http://whales.example' }, true],
    [{ Origin: 'https://evil.example' }, true],
    [{ Origin: 'null' }, true],
    [{ Origin: 'https://evil.example', 'Sec-Fetch-Site': 'same-origin' }, false],
  ];
  for (const [headers, foreign] of rows) {
    const answer = await app.request('/x', { method: 'POST', headers });
    assert.deepEqual(await answer.json(), [foreign, false], JSON.stringify(headers));
  }
});
