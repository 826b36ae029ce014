import type { KinesisStreamBatchResponse, KinesisStreamEvent } from 'aws-lambda';
import { type ProcessOptions, processBatch } from './process.ts';

/**
 * What a Kinesis event source mapping calls with a batch of one shard. Records that can never be processed are set
 * aside inside; a throw means that a store is down, and the mapping tries the batch again.
 */
export function processHandler(options: ProcessOptions) {
  return async ({ Records }: KinesisStreamEvent): Promise<KinesisStreamBatchResponse> => {
    const [shard] = Records[0].eventID.split(':');
    const records = Records.map(({ kinesis }) => ({
      sequenceNumber: kinesis.sequenceNumber,
      data: Buffer.from(kinesis.data, 'base64'),
      arrivedAt: Math.round(kinesis.approximateArrivalTimestamp * 1000),
    }));
    await processBatch(shard, records, options);
    return { batchItemFailures: [] };
  };
}
