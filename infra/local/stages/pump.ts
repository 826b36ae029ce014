// The local shard pump: calls process with what a Lambda event source mapping of a Kinesis stream gives it.
//
// Each shard has its own loop: gather a batch, deliver it until it succeeds, advance the position. A failing batch is a
// stack of parts: splitting replaces a part by smaller ones, a retry leaves it, success and discard remove it.
import { setTimeout as pause } from 'node:timers/promises';
import type { KinesisStreamBatchResponse, KinesisStreamEvent, KinesisStreamRecord } from 'aws-lambda';
import { isDue } from '#core/age.ts';
import { openDatabase } from '../stores/sqlite/sqlite.ts';
import type { LocalStream, ReadRecord } from '../stores/stream.ts';
import { type Condition, openFailures } from './failures.ts';

export interface PumpOptions {
  stream: LocalStream;
  /**
   * The handler that Lambda would call. No result means success; `batchItemFailures` names the first record to deliver
   * again.
   */
  handler: (event: KinesisStreamEvent) => Promise<KinesisStreamBatchResponse | null | undefined>;
  /**
   * The most records of a batch (1-10,000). A batch is also complete at 6 MiB of event, or at the end of its window.
   */
  batchSize: number;
  /** The most bytes of a batch's event; default 6 MiB, as in Lambda. */
  maxBytes?: number;
  /** Seconds that a batch may wait for more records, from its oldest record's arrival. Fractions are allowed here. */
  windowSeconds: number;
  /**
   * A batch is delivered before the end of its window once its shard has rested this many times as long as the last
   * batch took: at once with little traffic, in larger batches with more. Lambda has nothing like it.
   */
  restTimes?: number;
  /**
   * Halves a batch when the handler throws, and splits it at a reported record. Splitting does not count as a retry.
   */
  bisect?: boolean;
  /** Retries before a batch is discarded; -1: no limit. */
  maxRetries?: number;
  /** The age from which records are discarded without trying; -1: no limit. */
  maxRecordAgeSeconds?: number;
  /** A handler that takes longer has failed; whatever it still does must be harmless. */
  timeoutSeconds?: number;
  parallelizationFactor?: 1;
  /** A folder that keeps discarded batches, encrypted, for a day. Without one they are lost, as with Lambda. */
  onFailure?: string;
  /** The SQLite file with the positions reached. If it is lost, everything in the stream is read again. */
  positions: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** Resolves after so long, or as soon as the signal aborts. */
  sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Waits for records: as `sleep`, but may resolve earlier when there are some. */
  wait?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Called for each failed attempt and discarded batch, never with their content. */
  report?: (text: string) => void;
}

interface ShardStatus {
  shard: string;
  /** The sequence number of the last finished record; '0' before the first. */
  position: string;
  state: 'idle' | 'running' | 'retrying' | 'finished';
  /** Failed attempts in a row. */
  failures: number;
}

interface PumpStatus {
  shards: ShardStatus[];
  /** Counted since the start. */
  calls: number;
  records: number;
  discarded: number;
}

export interface Pump {
  /**
   * Starts no further batch; resolves when the running ones have ended or were abandoned (3 s). Abandoned batches are
   * delivered again after a restart.
   */
  stop(): Promise<void>;
  status(): PumpStatus;
}

/** Lambda's limit of an event. */
export const maxEventBytes = 6 * 1024 * 1024;
const pollMs = 50;
const trimEveryMs = 1000;
const firstBackoffMs = 100;
const maxBackoffMs = 10_000;
const graceMs = 3000;

/** Records that are tried together; `retries` counts what maxRetries limits. */
interface Part {
  records: ReadRecord[];
  retries: number;
}

/** The result of an attempt: the index of the first failed record, 0 if an exception or invalid result fails all. */
type Outcome = 'through' | { failedFrom: number; reason: string; whole: boolean };

