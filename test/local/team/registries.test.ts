// What a team runs: nginx, sign-in, and two real registries, each with its own token. The tokens are changed under
// traffic, and a backup is taken: nothing is refused, lost or counted twice.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isManifestPull } from '#core/registry/pull.ts';
import { eventsOf } from '../../support/captured.ts';
import { clientSecret, startIssuer } from '../../support/issuer.ts';
import { freePort, notInstalled, password, startRegistry, writeImage } from '../../support/registry.ts';
import { dataFolder, eventually, runScript, startLocal } from '../../support/run.ts';

const run = promisify(execFile);
const missing = notInstalled('docker-registry', 'skopeo').concat(existsSync('/usr/sbin/nginx') ? [] : ['nginx']);
const people = ['ann', 'bob'];

test('two registries behind nginx: tokens are changed and a backup is taken under traffic, and everything counts once', {
  timeout: 400_000,
  skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
}, async (t) => {
  const folder = dataFolder(t);
  const [port, proxyPort] = [await freePort(), await freePort()];
  const publicUrl = `http://127.0.0.1:${proxyPort}/map`;
  const issuer = await startIssuer(`${publicUrl}/v1/session/callback`, { olga: ['ops'] });
  t.after(() => issuer.stop());
  const settings = {
    ...{ publicUrl, signIn: { issuer: issuer.issuer, clientId: 'whalewatch' } },
    // Each command counts as a pull, however soon it follows the one before.
    ...{ roles: { owner: { groups: ['ops'] } }, registries: [{ name: 'east' }, { name: 'west' }], pullWindow: 0 },
  };
  const config = join(folder, 'whalewatch.json');
  writeFileSync(config, JSON.stringify(settings));
  const start = (data: string, at: number) =>
    startLocal(data, ['--port', String(at), '--config', config], { WHALEWATCH_CLIENT_SECRET: clientSecret });
  const data = join(folder, 'data');
  const running = await start(data, port);
  t.after(() => running.kill());
  await startNginx(t, folder, proxyPort, port);
  const script = async (name: string, ...args: string[]) => {
    const { code, output } = await runScript(`local/commands/${name}.ts`, [...args, '--data', data]);
    assert.equal(code, 0, output);
    return output.trim();
  };
  const owner = { Authorization: `Bearer ${await script('token', '--name', 'test', '--role', 'owner')}` };
  const ask = async <T>(path: string, origin = publicUrl) => {
    const reply = await fetch(origin + path, { headers: owner });
    assert.equal(reply.status, 200, path);
    return (await reply.json()) as T;
  };
  assert.equal((await fetch(`${publicUrl}/v1/users`)).status, 401, 'a stranger');

  // Two real registries; each posts through a relay that adds its current token, as its configuration would.
  const names = ['east', 'west'] as const;
  const tokens = { east: '', west: '' };
  const statuses: number[] = [];
  const image = join(folder, 'image');
  writeImage(image, ['amd64']);
  const registries = await Promise.all(
    names.map(async (name) => {
      tokens[name] = await script('token', 'add', '--registry', name);
      const relay = createServer(async (request, response) => {
        const headers = { Authorization: `Bearer ${tokens[name]}`, 'Content-Type': 'application/json' };
        const parts: Buffer[] = [];
        for await (const part of request) parts.push(part as Buffer);
        const body = Buffer.concat(parts);
        const { status } = await fetch(`${publicUrl}/v1/registry-events`, { method: 'POST', headers, body });
        statuses.push(status);
        response.writeHead(status).end();
      });
      await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
      t.after(() => relay.close());
      const { port: relayed } = relay.address() as { port: number };
      const webhook = `http://127.0.0.1:${relayed}/`;
      const registry = await startRegistry({ folder: join(folder, name), users: [...people, 'carol'], webhook });
      t.after(registry.stop);
      await copy('carol', `oci:${image}:made`, `docker://${registry.host}/team/app:1`);
      return registry;
    }),
  );

  // Pulls from both, one after another, until everything else is done.
  let stopped = false;
  const pulled = [0, 0];
  const pulling = registries.map(async ({ host }, at) => {
    while (!stopped) {
      const digest = join(folder, `pulled-${at}-${pulled[at]}`);
      await copy(people[at], `docker://${host}/team/app:1`, `dir:${digest}`);
      pulled[at]++;
    }
  });
  const goOn = async (more: number) => {
    const enough = pulled.map((count) => count + more);
    await eventually(
      60,
      async () => pulled,
      (counts) => counts.every((count, at) => count >= enough[at]),
    );
  };
  await goOn(2);
  // A new token is made; the registry's relay switches to it; once it was used the old one ends.
  for (const name of names) {
    const next = await script('token', 'rotate', '--registry', name);
    await goOn(1);
    tokens[name] = next;
    await goOn(2);
    const [older, newer] = (
      await ask<{ items: { id: string; usedAt?: string }[] }>(`/v1/registries/tokens?registry=${name}`)
    ).items;
    assert.ok(newer.usedAt, 'the use of the new token is noted');
    await script('token', 'revoke', '--registry', name, '--id', older.id);
    await goOn(1);
  }
  const accepted = registries.map(({ posted }) => eventsOf(posted).filter(isManifestPull).length);
  const backup = join(folder, 'backup');
  await script('backup', backup);
  await goOn(1);
  stopped = true;
  await Promise.all(pulling);

  // Everything that the registries reported is counted, separately for each.
  type Counted = { total: { pulls: number; raw: number } };
  const raw = (origin?: string) =>
    Promise.all(names.map(async (name) => (await ask<Counted>(`/v1/pulls?registry=${name}`, origin)).total.raw));
  const told = () => registries.map(({ posted }) => eventsOf(posted).filter(isManifestPull).length);
  const pulls = (origin?: string) =>
    Promise.all(
      names.map(async (name, at) => {
        const query = `repository=team/app&registry=${name}&user=${people[at]}`;
        return (await ask<Counted>(`/v1/pulls?${query}`, origin)).total.pulls;
      }),
    );
  const isAll = (counts: number[]) => counts.join() === pulled.join();
  await eventually(60, pulls, isAll);
  await eventually(60, raw, (counts) => counts.join() === told().join());
  assert.deepEqual(
    statuses.filter((status) => status !== 202),
    [],
    'refused',
  );
  const rows = await ask<{ repository: string; registry: string }[]>('/v1/repositories');
  assert.deepEqual(rows.map(({ repository, registry }) => `${registry} ${repository}`).sort(), [
    ...['east team/app', 'west team/app'],
  ]);
  const { refused } = await ask<{ refused: unknown[] }>('/v1/health');
  assert.deepEqual(refused, []);

  // The restored folder has what was accepted before the backup; after a redelivery of everything it has the same
  // counts.
  const restored = join(folder, 'restored');
  const back = await runScript('local/commands/restore.ts', [backup, '--data', restored]);
  assert.equal(back.code, 0, back.output);
  await running.stop();
  const copied = await start(restored, 0);
  t.after(() => copied.kill());
  const now = await eventually(
    30,
    () => raw(copied.origin),
    (counts) => counts.every((count, at) => count >= accepted[at]),
  );
  assert.ok(now.every((count, at) => count <= told()[at]));
  for (const [at, name] of names.entries())
    for (const { body } of registries[at].posted) {
      const headers = { Authorization: `Bearer ${tokens[name]}` };
      const reply = await fetch(`${copied.origin}/v1/registry-events`, { method: 'POST', headers, body });
      assert.equal(reply.status, 202);
    }
  await eventually(
    60,
    () => raw(copied.origin),
    (counts) => counts.join() === told().join(),
  );
  await eventually(60, () => pulls(copied.origin), isAll);
});

