// Signing in and out, without the issuer: which cookies are set and accepted, and where the browser is redirected.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { digestOf } from '#http/bearer.ts';
import { answerErrors } from '#http/errors.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { cookieName, IssuerDown, type OpenId, ownPage, SignInRefused, sessionRoutes } from '#serve/session.ts';

const publicUrl = 'https://whales.example/base';
const start = Date.parse('2026-11-28T12:00:00Z');
const pending = { state: 's', nonce: 'n', verifier: 'v' };

function world(more: { openId?: Partial<OpenId> | null; publicUrl?: string } = {}) {
  const now = { at: start };
  const reported: unknown[] = [];
  const finished: string[] = [];
  const credentials = openCredentials(':memory:', () => now.at);
  const openId: OpenId = {
    async reach() {},
    start: async (redirectUri) => ({ url: new URL(`https://issuer.example/?to=${redirectUri}`), pending }),
    async finish(url, kept) {
      finished.push(`${url} ${JSON.stringify(kept)}`);
      return { sub: ['ann'], groups: ['dev'] };
    },
    ...more.openId,
  };
  const app = new Hono();
  answerErrors(app, (cause) => reported.push(cause));
  app.route(
    '/',
    sessionRoutes({
      ...{ publicUrl, sessionHours: 8, credentials, clock: () => now.at, report: (cause) => reported.push(cause) },
      rules: { userClaim: 'sub', roles: { user: { groups: ['dev'] } } },
      ...more,
      openId: more.openId === null ? undefined : openId,
    }),
  );
  const call = (path: string, cookies: Record<string, string> = {}, method = 'GET') =>
    app.request(path, {
      method,
      headers: {
        Cookie: Object.entries(cookies)
          .map(([name, value]) => `${name}=${value}`)
          .join('; '),
      },
    });
  return { call, credentials, finished, reported, now };
}

const [session, login] = ['__Secure-whalewatch', '__Secure-whalewatch-login'];
const cookiesOf = (answer: Response) => answer.headers.getSetCookie();
const kept = (more: object = {}) => Buffer.from(JSON.stringify({ ...pending, ...more })).toString('base64url');

test('signing in redirects the browser to the issuer, and keeps what it must bring back in a cookie for 15 minutes', async () => {
  const { call } = world();
  const answer = await call('/v1/session/login?to=people');
  assert.equal(answer.status, 302);
  assert.equal(answer.headers.get('location'), `https://issuer.example/?to=${publicUrl}/v1/session/callback`);
  const [cookie, ...others] = cookiesOf(answer);
  assert.equal(others.length, 0);
  assert.match(cookie, new RegExp(`^${login}=[^;]+; Max-Age=900; Path=/base/; HttpOnly; Secure; SameSite=Lax$`));
  const value = cookie.slice(login.length + 1).split(';')[0];
  assert.deepEqual(JSON.parse(Buffer.from(value, 'base64url').toString()), { ...pending, to: 'people' });
});

test('a browser that comes back is signed in: the secret is in a cookie, its digest in the store', async () => {
  const { call, credentials, finished } = world();
  const answer = await call('/v1/session/callback?code=1&state=s', { [login]: kept({ to: 'people?x=1#y' }) });
  assert.deepEqual([answer.status, answer.headers.get('location')], [303, `${publicUrl}/people?x=1#y`]);
  assert.deepEqual(finished, [`${publicUrl}/v1/session/callback?code=1&state=s ${JSON.stringify(pending)}`]);
  const [removed, set] = cookiesOf(answer);
  assert.match(removed, new RegExp(`^${login}=; Max-Age=0; Path=/base/;`));
  assert.match(set, new RegExp(`^${session}=[\\w-]{43}; Max-Age=28800; Path=/base/; HttpOnly; Secure; SameSite=Lax$`));
  const secret = set.slice(session.length + 1).split(';')[0];
  const found = await credentials.find('session', digestOf(secret));
  assert.deepEqual(
    [found?.name, found?.user, found?.createdAt, found?.expiresAt],
    ['ann', 'ann', start, start + 8 * 3_600_000],
  );

  assert.equal((await call('/v1/session/logout', { [session]: secret }, 'POST')).status, 204);
  assert.equal(await credentials.find('session', digestOf(secret)), undefined);
});

test('signing in again ends the earlier session; signing out without one is not an error', async () => {
  const { call, credentials } = world();
  const first = await call('/v1/session/callback', { [login]: kept() });
  const secret = cookiesOf(first)[1]
    .slice(session.length + 1)
    .split(';')[0];
  await call('/v1/session/callback', { [login]: kept(), [session]: secret });
  assert.equal(await credentials.find('session', digestOf(secret)), undefined);
  assert.equal((await credentials.list('session')).length, 1);
  assert.equal((await call('/v1/session/logout', {}, 'POST')).status, 204);
  assert.equal((await credentials.list('session')).length, 1);
});

