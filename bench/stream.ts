// The embedded stream against a plain durable log: the same SQLite settings, one insert and one commit for each record.
//   npm run bench -- stream [--seconds 2]
// Last line: {putsPerSecond, rivalPutsPerSecond, ratio, putMs, pumpPerSecond, latencyMs}. putsPerSecond: puts of one
// hit each, 512 in flight, each durable before it resolves; putMs: median and 99th percentile of one put, 32 in flight;
// pumpPerSecond: hits, one to a record, from the file to a handler that decodes them; latencyMs: median and maximum
// from a put in one thread to the handler in another, while idle.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { startPump } from '#local/stages/pump.ts';
import { openDatabase } from '#local/stores/sqlite/sqlite.ts';
import { openStream } from '#local/stores/stream.ts';

const open = (folder: string) => openStream(join(folder, 'stream'), { clock: Date.now, retentionMs: 0 });

const hit = (n: number) =>
  Buffer.from(
    `{"type":"hit","time":${1.79e12 + n},"address":"203.0.113.${n % 256}","domain":"d${n % 20_000}.example"}\n`,
  );

if (isMainThread) await main();
else answer(workerData as string);

async function main() {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' } } });
  const seconds = Number(values.seconds);
  const folder = mkdtempSync(join(tmpdir(), 'bench-stream-'));
  try {
    const rivalPutsPerSecond = rival(join(folder, 'rival.db'), seconds);
    const warmUp = await puts(folder, 512, 0.5);
    const many = await puts(folder, 512, seconds);
    const few = await puts(folder, 32, seconds);
    const putsPerSecond = Math.round(many.count / seconds);
    const pumpPerSecond = await drain(folder, warmUp.count + many.count + few.count);
    const latencyMs = await latency(folder);
    const result = {
      putsPerSecond,
      rivalPutsPerSecond,
      ratio: round(putsPerSecond / rivalPutsPerSecond),
      putMs: { median: round(few.median), p99: round(few.late) },
      pumpPerSecond,
      latencyMs,
    };
    console.log(
      `stream ${putsPerSecond} puts/s, one commit a record ${rivalPutsPerSecond} puts/s: ${result.ratio} times`,
    );
    console.log(JSON.stringify(result));
  } finally {
    rmSync(folder, { recursive: true });
  }
  process.exit();
}

function rival(file: string, seconds: number): number {
  const database = openDatabase(file, 'CREATE TABLE log (id INTEGER PRIMARY KEY, data BLOB)');
  const insert = database.prepare('INSERT INTO log (data) VALUES (?)');
  let done = 0;
  const began = performance.now();
  for (; performance.now() - began < seconds * 1000; done++) insert.run(hit(done));
  return Math.round(done / seconds);
}

async function puts(folder: string, inFlight: number, seconds: number) {
  const stream = open(folder);
  const took: number[] = [];
  const began = performance.now();
  const one = async () => {
    for (let now = performance.now(); now - began < seconds * 1000; ) {
      await stream.put([{ key: `d${took.length % 20_000}`, data: hit(took.length) }]);
      took.push(performance.now() - now);
      now = performance.now();
    }
  };
  await Promise.all(Array.from({ length: inFlight }, one));
  stream.close();
  const sorted = Float64Array.from(took).sort();
  const at = (share: number) => sorted[Math.floor(share * sorted.length)];
  return { count: took.length, median: at(0.5), late: at(0.99) };
}

/** Sends everything put so far through a pump; returns records per second. */
async function drain(folder: string, total: number): Promise<number> {
  const stream = open(folder);
  const done = Promise.withResolvers<void>();
  let records = 0;
  const began = performance.now();
  const pump = startPump({
    stream,
    batchSize: 10_000,
    windowSeconds: 0.2,
    positions: join(folder, 'positions.db'),
    clock: Date.now,
    async handler({ Records }) {
      for (const { kinesis } of Records) if (Buffer.from(kinesis.data, 'base64').length > 0) records++;
      if (records >= total) done.resolve();
      return undefined;
    },
  });
  await done.promise;
  const perSecond = Math.round((total / (performance.now() - began)) * 1000);
  await pump.stop();
  stream.close();
  return perSecond;
}

async function latency(folder: string) {
  const stream = open(folder);
  const worker = new Worker(new URL(import.meta.url), { workerData: folder });
  const took: number[] = [];
  await new Promise((resolve) => worker.once('message', resolve));
  worker.on('message', (putAt) => took.push(Date.now() - putAt));
  for (let n = 0; n < 50; n++) {
    await stream.put([{ key: `${n}`, data: Buffer.from(`${Date.now()}`) }]);
    await sleep(60 + ((n * 37) % 50));
  }
  await sleep(500);
  await worker.terminate();
  took.sort((a, b) => a - b);
  return { median: took[took.length >> 1], most: took[took.length - 1], of: took.length };
}

/** The other thread: sends back the time at which each record says it was put. */
function answer(folder: string) {
  startPump({
    stream: open(folder),
    batchSize: 10_000,
    windowSeconds: 0,
    positions: join(folder, 'positions.db'),
    clock: Date.now,
    async handler({ Records }) {
      for (const { kinesis } of Records) {
        const putAt = Number(Buffer.from(kinesis.data, 'base64').toString());
        if (putAt > 0) parentPort?.postMessage(putAt);
      }
      return undefined;
    },
  });
  setTimeout(() => parentPort?.postMessage('ready'), 1000);
}

function round(value: number): number {
  return Number(value.toPrecision(3));
}
