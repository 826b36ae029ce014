import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { verify } from '../../infra/verify.ts';
import { dataFolder, startLocal, token } from '../run.ts';

/** Has a place in the IP table: a resolver that everybody knows. */
const address = '8.8.8.8';

test('the check of a deployment passes here too, down to the tile of a hit', { timeout: 60_000 }, async (t) => {
  const running = await startLocal(dataFolder(t), ['--export-every', '0.5']);
  t.after(() => running.kill());
  const lines: string[] = [];
  await verify({ url: running.origin, token, address, seconds: 20, log: (line) => lines.push(line) });
  for (const what of ['both hits are summed', 'the domain is in it, or in a cluster of it', 'the person is forgotten'])
    assert.ok(lines.includes(`ok  ${what}`), `${what}: ${lines.join('\n')}`);
});

test('what is broken is named, with what was found', { timeout: 60_000 }, async (t) => {
  const running = await startLocal(dataFolder(t), ['--export-every', '0.5']);
  t.after(() => running.kill());
  const broken = async (path: RegExp, says: RegExp) => {
    // Before the system, so that one path alone fails.
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
  };
  await broken(/\/v1\/tiles\/.*mvt/, /the tile latest\/0\/0\/0\.mvt is there: found 502/);
  await broken(/points\.json/, /points\.json is there.*within 3 s: found GET .*502/);
});