export function startPump(options: PumpOptions): Pump {
  const { stream, handler, batchSize, windowSeconds, clock } = options;
  const {
    maxBytes = maxEventBytes,
    bisect = false,
    maxRetries = -1,
    maxRecordAgeSeconds = -1,
    timeoutSeconds = 60,
  } = options;
  const { sleep = sleepFor, wait = sleep, restTimes, report = console.error } = options;
  const positions = openPositions(options.positions);
  const failures = options.onFailure === undefined ? undefined : openFailures(options.onFailure, clock);
  const stopping = new AbortController();
  const status: PumpStatus = { shards: [], calls: 0, records: 0, discarded: 0 };
  const loops: Promise<void>[] = [];

  const running = watch();

  /** Starts a loop for each shard as soon as its parent is finished, and removes old records. */
  async function watch() {
    let seen: number | undefined;
    let trimmedAt = -Infinity;
    while (!stopping.signal.aborted) {
      await persist('the stream', undefined, () => {
        if (seen !== stream.version() || status.shards.some(({ state }) => state === 'finished')) startShards();
        seen = stream.version();
        if (isDue(trimmedAt, clock(), trimEveryMs)) {
          stream.trim();
          failures?.expire();
          trimmedAt = clock();
        }
      });
      await sleep(pollMs, stopping.signal);
    }
    await Promise.all(loops);
  }

  function startShards() {
    const shards = stream.shards();
    for (const { id, parent } of shards) {
      if (status.shards.some(({ shard }) => shard === id)) continue;
      const before = status.shards.find(({ shard }) => shard === parent);
      // A parent that is no longer listed was removed: its records were processed long ago.
      if (shards.some((shard) => shard.id === parent) && before?.state !== 'finished') continue;
      const shard: ShardStatus = { shard: id, position: positions.get(id), state: 'idle', failures: 0 };
      status.shards.push(shard);
      loops.push(run(shard));
    }
  }

  async function run(shard: ShardStatus) {
    const ahead: ReadRecord[] = [];
    let restedAt = restTimes === undefined ? Infinity : 0;
    while (!stopping.signal.aborted) {
      const batch = await gather(shard, ahead, restedAt);
      if (batch === 'end') {
        shard.state = 'finished';
        return;
      }
      const began = clock();
      await deliver(shard, batch);
      if (restTimes !== undefined) restedAt = clock() + restTimes * (clock() - began);
    }
  }

  /**
   * Waits for a batch: from the first record on, until it is full, its window is over or the shard has rested. `ahead`
   * keeps excess records.
   */
  async function gather(shard: ShardStatus, ahead: ReadRecord[], restedAt: number): Promise<ReadRecord[] | 'end'> {
    let closesAt = Infinity;
    let end = false;
    let seen: number | undefined;
    while (!stopping.signal.aborted) {
      await persist(shard.shard, shard, () => {
        const version = stream.version();
        // More than a batch is not read ahead: an import has gigabytes.
        if (end || version === seen || ahead.length >= batchSize || batchLength(ahead, clock()) < ahead.length) return;
        const last = ahead.at(-1)?.sequenceNumber ?? shard.position;
        const next = stream.read(shard.shard, last, batchSize - ahead.length, maxBytes);
        ahead.push(...next.records);
        end = next.end;
        seen = version;
      });
      if (ahead.length === 0) {
        if (end) return 'end';
        await wait(pollMs, stopping.signal);
        continue;
      }
      const now = clock();
      closesAt = Math.min(closesAt, restedAt, ahead[0].arrivedAt + windowSeconds * 1000, now + windowSeconds * 1000);
      const count = batchLength(ahead, now);
      if (count < ahead.length || count === batchSize || end || now >= closesAt) return ahead.splice(0, count);
      await wait(Math.min(pollMs, closesAt - now), stopping.signal);
    }
    return [];
  }

  /**
   * How many records go into one event: limited by number and bytes, and never too old records together with fresh
   * ones.
   */
  function batchLength(records: ReadRecord[], now: number): number {
    const tooOld = records.length > 0 && isTooOld(records[0], now);
    let bytes = 0;
    let count = 0;
    for (const record of records) {
      bytes += eventBytes(record);
      if (count === batchSize || (count > 0 && bytes > maxBytes) || isTooOld(record, now) !== tooOld) break;
      count++;
    }
    return count;
  }

  const isTooOld = ({ arrivedAt }: ReadRecord, now: number) =>
    maxRecordAgeSeconds >= 0 && now - arrivedAt > maxRecordAgeSeconds * 1000;

  /** Tries a batch until each of its records is processed or discarded. */
  async function deliver(shard: ShardStatus, records: ReadRecord[]) {
    const parts: Part[] = records.length === 0 ? [] : [{ records, retries: 0 }];
    while (parts.length > 0 && !stopping.signal.aborted) {
      const part = parts.shift()!;
      if (isTooOld(part.records[0], clock())) {
        await discard(shard, part, 'RecordAgeExceeded');
        continue;
      }
      shard.state = 'running';
      const outcome = await attempt(shard.shard, part.records);
      if (outcome === undefined) return;
      if (outcome === 'through') {
        shard.failures = 0;
        status.records += part.records.length;
        await advance(shard, part.records);
        continue;
      }
      shard.state = 'retrying';
      shard.failures++;
      const { failedFrom, reason, whole } = outcome;
      const rest = part.records.slice(failedFrom);
      report(`${shard.shard}: ${rest.length} of ${part.records.length} records are retried: ${reason}`);
      if (failedFrom > 0) {
        status.records += failedFrom;
        await advance(shard, part.records.slice(0, failedFrom));
      }
      if (bisect && whole && rest.length > 1) {
        const middle = Math.ceil(rest.length / 2);
        parts.unshift({ ...part, records: rest.slice(0, middle) }, { ...part, records: rest.slice(middle) });
      } else if (bisect && failedFrom > 0) {
        parts.unshift({ ...part, records: rest });
      } else if (maxRetries >= 0 && part.retries >= maxRetries) {
        await discard(shard, { ...part, records: rest }, 'RetryAttemptsExhausted');
      } else {
        parts.unshift({ records: rest, retries: part.retries + 1 });
        await sleep(backoff(part.retries + 1), stopping.signal);
      }
    }
    shard.state = 'idle';
  }

  /** One call of the handler; undefined if the pump was stopped and did not wait for its end. */
  async function attempt(shard: string, records: ReadRecord[]): Promise<Outcome | undefined> {
    status.calls++;
    const over = new AbortController();
    const late = sleep(timeoutSeconds * 1000, over.signal).then(
      (): Outcome => ({
        failedFrom: 0,
        reason: `the handler took longer than ${timeoutSeconds} s`,
        whole: true,
      }),
    );
    const abandoned = aborted(stopping.signal, over.signal).then(async () => {
      await sleep(graceMs, over.signal);
      return undefined;
    });
    const called = Promise.resolve()
      .then(() => handler(toEvent(shard, records)))
      .then(
        (result) => judge(result, records),
        (cause): Outcome => ({ failedFrom: 0, reason: `the handler failed: ${messageOf(cause)}`, whole: true }),
      );
    const outcome = await Promise.race([called, late, abandoned]);
    over.abort();
    return outcome;
  }

  async function advance(shard: ShardStatus, records: ReadRecord[]) {
    shard.position = records[records.length - 1].sequenceNumber;
    await persist(shard.shard, undefined, () => {
      positions.set(shard.shard, shard.position);
      stream.consumed(shard.shard, shard.position);
    });
  }

  /** Stores the part at the failure destination first, and only then continues after it. */
  async function discard(shard: ShardStatus, { records, retries }: Part, condition: Condition) {
    const kept = await persist(shard.shard, shard, () => {
      failures?.keep({
        condition,
        shard: shard.shard,
        retries,
        failedAt: clock(),
        event: toEvent(shard.shard, records),
      });
    });
    if (!kept) return;
    report(`${shard.shard}: ${records.length} records given up: ${condition}`);
    status.discarded += records.length;
    shard.failures = 0;
    await advance(shard, records);
  }

  /** Repeats a step on files until it succeeds (true) or the pump stops (false). */
  async function persist(what: string, shard: ShardStatus | undefined, step: () => void): Promise<boolean> {
    for (let failed = 1; !stopping.signal.aborted || failed === 1; failed++) {
      try {
        step();
        return true;
      } catch (cause) {
        if (shard) shard.state = 'retrying';
        report(`${what}: ${messageOf(cause)}`);
        await sleep(backoff(failed), stopping.signal);
      }
    }
    return false;
  }

  async function stop() {
    stopping.abort();
    await running;
    positions.close();
  }

  let stopped: Promise<void> | undefined;
  return {
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
    status: () => structuredClone(status),
  };
}

