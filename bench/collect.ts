// The collector as a server (functions/collect/listen.ts) beside servers that check and keep nothing: each rival reads
// the body as JSON, counts the hits and responds 202.
//   npm run bench -- collect [--rounds 5] [--seconds 1] [--connections 200]
//
//   hono     the same server (@hono/node-server) and router
//   fastify  its own parser and serialiser
//   node     node:http alone
//   axum     Rust, built by cargo into .cache, one thread
//
// Each server runs in its own process with one thread. They are asked in turn, over keep-alive connections, by a client
// that writes and reads raw bytes.
// Throughput: one request at a time on each connection; requests per second of the server's processor time, and by the
// wall clock. Our server puts the hits of many requests into one record of a stream that takes 10 ms a call; the rivals
// have no stream.
// Latency: requests at half the rate that each server reached by the wall clock (at most 10,000 a second, for the
// client's sake), timed from when each was due. Behind every server is a stream that takes 10 ms a call: ours shares
// calls, the rivals make one for each request.
// Last line: {"1": {perCpuSecond, perSecond, ratioHono, ratioFastify, ratioNode, ratioAxum, p99Ms, honoP99Ms, …,
// requestsPerRecord, rssMb, rssGrownMb}, "20": …}, medians of the rounds, keyed by the hits of a request; a rival that
// could not be built is null.
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serve } from '@hono/node-server';
import fastify from 'fastify';
import { Hono } from 'hono';
import { listen } from '#collect/listen.ts';
import type { StreamRecord } from '#core/stores.ts';
import { cargo } from './cargo.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    connections: { type: 'string', default: '200' },
    child: { type: 'string' },
    streamMs: { type: 'string', default: '0' },
  },
});
const contestants = ['ours', 'hono', 'fastify', 'node', 'axum'] as const;
type Contestant = (typeof contestants)[number];
const callMs = 10;
/** More than the client can send in time. */
const clientPerSecond = 10_000;

interface Usage {
  /** Processor time so far. */
  seconds: number;
  rssMb: number;
  records: number;
}

/** Prints its port, then its usage for each line of input. */
async function server(name: Contestant, streamMs: number): Promise<void> {
  let records = 0;
  const count = (body: unknown) => ({ accepted: Array.isArray(body) ? body.length : 1 });
  const taken = () => (streamMs > 0 ? wait(streamMs) : undefined);
  const start: Record<Exclude<Contestant, 'axum'>, () => Promise<number>> = {
    async ours() {
      let keys = 0;
      const put = async (more: StreamRecord[]) => {
        await wait(callMs);
        records += more.length;
      };
      const { port } = await listen({
        stream: { put },
        hits: { put },
        token: async () => 'secret',
        trustedProxies: ['loopback'],
        addressHeader: 'X-Forwarded-For',
        networks: {},
        clock: () => Date.now(),
        newKey: () => String(keys++),
        report: console.error,
        port: 0,
      });
      return port;
    },
    hono() {
      const app = new Hono();
      app.post('/v1/hits', async (c) => {
        const body = await c.req.json();
        await taken();
        return c.json(count(body), 202);
      });
      return new Promise((resolve) => serve({ fetch: app.fetch, port: 0 }, ({ port }) => resolve(port)));
    },
    async fastify() {
      const app = fastify();
      app.post('/v1/hits', async (request, reply) => {
        await taken();
        return reply.code(202).send(count(request.body));
      });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return (app.server.address() as AddressInfo).port;
    },
    node() {
      const server = createServer((request, reply) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk) => chunks.push(chunk));
        request.on('end', async () => {
          const body = JSON.parse((chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)).toString('utf8'));
          if (streamMs > 0) await taken();
          const text = JSON.stringify(count(body));
          reply.writeHead(202, { 'Content-Type': 'application/json', 'Content-Length': text.length }).end(text);
        });
      });
      return new Promise((resolve) => server.listen(0, () => resolve((server.address() as AddressInfo).port)));
    },
  };
  console.log(await start[name as Exclude<Contestant, 'axum'>]());
  createInterface(process.stdin)
    .on('line', () => {
      const { user, system } = process.cpuUsage();
      const usage: Usage = {
        seconds: (user + system) / 1e6,
        rssMb: process.memoryUsage.rss() / 2 ** 20,
        records,
      };
      console.log(JSON.stringify(usage));
    })
    .on('close', () => process.exit());
}

