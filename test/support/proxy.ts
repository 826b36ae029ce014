// A real nginx, or another proxy, before a server under test.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { eventually } from './run.ts';

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a proxy in the foreground; it ends with the test. */
export async function startProxy(t: { after(work: () => void): void }, command: string, args: string[], port: number) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, HOME: '/tmp' } });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  t.after(() => child.kill('SIGTERM'));
  await eventually(
    20,
    () =>
      fetch(`http://127.0.0.1:${port}/`).then(
        ({ status }) => status,
        (cause) => (String(cause.cause?.code) === 'ECONNREFUSED' ? 0 : 1),
      ),
    (status) => status > 0,
  ).catch((cause) => {
    throw new Error(`${command} does not listen: ${cause.message}\n${output}`);
  });
}

/** A certificate for the name, signed by itself; both files are in the folder. */
export function certificate(folder: string, name: string): { crt: string; key: string } {
  const [crt, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
      '-addext',
      `subjectAltName=DNS:${name}`,
      '-keyout',
      key,
      '-out',
      crt,
    ],
    { stdio: 'ignore' },
  );
  return { crt, key };
}

/** An nginx with this server block, with all its files in the folder. */
export function nginxConfig(folder: string, server: string): string {
  mkdirSync(join(folder, 'logs'), { recursive: true });
  const file = join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  writeFileSync(
    file,
    `daemon off; pid ${folder}/nginx.pid; error_log stderr; ${process.getuid?.() === 0 ? 'user root;' : ''} events {}\nhttp { access_log off; ${temporary.join(' ')}\n${server}\n}`,
  );
  return file;
}
