import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { type ProcessOptions, processBatch } from './process.ts';

/** The shard prefix of the stream for registry events only. */
export const registryShards = 'registry-';

/** The shard prefix of the stream of imports, whose waiting time does not count as lag. */
export const importShards = 'import-';

export interface HandlerOptions extends ProcessOptions {
  /**
   * A prefix of the shards' names. Streams number their shards alike, but each shard needs its own chain of commits.
   */
  shardPrefix?: string;
}

/**
 * What a Kinesis event source mapping calls with a batch of one shard. Records that can never be processed are
 * quarantined; an exception means that a store is down, and the mapping retries the batch.
 */
export function processHandler({ shardPrefix = '', ...options }: HandlerOptions) {
  return async ({ Records }: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> => {
    const [shard] = Records[0].eventID.split(':');
    const records = Records.map(({ kinesis }) => ({
      sequenceNumber: kinesis.sequenceNumber,
      data: Buffer.from(kinesis.data, 'base64'),
      arrivedAt: Math.round(kinesis.approximateArrivalTimestamp * 1000),
    }));
    await processBatch(shardPrefix + shard, records, options);
    return { batchItemFailures: [] };
  };
}