interface Running {
  name: Contestant;
  port: number;
  child: ChildProcess;
  usage(): Promise<Usage>;
}

async function launch(name: Contestant, streamMs: number): Promise<Running> {
  const [command, args] =
    name === 'axum'
      ? [cargo('collect') as string, [String(streamMs)]]
      : [process.execPath, [import.meta.filename, '--child', name, '--streamMs', String(streamMs)]];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async () => (await lines.next()).value as string;
  const port = Number(await line());
  return {
    ...{ name, port, child },
    async usage() {
      child.stdin.write('\n');
      const printed: Usage | number = JSON.parse(await line());
      return typeof printed === 'number' ? { seconds: printed, rssMb: 0, records: 0 } : printed;
    },
  };
}

interface Client {
  /** One request at a time on each connection; returns the number of responses. */
  flood(ms: number): Promise<number>;
  /**
   * Sends at this rate however long responses take; returns each response time in milliseconds, from when it was due.
   */
  pace(perSecond: number, ms: number): Promise<number[]>;
  close(): void;
}

async function openClient(port: number, body: string, connections: number): Promise<Client> {
  const request = Buffer.from(
    `POST /v1/hits HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nX-Forwarded-For: 198.51.100.7\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  let answered: (socket: Socket) => void = () => {};
  const idle: Socket[] = await Promise.all(
    Array.from(
      { length: connections },
      () =>
        new Promise<Socket>((resolve, reject) => {
          const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
          let read = '';
          socket.on('error', reject).on('data', (chunk) => {
            read += chunk.toString('latin1');
            const head = read.indexOf('\r\n\r\n');
            if (head < 0) return;
            const length = /\r\ncontent-length: *(\d+)/i.exec(read);
            if (!read.startsWith('HTTP/1.1 202') || !length) throw new Error(`the response was ${read.slice(0, 300)}`);
            if (read.length < head + 4 + Number(length[1])) return;
            read = '';
            answered(socket);
          });
        }),
    ),
  );
  return {
    async flood(ms) {
      let count = 0;
      const end = performance.now() + ms;
      let busy = idle.length;
      await new Promise<void>((resolve) => {
        answered = (socket) => {
          count++;
          if (performance.now() < end) socket.write(request);
          else if (--busy === 0) resolve();
        };
        for (const socket of idle) socket.write(request);
      });
      return count;
    },
    async pace(perSecond, ms) {
      const took: number[] = [];
      const free = [...idle];
      const due = new Map<Socket, number>();
      const queue: number[] = [];
      let asked = 0;
      const start = performance.now();
      const send = (socket: Socket, at: number) => {
        due.set(socket, at);
        socket.write(request);
      };
      await new Promise<void>((resolve) => {
        answered = (socket) => {
          const now = performance.now();
          took.push(now - (due.get(socket) as number));
          const next = queue.shift();
          if (next !== undefined) send(socket, next);
          else free.push(socket);
          if (now - start >= ms && free.length === idle.length) resolve();
        };
        const tick = setInterval(() => {
          const now = performance.now();
          if (now - start >= ms) return clearInterval(tick);
          for (; asked < ((now - start) / 1000) * perSecond; asked++) {
            const at = start + (asked / perSecond) * 1000;
            const socket = free.pop();
            if (socket) send(socket, at);
            else queue.push(at);
          }
        }, 1);
      });
      return took;
    },
    close() {
      for (const socket of idle) socket.destroy();
    },
  };
}

const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const quantile = (numbers: number[], q: number) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length * q)];
const rounded = (value: number, digits = 0) => Number(value.toFixed(digits));

async function measure(rounds: number, ms: number, connections: number): Promise<void> {
  const names = contestants.filter((name) => name !== 'axum' || cargo('collect'));
  const results: Record<string, unknown> = {};
  for (const perRequest of [1, 20]) {
    const hits = Array.from({ length: perRequest }, (_, n) => ({ domain: `portal${n}.example`, action: 'open' }));
    const body = JSON.stringify(perRequest === 1 ? hits[0] : hits);
    const all = await Promise.all(names.map((name) => launch(name, 0)));
    // Our server already has its stream.
    const streamed = await Promise.all(all.map(async (one) => (one.name === 'ours' ? one : launch(one.name, callMs))));
    const figures = new Map(
      names.map((name) => [
        name,
        {
          cpu: [] as number[],
          wall: [] as number[],
          p50: [] as number[],
          p99: [] as number[],
          perRecord: [] as number[],
        },
      ]),
    );
    /** New connections for each turn, because a server closes idle ones. */
    const withClient = async <T>({ port }: Running, connections: number, turn: (client: Client) => Promise<T>) => {
      const client = await openClient(port, body, connections);
      await client.flood(ms / 10);
      const result = await turn(client);
      client.close();
      return result;
    };
    for (const one of new Set([...all, ...streamed]))
      await withClient(one, connections, (client) => client.flood(1000));
    const ours = all[0];
    const rssBefore = (await ours.usage()).rssMb;
    for (let round = 0; round < rounds; round++)
      for (const [index, one] of all.entries()) {
        const figure = figures.get(one.name) as NonNullable<ReturnType<typeof figures.get>>;
        await withClient(one, connections, async (client) => {
          const before = await one.usage();
          const began = performance.now();
          const requests = await client.flood(ms);
          const seconds = (performance.now() - began) / 1000;
          const after = await one.usage();
          figure.cpu.push(requests / (after.seconds - before.seconds));
          figure.wall.push(requests / seconds);
          figure.perRecord.push(requests / (after.records - before.records));
        });
        // Requests that wait for the stream must not wait for a connection as well.
        const perSecond = Math.min(median(figure.wall) / 2, clientPerSecond);
        const took = await withClient(streamed[index], Math.ceil(perSecond / 10), (client) =>
          client.pace(perSecond, ms),
        );
        figure.p50.push(quantile(took, 0.5));
        figure.p99.push(quantile(took, 0.99));
      }
    const { rssMb } = await ours.usage();
    for (const { child } of new Set([...all, ...streamed])) child.kill();
    const row = (name: Contestant) => {
      const figure = figures.get(name);
      return (
        figure && {
          perCpuSecond: rounded(median(figure.cpu)),
          perSecond: rounded(median(figure.wall)),
          p50Ms: rounded(median(figure.p50), 1),
          p99Ms: rounded(median(figure.p99), 1),
        }
      );
    };
    console.log(`${perRequest} ${perRequest === 1 ? 'hit' : 'hits'} a request`);
    console.table(Object.fromEntries(names.map((name) => [name, row(name)])));
    const own = row('ours') as NonNullable<ReturnType<typeof row>>;
    const ratio = (name: Contestant) => {
      const rival = row(name);
      return rival ? rounded(own.perCpuSecond / rival.perCpuSecond, 2) : null;
    };
    results[perRequest] = {
      ...own,
      ratioHono: ratio('hono'),
      ratioFastify: ratio('fastify'),
      ratioNode: ratio('node'),
      ratioAxum: ratio('axum'),
      honoPerCpuSecond: row('hono')?.perCpuSecond,
      honoP99Ms: row('hono')?.p99Ms,
      fastifyP99Ms: row('fastify')?.p99Ms,
      axumP99Ms: row('axum')?.p99Ms ?? null,
      requestsPerRecord: rounded(median((figures.get('ours') as { perRecord: number[] }).perRecord), 1),
      rssMb: rounded(rssMb),
      rssGrownMb: rounded(rssMb - rssBefore),
    };
  }
  console.log(JSON.stringify(results));
}

if (values.child) await server(values.child as Contestant, Number(values.streamMs));
else await measure(Number(values.rounds), Number(values.seconds) * 1000, Number(values.connections));
