// A server for a team: real proxies with TLS and a base path, a real issuer, a real browser.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { clientSecret, startIssuer } from '../../support/issuer.ts';
import { certificate, freePort, nginxConfig, startProxy } from '../../support/proxy.ts';
import { dataFolder, eventually, runScript, runServer, startLocal } from '../../support/run.ts';
import { openBrowser } from '../../web/browser.ts';

const root = join(import.meta.dirname, '../../..');

const missing = (command: string) =>
  spawnSync(command, ['-v'], { stdio: 'ignore' }).error ? `${command} is not installed` : false;

/** A GET over TLS to a host name that does not resolve, without checking the certificate. */
function getOver(port: number, path: string, host: string, headers: Record<string, string> = {}, method = 'GET') {
  return new Promise<{ status: number; body: string; headers: Record<string, unknown> }>((resolve, reject) => {
    const asked = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        servername: host,
        headers: { Host: host, ...headers },
        rejectUnauthorized: false,
      },
      (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body, headers: response.headers }));
      },
    );
    asked.on('error', reject).end();
  });
}

/** Browsers resolve names under localhost to this machine. */
const name = 'whales.localhost';

const people = [
  '/v1/users',
  '/v1/history?user=ann',
  '/v1/repositories',
  '/v1/recommendations?user=ann',
  '/v1/health',
  '/v1/quarantine',
  '/v1/tokens',
];
const domains = [
  '/points.json',
  '/v1/points/latest',
  '/v1/hits?by=domain',
  '/v1/clusters?bbox=-180,-85,180,85&zoom=1',
  '/v1/tiles/latest/0/0/0.json',
];

/** A server without settings. */
const server = startLocal(dataFolder({ after }));
after(async () => (await server).kill());

test('behind a default proxy_pass, without settings, nothing can be read or changed', {
  skip: missing('nginx'),
}, async (t) => {
  const folder = dataFolder(t);
  const running = await server;
  assert.equal((await fetch(`${running.origin}/v1/users`)).status, 200);
  const port = await freePort();
  const file = nginxConfig(folder, `server { listen 127.0.0.1:${port}; location / { proxy_pass ${running.origin}; } }`);
  await startProxy(t, 'nginx', ['-c', file, '-p', folder], port);
  for (const path of [...people, ...domains, '/', '/people']) {
    const reply = await fetch(`http://127.0.0.1:${port}${path}`);
    assert.equal(reply.status, 421, path);
    assert.match(await reply.text(), /--public-url/);
  }
  for (const [method, path] of [
    ['DELETE', '/v1/users?user=ann'],
    ['POST', '/v1/model/rollback'],
    ['POST', '/v1/tokens?name=x&role=owner'],
  ])
    assert.equal((await fetch(`http://127.0.0.1:${port}${path}`, { method })).status, 421, path);
  // Registry events and hits are still accepted.
  const hits = await fetch(`http://127.0.0.1:${port}/v1/hits`, { method: 'POST', body: '{"domain":"a.example"}' });
  assert.equal(hits.status, 202);
});

test("a page of another site can't read anything from a server on loopback", async () => {
  const running = await server;
  for (const path of [...people, ...domains]) {
    for (const site of ['cross-site', 'same-site']) {
      const reply = await fetch(running.origin + path, {
        headers: { 'Sec-Fetch-Site': site, Origin: 'https://evil.example' },
      });
      assert.ok([401, 403].includes(reply.status), `${path} ${site}: ${reply.status}`);
      assert.equal(reply.headers.get('access-control-allow-origin'), null, path);
    }
    for (const header of [
      'X-Forwarded-For',
      'Forwarded',
      'Via',
      'X-Real-IP',
      'Fastly-Client-IP',
      'X-Envoy-Internal',
      'CDN-Loop',
    ])
      assert.equal(
        (await fetch(running.origin + path, { headers: { [header]: '127.0.0.1' } })).status,
        421,
        `${path} ${header}`,
      );
  }
});

