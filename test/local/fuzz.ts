// Requests that no client would send, to every route: made from the OpenAPI document, and raw. Checks that no response
// is 5xx except 503, nothing hangs, no response has a stack trace or path, and memory does not grow. npm run fuzz --
// --requests 100000 --seed 1
import { connect } from 'node:net';
import { parseArgs } from 'node:util';
import { seeded } from '#core/bytes/random.ts';
import { fairTime } from '../support/fair-time.ts';
import { dataFolder, type Running, rssMiBOf, startLocal } from '../support/run.ts';

interface Parameter {
  name: string;
  in: 'query' | 'path' | 'header';
  schema?: { type?: string; enum?: unknown[] };
}
interface Operation {
  parameters?: Parameter[];
  requestBody?: unknown;
}

export interface Fuzzed {
  requests: number;
  raw: number;
  statuses: Record<string, number>;
  /** Resident memory after half of the requests, and at the end. */
  rssMiB: [before: number, after: number];
  /** The longest wait for a response, by `fairTime`, and its request. */
  slowestSeconds: number;
  slowest: string;
}

/** A request without a response for this many seconds, by `fairTime`, is a hang. */
const patience = 10;
/** What a response must not reveal. */
const internal =
  /\bat .+\.(?:ts|js):\d+|node:internal|node_modules|\/infra\/|\/functions\/|SQLITE|SqliteError|TypeError|RangeError/;

const odd = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1e309',
    'NaN',
    'null',
    'true',
    '[]',
    '{}',
    '"',
    "'",
    '\\',
    '%',
    '%00',
    '\0',
    '../../etc/passwd',
  ],
  ...[
    '..%2f..%2f',
    '<script>',
    'a'.repeat(300),
    'é',
    '\u202e',
    '😀',
    '\ud800',
    '9'.repeat(40),
    '2026-13-45',
    '9999-12-31',
  ],
  ...[
    '0001-01-01',
    '__proto__',
    'constructor',
    'toString',
    '1,2,3,4',
    '-180,-90,180,90',
    '180,91,-181,0',
    "' OR 1=1 --",
  ],
  ...['team/app', 'latest', 'csv', 'day', '*', '[address]', '1.2.3.4', '::1', '\r\nX: 1', ';', '&', '#', '?'],
];

