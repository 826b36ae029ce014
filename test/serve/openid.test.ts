import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type OpenIdOptions, openOpenId } from '#serve/openid.ts';
import { IssuerDown, SignInRefused } from '#serve/session.ts';

const rules = { userClaim: 'sub', roles: {} };

test('an issuer that is away, or is not an OpenID provider, is named with the reason', async (t) => {
  const server = createServer((_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const reasonOf = async () => {
    const opened = openOpenId({ issuer, clientId: 'whalewatch', scopes: ['openid'], rules });
    const cause: unknown = await opened.reach().then(
      () => undefined,
      (found) => found,
    );
    assert.ok(cause instanceof IssuerDown);
    return cause.message;
  };
  const begins = `the issuer ${issuer} does not respond as an OpenID provider: `;
  const odd = await reasonOf();
  assert.ok(odd.startsWith(begins) && odd.length > begins.length, odd);
  await new Promise((resolve) => server.close(resolve).closeAllConnections());
  t.after(() => server.close());
  assert.equal(await reasonOf(), `${begins}connect ECONNREFUSED 127.0.0.1:${port}`);
});

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const json = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A signed ID token. */
function idToken(claims: object, key = privateKey): string {
  const text = `${json({ alg: 'ES256', kid: 'one' })}.${json(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

interface IssuerAs {
  /** Changes what discovery says. */
  metadata?: object;
  /** Changes the claims of the ID token. */
  claims?: object;
  key?: typeof privateKey;
  userInfo?: object;
  /** The token endpoint's refusal. */
  refusal?: object;
}

/** Signs a person in at an issuer like this one. Returns their claims, and the requests the issuer got. */
async function signIn(
  t: { after(work: () => void): void },
  { metadata, claims, key, userInfo, refusal }: IssuerAs = {},
  { answer = {}, ...options }: Partial<OpenIdOptions> & { answer?: Record<string, string> } = {},
) {
  const seen: { path: string; authorization?: string; body: string }[] = [];
  let nonce = '';
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const path = request.url as string;
    seen.push({ path, authorization: request.headers.authorization, body });
    const { method } = request;
    const reply = (value: object, status = 200) =>
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(value));
    if (path === '/.well-known/openid-configuration')
      return reply({
        ...{ issuer, authorization_endpoint: `${issuer}/auth`, token_endpoint: `${issuer}/token` },
        ...{ jwks_uri: `${issuer}/keys`, id_token_signing_alg_values_supported: ['ES256'] },
        ...(userInfo && { userinfo_endpoint: `${issuer}/me` }),
        ...metadata,
      });
    if (path === '/keys') return reply({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] });
    if (path === '/me') return reply(userInfo as object);
    if (path !== '/token' || method !== 'POST') return reply({}, 404);
    if (refusal) return reply(refusal, 400);
    const now = Math.floor(Date.now() / 1000);
    const id = { iss: issuer, aud: 'whalewatch', sub: 'ann', nonce, iat: now, exp: now + 60, ...claims };
    reply({ access_token: 'access', token_type: 'Bearer', id_token: idToken(id, key) });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = openOpenId({ issuer, clientId: 'whalewatch', scopes: ['openid', 'groups'], rules, ...options });
  const { url, pending } = await opened.start('https://whales.example/back');
  nonce = pending.nonce;
  const back = new URL('https://whales.example/back');
  for (const [name, value] of Object.entries({ code: 'one', state: pending.state, ...answer }))
    if (value) back.searchParams.set(name, value);
  const finish = (change: Partial<typeof pending> = {}) => opened.finish(back, { ...pending, ...change });
  return { url, pending, seen, finish, issuer };
}

test('a browser is sent to the issuer with a challenge, and what came back is exchanged with its verifier', async (t) => {
  const { url, pending, seen, finish, issuer } = await signIn(t);
  assert.equal(url.href.split('?')[0], `${issuer}/auth`);
  const { code_challenge, ...sent } = Object.fromEntries(url.searchParams);
  assert.ok(code_challenge.length >= 43 && code_challenge !== pending.verifier);
  assert.deepEqual(sent, {
    ...{ client_id: 'whalewatch', redirect_uri: 'https://whales.example/back', response_type: 'code' },
    ...{ scope: 'openid groups', state: pending.state, nonce: pending.nonce, code_challenge_method: 'S256' },
  });
  assert.deepEqual(await finish(), { sub: ['ann'] });
  const exchanged = new URLSearchParams(seen.find(({ path }) => path === '/token')?.body);
  assert.equal(exchanged.get('code_verifier'), pending.verifier);
  assert.equal(exchanged.get('client_id'), 'whalewatch');
});

test('an issuer is asked for more about a person only where the ID token lacks their name', async (t) => {
  const byName = { rules: { userClaim: 'name', roles: { team: { groups: ['dev'] } } } };
  const userInfo = { sub: 'ann', name: 'Ann', groups: ['dev'] };
  for (const [issuer, claims, asked] of [
    [{}, {}, false],
    [{ claims: { name: 'An', groups: ['ops'] } }, { name: ['An'], groups: ['ops'] }, false],
    [{ claims: { name: 'An' }, userInfo }, { name: ['An'] }, false],
    [{ userInfo }, { name: ['Ann'], groups: ['dev'] }, true],
    [{ claims: { groups: ['ops'] }, userInfo }, { name: ['Ann'], groups: ['ops'] }, true],
  ] as [IssuerAs, object, boolean][]) {
    const { finish, seen } = await signIn(t, issuer, byName);
    assert.deepEqual(await finish(), claims);
    const calls = seen.filter(({ path }) => path === '/me');
    assert.deepEqual(
      calls.map(({ authorization }) => authorization),
      asked ? ['Bearer access'] : [],
    );
  }
});

test('a person is refused where anything that proves them is wrong', async (t) => {
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const past = Math.floor(Date.now() / 1000) - 3600;
  for (const issuer of [
    { key: stranger },
    ...[{ iss: 'https://evil.example' }, { aud: 'another' }, { nonce: 'another' }, { nonce: undefined }],
    ...[{ sub: undefined }, { iat: past, exp: past + 60 }],
  ].map((odd) => ('key' in odd ? odd : { claims: odd })) as IssuerAs[]) {
    const { finish } = await signIn(t, issuer);
    await assert.rejects(finish(), SignInRefused, JSON.stringify(issuer));
  }
  const other = { userInfo: { sub: 'bob', name: 'Bob' } };
  await assert.rejects((await signIn(t, other, { rules: { userClaim: 'name', roles: {} } })).finish(), SignInRefused);
  for (const change of [{ state: 'another' }, { nonce: 'another' }])
    await assert.rejects((await signIn(t)).finish(change), SignInRefused, JSON.stringify(change));
});

test("an issuer's refusal is shown in its own words", async (t) => {
  for (const [given, shown] of [
    [{ error: 'access_denied', error_description: 'Not in the group' }, 'access_denied (Not in the group)'],
    [{ error: 'access_denied' }, 'access_denied'],
  ] as const) {
    const answer = { code: '', ...given };
    await assert.rejects((await signIn(t, {}, { answer })).finish(), { name: 'SignInRefused', message: shown });
    await assert.rejects((await signIn(t, { refusal: given })).finish(), { name: 'SignInRefused', message: shown });
  }
});

test('the client secret is sent in the header, or in the body to an issuer that takes no header', async (t) => {
  const clientSecret = async () => 'a secret';
  const basic = `Basic ${Buffer.from('whalewatch:a+secret').toString('base64')}`;
  for (const [methods, authorization, inBody] of [
    [undefined, basic, null],
    [['client_secret_post', 'client_secret_basic'], basic, null],
    [['client_secret_post'], undefined, 'a secret'],
  ]) {
    const metadata = { token_endpoint_auth_methods_supported: methods };
    const { finish, seen } = await signIn(t, { metadata }, { clientSecret });
    await finish();
    const token = seen.find(({ path }) => path === '/token');
    assert.equal(token?.authorization, authorization);
    assert.equal(new URLSearchParams(token?.body).get('client_secret'), inBody);
  }
});

test('an issuer is discovered once, and again after a failure', async (t) => {
  let fails = true;
  let asked = 0;
  const server = createServer((_, response) => {
    asked++;
    const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    response.setHeader('Content-Type', 'application/json');
    response.end(fails ? '{}' : JSON.stringify({ issuer, authorization_endpoint: `${issuer}/auth` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = openOpenId({ issuer, clientId: 'whalewatch', scopes: ['openid'], rules });
  await assert.rejects(opened.reach(), IssuerDown);
  fails = false;
  for (let time = 0; time < 3; time++) await opened.reach();
  assert.equal(asked, 2);
});