/**
 * Reads a result by Lambda's rules: nothing failed, everything failed from the lowest sequence number on, or everything
 * failed.
 */
function judge(result: KinesisStreamBatchResponse | null | undefined, records: ReadRecord[]): Outcome {
  const items: unknown = result?.batchItemFailures ?? [];
  if (!Array.isArray(items)) return { failedFrom: 0, reason: 'batchItemFailures is not a list', whole: true };
  if (items.length === 0) return 'through';
  const indices = new Map(records.map(({ sequenceNumber }, index) => [sequenceNumber, index]));
  let failedFrom = records.length;
  for (const item of items) {
    const index = indices.get(item?.itemIdentifier);
    if (index === undefined)
      return { failedFrom: 0, reason: 'the result names a record that is not in the batch', whole: true };
    failedFrom = Math.min(failedFrom, index);
  }
  return { failedFrom, reason: 'the handler reported it', whole: false };
}

const region = 'us-east-1';
const account = '000000000000';

function toEvent(shard: string, records: ReadRecord[]): KinesisStreamEvent {
  return { Records: records.map((record) => toEventRecord(shard, record)) };
}

function toEventRecord(shard: string, { sequenceNumber, key, data, arrivedAt }: ReadRecord): KinesisStreamRecord {
  return {
    kinesis: {
      kinesisSchemaVersion: '1.0',
      partitionKey: key,
      sequenceNumber,
      data: Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64'),
      approximateArrivalTimestamp: arrivedAt / 1000,
    },
    eventSource: 'aws:kinesis',
    eventVersion: '1.0',
    eventID: `${shard}:${sequenceNumber}`,
    eventName: 'aws:kinesis:record',
    invokeIdentityArn: `arn:aws:iam::${account}:role/whalewatch-process`,
    awsRegion: region,
    eventSourceARN: `arn:aws:kinesis:${region}:${account}:stream/whalewatch`,
  };
}

