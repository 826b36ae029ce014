import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { type ProcessOptions, processBatch } from './process.ts';

/** Prefix of the shards of the stream that registries' events have for themselves. */
export const registryShards = 'registry-';

/** Prefix of the shards of what imports bring: how long it waits does not count as lag. */
export const importShards = 'import-';

export interface HandlerOptions extends ProcessOptions {
  /** What the shards' names begin with: streams number their shards alike, and each shard has a chain of commits of its own. */
  shardPrefix?: string;
}

/**
 * What a Kinesis event source mapping calls with a batch of one shard. Records that can never be processed are set
 * aside inside; a throw means that a store is down, and the mapping tries the batch again.
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
