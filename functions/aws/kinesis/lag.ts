// How far process is behind. Export measures it on the stream and writes a row; the health page reads that row, not the
// stream.
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { CheckpointStore } from '#core/stores.ts';

export interface LagOptions {
  client: KinesisClient;
  stream: string;
  /** The prefix of this stream's shards in the checkpoint table. */
  shardPrefix?: string;
  checkpoints: Pick<CheckpointStore, 'latest'>;
  clock: () => number;
}

export interface Lag {
  shard: string;
  /** Age of the oldest unprocessed record; 0 if there is none. */
  seconds: number;
}

/** The rights to measure, on the stream. */
export const streamLagRights = ['kinesis:ListShards', 'kinesis:GetShardIterator', 'kinesis:GetRecords'];

/** GetRecords may return no records several times before it reaches some. */
const mostEmptyReads = 5;

/** How far process is behind in each shard: the age of the first record after its newest checkpoint, seconds. */
export function streamLag({ client, stream, shardPrefix = '', checkpoints, clock }: LagOptions): () => Promise<Lag[]> {
  const lagOf = async (ShardId: string): Promise<Lag> => {
    const shard = shardPrefix + ShardId;
    const last = (await checkpoints.latest(shard))?.last;
    const from = last
      ? ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last } as const)
      : ({ ShardIteratorType: 'TRIM_HORIZON' } as const);
    let { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamName: stream, ShardId, ...from }));
    let behindMs = 0;
    for (let reads = 0; ShardIterator && reads < mostEmptyReads; reads++) {
      const page = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 1 }));
      const arrived = page.Records?.[0]?.ApproximateArrivalTimestamp?.getTime();
      behindMs = arrived === undefined ? (page.MillisBehindLatest ?? 0) : clock() - arrived;
      if (arrived !== undefined || behindMs === 0) break;
      ShardIterator = page.NextShardIterator;
    }
    return { shard, seconds: Math.max(0, behindMs / 1000) };
  };

  return async () => {
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }));
    return Promise.all(Shards.map(({ ShardId = '' }) => lagOf(ShardId)));
  };
}

const key = { pk: 'lag', sk: '-' };

/** The rights of each method, on the checkpoint table. */
export const lagRights = { write: ['dynamodb:PutItem'], read: ['dynamodb:GetItem'] };

/** The row of the checkpoint table that holds the last measurement. */
export function openLag({
  client,
  table,
  clock,
}: {
  client: DynamoDBDocumentClient;
  table: string;
  clock: () => number;
}) {
  return {
    async write(shards: Lag[]): Promise<void> {
      const Item = { ...key, measuredAt: clock(), shards: JSON.stringify(shards) };
      await client.send(new PutCommand({ TableName: table, Item }));
    },
    /** For a shard that was behind, adds the time since the measurement. Empty before the first export. */
    async read(): Promise<Lag[]> {
      const { Item } = await client.send(new GetCommand({ TableName: table, Key: key }));
      if (!Item) return [];
      const since = Math.max(0, clock() - Number(Item.measuredAt)) / 1000;
      return (JSON.parse(String(Item.shards)) as Lag[]).map(({ shard, seconds }) => ({
        shard,
        seconds: seconds > 0 ? seconds + since : 0,
      }));
    },
  };
}
