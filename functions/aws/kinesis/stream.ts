import { setTimeout as wait } from 'node:timers/promises';
import { KinesisClient, PutRecordsCommand } from '@aws-sdk/client-kinesis';
import { type StreamRecord, StreamRefused, type StreamWriter } from '#core/stores.ts';

export interface StreamOptions {
  client: KinesisClient;
  stream: string;
}

/** The rights of a writer on the stream. */
export const streamRights = ['kinesis:PutRecords'];

// PutRecords takes 500 records and 10 MiB. We send at most half of these bytes, because 10 MiB would use up ten shards
// for a second.
const recordsAtOnce = 500;
const bytesAtOnce = 5 * 1024 * 1024;
const recordBytes = 1024 * 1024;
/** Milliseconds before refused records are put again; a registry gets its response within 500. */
const pauses = [40, 160];

/** A call that hangs is given up after two seconds and tried once more: a registry waits for the response. */
export const streamClient = () =>
  new KinesisClient({ maxAttempts: 2, requestHandler: { connectionTimeout: 1000, requestTimeout: 2000 } });

/** The Kinesis stream that collect writes to. */
export function openStream({ client, stream }: StreamOptions): StreamWriter {
  /** Puts records once; returns those that were refused. Records of one key stay in order unless some are refused. */
  const offer = async (records: StreamRecord[]): Promise<StreamRecord[]> => {
    const Records = records.map(({ key, data }) => ({ PartitionKey: key, Data: data }));
    const response = await client.send(new PutRecordsCommand({ StreamName: stream, Records }));
    if (!response.FailedRecordCount) return [];
    return records.filter((_, index) => response.Records?.[index]?.ErrorCode);
  };

  return {
    async put(records) {
      for (const { key, data } of records) {
        const size = Buffer.byteLength(key) + data.length;
        if (size > recordBytes) throw new Error(`a record of ${size} bytes, more than ${recordBytes}: split it`);
      }
      const waiting = [...batches(records)];
      for (let batch = waiting.shift(); batch; batch = waiting.shift()) {
        let left = batch;
        const refused = (message: string, cause?: unknown) =>
          new StreamRefused(message, { cause, refused: [...left, ...waiting.flat()] });
        try {
          left = await offer(batch);
          for (const pause of pauses) {
            if (left.length === 0) break;
            await wait(pause);
            left = await offer(left);
          }
        } catch (cause) {
          throw refused('the stream did not respond', cause);
        }
        if (left.length > 0) throw refused(`the stream had no room for ${left.length} records`);
      }
    },
  };
}

function* batches(records: StreamRecord[]): Iterable<StreamRecord[]> {
  let batch: StreamRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(record.key) + record.data.length;
    if (batch.length === recordsAtOnce || (batch.length > 0 && bytes + size > bytesAtOnce)) {
      yield batch;
      [batch, bytes] = [[], 0];
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
