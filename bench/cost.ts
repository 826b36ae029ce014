// The figures that infra/tools/cost.ts uses: processor time of a request to collect and of a tile, in the deployed
// bundles, warm; the bytes of a hit in the stream and of a tile.
//   npm run bench -- cost [--domains 20000]
// The process that starts the bundle stands in for stream and bucket and responds at once, so waiting is not included.
// Processor time is user and system, helper threads included; each figure is the median of nine times a hundred
// requests.
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildPyramid } from '#core/map/cluster.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import { bundleFolder } from '../infra/bundles.ts';
import { bundle } from '../infra/tools/bundle.ts';
import { listen, onePut } from './stand-ins.ts';
import { collectVariables } from './worlds/collect-variables.ts';
import { skewedPoints } from './worlds/points.ts';

const at = process.argv.indexOf('--domains');
const domains = at < 0 ? 20_000 : Number(process.argv[at + 1]);

const all = skewedPoints(domains, 1);
const points = encodePyramid(buildPyramid(all));
let [putBytes, putHits] = [0, 0];
const s3 = createServer(({ headers, method }, reply) => {
  const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const part = start ? points.subarray(Number(start), end ? Number(end) + 1 : undefined) : points;
  reply.writeHead(start ? 206 : 200, { ETag: '"e"', 'Content-Length': part.length });
  reply.end(method === 'HEAD' ? undefined : part);
});
const kinesis = createHttp2Server((request, reply) => {
  let text = '';
  request.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  request.on('end', () => {
    const { Records } = JSON.parse(text) as { Records: { Data: string }[] };
    for (const { Data } of Records) {
      const lines = Buffer.from(Data, 'base64').toString();
      putBytes += lines.length + 1;
      putHits += lines.split('\n').length;
    }
    onePut(reply);
  });
});
const environment = {
  ...{ AWS_REGION: 'us-east-1', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 's', AWS_SESSION_TOKEN: 't' },
  ...{ BUCKET_URL: `${await listen(s3)}/b`, AWS_ENDPOINT_URL_KINESIS: await listen(kinesis) },
  ...collectVariables,
};

interface Figures {
  cpuMs: number;
  bytes: number;
}

/** Runs a function in its own process; requests `paths` in turn. */
async function run(name: 'collect' | 'tiles', method: string, paths: string[], body?: string): Promise<Figures> {
  const event = {
    ...{ version: '2.0', routeKey: '$default', rawQueryString: '', isBase64Encoded: false, body },
    headers: { host: 'api.example', 'content-type': 'application/json', 'accept-encoding': 'gzip, br' },
  };
  const http = { method, protocol: 'HTTP/1.1', sourceIp: '198.51.100.27', userAgent: 'Mozilla/5.0 (X11)' };
  const script = `
    const { handler } = await import(${JSON.stringify(join(bundleFolder(name), 'index.mjs'))});
    const [event, http, paths] = ${JSON.stringify([event, http, paths])};
    let [asked, bytes] = [0, 0];
    const ask = async () => {
      const path = paths[asked++ % paths.length];
      const requestContext = { http: { ...http, path }, domainName: 'api.example', stage: '$default' };
      const response = await handler({ ...event, rawPath: path, requestContext }, {});
      if (response.statusCode >= 400) throw new Error(response.statusCode + ' ' + response.body);
      bytes += response.isBase64Encoded ? Buffer.from(response.body, 'base64').length : (response.body ?? '').length;
    };
    for (let n = 0; n < 300; n++) await ask();
    [asked, bytes] = [0, 0];
    const times = [];
    for (let round = 0; round < 9; round++) {
      const before = process.cpuUsage();
      for (let n = 0; n < 100; n++) await ask();
      const { user, system } = process.cpuUsage(before);
      times.push((user + system) / 1000 / 100);
    }
    console.log(JSON.stringify({ cpuMs: times.sort((a, b) => a - b)[4], bytes: bytes / asked }));
    process.exit();`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: environment,
  });
  return JSON.parse(stdout);
}

await bundle();
const hitsOf = (count: number) =>
  JSON.stringify(Array.from({ length: count }, (_, n) => ({ domain: `portal-${n}.customer.example`, action: 'view' })));
const [one, twenty, many] = [
  await run('collect', 'POST', ['/v1/hits'], hitsOf(1)),
  await run('collect', 'POST', ['/v1/hits'], hitsOf(20)),
  await run('collect', 'POST', ['/v1/hits'], hitsOf(200)),
];
// Tiles that readers look at: zooms 0 to 11, where there are domains.
const paths = Array.from({ length: 120 }, (_, n) => {
  const [row, zoom] = [Math.floor((n * domains) / 120), n % 12];
  const [x, y] = [lonToX(all.lon[row]), latToY(all.lat[row])].map((unit) => Math.floor((unit / SIZE) * 2 ** zoom));
  return `/v1/tiles/s1/${zoom}/${x}/${y}.mvt`;
});
const tile = await run('tiles', 'GET', paths);
s3.close();
kinesis.close();

const round = (value: number, digits = 3) => Number(value.toFixed(digits));
console.log(`a request of 1, 20, 200 hits: ${[one, twenty, many].map(({ cpuMs }) => round(cpuMs)).join(', ')} ms`);
console.log(
  JSON.stringify({
    collectMs: round(one.cpuMs),
    collectTwentyMs: round(twenty.cpuMs),
    collectHitMs: round((many.cpuMs - one.cpuMs) / 199, 4),
    hitBytes: round(putBytes / putHits, 1),
    tileMs: round(tile.cpuMs),
    tileBytes: Math.round(tile.bytes),
    domains,
    snapshotBytesADomain: round(points.length / domains, 1),
  }),
);
