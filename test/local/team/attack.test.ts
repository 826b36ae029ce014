// A server with sign-in behind nginx as examples/proxy has it, attacked from outside: by headers, paths, and requests that two
// servers might read in two ways.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { digestOf } from '#http/bearer.ts';
import { openCredentials } from '#local/stores/credentials.ts';
import { startIssuer } from '../../support/issuer.ts';
import { certificate, freePort, nginxConfig, startProxy } from '../../support/proxy.ts';
import { dataFolder, startLocal } from '../../support/run.ts';

const root = join(import.meta.dirname, '../../..');
const name = 'whales.localhost';

interface Reply {
  status: number;
  head: string;
  body: string;
}

/** Sends bytes as they are; returns every response that came until the connection ended or rested. */
function sendRaw(to: { port: number; tls: boolean }, bytes: string, restMs = 20_000): Promise<Reply[]> {
  return new Promise((resolve) => {
    const options = { port: to.port, host: '127.0.0.1', servername: name, rejectUnauthorized: false };
    const socket = to.tls ? connectTls(options) : connectPlain(options);
    let text = '';
    const end = () => {
      socket.destroy();
      const replies = text.split(/(?=HTTP\/1\.[01] \d{3} )/).filter((part) => part.startsWith('HTTP/'));
      resolve(
        replies.map((reply) => {
          const [head, ...body] = reply.split('\r\n\r\n');
          return { status: Number(head.slice(9, 12)), head, body: body.join('\r\n\r\n') };
        }),
      );
    };
    socket.setEncoding('latin1').setTimeout(restMs, end);
    socket.on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', end).on('error', end);
    socket.write(bytes, 'latin1');
  });
}