test("a server without sign-in can't be reached by others unless the owner allows it", async (t) => {
  const folder = dataFolder(t);
  const start = (...args: string[]) => runServer(['--port', '0', '--data', folder, ...args]);
  for (const args of [
    ['--listen', '0.0.0.0'],
    ['--listen', '::'],
    ['--public-url', 'https://whales.example.com'],
  ]) {
    const { code, output } = await start(...args);
    assert.equal(code, 1);
    assert.match(output, /needs signIn.*--everyone public/);
  }
  const { output } = await start('--sign-in', '{"issuer":"https://id.example","clientId":"w"}');
  assert.match(output, /publicUrl is missing/);
});

test('npm run token makes a token for a role, which works at once on a running server', async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder, ['--everyone', 'public', '--public-url', 'http://127.0.0.1']);
  t.after(() => running.kill());
  const make = (...args: string[]) => runScript('local/commands/token.ts', ['--data', folder, ...args]);
  const { code, output } = await make('--name', 'ci', '--role', 'team');
  assert.equal(code, 0);
  assert.match(running.output(), /the token has 10 characters and can be guessed/);
  const headers = { Authorization: `Bearer ${output.trim()}` };
  assert.equal((await fetch(`${running.origin}/v1/users`, { headers })).status, 200);
  assert.equal((await fetch(`${running.origin}/v1/health`, { headers })).status, 403);
  assert.equal((await fetch(`${running.origin}/v1/users`)).status, 401);
  for (const [args, message] of [
    [['--role', 'team'], /--name is missing/],
    [['--name', 'x', '--role', 'public'], /--role is "public": must be user, team or owner/],
    [['--name', 'x', '--role', 'owner', '--user', 'ann'], /--user is "ann"/],
  ] as const) {
    const wrong = await make(...args);
    assert.equal(wrong.code, 1);
    assert.match(wrong.output, message);
  }
});

