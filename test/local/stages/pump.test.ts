// Each test states one rule of a Lambda event source mapping. The test sets the time: nothing here sleeps.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import fc from 'fast-check';
import { openFailures } from '#local/stages/failures.ts';
import { maxEventBytes, type Pump, type PumpOptions, startPump } from '#local/stages/pump.ts';
import { type LocalStream, openStream } from '#local/stores/stream.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const closing: (() => unknown)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

/** A clock that moves only when the test says so, and sleepers that wake in order. */
function manualTime() {
  let now = Date.UTC(2026, 10, 21);
  const sleepers = new Set<{ at: number; wake: () => void }>();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    clock: () => now,
    asleep: () => sleepers.size,
    sleep(milliseconds: number, signal: AbortSignal) {
      return new Promise<void>((resolve) => {
        const sleeper = {
          at: now + milliseconds,
          wake() {
            sleepers.delete(sleeper);
            signal.removeEventListener('abort', sleeper.wake);
            resolve();
          },
        };
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', sleeper.wake);
        sleepers.add(sleeper);
      });
    },
    /** Advances the time by so much, waking every sleeper at its time. */
    async advance(milliseconds: number) {
      const until = now + milliseconds;
      for (;;) {
        await settle();
        let next = Infinity;
        for (const { at } of sleepers) next = Math.min(next, at);
        if (next > until) break;
        now = Math.max(now, next);
        for (const { at, wake } of [...sleepers]) if (at <= now) wake();
      }
      now = until;
    },
    /** Advances the time by so much without waking anybody, as when the machine was asleep. */
    async jump(milliseconds: number) {
      now += milliseconds;
      for (const { at, wake } of [...sleepers]) if (at <= now) wake();
      await settle();
    },
  };
}

type Answer = KinesisStreamBatchResponse | null | undefined;
type Handler = (texts: string[], event: KinesisStreamEvent) => Answer | Promise<Answer>;

/** A stream with a pump; notes each call of the handler as the texts of its records. */
function setUp(options: Partial<Omit<PumpOptions, 'handler'>> & { handler?: Handler; shards?: number } = {}) {
  const { handler = () => undefined, shards = 1, ...rest } = options;
  const folder = mkdtempSync(join(tmpdir(), 'pump-'));
  closing.push(() => rmSync(folder, { recursive: true }));
  const time = manualTime();
  const stream = openStream(join(folder, 'stream'), { shards, clock: time.clock, retentionMs: 0 });
  closing.push(() => stream.close());
  const calls: { texts: string[]; event: KinesisStreamEvent; at: number }[] = [];
  const reports: string[] = [];
  let pumps: Pump[] = [];
  const world = {
    ...time,
    folder,
    stream,
    calls,
    reports,
    texts: () => calls.map(({ texts }) => texts.join(' ')),
    failures: () => openFailures(join(folder, 'failures'), time.clock).list(),
    start(more: Partial<Omit<PumpOptions, 'handler'>> = {}): Pump {
      const pump = startPump({
        stream,
        handler: async (event) => {
          const texts = event.Records.map(({ kinesis }) => Buffer.from(kinesis.data, 'base64').toString());
          calls.push({ texts, event, at: time.clock() });
          return handler(texts, event);
        },
        batchSize: 100,
        windowSeconds: 0,
        positions: join(folder, 'pump.db'),
        clock: time.clock,
        sleep: time.sleep,
        report: (text) => reports.push(text),
        ...rest,
        ...more,
      });
      pumps.push(pump);
      return pump;
    },
    async stop() {
      const stopped = Promise.all(pumps.map((pump) => pump.stop()));
      pumps = [];
      await time.advance(10_000);
      await stopped;
    },
  };
  closing.push(() => world.stop());
  return world;
}

const put = (stream: LocalStream, ...texts: string[]) =>
  stream.put(texts.map((text) => ({ key: 'one key', data: Buffer.from(text) })));
const sequence = (event: KinesisStreamEvent, index: number) => event.Records[index].kinesis.sequenceNumber;
const report = (...itemIdentifiers: unknown[]) =>
  ({ batchItemFailures: itemIdentifiers.map((itemIdentifier) => ({ itemIdentifier })) }) as KinesisStreamBatchResponse;
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => `${from + n}`);