export async function fuzz({ requests, seed }: { requests: number; seed: number }, running: Running): Promise<Fuzzed> {
  const random = seeded(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)];
  const document = await running.get<{ paths: Record<string, Record<string, Operation>> }>('/v1/openapi.json');
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const text = () => (random() < 0.2 ? `${pick(odd)}${pick(odd)}` : pick(odd));
  const value = (depth = 0): unknown => {
    const kind = Math.floor(random() * (depth > 3 ? 4 : 6));
    if (kind === 0) return text();
    if (kind === 1) return pick([0, -1, 1.5, 1e300, 2 ** 53, -0]);
    if (kind === 2) return pick([true, false, null]);
    if (kind === 3) return pick(['pull', 'push', 'team/app', 'sha256:aa', 'portal.example', new Date(0).toISOString()]);
    if (kind === 4) return Array.from({ length: Math.floor(random() * 4) }, () => value(depth + 1));
    const names = [
      'events',
      'action',
      'target',
      'repository',
      'domain',
      'time',
      'id',
      'path',
      'name',
      'repositories',
      'user',
    ];
    return Object.fromEntries(
      Array.from({ length: Math.floor(random() * 5) }, () => [random() < 0.8 ? pick(names) : text(), value(depth + 1)]),
    );
  };
  const rss = () => rssMiBOf(running.child.pid);
  const time = fairTime(running.child.pid);
  let slowestSeconds = 0;
  let slowest = '';
  /** Calls `late` after the patience; returns a function that stops it. */
  const afterPatience = (what: string, late: (cause: Error) => void) => {
    const began = time.now();
    const waited = () => time.now() - began;
    const timer = setInterval(() => {
      if (waited() < patience) return;
      clearInterval(timer);
      late(new Error(`seed ${seed}: ${what} hangs`));
    }, 500);
    return () => {
      clearInterval(timer);
      if (waited() < slowestSeconds) return;
      slowestSeconds = waited();
      slowest = what;
    };
  };
  const statuses: Record<string, number> = {};
  const judge = (what: string, status: number, body: string) => {
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status >= 500 && status !== 503) throw new Error(`seed ${seed}: ${what} got ${status}: ${body.slice(0, 300)}`);
    if (status >= 400 && internal.test(body))
      throw new Error(`seed ${seed}: ${what} reveals internals: ${body.slice(0, 300)}`);
  };

  const bySchema = async () => {
    const { path, method, operation } = pick(operations);
    let url = path;
    const query: string[] = [];
    for (const { name, in: where, schema } of operation.parameters ?? []) {
      const given = schema?.enum && random() < 0.5 ? String(pick(schema.enum)) : text();
      if (where === 'path') url = url.replace(`{${name}}`, encodeURIComponent(given.toWellFormed() || 'x'));
      else if (where === 'query' && random() < 0.7) query.push(`${name}=${encodeURIComponent(given.toWellFormed())}`);
    }
    if (random() < 0.2)
      query.push(`${encodeURIComponent(text().toWellFormed())}=${encodeURIComponent(text().toWellFormed())}`);
    const body = method === 'GET' ? undefined : random() < 0.8 ? JSON.stringify(value()) : text().toWellFormed();
    const headers: Record<string, string> = {
      'Content-Type': pick(['application/json', 'text/plain', 'x/y', 'multipart/form-data']),
    };
    if (random() < 0.7) headers.Authorization = 'Bearer test-token';
    if (random() < 0.1) headers['X-Forwarded-For'] = encodeURIComponent(text().toWellFormed());
    // Forgetting rewrites the files each time: it is tested elsewhere.
    if (method === 'DELETE' && path === '/v1/users') return;
    const what = `${method} ${url}?${query.join('&')} ${body?.slice(0, 200) ?? ''}`;
    const hang = new AbortController();
    const stop = afterPatience(what, (cause) => hang.abort(cause));
    try {
      const answer = await fetch(`${running.origin}${url.replace(/\{\w+\}/g, 'x')}?${query.join('&')}`, {
        ...{ method, headers, body, redirect: 'manual', signal: hang.signal },
      });
      judge(what, answer.status, await answer.text());
    } catch (cause) {
      // A kept-alive connection that the server closes at this moment, as after a pause of the machine. Whether the
      // server ended is checked below.
      const { code } = ((cause as Error).cause ?? {}) as { code?: string };
      if (code !== 'ECONNRESET' && code !== 'UND_ERR_SOCKET') throw cause;
      statuses.reset = (statuses.reset ?? 0) + 1;
    } finally {
      stop();
    }
  };

  /** Bytes instead of HTTP: the server responds or closes. */
  const raw = () =>
    new Promise<void>((resolve, reject) => {
      const { hostname, port } = new URL(running.origin);
      const socket = connect({ host: hostname, port: Number(port) });
      const line = pick([
        `GET ${text()} HTTP/1.1`,
        `${text()} / HTTP/1.1`,
        `GET / HTTP/${text()}`,
        'POST /v1/hits HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5',
        `POST /v1/registry-events HTTP/1.1\r\nContent-Length: ${text()}`,
        `GET /v1/history HTTP/1.1\r\n${text()}: ${text()}`,
        `GET /${'a'.repeat(20_000)} HTTP/1.1`,
      ]);
      let read = '';
      const what = `raw ${JSON.stringify(line.slice(0, 80))}`;
      const stop = afterPatience(what, (cause) => socket.destroy(cause));
      socket.on('data', (chunk) => {
        read += chunk;
      });
      socket.on('error', (cause: NodeJS.ErrnoException) => {
        stop();
        if (cause.code) resolve();
        else reject(cause);
      });
      socket.on('close', () => {
        stop();
        const status = Number(/^HTTP\/1\.1 (\d+)/.exec(read)?.[1] ?? 0);
        try {
          if (status > 0) judge(what, status, read);
          resolve();
        } catch (cause) {
          reject(cause);
        }
      });
      socket.end(`${line}\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n${random() < 0.5 ? text() : ''}`);
    });

  let before = rss();
  let left = requests;
  let raws = 0;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (left-- > 0) {
        // From here on everything that starts on demand is running.
        if (left === Math.floor(requests / 2)) before = rss();
        if (random() < 0.1) {
          raws++;
          await raw();
        } else await bySchema();
      }
    }),
  );
  const after = rss();
  time.stop();
  if (running.child.exitCode !== null)
    throw new Error(`seed ${seed}: the server ended: ${running.output().slice(-500)}`);
  return {
    ...{ requests, raw: raws, statuses, rssMiB: [Math.round(before), Math.round(after)] },
    ...{ slowestSeconds: Number(slowestSeconds.toFixed(1)), slowest },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { requests: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
  });
  const cleanUps: (() => void)[] = [];
  const running = await startLocal(dataFolder({ after: (work) => cleanUps.push(work) }));
  try {
    console.log(JSON.stringify(await fuzz({ requests: Number(values.requests), seed: Number(values.seed) }, running)));
  } finally {
    await running.kill();
    for (const cleanUp of cleanUps) cleanUp();
  }
}
