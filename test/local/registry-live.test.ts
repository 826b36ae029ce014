// A real registry (Debian's docker-registry) and a real client (skopeo) against a running `npm start`.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { isManifestPull, isManifestPush } from '#core/registry/pull.ts';
import { eventsOf } from '../support/captured.ts';
import { dataFolder, eventually, startLocal, token } from '../support/run.ts';

const run = promisify(execFile);
const missing = ['docker-registry', 'skopeo'].filter(
  (name) => !(process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name))),
);
const password = 'whalewatch';
// htpasswd -nbB -C 5, the same password for everybody.
const bcrypt = '$2b$05$abcdefghijklmnopqrstuuB5XZmvRRgyIp6Kng5e/aYb97jjkeFO6';
const people = ['alice', 'bob', 'carol'];

interface World {
  registry: string;
  folder: string;
  /** Bodies that the registry also posted to the test. */
  posted: { body: string }[];
}

/** A registry on a free port that notifies `webhook` and the test itself. */
async function startRegistry(folder: string, webhook: string) {
  const posted: { body: string }[] = [];
  const recorder = await listening(
    createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        posted.push({ body });
        response.end();
      });
    }),
  );
  const port = await freePort();
  writeFileSync(join(folder, 'htpasswd'), people.map((name) => `${name}:${bcrypt}\n`).join(''));
  const endpoint = (name: string, url: string) => `
    - name: ${name}
      url: ${url}
      headers: { Authorization: ["Bearer ${token}"] }
      timeout: 5s
      threshold: 3
      backoff: 1s`;
  writeFileSync(
    join(folder, 'registry.yml'),
    `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage: { filesystem: { rootdirectory: ${join(folder, 'images')} } }
http: { addr: '127.0.0.1:${port}' }
auth: { htpasswd: { realm: test, path: ${join(folder, 'htpasswd')} } }
notifications:
  events: { includereferences: true }
  endpoints:${endpoint('whalewatch', webhook)}${endpoint('recorder', `http://127.0.0.1:${portOf(recorder)}/`)}
`,
  );
  const child = spawn('docker-registry', ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' });
  await eventually(
    10,
    () => fetch(`http://127.0.0.1:${port}/v2/`),
    ({ status }) => status === 401,
  );
  const world: World = { registry: `docker://127.0.0.1:${port}`, folder, posted };
  return { world, child, recorder };
}

// --- images -----------------------------------------------------------------------------------------------------------

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

