// Puts the lines of many concurrent requests into few stream records, because Kinesis bills and limits by the record. A
// request gets its response when the record with its lines was accepted, and is refused if that record was.
import { grouped, joined } from '#core/bytes/pack.ts';
import { type StreamRecord, StreamRefused, type StreamWriter } from '#core/stores.ts';

export interface CoalesceOptions {
  /** Waits a few milliseconds for more requests to share a put with. */
  gather: () => Promise<void>;
  newKey: () => string;
  /**
   * The most bytes that may wait for the stream; more are refused at once, so that a stream that is down does not fill
   * the memory.
   */
  mostBytes?: number;
}

export interface Coalescer extends StreamWriter {
  /**
   * The key of lines that may go to any shard: lines that wait at the same time have the same key, and so share
   * records.
   */
  anyKey(): string;
  /** Resolves when everything put so far was accepted or refused. */
  drained(): Promise<void>;
}

/** Kinesis bills a record by whole units of 25 KB, its key included. */
const unitBytes = 25 * 1024 - 64;
const recordBytes = 1024 * 1024;

/** A put that waits for its records: `left` of them are not settled yet. */
interface Request {
  left: number;
  failed?: unknown;
  settle: (failed: unknown) => void;
}

interface Part {
  data: Uint8Array;
  request: Request;
}

/**
 * One put to the stream at a time: lines that come meanwhile are gathered for the next, so that batches grow with the
 * load, and records of one key are put in the order of their arrival.
 */
export function coalesce(stream: StreamWriter, options: CoalesceOptions): Coalescer {
  const { gather, newKey, mostBytes = 64 * 1024 * 1024 } = options;
  let waiting = new Map<string, Part[]>();
  let any = newKey();
  let held = 0;
  let running: Promise<void> | undefined;

  const run = async () => {
    await gather();
    while (waiting.size > 0) {
      const batch = waiting;
      const shared = any;
      waiting = new Map();
      any = newKey();
      await send(batch, shared);
    }
    running = undefined;
  };

  const send = async (batch: Map<string, Part[]>, shared: string) => {
    const packed = [...batch].flatMap(([key, parts]) =>
      // Full records of the shared key get separate keys, so that they go to different shards.
      grouped(parts, ({ data }) => data.length, unitBytes).map((pack, at) => ({
        pack,
        record: { key: key === shared && at > 0 ? newKey() : key, data: joined(pack.map(({ data }) => data)) },
      })),
    );
    let failed: unknown;
    let refused: Set<StreamRecord> | undefined;
    try {
      await stream.put(packed.map(({ record }) => record));
    } catch (cause) {
      failed = cause;
      if (cause instanceof StreamRefused && cause.refused) refused = new Set(cause.refused);
    }
    for (const { pack, record } of packed)
      for (const { data, request } of pack) {
        held -= data.length;
        if (failed !== undefined && (refused?.has(record) ?? true)) request.failed = failed;
        if (--request.left === 0) request.settle(request.failed);
      }
  };

  return {
    put(records) {
      return new Promise((resolve, reject) => {
        const bytes = records.reduce((sum, { data }) => sum + data.length, 0);
        if (held + bytes > mostBytes) throw new StreamRefused(`${held} bytes wait for the stream already`);
        for (const { key, data } of records)
          if (Buffer.byteLength(key) + data.length > recordBytes)
            throw new Error(`a record of ${data.length} bytes, more than ${recordBytes}: split it`);
        if (records.length === 0) return resolve();
        held += bytes;
        const settle = (failed: unknown) => (failed === undefined ? resolve() : reject(failed));
        const request: Request = { left: records.length, settle };
        for (const { key, data } of records) {
          const parts = waiting.get(key);
          if (parts) parts.push({ data, request });
          else waiting.set(key, [{ data, request }]);
        }
        running ??= run();
      });
    },
    anyKey: () => any,
    async drained() {
      await running;
    },
  };
}