test('a session is named by the user, else by the claim, else unnamed', async () => {
  const names: [string[] | undefined, string, string | undefined][] = [
    [['ann'], 'ann', 'ann'],
    [['ann', 'bob'], 'ann', undefined],
    [undefined, 'unnamed', undefined],
  ];
  for (const [sub, name, user] of names) {
    const claims: Record<string, string[]> = { groups: ['dev'], ...(sub && { sub }) };
    const { call, credentials } = world({ openId: { finish: async () => claims } });
    await call('/v1/session/callback', { [login]: kept() });
    const [found] = await credentials.list('session');
    assert.deepEqual([found.name, found.user], [name, user]);
  }
});

test('a callback without a start, or an incomplete one, signs nobody in', async () => {
  const { call, credentials, finished } = world();
  const wrong = [
    undefined,
    '',
    'x',
    '%',
    Buffer.from('null').toString('base64url'),
    Buffer.from('[]').toString('base64url'),
  ];
  for (const name of ['state', 'nonce', 'verifier'])
    wrong.push(kept({ [name]: '' }), kept({ [name]: 1 }), kept({ [name]: undefined }));
  for (const value of wrong) {
    const answer = await call('/v1/session/callback', value === undefined ? {} : { [login]: value });
    assert.equal(answer.status, 400, String(value));
    assert.match(await answer.text(), /15 minutes/);
    assert.equal(answer.headers.get('content-security-policy'), "default-src 'none'; frame-ancestors 'none'");
  }
  assert.deepEqual([finished, await credentials.list('session')], [[], []]);
});

test('a return address that is not text is ignored', async () => {
  const { call, finished } = world();
  const answer = await call('/v1/session/callback', { [login]: kept({ to: 7 }) });
  assert.deepEqual([answer.headers.get('location'), finished.length], [`${publicUrl}/`, 1]);
});

test('an unavailable issuer, a refusal, a user without a role, and an internal error each have their message', async () => {
  const failing = (cause: Error) =>
    world({ openId: { start: () => Promise.reject(cause), finish: () => Promise.reject(cause) } });
  const down = failing(new IssuerDown('issuer.example: refused'));
  for (const path of ['login', 'callback']) {
    const answer = await down.call(`/v1/session/${path}`, { [login]: kept() });
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /sign-in service is down/);
  }
  assert.deepEqual(down.reported, ['issuer.example: refused', 'issuer.example: refused']);

  const refused = await failing(new SignInRefused('<b>no</b>')).call('/v1/session/callback', { [login]: kept() });
  assert.equal(refused.status, 400);
  assert.match(await refused.text(), /&#60;b&#62;no/);

  const { call, credentials } = world({ openId: { finish: async () => ({ sub: ['ann'], groups: ['other'] }) } });
  const stranger = await call('/v1/session/callback', { [login]: kept() });
  assert.equal(stranger.status, 403);
  assert.match(await stranger.text(), /without a role|have no role here/);
  assert.deepEqual(await credentials.list('session'), []);

  const broken = failing(new TypeError('ours'));
  assert.equal((await broken.call('/v1/session/callback', { [login]: kept() })).status, 500);
  assert.equal(broken.reported.length, 1);
});

test('without sign-in configured, both routes are 404', async () => {
  const { call } = world({ openId: null });
  for (const path of ['login', 'callback']) assert.equal((await call(`/v1/session/${path}`)).status, 404);
});

test('cookies have the prefix that their address allows', () => {
  assert.equal(cookieName('https://whales.example', 'whalewatch'), '__Host-whalewatch');
  assert.equal(cookieName('https://whales.example/base', 'whalewatch'), '__Secure-whalewatch');
  assert.equal(cookieName('http://127.0.0.1:8080', 'whalewatch-login'), 'whalewatch-login');
});

test('the page to return to must be on this server', () => {
  const base = new URL(`${publicUrl}/`);
  const home = base.href;
  const pages: [string | undefined, string][] = [
    [undefined, home],
    ['', home],
    ['people?user=a#b', `${publicUrl}/people?user=a#b`],
    ['/base/people', `${publicUrl}/people`],
    ['/elsewhere', home],
    ['../people', home],
    ['//evil.example/base/', home],
    ['https://evil.example/base/people', home],
    ['http://whales.example/base/people', home],
    ['javascript:alert(1)', home],
    ['http://', home],
  ];
  for (const [to, page] of pages) assert.equal(ownPage(to, base), page, String(to));
});

test('the path to return to has at most 2,048 characters', async () => {
  const { call } = world();
  assert.equal((await call(`/v1/session/login?to=${'x'.repeat(2048)}`)).status, 302);
  assert.equal((await call(`/v1/session/login?to=${'x'.repeat(2049)}`)).status, 400);
});
