import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import type { CheckpointStore } from '#core/stores.ts';

export interface LagOptions {
  client: KinesisClient;
  stream: string;
  checkpoints: Pick<CheckpointStore, 'latest'>;
  clock: () => number;
}

/** A shard takes five reads a second, and the mapping is one of its readers. */
const keptMs = 5000;

/** How far process is behind in each shard: the age of the first record after its newest checkpoint, seconds. */
export function streamLag({ client, stream, checkpoints, clock }: LagOptions) {
  let held: { shards: Promise<{ shard: string; seconds: number }[]>; at: number } | undefined;

  const lagOf = async (ShardId: string) => {
    const last = (await checkpoints.latest(ShardId))?.last;
    const from = last
      ? ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', StartingSequenceNumber: last } as const)
      : ({ ShardIteratorType: 'TRIM_HORIZON' } as const);
    const { ShardIterator } = await client.send(new GetShardIteratorCommand({ StreamName: stream, ShardId, ...from }));
    const { Records, MillisBehindLatest } = await client.send(new GetRecordsCommand({ ShardIterator, Limit: 1 }));
    const arrived = Records?.[0]?.ApproximateArrivalTimestamp?.getTime();
    const behindMs = arrived === undefined ? (MillisBehindLatest ?? 0) : clock() - arrived;
    return { shard: ShardId, seconds: Math.max(0, behindMs / 1000) };
  };

  const read = async () => {
    const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }));
    return Promise.all(Shards.map(({ ShardId = '' }) => lagOf(ShardId)));
  };

  return () => {
    if (!held || clock() - held.at > keptMs) held = { shards: read(), at: clock() };
    return held.shards;
  };
}