describe('signed in', () => {
  let cleanUp: (() => unknown)[] = [];
  after(async () => {
    for (const work of cleanUp.reverse()) await work();
    cleanUp = [];
  });

  test('a team signs in behind nginx with TLS under a base path, in a browser', {
    skip: missing('nginx'),
    timeout: 180_000,
  }, async (t) => {
    const browser = await openBrowser();
    if (typeof browser === 'string') return t.skip(browser);
    t.after(() => browser.close());
    const folder = dataFolder(t);
    const [port, proxyPort] = [await freePort(), await freePort()];
    const publicUrl = `https://${name}:${proxyPort}/map`;
    const issuer = await startIssuer(`${publicUrl}/v1/session/callback`, { tom: ['dev'], olga: ['ops'] });
    t.after(() => issuer.stop());
    const config = join(folder, 'whalewatch.json');
    const signIn = { issuer: issuer.issuer, clientId: 'whalewatch' };
    const roles = { team: { groups: ['dev'] }, owner: { groups: ['ops'] } };
    writeFileSync(config, JSON.stringify({ publicUrl, signIn, roles }));
    const data = join(folder, 'data');
    const start = () =>
      startLocal(data, ['--port', String(port), '--config', config], { WHALEWATCH_CLIENT_SECRET: clientSecret });
    let running = await start();
    t.after(() => running.kill());

    const { crt, key } = certificate(folder, name);
    const example = readFileSync(join(root, 'examples/proxy/nginx.conf'), 'utf8')
      .replace('server_name whales.example.com', `server_name ${name}`)
      .replace('listen 443 ssl', `listen 127.0.0.1:${proxyPort} ssl`)
      .replace('location / {', 'location /map/ {')
      .replace('127.0.0.1:8080', `127.0.0.1:${port}`)
      .replace(/ssl_certificate \S+;/, `ssl_certificate ${crt};`)
      .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${key};`);
    await startProxy(t, 'nginx', ['-c', nginxConfig(folder, example), '-p', folder], proxyPort);

    // A visitor who is not signed in gets the map without names and nothing else, also directly at the port, past the
    // proxy.
    const ask = (path: string, headers = {}) => getOver(proxyPort, `/map${path}`, name, headers);
    for (const path of people) {
      assert.equal((await ask(path)).status, 401, path);
      assert.equal((await fetch(running.origin + path)).status, 401, path);
      assert.equal((await ask(path, { 'X-Forwarded-User': 'olga', 'X-Forwarded-Groups': 'ops' })).status, 401, path);
    }
    assert.equal((await ask('/v1/hits?by=domain')).status, 403);
    assert.equal((await ask('/people')).status, 200);

    const context = await browser.newContext({ ignoreHTTPSErrors: true });
    const signInAs = async (user: string, page: string) => {
      const tab = await context.newPage();
      await tab.goto(`${publicUrl}${page}`);
      await tab.getByRole('link', { name: 'Sign in' }).first().click();
      await tab.locator('input[name=login]').fill(user);
      await tab.locator('input[name=password]').fill('any');
      await tab.locator('button[type=submit]').click();
      await tab.locator('button[type=submit]').click();
      await tab.waitForURL(`${publicUrl}${page}`);
      return tab;
    };
    const statusOf = async (tab: Awaited<ReturnType<typeof signInAs>>, path: string, method = 'GET') =>
      tab.evaluate(async ([url, how]) => (await fetch(url, { method: how })).status, [`${publicUrl}${path}`, method]);
    const page = await signInAs('ann', '/people?user=ann');
    assert.deepEqual(
      await Promise.all(
        ['/v1/history?user=ann', '/v1/history?user=bob', '/v1/users', '/v1/health'].map((path) => statusOf(page, path)),
      ),
      [200, 403, 403, 403],
    );
    const [cookie] = (await context.cookies()).filter(({ name }) => name === '__Secure-whalewatch');
    assert.deepEqual([cookie.httpOnly, cookie.secure, cookie.sameSite, cookie.path], [true, true, 'Lax', '/map/']);

    // Sessions survive a restart; signing out ends the session, even for a copy of the cookie.
    await running.stop();
    running = await start();
    const held = { Cookie: `${cookie.name}=${cookie.value}` };
    assert.equal((await ask('/v1/history?user=ann', held)).status, 200);
    await page.reload();
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await eventually(
      20,
      async () => (await ask('/v1/history?user=ann', held)).status,
      (status) => status === 401,
    );
    await context.clearCookies();

    const owner = await signInAs('olga', '/health');
    assert.deepEqual(
      await Promise.all(['/v1/users', '/v1/health', '/v1/sessions'].map((path) => statusOf(owner, path))),
      [200, 200, 200],
    );
    const made = await owner.evaluate(
      async (url) => (await fetch(url, { method: 'POST' })).json(),
      `${publicUrl}/v1/tokens?name=ci&role=team`,
    );
    const bearer = { Authorization: `Bearer ${made.token}` };
    assert.equal((await ask('/v1/users', bearer)).status, 200);
    assert.equal((await ask('/v1/health', bearer)).status, 403);
    assert.equal(await statusOf(owner, `/v1/tokens?id=${made.id}`, 'DELETE'), 200);
    assert.equal((await ask('/v1/users', bearer)).status, 401);
    assert.equal(await statusOf(owner, '/v1/sessions?user=olga', 'DELETE'), 200);
    assert.equal(await statusOf(owner, '/v1/users'), 401);
  });

  test('a callback that was not started here, or comes from another browser, signs nobody in', async (t) => {
    const folder = dataFolder(t);
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    const issuer = await startIssuer(`${publicUrl}/v1/session/callback`, {});
    t.after(() => issuer.stop());
    const signIn = JSON.stringify({ issuer: issuer.issuer, clientId: 'whalewatch' });
    const running = await startLocal(folder, ['--port', String(port), '--public-url', publicUrl, '--sign-in', signIn], {
      WHALEWATCH_CLIENT_SECRET: clientSecret,
    });
    t.after(() => running.kill());
    const begun = await fetch(`${publicUrl}/v1/session/login?to=//evil.example`, { redirect: 'manual' });
    assert.equal(begun.status, 302);
    const asked = new URL(begun.headers.get('location') ?? '');
    assert.deepEqual(
      [asked.searchParams.get('code_challenge_method'), asked.searchParams.get('response_type')],
      ['S256', 'code'],
    );
    const cookie = (begun.headers.get('set-cookie') ?? '').split(';')[0];
    const state = asked.searchParams.get('state');
    for (const [query, headers] of [
      ['code=x&state=y', {}],
      [`code=x&state=${state}`, {}],
      ['code=x&state=y', { Cookie: cookie }],
      [`code=x&state=${state}`, { Cookie: cookie }],
      [`error=access_denied&state=${state}`, { Cookie: cookie }],
    ] as const) {
      const reply = await fetch(`${publicUrl}/v1/session/callback?${query}&iss=${issuer.issuer}`, {
        headers,
        redirect: 'manual',
      });
      assert.equal(reply.status, 400, query);
      assert.doesNotMatch(reply.headers.get('set-cookie') ?? '', /whalewatch=[^;]/);
    }
    // With sign-in configured, a request from this machine has no rights of its own.
    assert.equal((await fetch(`${publicUrl}/v1/users`)).status, 401);
  });

  test('a proxy that signs people in is trusted only at its own address; Caddy with TLS', {
    skip: missing('caddy'),
  }, async (t) => {
    const folder = dataFolder(t);
    const [port, proxyPort] = [await freePort(), await freePort()];
    const publicUrl = `https://${name}:${proxyPort}`;
    const start = (proxies: string[]) =>
      startLocal(join(folder, proxies[0].replace(/\W/g, '')), [
        '--port',
        String(port),
        '--public-url',
        publicUrl,
        '--sign-in',
        JSON.stringify({ proxies, userHeader: 'X-Forwarded-User', groupsHeader: 'X-Forwarded-Groups' }),
        '--roles',
        '{"owner":{"groups":["ops"]}}',
      ]);
    let running = await start(['loopback']);
    t.after(() => running.kill());
    const { crt, key } = certificate(folder, name);
    const example = readFileSync(join(root, 'examples/proxy/Caddyfile'), 'utf8')
      .replace(
        'whales.example.com {',
        `{\n\tadmin off\n\tauto_https disable_redirects\n\tstorage file_system ${folder}\n}\nhttps://${name}:${proxyPort} {\n\ttls ${crt} ${key}`,
      )
      .replace('127.0.0.1:8080', `127.0.0.1:${port}`);
    writeFileSync(join(folder, 'Caddyfile'), example);
    await startProxy(t, 'caddy', ['run', '--config', join(folder, 'Caddyfile'), '--adapter', 'caddyfile'], proxyPort);
    // Directly from the proxy's address, with the proxy's headers.
    const as = (user: string, groups = '') =>
      fetch(`${running.origin}/v1/history?user=ann`, {
        headers: { 'X-Forwarded-User': user, 'X-Forwarded-Groups': groups },
      });
    assert.deepEqual(
      [
        (await as('ann')).status,
        (await as('bob')).status,
        (await as('bob', 'dev, ops')).status,
        (await as('bob, ann')).status,
      ],
      [200, 403, 200, 401],
    );
    // Through the example's proxy, headers that a stranger sends are ignored.
    const forged = await getOver(proxyPort, '/v1/users', name, {
      'X-Forwarded-User': 'bob',
      'X-Forwarded-Groups': 'ops',
    });
    assert.equal(forged.status, 401);
    assert.equal((await getOver(proxyPort, '/v1/me', name)).status, 200);
    await running.stop();
    running = await start(['192.0.2.7']);
    assert.equal((await as('bob', 'ops')).status, 401);
  });
});