test("the event has the shape of Lambda's Kinesis event", async () => {
  const world = setUp();
  await world.stream.put([{ key: 'portal.example', data: Buffer.from('{"type":"hit"}\n') }]);
  const arrived = world.clock();
  const [{ sequenceNumber }] = world.stream.read('shardId-000000000000', '0', 1).records;
  world.start();
  await world.advance(200);
  assert.deepEqual(world.calls[0].event, {
    Records: [
      {
        kinesis: {
          kinesisSchemaVersion: '1.0',
          partitionKey: 'portal.example',
          sequenceNumber,
          data: 'eyJ0eXBlIjoiaGl0In0K',
          approximateArrivalTimestamp: arrived / 1000,
        },
        eventSource: 'aws:kinesis',
        eventVersion: '1.0',
        eventID: `shardId-000000000000:${sequenceNumber}`,
        eventName: 'aws:kinesis:record',
        invokeIdentityArn: 'arn:aws:iam::000000000000:role/whalewatch-process',
        awsRegion: 'us-east-1',
        eventSourceARN: 'arn:aws:kinesis:us-east-1:000000000000:stream/whalewatch',
      },
    ],
  });
});

test('reading begins at the oldest record (TRIM_HORIZON)', async () => {
  const world = setUp();
  await put(world.stream, 'before', 'the start');
  world.start();
  await world.advance(100);
  assert.deepEqual(world.texts(), ['before the start']);
});

test('a record put while the pump is idle is delivered within 100 ms', async () => {
  const world = setUp();
  world.start();
  await world.advance(10_000);
  const other = openStream(join(world.folder, 'stream'), { clock: world.clock });
  await put(other, 'from another connection');
  other.close();
  const at = world.clock();
  await world.advance(100);
  assert.equal(world.calls.length, 1);
  assert.ok(world.calls[0].at - at <= 100);
});

test('a batch is delivered when it has reached its size', async () => {
  const world = setUp({ batchSize: 3, windowSeconds: 300 });
  await put(world.stream, ...numbers(1, 8));
  world.start();
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3', '4 5 6']);
});

test('a batch that is not full is delivered when its window ends', async () => {
  const world = setUp({ windowSeconds: 5 });
  world.start();
  await put(world.stream, '1');
  await world.advance(4900);
  await put(world.stream, '2');
  assert.deepEqual(world.texts(), []);
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1 2']);
  await put(world.stream, '3');
  await world.advance(4900);
  assert.equal(world.calls.length, 1, 'the next window begins with the next record');
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1 2', '3']);
});

test('an idle shard delivers a record at once, and its batches grow with the records that come while it works', async () => {
  const world = setUp({
    windowSeconds: 5,
    restTimes: 2,
    handler: async (texts) => {
      await world.sleep(texts.includes('long') ? 10_000 : 300, new AbortController().signal);
      return undefined;
    },
  });
  world.start();
  await put(world.stream, '1');
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1'], 'nothing is waited for');
  for (const text of ['2', '3', '4']) {
    await put(world.stream, text);
    await world.advance(250);
  }
  assert.deepEqual(world.texts(), ['1'], 'after 300 ms of work it rests for 600 ms');
  await world.advance(200);
  assert.deepEqual(world.texts(), ['1', '2 3 4']);
  await world.advance(2000);
  await put(world.stream, 'long');
  await world.advance(10_100);
  await put(world.stream, '5');
  await world.advance(4900);
  assert.equal(world.calls.length, 3);
  await world.advance(200);
  assert.equal(world.calls.length, 4, 'it rests at most for its window');
});

test('the last batch of a closed shard does not wait', async () => {
  const world = setUp({ windowSeconds: 300 });
  await put(world.stream, '1');
  world.stream.splitShard('shardId-000000000000');
  world.start();
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1']);
});

test('when the clock is set back, no batch waits longer than its window', async () => {
  const world = setUp({ windowSeconds: 5 });
  await put(world.stream, '1');
  await world.jump(-3_600_000);
  world.start();
  await world.advance(5000);
  assert.deepEqual(world.texts(), ['1']);
});

