// The cold start of a function's bundle in a new Node process: from the start of the process to its first response,
// which is 202 for a hit in the stream or 200 for a tile. This process stands in for the stream and the bucket over
// plain HTTP. What AWS adds (starting the sandbox, TLS, the network to the store) is not included.
//   npm run bench -- cold
// Milliseconds since the process started, by its own clock; `cpu`: its user and system time, which is steady on a busy
// machine. Medians of 15 starts. `bare` is a process that does nothing.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { AccessSettings } from '#core/access.ts';
import { buildPyramid } from '#core/map/cluster.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import type { Variables as ServeVariables } from '#serve/env.ts';
import { bundleFolder, type FunctionName } from '../infra/bundles.ts';
import { bundle } from '../infra/tools/bundle.ts';
import { listen, onePut } from './stand-ins.ts';
import { collectVariables } from './worlds/collect-variables.ts';
import { skewedPoints } from './worlds/points.ts';

const STARTS = 15;
const POINTS = 20_000;

const points = encodePyramid(buildPyramid(skewedPoints(POINTS, 1)));
const objects: Record<string, Uint8Array> = {
  '/b/points/s1/points.bin': points,
  '/b/points/latest.json': Buffer.from(JSON.stringify({ snapshot: 's1', updatedAt: 0, points: POINTS })),
};

/** As much of S3 as a first tile needs. */
const s3 = createServer((request, reply) => {
  const body = objects[new URL(request.url ?? '/', 'http://s3').pathname];
  if (!body) return reply.writeHead(404).end();
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
  const part = start ? body.subarray(Number(start), end ? Number(end) + 1 : undefined) : body;
  reply.writeHead(start ? 206 : 200, { ETag: '"e"', 'Content-Length': part.length });
  reply.end(request.method === 'HEAD' ? undefined : part);
});
/** As much of Kinesis as a first hit needs; it speaks HTTP/2. */
const kinesis = createHttp2Server((request, reply) => {
  request.resume().on('end', () => {
    onePut(reply);
  });
});

const s3Url = await listen(s3);
const access: AccessSettings = {
  rules: {},
  everyone: 'public',
  publicMap: 'names',
  sessionHours: 12,
} as AccessSettings;
const environment = {
  // As on Lambda: region and credentials are in the environment.
  ...{ AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't' },
  ...{ AWS_ENDPOINT_URL_S3: s3Url, BUCKET_URL: `${s3Url}/b`, AWS_ENDPOINT_URL_KINESIS: await listen(kinesis) },
  ...collectVariables,
  ...({
    ...{ BUCKET: 'b', CHECKPOINTS_TABLE: 'c', EVENTS_TABLE: 'e', KEYS_TABLE: 'k', ALERTS_TABLE: 'n' },
    ...{ SEARCH_ENDPOINT: 'https://search.example', SEARCH_SIGNED: 'true', IP_TABLE_BUILT_AT: '0' },
    ...{ CREDENTIALS_TABLE: 'c', OWNER_TOKEN_ID: 'o', CLIENT_SECRET_ID: '', REGISTRIES: '[]', METRICS: 'Whalewatch' },
    ...{ KEEP_DAYS: '7', UNHEALTHY_AFTER_SECONDS: '195', ACCESS: JSON.stringify(access) },
  } satisfies ServeVariables),
};
const calls = {
  collect: { method: 'POST', path: '/v1/hits', body: '[{"domain":"a.example"}]', status: 202 },
  tiles: { method: 'GET', path: '/v1/tiles/latest/0/0/0.mvt', body: undefined, status: 200 },
  serve: { method: 'GET', path: '/v1/tiles/latest/0/0/0.mvt', body: undefined, status: 200 },
} satisfies Partial<Record<FunctionName, object>>;

interface Took {
  wall: number;
  cpu: number;
}
const spent = `const { user, system } = process.cpuUsage(); const took = { wall: performance.now(), cpu: (user + system) / 1000 };`;

async function start(script: string): Promise<Took> {
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: environment });
  const { stdout } = await run;
  const { took, wrong } = JSON.parse(stdout);
  if (wrong) throw new Error(`the response was ${wrong}`);
  return took;
}

function answer(name: keyof typeof calls): Promise<Took> {
  const { method, path, body, status } = calls[name];
  const http = { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: '' };
  const event = {
    ...{ version: '2.0', routeKey: '$default', rawPath: path, rawQueryString: '', isBase64Encoded: false, body },
    headers: { host: 'api.example', 'content-type': 'application/json', 'accept-encoding': 'gzip' },
    requestContext: { http, domainName: 'api.example', stage: '$default' },
  };
  return start(`
    const { handler } = await import(${JSON.stringify(join(bundleFolder(name), 'index.mjs'))});
    const { statusCode, body } = await handler(${JSON.stringify(event)}, {});
    ${spent}
    console.log(JSON.stringify({ took, ...(statusCode === ${status} ? {} : { wrong: statusCode + ' ' + body }) }));
    process.exit();`);
}

const sizes = await bundle();
const names = Object.keys(calls) as (keyof typeof calls)[];
const times: Record<string, Took[]> = { bare: [] };
// In turn, so that a busy minute affects all of them.
for (let turn = 0; turn < STARTS; turn++) {
  times.bare.push(await start(`${spent} console.log(JSON.stringify({ took }))`));
  for (const name of names) {
    times[name] ??= [];
    times[name].push(await answer(name));
  }
}
s3.close();
kinesis.close();

const middle = (values: number[]) => Math.round(values.sort((a, b) => a - b)[values.length >> 1]);
const rows = Object.entries(times).map(([name, took]) => {
  const [wall, cpu] = [took.map(({ wall }) => wall), took.map(({ cpu }) => cpu)];
  const size = name in sizes ? { kilobytes: Math.round(sizes[name as FunctionName] / 1000) } : {};
  return [name, { ms: middle(wall), leastMs: Math.round(Math.min(...wall)), cpuMs: middle(cpu), ...size }];
});
for (const [name, row] of rows) console.log(String(name).padEnd(10), JSON.stringify(row));
console.log(JSON.stringify(Object.fromEntries(rows)));
