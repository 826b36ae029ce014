// A function's cold start: its bundle in a bare Node process, from the start of the process to the first answer, which needs
// no store (a body that is no hit, a tile that does not exist).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundle, bundleFolder } from '../infra/bundle.ts';

const environment = {
  AWS_REGION: 'us-east-1',
  ...{ STREAM: 's', WEBHOOK_TOKEN_ID: 't', TRUSTED_PROXIES: '' },
  ...{
    CHECKPOINTS_TABLE: 'c',
    EVENTS_TABLE: 'e',
    KEYS_TABLE: 'k',
    BUCKET: 'b',
    SEARCH_ENDPOINT: 'https://search.example',
  },
  ...{
    SEARCH_SIGNED: 'true',
    READ_TOKEN_ID: '',
    KEEP_DAYS: '7',
    UNHEALTHY_AFTER_SECONDS: '195',
    IP_TABLE_BUILT_AT: '0',
  },
};
const calls = {
  collect: { method: 'POST', path: '/v1/hits', body: '{}' },
  serve: { method: 'GET', path: '/v1/tiles/x/99/0/0.mvt' },
};

function answer(name: keyof typeof calls): number {
  const { method, path, ...more } = calls[name];
  const http = { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: '' };
  const event = {
    ...{ version: '2.0', routeKey: '$default', rawPath: path, rawQueryString: '', isBase64Encoded: false, ...more },
    headers: { host: 'api.example', 'content-type': 'application/json' },
    requestContext: { http, domainName: 'api.example', stage: '$default' },
  };
  const script = `
    const { handler } = await import(${JSON.stringify(join(bundleFolder(name), 'index.mjs'))});
    const { statusCode } = await handler(${JSON.stringify(event)}, {});
    console.log(statusCode, performance.now());`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: environment,
    encoding: 'utf8',
  });
  const [, status, milliseconds] = /(\d+) ([\d.]+)/.exec(stdout) ?? [];
  if (status !== '400' && status !== '404') throw new Error(`${name} answered ${stdout}${stderr}`);
  return Number(milliseconds);
}

const sizes = await bundle();
const result: Record<string, number> = {};
for (const name of ['collect', 'serve'] as const) {
  const times = Array.from({ length: 11 }, () => answer(name)).sort((a, b) => a - b);
  result[`${name}Milliseconds`] = Math.round(times[5]);
  result[`${name}LeastMilliseconds`] = Math.round(times[0]);
  result[`${name}Kilobytes`] = Math.round(sizes[name] / 1000);
}
console.log(JSON.stringify(result));