test('a batch is delivered before its event exceeds 6 MiB', async () => {
  const world = setUp({ batchSize: 10_000, windowSeconds: 30 });
  const big = 'x'.repeat(1_000_000);
  await put(world.stream, ...numbers(1, 9).map((n) => n + big));
  // Each record adds 590 bytes of envelope: many small ones also make a large event.
  await put(world.stream, ...numbers(1, 12_000));
  world.start();
  await world.advance(1000);
  const sizes = world.calls.map(({ event }) => JSON.stringify(event).length);
  assert.ok(sizes.length >= 3);
  for (const size of sizes) assert.ok(size <= maxEventBytes && size > 4_000_000, `${size} bytes`);
  await world.advance(30_000);
  assert.equal(world.calls.flatMap(({ texts }) => texts).length, 12_009);
});

test('records of a shard come in order, one batch at a time', async () => {
  let running = 0;
  const world = setUp({
    batchSize: 7,
    async handler() {
      assert.equal(++running, 1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return undefined;
    },
  });
  world.start();
  for (let from = 1; from <= 91; from += 10) {
    await put(world.stream, ...numbers(from, from + 9));
    await world.advance(60);
  }
  await world.advance(1000);
  assert.deepEqual(
    world.calls.flatMap(({ texts }) => texts),
    numbers(1, 100),
  );
});

test('shards are processed in parallel, and each batch is of one shard', async () => {
  const gate = Promise.withResolvers<Answer>();
  const world = setUp({ shards: 2, handler: () => gate.promise });
  await world.stream.put(numbers(1, 50).map((key) => ({ key, data: Buffer.from(key) })));
  world.start();
  await world.advance(100);
  assert.equal(world.calls.length, 2);
  for (const { event } of world.calls)
    assert.equal(new Set(event.Records.map(({ eventID }) => eventID.split(':')[0])).size, 1);
  gate.resolve(undefined);
});

for (const [name, answer] of Object.entries({
  'no answer': undefined,
  null: null,
  'an empty object': {} as KinesisStreamBatchResponse,
  'a null list': { batchItemFailures: null } as unknown as KinesisStreamBatchResponse,
  'an empty list': { batchItemFailures: [] },
}))
  test(`${name} means success`, async () => {
    const world = setUp({ handler: () => answer });
    await put(world.stream, '1', '2');
    const pump = world.start();
    await world.advance(11_000);
    assert.deepEqual(world.texts(), ['1 2']);
    assert.equal(pump.status().records, 2);
  });

test('of several reported failures the lowest counts, and everything from it on is delivered again', async () => {
  const world = setUp({
    handler: (_, event) =>
      world.calls.length === 1 ? report(...[3, 1, 4].map((index) => sequence(event, index))) : undefined,
  });
  await put(world.stream, ...numbers(1, 5));
  world.start();
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3 4 5', '2 3 4 5']);
});

for (const [name, identifier] of Object.entries({ empty: '', null: null, missing: undefined, unknown: '42' }))
  test(`an itemIdentifier that is ${name} fails the whole batch`, async () => {
    const world = setUp({
      handler: (_, event) => (world.calls.length === 1 ? report(sequence(event, 2), identifier) : undefined),
    });
    await put(world.stream, '1', '2', '3');
    world.start();
    await world.advance(1000);
    assert.deepEqual(world.texts(), ['1 2 3', '1 2 3']);
  });

for (const [name, answer] of Object.entries({
  'that is a text': { batchItemFailures: 'x' },
  'that is a number': { batchItemFailures: 1 },
  'of odd items': { batchItemFailures: [null] },
}))
  test(`batchItemFailures ${name} fails the whole batch`, async () => {
    const world = setUp({
      handler: () => (world.calls.length === 1 ? (answer as unknown as KinesisStreamBatchResponse) : undefined),
    });
    await put(world.stream, '1', '2');
    world.start();
    await world.advance(1000);
    assert.deepEqual(world.texts(), ['1 2', '1 2']);
  });

test('an exception fails the whole batch, which is delivered again unchanged', async () => {
  const world = setUp({
    handler() {
      if (world.calls.length < 3) throw new Error('the store is down');
      return undefined;
    },
  });
  await put(world.stream, '1', '2', '3');
  const pump = world.start();
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3', '1 2 3', '1 2 3']);
  assert.deepEqual(world.calls[0].event, world.calls[2].event);
  assert.equal(pump.status().shards[0].failures, 0);
  assert.match(
    world.reports[0],
    /^shardId-000000000000: 3 of 3 records are retried: the handler failed: the store is down$/,
  );
});

test('with bisect an exception halves the batch, until the failing record is alone', async () => {
  const world = setUp({
    bisect: true,
    maxRetries: 0,
    handler(texts) {
      if (texts.includes('3')) throw new Error('bad');
      return undefined;
    },
  });
  await put(world.stream, ...numbers(1, 8));
  world.start({ onFailure: join(world.folder, 'failures') });
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3 4 5 6 7 8', '1 2 3 4', '1 2', '3 4', '3', '4', '5 6 7 8']);
  assert.equal(world.failures().length, 1);
});

test('with bisect a partial failure splits the batch at the reported record, and the rest is delivered again', async () => {
  const world = setUp({
    bisect: true,
    maxRetries: 0,
    handler: (_, event) => (world.calls.length <= 2 ? report(sequence(event, 2)) : undefined),
  });
  await put(world.stream, ...numbers(1, 8));
  const pump = world.start();
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3 4 5 6 7 8', '3 4 5 6 7 8', '5 6 7 8']);
  assert.equal(pump.status().discarded, 0, 'splitting costs no retry');
});

test('splitting does not count as a retry, trying the same records again does', async () => {
  const world = setUp({
    bisect: true,
    maxRetries: 2,
    handler() {
      throw new Error('down');
    },
  });
  await put(world.stream, '1', '2');
  world.start();
  await world.advance(60_000);
  assert.deepEqual(world.texts(), ['1 2', '1', '1', '1', '2', '2', '2']);
});

test('reporting only the first record counts as a retry and does not halve the batch', async () => {
  const world = setUp({ bisect: true, maxRetries: 1, handler: (_, event) => report(sequence(event, 0)) });
  await put(world.stream, '1', '2');
  const pump = world.start();
  await world.advance(60_000);
  assert.deepEqual(world.texts(), ['1 2', '1 2']);
  assert.equal(pump.status().discarded, 2);
});

test('without limits a failing batch is retried for ever, with a backoff of up to 10 s', async () => {
  const world = setUp({
    handler() {
      throw new Error('down');
    },
  });
  await put(world.stream, '1');
  const pump = world.start();
  await world.advance(120_000);
  const waits = world.calls.slice(1).map(({ at }, index) => at - world.calls[index].at);
  assert.deepEqual(waits.slice(0, 8), [100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
  assert.ok(waits.slice(7).every((wait) => wait === 10_000));
  assert.equal(waits.length, world.calls.length - 1);
  assert.ok(world.calls.length > 15);
  assert.equal(pump.status().discarded, 0);
});

test('while a batch is retried its shard waits and the other shards go on', async () => {
  let down = true;
  const world = setUp({
    shards: 2,
    handler(_, event) {
      if (down && event.Records[0].eventID.startsWith('shardId-000000000000')) throw new Error('down');
      return undefined;
    },
  });
  const of = (shard: string) => world.calls.filter(({ event }) => event.Records[0].eventID.startsWith(shard));
  await world.stream.put(numbers(1, 20).map((key) => ({ key, data: Buffer.from(key) })));
  const pump = world.start();
  await world.advance(1000);
  const stuck = of('shardId-000000000000')[0].texts;
  await world.stream.put(numbers(21, 40).map((key) => ({ key, data: Buffer.from(key) })));
  await world.advance(60_000);
  for (const { texts } of of('shardId-000000000000')) assert.deepEqual(texts, stuck);
  assert.equal(of('shardId-000000000001').length, 2);
  assert.deepEqual(
    pump.status().shards.map(({ state }) => state),
    ['retrying', 'idle'],
  );
  down = false;
  await world.advance(10_000);
  assert.equal(
    of('shardId-000000000000').at(-1)!.texts.length +
      stuck.length +
      of('shardId-000000000001').flatMap(({ texts }) => texts).length,
    40,
  );
});

test('after maxRetries the whole rest of the batch goes to the failure destination, and the shard goes on', async () => {
  const world = setUp({
    maxRetries: 2,
    handler: (texts, event) => (texts.includes('3') ? report(sequence(event, texts.indexOf('3'))) : undefined),
  });
  await put(world.stream, ...numbers(1, 5));
  const pump = world.start({ onFailure: join(world.folder, 'failures') });
  await world.advance(1000);
  await put(world.stream, '6');
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2 3 4 5', '3 4 5', '3 4 5', '6']);
  const [failed, ...others] = world.failures();
  assert.deepEqual(others, []);
  assert.deepEqual(
    [failed.condition, failed.shard, failed.retries],
    ['RetryAttemptsExhausted', 'shardId-000000000000', 2],
  );
  assert.deepEqual(failed.event, world.calls[1].event);
  assert.deepEqual([pump.status().records, pump.status().discarded], [3, 3]);
});

test('a batch whose oldest record becomes too old during retries is discarded', async () => {
  const world = setUp({
    maxRecordAgeSeconds: 60,
    handler(texts) {
      if (texts[0] !== 'fresh') throw new Error('down');
      return undefined;
    },
  });
  await put(world.stream, '1');
  world.start({ onFailure: join(world.folder, 'failures') });
  await world.advance(59_000);
  assert.equal(world.failures().length, 0);
  await world.advance(20_000);
  assert.deepEqual(
    world.failures().map(({ condition, event }) => [condition, event.Records.length]),
    [['RecordAgeExceeded', 1]],
  );
  const tries = world.calls.length;
  await put(world.stream, 'fresh');
  await world.advance(1000);
  assert.equal(world.calls.length, tries + 1);
});

test('records that are too old when they are read are never delivered, and no fresh ones are discarded with them', async () => {
  const world = setUp({ maxRecordAgeSeconds: 60 });
  await put(world.stream, 'old', 'older');
  await world.advance(61_000);
  await put(world.stream, 'fresh');
  world.start({ onFailure: join(world.folder, 'failures') });
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['fresh']);
  assert.equal(world.failures()[0].event.Records.length, 2);
});

test('a failed batch is given up only after the failure destination has stored it', async () => {
  const world = setUp({
    maxRetries: 0,
    handler() {
      throw new Error('down');
    },
  });
  const failures = join(world.folder, 'failures');
  await put(world.stream, '1');
  const pump = world.start({ onFailure: failures });
  rmSync(failures, { recursive: true });
  await world.advance(5000);
  assert.equal(pump.status().shards[0].position, '0');
  assert.ok(world.stream.lag()[0].seconds > 0);
  await world.stop();
  world.start({ onFailure: failures });
  await world.advance(5000);
  assert.equal(world.failures().length, 1);
});

test('the failure destination is encrypted, and expires entries after a day', async () => {
  const world = setUp({
    maxRetries: 0,
    handler() {
      throw new Error('down');
    },
  });
  const failures = join(world.folder, 'failures');
  await put(world.stream, '{"address":"203.0.113.77"}');
  world.start({ onFailure: failures });
  await world.advance(1000);
  for (const name of readdirSync(failures)) {
    const bytes = readFileSync(join(failures, name));
    for (const text of ['203.0.113.77', Buffer.from('203.0.113.77').toString('base64').slice(0, 8)])
      assert.ok(!bytes.includes(text));
  }
  assert.equal(world.failures().length, 1);
  await world.jump(86_400_000);
  await world.advance(1000);
  assert.deepEqual(readdirSync(failures), ['key']);
});

test('a handler that times out has failed, and its late result is ignored', async () => {
  const answers: ((answer: Answer) => void)[] = [];
  const world = setUp({
    timeoutSeconds: 30,
    handler: () => new Promise<Answer>((resolve) => answers.push(resolve)),
  });
  await put(world.stream, '1', '2');
  const pump = world.start();
  await world.advance(29_999);
  assert.equal(world.calls.length, 1);
  await world.advance(1000);
  assert.deepEqual(world.texts(), ['1 2', '1 2']);
  answers[0](undefined);
  await world.advance(1000);
  assert.equal(pump.status().shards[0].position, '0');
  answers[1](undefined);
  await world.advance(1000);
  assert.equal(pump.status().records, 2);
  assert.equal(world.calls.length, 2);
});

test('a parent shard is finished before its children start', async () => {
  let down = true;
  const world = setUp({
    batchSize: 2,
    handler(texts) {
      if (down && texts.includes('3')) throw new Error('down');
      return undefined;
    },
  });
  await put(world.stream, '1', '2', '3');
  world.stream.splitShard('shardId-000000000000');
  await put(world.stream, '4');
  const pump = world.start();
  await world.advance(10_000);
  assert.ok(world.texts().every((text) => text === '1 2' || text === '3'));
  down = false;
  await world.advance(10_000);
  assert.deepEqual(world.texts().slice(-2), ['3', '4']);
  assert.deepEqual(
    pump.status().shards.map(({ shard, state }) => [shard, state]),
    [
      ['shardId-000000000000', 'finished'],
      ['shardId-000000000001', 'idle'],
      ['shardId-000000000002', 'idle'],
    ],
  );
});

test('reading a shard that is split continues in its children, also after a restart', async () => {
  const world = setUp();
  world.start();
  await put(world.stream, '1');
  await world.advance(100);
  const [left, right] = world.stream.splitShard('shardId-000000000000');
  await put(world.stream, '2');
  await world.advance(200);
  world.stream.splitShard(left);
  world.stream.splitShard(right);
  await put(world.stream, '3');
  await world.advance(300);
  await world.stop();
  await put(world.stream, '4');
  world.start();
  await world.advance(300);
  assert.deepEqual(world.texts(), ['1', '2', '3', '4']);
});

test('a restarted pump continues where it was', async () => {
  const world = setUp();
  await put(world.stream, '1', '2');
  world.start();
  await world.advance(100);
  await world.stop();
  await put(world.stream, '3');
  world.start();
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1 2', '3']);
});

test('records before a reported failure are done, also after a restart', async () => {
  const world = setUp({
    handler: (texts, event) => (texts.includes('3') ? report(sequence(event, texts.indexOf('3'))) : undefined),
  });
  await put(world.stream, '1', '2', '3');
  const pump = world.start();
  await world.advance(50);
  assert.equal(pump.status().shards[0].failures, 1);
  await world.stop();
  world.start();
  await world.advance(50);
  assert.deepEqual(world.texts(), ['1 2 3', '3']);
});

test('a pump that lost its positions reads everything in the stream again', async () => {
  const world = setUp();
  await put(world.stream, '1');
  world.start();
  await world.advance(100);
  await world.stop();
  await put(world.stream, '2');
  world.start({ positions: join(world.folder, 'new.db') });
  await world.advance(100);
  assert.equal(world.texts().at(-1)!.split(' ').at(-1), '2');
});

test('processed records that are old enough leave the stream, even if no new ones come', async () => {
  const world = setUp();
  await put(world.stream, '1', '2');
  world.start();
  await world.advance(2000);
  assert.equal(world.stream.read('shardId-000000000000', '0', 10).records.length, 0);
});

test('a stop waits for the running batch and starts no other', async () => {
  const gate = Promise.withResolvers<Answer>();
  const world = setUp({ batchSize: 1, handler: () => gate.promise });
  await put(world.stream, '1', '2');
  const pump = world.start();
  await world.advance(100);
  let stopped = false;
  const stopping = pump.stop().then(() => {
    stopped = true;
  });
  await world.advance(1000);
  assert.equal(stopped, false);
  gate.resolve(undefined);
  await world.advance(0);
  await stopping;
  assert.equal(pump.status().records, 1);
  assert.deepEqual(world.texts(), ['1']);
});

test('a stop abandons a batch that runs for another 3 s, and it is delivered again after a restart', async () => {
  const never = new Promise<Answer>(() => {});
  const world = setUp({ handler: () => (world.calls.length === 1 ? never : undefined) });
  await put(world.stream, '1');
  const pump = world.start();
  await world.advance(100);
  const stopping = pump.stop();
  await world.advance(3000);
  await stopping;
  assert.equal(pump.status().records, 0);
  world.start();
  await world.advance(100);
  assert.deepEqual(world.texts(), ['1', '1']);
});

test('a stop leaves no timer behind', async () => {
  const world = setUp({ timeoutSeconds: 3600 });
  const pump = world.start();
  for (let n = 0; n < 5; n++) {
    await put(world.stream, `${n}`);
    await world.advance(100);
  }
  assert.equal(world.asleep(), 2, 'one per shard, and one that looks for shards');
  await pump.stop();
  assert.equal(world.asleep(), 0);
});

test('a stop does not wait out a backoff', async () => {
  const world = setUp({
    handler() {
      throw new Error('down');
    },
  });
  await put(world.stream, '1');
  const pump = world.start();
  await world.advance(20_000);
  const stopping = pump.stop();
  await world.advance(0);
  await stopping;
});

test('whatever fails and however, every record is processed or discarded, in order and once', async () => {
  const failure = fc.constantFrom('none', 'throw', 'report', 'empty');
  await fc.assert(
    fc.asyncProperty(
      fc.array(failure, { maxLength: 30 }),
      fc.boolean(),
      fc.integer({ min: -1, max: 2 }),
      fc.integer({ min: 1, max: 9 }),
      fc.infiniteStream(fc.nat(100)),
      async (failures, bisect, maxRetries, batchSize, picks) => {
        const through: string[] = [];
        const world = setUp({
          bisect,
          maxRetries,
          batchSize,
          handler(texts, event) {
            const kind = failures.shift() ?? 'none';
            if (kind === 'throw') throw new Error('down');
            if (kind === 'empty') return report('');
            const failedFrom = kind === 'report' ? picks.next().value % texts.length : texts.length;
            through.push(...texts.slice(0, failedFrom));
            return kind === 'report' ? report(sequence(event, failedFrom)) : undefined;
          },
        });
        await put(world.stream, ...numbers(1, 20));
        const pump = world.start({ onFailure: join(world.folder, 'failures') });
        const done = () => pump.status().records + pump.status().discarded === 20;
        for (let round = 0; round < 1000 && !done(); round++) await world.advance(500);
        const discarded = world
          .failures()
          .flatMap(({ event }) => event.Records.map(({ kinesis }) => Buffer.from(kinesis.data, 'base64').toString()));
        assert.deepEqual(
          [...through, ...discarded].sort((a, b) => +a - +b),
          numbers(1, 20),
        );
        assert.deepEqual(
          through,
          [...through].sort((a, b) => +a - +b),
        );
        assert.equal(pump.status().records, through.length);
        assert.equal(pump.status().discarded, discarded.length);
        await world.stop();
      },
    ),
    { seed: 1, numRuns: 40 },
  );
});

test('nothing of a batch stays in memory after it', async () => {
  const signals = new Set<AbortSignal>();
  // Batches of two shards overlap.
  const pumped = setUp({
    shards: 2,
    async handler() {
      for (let n = 0; n < 4; n++) await turn();
      gc();
      await turn();
    },
  });
  pumped.start({
    windowSeconds: 0,
    sleep(milliseconds, signal) {
      signals.add(signal);
      return pumped.sleep(milliseconds, signal);
    },
  });
  for (let n = 0; n < 20; n++) {
    await pumped.stream.put(['a', 'b', 'c', 'd'].map((key) => ({ key, data: Buffer.from(`${n}`) })));
    for (let turns = 0; turns < 10; turns++) await pumped.advance(10);
  }
  assert.ok(pumped.calls.length >= 20, `${pumped.calls.length} calls`);
  const listening = Math.max(...[...signals].map((signal) => getEventListeners(signal, 'abort').length));
  assert.ok(listening < 8, `${listening} listeners`);
});

test('no more than a batch is read ahead', async () => {
  const data = Buffer.alloc(1000);
  const maxBytes = 10 * 1000;
  const pumped = setUp();
  let [read, most] = [0, 0];
  const handled = () => pumped.calls.reduce((sum, { texts }) => sum + texts.length, 0);
  const counting: LocalStream = {
    ...pumped.stream,
    read(...range) {
      const found = pumped.stream.read(...range);
      read += found.records.length;
      most = Math.max(most, read - handled());
      return found;
    },
  };
  await pumped.stream.put(Array.from({ length: 200 }, () => ({ key: 'k', data })));
  pumped.start({ stream: counting, batchSize: 1000, maxBytes });
  for (let n = 0; n < 100 && handled() < 200; n++) await pumped.advance(50);
  assert.equal(handled(), 200);
  assert.ok(most <= 20, `${most} records of ${data.length} bytes at once, where ${maxBytes} bytes are a batch`);
});