test('nothing that a stranger, or a user, sends through nginx or past it gives more than their role', {
  skip: spawnSync('nginx', ['-v'], { stdio: 'ignore' }).error ? 'nginx is not installed' : false,
  timeout: 180_000,
}, async (t) => {
  const folder = dataFolder(t);
  const [port, proxyPort] = [await freePort(), await freePort()];
  const publicUrl = `https://${name}:${proxyPort}`;
  const issuer = await startIssuer(`${publicUrl}/v1/session/callback`, {});
  t.after(() => issuer.stop());
  const config = join(folder, 'whalewatch.json');
  const signIn = { issuer: issuer.issuer, clientId: 'whalewatch' };
  writeFileSync(config, JSON.stringify({ publicUrl, signIn, roles: { owner: { groups: ['ops'] } } }));
  const data = join(folder, 'data');
  const running = await startLocal(data, ['--port', String(port), '--config', config, '--log', 'json']);
  t.after(() => running.kill());
  const credentials = openCredentials(join(data, 'credentials.db'), Date.now);
  const [user, owner] = ['a-secret-of-ann', 'a-secret-of-olga'];
  for (const [secret, groups] of [
    [user, []],
    [owner, ['ops']],
  ] as const)
    await credentials.put({
      ...{ kind: 'session', digest: digestOf(secret), name: 'x', user: 'ann', createdAt: Date.now() },
      claims: { preferred_username: ['ann'], groups: [...groups] },
    });
  const { crt, key } = certificate(folder, name);
  const example = readFileSync(join(root, 'examples/proxy/nginx.conf'), 'utf8')
    .replace('server_name whales.example.com', `server_name ${name}`)
    .replace('listen 443 ssl', `listen 127.0.0.1:${proxyPort} ssl`)
    .replace('127.0.0.1:8080', `127.0.0.1:${port}`)
    .replace(/ssl_certificate \S+;/, `ssl_certificate ${crt};`)
    .replace(/ssl_certificate_key \S+;/, `ssl_certificate_key ${key};`);
  await startProxy(t, 'nginx', ['-c', nginxConfig(folder, example), '-p', folder], proxyPort);

  const ways = { nginx: { port: proxyPort, tls: true }, past: { port, tls: false } };
  const host = `${name}:${proxyPort}`;
  const ask = async (way: keyof typeof ways, line: string, headers: Record<string, string> = {}, body = '') => {
    const all = { Host: host, Connection: 'close', ...(body && { 'Content-Length': String(body.length) }), ...headers };
    const text = Object.entries(all).map(([field, value]) => `${field}: ${value}\r\n`);
    return (await sendRaw(ways[way], `${line} HTTP/1.1\r\n${text.join('')}\r\n${body}`))[0];
  };
  const cookie = (secret: string) => ({ Cookie: `__Host-whalewatch=${secret}` });
  const mark = '"items"';
  const gave = (reply: Reply | undefined) => reply?.status === 200 && reply.body.includes(mark);

  await t.test('the owner reads what is attacked, and a session is needed for it', async () => {
    for (const way of ['nginx', 'past'] as const) {
      assert.ok(gave(await ask(way, 'GET /v1/users', cookie(owner))), way);
      assert.equal((await ask(way, 'GET /v1/users')).status, 401);
      assert.equal((await ask(way, 'GET /v1/users', cookie(user))).status, 403);
    }
  });

  await t.test('no header makes anybody somebody else', async () => {
    const claims = [
      ...['X-Forwarded-For', 'X-Real-IP', 'Forwarded', 'X-Client-IP', 'CF-Connecting-IP', 'True-Client-IP'].map(
        (field) => ({ [field]: field === 'Forwarded' ? 'for=127.0.0.1;host=127.0.0.1;proto=http' : '127.0.0.1' }),
      ),
      { 'X-Forwarded-User': 'olga', 'X-Forwarded-Groups': 'ops' },
      { X_Forwarded_User: 'olga', 'Remote-User': 'olga', 'X-Remote-User': 'olga', 'X-Auth-Request-User': 'olga' },
      { 'X-Forwarded-Host': '127.0.0.1', 'X-Forwarded-Proto': 'http' },
      { 'X-Original-URL': '/v1/health/live', 'X-Rewrite-URL': '/v1/health/live' },
      { Authorization: `Basic ${Buffer.from(`ann:${owner}`).toString('base64')}` },
      { Authorization: `Bearer ${owner}` },
      { Authorization: 'Bearer ' },
      { Cookie: `whalewatch=${owner}; __Secure-whalewatch=${owner}` },
      { Cookie: `__Host-whalewatch=${digestOf(owner)}` },
      { Cookie: `__Host-whalewatch="${owner.slice(0, -1)}"` },
    ];
    for (const way of ['nginx', 'past'] as const)
      for (const headers of claims) {
        const label = `${way} ${JSON.stringify(headers)}`;
        for (const path of ['/v1/users', '/v1/history?user=bob', '/v1/tokens', '/v1/health'])
          assert.ok([401, 403].includes((await ask(way, `GET ${path}`, { ...headers })).status), `${label} ${path}`);
        if (!('Cookie' in headers) && !('Authorization' in headers))
          assert.equal((await ask(way, 'GET /v1/users', { ...headers, ...cookie(user) })).status, 403, label);
      }
    for (const way of ['nginx', 'past'] as const)
      for (const override of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
        const status = (await ask(way, 'POST /v1/hits?_method=DELETE', { [override]: 'DELETE' }, '{}')).status;
        assert.equal(status, 400, override);
      }
  });

  await t.test('a name that is not ours is refused, and is in no reply', async () => {
    for (const Host of ['evil.example', `${name}.evil.example`, 'evil.example:443', '', 'a b', `${name}@evil.example`])
      for (const way of ['nginx', 'past'] as const)
        for (const path of ['/', '/people', '/v1/users', '/v1/history?user=ann', '/points.json']) {
          const reply = await ask(way, `GET ${path}`, { Host });
          assert.ok([400, 421].includes(reply.status), `${way} ${Host} ${path}: ${reply.status}`);
          assert.doesNotMatch(reply.head, /location: .*evil/i);
        }
    // What anybody may call is reached by any name, and speaks of ours alone.
    for (const path of ['/v1/session/login?to=people', '/v1/openapi.json', '/v1/me', '/hit.js']) {
      const { head, body } = await ask('nginx', `GET ${path}`, { Host: 'evil.example' });
      assert.doesNotMatch(head + body, /evil/, path);
    }
    const login = await ask('nginx', 'GET /v1/session/login?to=https://evil.example/', {
      ...{ 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' },
    });
    const [, location] = /location: (\S+)/i.exec(login.head) ?? [];
    assert.equal(login.status, 302);
    assert.equal(new URL(location).searchParams.get('redirect_uri'), `${publicUrl}/v1/session/callback`);
    assert.match(
      login.head,
      /set-cookie: __Host-whalewatch-login=\S+; Max-Age=900; Path=\/; HttpOnly; Secure; SameSite=Lax/i,
    );
  });

  await t.test('no spelling of a path leads around the roles, or out of the folder', async () => {
    const users = ['//v1/users', '/v1//users', '/v1/users/', '/v1/users//', '/V1/users', '/v1/USERS', '/./v1/users'];
    const escapes = ['/v1/%75sers', '/%76%31/users', '/v1%2fusers', '/v1/users%2f', '/v1/users%00', '/v1/users%0a'];
    const walks = ['/hit.js/../v1/users', '/v1/hits/../users', '/v1/hits/..;/users', '/v1/hits/%2e%2e/users'];
    const more = [
      '/v1/users;.js',
      '/v1/users;a=b',
      '/v1/users.json',
      '/v1/users#x',
      '/v1/hits/..%2fusers',
      '/v1/users\\',
    ];
    const queries = [
      '/v1/history?user=ann&user=bob',
      '/v1/history?user=bob&user=ann',
      '/v1/history?user%00=ann',
      '/v1/history?user[]=bob',
    ];
    for (const way of ['nginx', 'past'] as const)
      for (const path of [...users, ...escapes, ...walks, ...more, ...queries])
        for (const headers of [{}, cookie(user)] as Record<string, string>[]) {
          const reply = await ask(way, `GET ${path}`, headers);
          assert.ok(!gave(reply), `${way} ${path}: ${reply?.status}`);
        }
    const secrets = ['token', 'credentials.db', 'whalewatch.json', 'etc/passwd', 'package.json'];
    const ups = [
      '/../',
      '/%2e%2e/',
      '/..%2f',
      '/%2e%2e%2f',
      '/..%5c',
      '/....//',
      '/assets/../../',
      '/%252e%252e/',
      '//',
    ];
    for (const way of ['nginx', 'past'] as const)
      for (const up of ups)
        for (const secret of secrets) {
          const reply = await ask(way, `GET ${up.repeat(6)}${secret}`);
          assert.ok([400, 404, 421].includes(reply?.status ?? 400), `${way} ${up}${secret}: ${reply?.status}`);
        }
    // Nothing is a redirect to somewhere else.
    for (const way of ['nginx', 'past'] as const)
      for (const path of [
        '//evil.example',
        '//evil.example/',
        '//evil.example/%2e%2e',
        '/\\evil.example',
        '/people//evil',
      ])
        assert.doesNotMatch((await ask(way, `GET ${path}`)).head, /\nlocation:/i, path);
  });

  await t.test('a page of another site changes nothing with a cookie, whatever browser sends it', async () => {
    const routes = [
      'POST /v1/tokens?name=x&role=owner',
      'POST /v1/registries/tokens?registry=default',
      'DELETE /v1/users?user=ann',
    ];
    const others = ['POST /v1/model/rollback', 'DELETE /v1/sessions?user=x', 'POST /v1/session/logout'];
    for (const way of ['nginx', 'past'] as const)
      for (const route of [...routes, ...others])
        for (const from of [
          { 'Sec-Fetch-Site': 'cross-site' },
          { 'Sec-Fetch-Site': 'same-site', Origin: publicUrl },
          { Origin: 'https://evil.example' },
          { Origin: `https://evil.${name}:${proxyPort}` },
          { Origin: 'null' },
        ] as Record<string, string>[]) {
          const reply = await ask(way, route, { ...cookie(owner), ...from, 'Content-Length': '0' });
          assert.equal(reply.status, 403, `${way} ${route} ${JSON.stringify(from)}`);
        }
    assert.ok(gave(await ask('nginx', 'GET /v1/sessions', cookie(owner))), 'the session still stands');
    assert.equal((await credentials.list('token')).length, 0);
  });

  await t.test(
    'of a request that can be read in two ways neither is answered with what the second asks for',
    async () => {
      const inner = `GET /v1/health/live HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
      const head = `POST /v1/hits HTTP/1.1\r\nHost: ${host}\r\n`;
      const chunked = `0\r\n\r\n${inner}`;
      const shapes: string[] = [
        `${head}Content-Length: ${chunked.length}\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding: xchunked\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding : chunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding: identity, chunked, identity\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding:\x0bchunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n${chunked}`,
        `${head}X: y\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
        `${head}Content-Length: 0\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
        `${head}Content-Length: +0\r\n\r\n${inner}`,
        `${head}Content-Length: 0x0\r\n\r\n${inner}`,
        `${head}Content-Length: -1\r\n\r\n${inner}`,
        `${head}Content-Length: 0, ${inner.length}\r\n\r\n${inner}`,
      ];
      for (const way of ['nginx', 'past'] as const)
        for (const shape of shapes) {
          const replies = await sendRaw(ways[way], shape, 500);
          const label = `${way} ${JSON.stringify(shape.slice(head.length, head.length + 70))}`;
          assert.ok(replies.length <= 1, `${label}: ${replies.map(({ status }) => status)}`);
          assert.ok(
            replies.every(({ status }) => [400, 501].includes(status)),
            `${label}: ${replies[0]?.status}`,
          );
        }
    },
  );

  await t.test('the log holds no secret, no query and nothing that a stranger wrote', async () => {
    await ask('past', `GET /v1/history?user=somebody-secret&token=${owner}`, cookie(owner));
    await ask('past', 'GET /v1/session/callback?code=a-secret-code&state=a-secret-state');
    await ask('past', 'GET /a-secret-path\u001b[31m', { 'X-Request-Id': 'a-secret\u001b[31m' });
    for (const word of ['secret', owner, digestOf(owner), '\u001b', 'evil'])
      assert.ok(!running.output().includes(word), word);
  });
});
