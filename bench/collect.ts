// The collector as a server: processor time of a request, with hits of many requests in one record (functions/collect/coalesce.ts)
// and, its rival, a record a request. The server is a process of its own; its stream takes 10 ms a call, and bills by the
// record. npm run bench -- collect [--seconds 5] [--connections 200]
import { fork } from 'node:child_process';
import { Agent, request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import { collectApp } from '#collect/app.ts';
import { listen } from '#collect/listen.ts';
import type { StreamRecord } from '#core/stores.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '200' },
    child: { type: 'string' },
  },
});
const mode = values.child;
if (mode) await server(mode);
else await measure(Number(values.seconds), Number(values.connections));

async function server(mode: string): Promise<void> {
  let records = 0;
  let keys = 0;
  const options = {
    stream: {
      async put(put: StreamRecord[]) {
        await wait(10);
        records += put.length;
      },
    },
    token: async () => 'secret',
    trustedProxies: ['loopback'],
    clock: () => Date.now(),
    newKey: () => String(keys++),
    report: console.error,
    peer: () => '127.0.0.1',
  };
  const tell = (port: number) => process.send?.({ port });
  if (mode === 'shared') tell((await listen({ ...options, port: 0 })).port);
  else serve({ fetch: collectApp(options).fetch, port: 0 }, ({ port }) => tell(port));
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ seconds: (user + system) / 1e6, records });
  });
}

async function measure(seconds: number, connections: number): Promise<void> {
  const answer: Record<string, unknown> = {};
  for (const perRequest of [1, 20])
    for (const mode of ['shared', 'own']) {
      const child = fork(import.meta.filename, ['--child', mode]);
      const told = () =>
        new Promise<{ port: number; seconds: number; records: number }>((resolve) =>
          child.once('message', (m) => resolve(m as never)),
        );
      const { port } = await told();
      const body = JSON.stringify(
        Array.from({ length: perRequest }, (_, n) => ({ domain: `portal${n}.example`, action: 'open' })),
      );
      const agent = new Agent({ keepAlive: true, maxSockets: connections });
      const send = () =>
        new Promise<void>((resolve, reject) => {
          const sent = request(
            {
              agent,
              port,
              host: '127.0.0.1',
              method: 'POST',
              path: '/v1/hits',
              headers: { 'X-Forwarded-For': '198.51.100.7' },
            },
            (reply) => {
              if (reply.statusCode !== 202) reject(new Error(String(reply.statusCode)));
              reply.resume().on('end', resolve);
            },
          );
          sent.on('error', reject).end(body);
        });
      const during = async (ms: number) => {
        let requests = 0;
        const end = performance.now() + ms;
        await Promise.all(
          Array.from({ length: connections }, async () => {
            while (performance.now() < end) {
              await send();
              requests++;
            }
          }),
        );
        return requests;
      };
      const usage = async () => {
        const usage = told();
        child.send('usage');
        return usage;
      };
      await during(1000);
      const before = await usage();
      const requests = await during(seconds * 1000);
      const after = await usage();
      child.kill();
      agent.destroy();
      const result = {
        requestsPerProcessorSecond: Math.round(requests / (after.seconds - before.seconds)),
        requestsPerRecord: Math.round((10 * requests) / (after.records - before.records)) / 10,
      };
      console.log(
        `${perRequest} hits a request, ${mode === 'shared' ? 'shared records' : 'a record a request'}:`,
        result,
      );
      answer[`${mode}${perRequest}`] = result;
    }
  console.log(JSON.stringify(answer));
}
