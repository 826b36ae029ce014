// Checkpoint rows in DynamoDB: one partition per shard, sorted by `previous`; one more partition lists the shards.
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, PutCommand } from '@aws-sdk/lib-dynamodb';
import type { Checkpoint, CheckpointStore } from '#core/stores.ts';
import { deleteAll, queryAll, type Row, transact } from './dynamo.ts';

export interface CheckpointsOptions {
  client: DynamoDBDocumentClient;
  table: string;
}

/** The rights that each method needs on the table: constructs grant these and no others. */
export const checkpointRights = {
  latest: ['dynamodb:Query'],
  commit: ['dynamodb:PutItem'],
  shards: ['dynamodb:Query'],
  after: ['dynamodb:Query'],
  remove: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
} satisfies Record<keyof CheckpointStore, string[]>;

// Sequence numbers have up to 128 digits: padded, their text order is their order as integers.
const pad = (sequenceNumber: string) => sequenceNumber.padStart(128, '0');

const ofShard = (shard: string) => `shard ${shard}`;
const shardList = 'shards';

export function openCheckpoints({ client, table }: CheckpointsOptions): CheckpointStore {
  const TableName = table;
  const notThere = 'attribute_not_exists(pk)';

  const newest = async (shard: string) => {
    const [row] = await queryAll(
      client,
      {
        TableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': ofShard(shard) },
        ScanIndexForward: false,
        ConsistentRead: true,
      },
      1,
    );
    return row && read(shard, row);
  };

  return {
    latest: newest,
    async commit({ shard, previous, last, delta, committedAt }) {
      const Item = { pk: ofShard(shard), sk: pad(previous), previous, last, delta, committedAt };
      const put = { TableName, Item, ConditionExpression: notThere };
      // A shard's first row and its entry in the list are written together; otherwise a shard might never be folded.
      if (previous === '0')
        return transact(client, [{ Put: put }, { Put: { TableName, Item: { pk: shardList, sk: shard } } }]);
      try {
        await client.send(new PutCommand(put));
        return true;
      } catch (cause) {
        if (cause instanceof ConditionalCheckFailedException) return false;
        throw cause;
      }
    },
    async shards() {
      const rows = await queryAll(client, {
        TableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': shardList },
        ConsistentRead: true,
      });
      return rows.map(({ sk }) => String(sk));
    },
    async after(shard, after, limit) {
      const rows = await queryAll(
        client,
        {
          TableName,
          KeyConditionExpression: 'pk = :pk AND sk >= :after',
          ExpressionAttributeValues: { ':pk': ofShard(shard), ':after': pad(after) },
          ConsistentRead: true,
        },
        limit,
      );
      return rows.map((row) => read(shard, row));
    },
    async remove(rows) {
      // A row that is not the newest can never become the newest again, so this stays true while rows are deleted.
      for (const shard of new Set(rows.map((row) => row.shard))) {
        const kept = await newest(shard);
        if (rows.some((row) => row.shard === shard && row.previous === kept?.previous))
          throw new Error(`row ${kept?.previous} is the newest of ${shard}: without it the chain would start again`);
      }
      const keys = rows.map(({ shard, previous }) => ({ pk: ofShard(shard), sk: pad(previous) }));
      await deleteAll(client, table, keys);
    },
  };
}

const read = (shard: string, row: Row): Checkpoint => ({
  shard,
  previous: String(row.previous),
  last: String(row.last),
  delta: String(row.delta),
  committedAt: Number(row.committedAt),
});