function copy(user: string, from: string, to: string) {
  const access = ['src', 'dest']
    .filter((_, at) => [from, to][at].startsWith('docker:'))
    .flatMap((side) => [`--${side}-tls-verify=false`, `--${side}-creds=${user}:${password}`]);
  return run('skopeo', ['copy', '--insecure-policy', '--override-arch=amd64', ...access, from, to]);
}

/** The example configuration without TLS, which team.test.ts covers. */
async function startNginx(t: { after(work: () => void): void }, folder: string, port: number, to: number) {
  const server = readFileSync(join(import.meta.dirname, '../../../examples/proxy/nginx.conf'), 'utf8')
    .replace('listen 443 ssl', `listen 127.0.0.1:${port}`)
    .replace('location / {', 'location /map/ {')
    .replace(/ssl_certificate(_key)? \S+;/g, '')
    .replace('127.0.0.1:8080', `127.0.0.1:${to}`);
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  writeFileSync(
    file,
    `daemon off; pid ${folder}/nginx.pid; error_log stderr; ${user} events {}\nhttp { access_log off; ${temporary.join(' ')}\n${server}\n}`,
  );
  const child = execFile('/usr/sbin/nginx', ['-c', file, '-p', folder]);
  t.after(() => child.kill());
  await eventually(
    20,
    () =>
      fetch(`http://127.0.0.1:${port}/map/v1/me`).then(
        ({ status }) => status,
        () => 0,
      ),
    (status) => status === 200,
  );
}