/** Writes an OCI layout with one image, or with one for each platform under an index; answers its digest. */
function writeImage(folder: string, architectures: string[]): string {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const blob = (mediaType: string, content: Buffer | object) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(folder, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const images = architectures.map((architecture) => {
    // An empty tar archive, the comment making it one of its own.
    const tar = Buffer.alloc(1024);
    const config = {
      architecture,
      os: 'linux',
      config: { Labels: { folder } },
      rootfs: { type: 'layers', diff_ids: [`sha256:${createHash('sha256').update(tar).digest('hex')}`] },
    };
    const manifest = {
      schemaVersion: 2,
      mediaType: types.manifest,
      config: blob(types.config, config),
      layers: [blob(types.layer, gzipSync(tar))],
    };
    return { ...blob(types.manifest, manifest), platform: { architecture, os: 'linux' } };
  });
  const top =
    images.length === 1
      ? images[0]
      : blob(types.index, { schemaVersion: 2, mediaType: types.index, manifests: images });
  const named = { ...top, annotations: { 'org.opencontainers.image.ref.name': 'made' } };
  writeFileSync(join(folder, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [named] }));
  writeFileSync(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  return top.digest;
}

function skopeo(user: string, from: string, to: string, ...flags: string[]) {
  const access = [
    ['src', from],
    ['dest', to],
  ]
    .filter(([, place]) => place.startsWith('docker:'))
    .flatMap(([side]) => [`--${side}-tls-verify=false`, `--${side}-creds=${user}:${password}`]);
  return run('skopeo', ['copy', '--insecure-policy', '--override-arch=amd64', ...access, ...flags, from, to]);
}

// --- the test ---------------------------------------------------------------------------------------------------------

test('what a real registry and skopeo do comes out exactly, also across a kill -9', {
  timeout: 120_000,
  skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
}, async (t) => {
  const folder = dataFolder(t);
  const port = String(await freePort());
  const start = () => startLocal(join(folder, 'data'), ['--port', port]);
  let running = await start();
  t.after(() => running.kill());
  const { world, child, recorder } = await startRegistry(folder, `${running.origin}/v1/registry-events`);
  t.after(() => stop(child, recorder));
  const { registry } = world;
  const pulledTo = (name: string) => `dir:${join(folder, name)}`;

  const single = join(folder, 'single');
  const multi = join(folder, 'multi');
  writeImage(single, ['amd64']);
  const index = writeImage(multi, ['amd64', 'arm64']);

  await skopeo('alice', `oci:${single}:made`, `${registry}/team/app:1`);
  await skopeo('alice', `oci:${multi}:made`, `${registry}/team/multi:1`, '--all');
  await skopeo('bob', `${registry}/team/app:1`, pulledTo('a'));
  await running.kill();
  // Nobody listens: the registry keeps these and tries again.
  await skopeo('bob', `${registry}/team/multi:1`, pulledTo('b'));
  await skopeo('carol', `${registry}/team/multi:1`, pulledTo('c'), '--all');
  running = await start();
  await skopeo('carol', `${registry}/team/multi@${index}`, pulledTo('d'));
  await skopeo('carol', `${registry}/team/app:1`, `${registry}/team/copy:2`);

  const expected = {
    alice: {},
    bob: { 'team/app': 1, 'team/multi': 1 },
    carol: { 'team/app': 1, 'team/multi': 2 },
  } as Record<string, Record<string, number>>;
  const total = Object.values(expected).flatMap((counts) => Object.values(counts)).length + 1;
  const seen = () => running.get<{ total: { pulls: number } }>('/v1/pulls');
  await eventually(30, seen, (answer) => answer.total.pulls === total);

  const truth = eventsOf(world.posted);
  const count = (holds: (event: (typeof truth)[number]) => boolean) => truth.filter(holds).length;
  for (const user of people) {
    for (const repository of ['team/app', 'team/multi', 'team/copy']) {
      const mine = (event: (typeof truth)[number]) => event.user === user && event.repository === repository;
      const answer = await running.get<{ total: object }>(`/v1/pulls?user=${user}&repository=${repository}`);
      assert.deepEqual(
        answer.total,
        {
          pulls: expected[user][repository] ?? 0,
          raw: count((event) => mine(event) && isManifestPull(event)),
          pushes: count((event) => mine(event) && isManifestPush(event)),
        },
        `${user} ${repository}`,
      );
    }
    const history = await running.get<{ items: { repository: string }[] }>(`/v1/history?user=${user}`);
    const got: Record<string, number> = {};
    for (const { repository } of history.items) got[repository] = (got[repository] ?? 0) + 1;
    assert.deepEqual(got, expected[user], user);
  }
  const rows =
    await running.get<{ repository: string; raw: number; pulls: number; pulledBy: number }[]>(
      '/v1/repositories?sort=name',
    );
  assert.deepEqual(
    rows.map(({ repository, raw, pulls, pulledBy }) => [repository, raw, pulls, pulledBy]),
    [
      ['team/app', 2, 2, 2],
      ['team/copy', 0, 0, 0],
      ['team/multi', count((event) => event.repository === 'team/multi' && isManifestPull(event)), 3, 2],
    ],
  );
});

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

async function freePort(): Promise<number> {
  const server = await listening(createServer());
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function stop(child: ChildProcess, server: Server) {
  child.kill('SIGKILL');
  server.closeAllConnections();
  server.close();
}
