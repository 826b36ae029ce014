import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { verify } from '../../../infra/tools/verify.ts';
import { dataFolder, eventually, type Running, runScript, startLocal, token } from '../../support/run.ts';

/** A public DNS resolver, which has a location in the IP table. */
const address = '8.8.8.8';

type Pages = { items: { user?: string; body?: string }[] };

/** Rows that a check left behind about its made-up user or image. */
async function left({ get }: Running): Promise<unknown[]> {
  const people = await get<Pages>('/v1/users?search=verify-');
  const quarantined = await get<Pages>('/v1/quarantine');
  const repositories = await get<{ repository: string }[]>('/v1/repositories?search=verify');
  const { items } = await get<Pages>('/v1/alerts');
  const told = items.filter((alert) => JSON.stringify(alert).includes('verify'));
  return [...people.items, ...quarantined.items, ...repositories, ...told];
}

/** A server that the tests share: at first it has no hit. */
const server = startLocal(dataFolder({ after }), ['--export-every', '0.5']);
after(async () => (await server).kill());

test('the check for deployments passes on the local server too, down to the tile of a hit', {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const day = new Date().toISOString().slice(0, 10);
  const rows = [1, 2, 3].flatMap((ago) =>
    Array.from({ length: 4000 }, (_, n) => `${new Date(Date.parse(day) - ago * 86_400_000).toJSON()},d${n}.example`),
  );
  const file = join(folder, 'hits.csv');
  writeFileSync(file, `time,domain\n${rows.join('\n')}\n`);
  assert.equal((await runScript('local/commands/import.ts', [file, '--data', folder])).code, 0);
  const running = await startLocal(folder, ['--export-every', '0.5']);
  t.after(() => running.kill());
  await eventually(
    20,
    () => running.get<{ hits: number }>('/v1/health'),
    ({ hits }) => hits === rows.length,
  );
  const lines: string[] = [];
  await verify({ url: running.origin, token, address, seconds: 20, log: (line) => lines.push(line) });
  for (const what of [
    'both hits are summed',
    'the domain is in the tile, or in a cluster of it',
    'the user is forgotten',
  ])
    assert.ok(lines.includes(`ok  ${what}`), `${what}: ${lines.join('\n')}`);
  assert.deepEqual(await left(running), []);
});

test('if no hit has a location, an empty map is not a failure, and the wait is announced', {
  timeout: 60_000,
}, async () => {
  const running = await server;
  const lines: string[] = [];
  await verify({ url: running.origin, token, seconds: 12, log: (line) => lines.push(line) });
  const at = (text: RegExp) => lines.findIndex((line) => text.test(line));
  const waiting = at(/^ {4}waiting, 12 s at most: the pointer is there/);
  const empty = at(/no hit had a location .* give --address/);
  assert.ok(waiting >= 0 && empty > waiting, lines.join('\n'));
  assert.ok(at(/^ok {2}the user is forgotten/) > empty);
});

test('a broken part is named, with what was found, and the made-up user is forgotten', {
  timeout: 60_000,
}, async (t) => {
  const running = await server;
  const broken = async (path: RegExp, says: RegExp) => {
    // A proxy in front of the system, so that only one path fails.
    const proxy = createServer(async (request, reply) => {
      const { url = '', method } = request;
      if (path.test(`${method} ${url}`)) return reply.writeHead(502).end('broken');
      const { host: _, connection: __, ...headers } = request.headers as Record<string, string>;
      const body = method === 'POST' ? new Uint8Array(await buffer(request)) : undefined;
      const answer = await fetch(running.origin + url, { method, headers, body });
      reply.writeHead(answer.status, [...answer.headers].filter(([name]) => !/encoding|length/.test(name)).flat());
      reply.end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    t.after(() => proxy.close());
    const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    await assert.rejects(verify({ url, token, address, seconds: 3, log: () => {} }), says);
    assert.deepEqual(await left(running), []);
  };
  await broken(/\/v1\/tiles\/.*mvt/, /the tile latest\/0\/0\/0\.mvt is there: found 502/);
  await broken(/points\.json/, /points\.json is there.*within 3 s: found GET .*502/);
  await broken(/\/v1\/hits\?/, /both hits are summed, within 3 s: found GET .*502/);
  await broken(/\/v1\/health/, /GET http.*\/v1\/health is 502 and not a response of Whalewatch: give --url/);
});

test('an error is short, however long the response of a degraded server', { timeout: 60_000 }, async (t) => {
  const answer = JSON.stringify({
    status: 'degraded',
    items: Array.from({ length: 10_000 }, () => ({ repository: 'a/b' })),
  });
  const server = createServer(({ method, url }, reply) => {
    const status = url === '/v1/registry-events' ? (++notified === 1 ? 401 : 202) : method === 'POST' ? 202 : 200;
    reply.writeHead(status, { 'access-control-allow-origin': '*' }).end(answer);
  });
  let notified = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(verify({ url, token, seconds: 0.1, log: () => {} }), ({ message }: Error) => {
    assert.match(message, /both pulls are in the user's history, within 0.1 s: found .* characters\)$/);
    return message.length < 500;
  });
});

test('a wrong argument is named with its fix', { timeout: 60_000 }, async () => {
  const running = await server;
  const rows: [string[], RegExp][] = [
    [['--url', 'portal', '--token', 'x'], /^--url is "portal": must be a URL such as https:\/\/HOST\n$/],
    [['--token', 'x'], /^--url is missing\n/],
    [['--url', running.origin], /^--token is missing\n/],
    [['--url', running.origin, '--token', 'x', '--seconds', 'two'], /^--seconds is "two": must be a number above 0\n$/],
    [['--url', 'http://127.0.0.1:4', '--token', 'x'], /^--url http:\S+ can't be reached, nothing listens there/],
    [['--url', running.origin, '--token', 'x'], /^--token is wrong: .*npm start prints/m],
    [['--url', running.origin, '--api', 'http://127.0.0.1:4', '--token', 'x'], /^--api http:\S+ can't be reached/m],
  ];
  for (const [args, says] of rows) {
    const { code, output } = await runScript('tools/verify.ts', args);
    assert.match(output, says);
    assert.equal(code, 2);
  }
});