const envelopeBytes = JSON.stringify(
  toEventRecord('shardId-000000000000', {
    sequenceNumber: '0'.repeat(56),
    key: '',
    data: new Uint8Array(),
    arrivedAt: 1,
  }),
).length;

/** Bytes of a record in the event's JSON; the arrival time has up to 17 characters, and a comma follows. */
const eventBytes = ({ key, data }: ReadRecord) =>
  envelopeBytes + 18 + Buffer.byteLength(JSON.stringify(key)) + 4 * Math.ceil(data.length / 3);

const backoff = (failed: number) => Math.min(maxBackoffMs, firstBackoffMs * 2 ** (failed - 1));

const messageOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause));

/** Resolves when `signal` aborts; stops listening when `unless` does. */
function aborted(signal: AbortSignal, unless: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => resolve();
    signal.addEventListener('abort', done, { once: true });
    // Not by the option `signal`: Node.js holds what removes the listener weakly, so the listener, and with it the
    // batch, may stay for good.
    unless.addEventListener('abort', () => signal.removeEventListener('abort', done), { once: true });
  });
}

async function sleepFor(milliseconds: number, signal: AbortSignal) {
  await pause(milliseconds, undefined, { signal }).catch(() => {});
}

interface Positions {
  get(shard: string): string;
  set(shard: string, position: string): void;
  close(): void;
}

function openPositions(file: string): Positions {
  const database = openDatabase(
    file,
    'CREATE TABLE IF NOT EXISTS positions (shard TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID',
  );
  const get = database.prepare('SELECT position FROM positions WHERE shard = ?');
  const set = database.prepare('INSERT OR REPLACE INTO positions VALUES (?, ?)');
  return {
    get: (shard) => String(get.get(shard)?.position ?? '0'),
    set: (shard, position) => {
      set.run(shard, position);
    },
    close: () => database.close(),
  };
}
