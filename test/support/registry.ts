// A real registry process, and images to push to it.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { eventually, token } from './run.ts';

export const password = 'whalewatch';
// htpasswd -nbB -C 5, the same password for everybody.
const bcrypt = '$2b$05$abcdefghijklmnopqrstuuB5XZmvRRgyIp6Kng5e/aYb97jjkeFO6';

/** Names of programs that are not on the PATH. */
export const notInstalled = (...names: string[]): string[] =>
  names.filter((name) => !(process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name))));

export interface RegistryOptions {
  /** The registry's own folder, for its configuration and images; made if missing. */
  folder: string;
  /** Users who may sign in with `password`; if empty, the registry is open. */
  users: string[];
  /** A URL that gets every notification, with the webhook token. */
  webhook?: string;
  /** The program: Debian's docker-registry is 2.8; a `registry` built from source is 3. */
  program?: string;
  /** Makes it a pull-through cache of this registry. */
  proxy?: { remoteurl: string; username?: string; password?: string };
  /** Media types that the registry does not report. */
  ignore?: string[];
}

export interface Registry {
  /** `127.0.0.1:PORT` */
  host: string;
  /** The bodies that it posted to the test. */
  posted: Post[];
  stop(): void;
}

export interface Post {
  receivedAt: string;
  headers: [string, string][];
  body: string;
}

/** A registry on a free port that notifies the test and, if given, a webhook. */
export async function startRegistry(options: RegistryOptions): Promise<Registry> {
  const { folder, users, webhook, program = 'docker-registry', proxy, ignore = [] } = options;
  mkdirSync(folder, { recursive: true });
  const posted: Post[] = [];
  const recorder = await listening(
    createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const { rawHeaders } = request;
        const headers = rawHeaders.flatMap((name, at): [string, string][] =>
          at % 2 ? [] : [[name, rawHeaders[at + 1]]],
        );
        posted.push({ receivedAt: new Date().toISOString(), headers, body });
        response.end();
      });
    }),
  );
  const port = await freePort();
  const lines = users.map((name) => `${name}:${bcrypt}\n`);
  writeFileSync(join(folder, 'htpasswd'), lines.join(''));
  const endpoint = (name: string, url: string) => ({
    name,
    url,
    headers: { Authorization: [`Bearer ${token}`] },
    timeout: '5s',
    threshold: 3,
    backoff: '1s',
    ignore: { mediatypes: ignore },
  });
  const endpoints = [endpoint('recorder', `http://127.0.0.1:${portOf(recorder)}/`)];
  if (webhook) endpoints.push(endpoint('whalewatch', webhook));
  const config = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'images') }, delete: { enabled: true } },
    http: { addr: `127.0.0.1:${port}` },
    ...(proxy ? { proxy } : {}),
    ...(users.length > 0 ? { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } } : {}),
    notifications: { events: { includereferences: true }, endpoints },
  };
  // JSON is YAML.
  writeFileSync(join(folder, 'registry.yml'), JSON.stringify(config, null, 2));
  const child = spawn(program, ['serve', join(folder, 'registry.yml')], { stdio: 'ignore' });
  const host = `127.0.0.1:${port}`;
  const up = () => fetch(`http://${host}/v2/`);
  await eventually(20, up, ({ status }) => status === (users.length > 0 ? 401 : 200));
  return { host, posted, stop: () => stop(child, recorder) };
}

function stop(child: ChildProcess, recorder: Server) {
  child.kill('SIGKILL');
  recorder.closeAllConnections();
  recorder.close();
}

async function listening(server: Server): Promise<Server> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

export async function freePort(): Promise<number> {
  const server = await listening(createServer());
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const types = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
};

/**
 * Writes an OCI layout, `folder:made`, with one image or with one for each platform under an index, and returns its
 * digest. Each folder makes an image of its own.
 */
export function writeImage(folder: string, architectures: string[]): string {
  mkdirSync(join(folder, 'blobs/sha256'), { recursive: true });
  const blob = (mediaType: string, content: Buffer | object) => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(folder, 'blobs/sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  };
  const images = architectures.map((architecture) => {
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
