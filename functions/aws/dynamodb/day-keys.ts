// Keys that are destroyed some days after their day: those of address digests and of quarantined entries. Their table
// has no backups.
//
//   digest key         day, or `quarantine` and day     the key; `expiresAt` is when it is destroyed
import { randomBytes } from 'node:crypto';
import { type DynamoDBDocumentClient, GetCommand } from '@aws-sdk/lib-dynamodb';
import { deleteAll, putNew, queryAll, type Row } from './dynamo.ts';

const keyBytes = 32;
const pk = 'digest key';

export interface DayKeysOptions {
  client: DynamoDBDocumentClient;
  table: string;
  clock: () => number;
}

export type DayKeys = ReturnType<typeof openDayKeys>;

export function openDayKeys({ client, table, clock }: DayKeysOptions) {
  const isOver = (row: Row, now: number) => Number(row.expiresAt) <= now;

  return {
    /** Undefined if it was destroyed, or never made. */
    async find(name: string): Promise<Uint8Array | undefined> {
      const { Item } = await client.send(
        new GetCommand({ TableName: table, Key: { pk, sk: name }, ConsistentRead: true }),
      );
      return Item && !isOver(Item, clock()) ? bytesOf(Item) : undefined;
    },
    /** Made on first use; `expiresAt` is called with the current time. */
    async of(name: string, expiresAt: (now: number) => number): Promise<Uint8Array> {
      const now = clock();
      const keys = await queryAll(client, {
        TableName: table,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': pk },
        ConsistentRead: true,
      });
      // DynamoDB's own expiry may be two days late.
      const over = keys.filter((row) => isOver(row, now)).map(({ sk }) => ({ pk, sk: String(sk) }));
      await deleteAll(client, table, over);
      const held = keys.find(({ sk }) => sk === name);
      if (held && !isOver(held, now)) return bytesOf(held);
      const key = randomBytes(keyBytes);
      const at = expiresAt(now);
      const Item = { pk, sk: name, key, expiresAt: at, expires: Math.ceil(at / 1000) };
      const other = await putNew(client, { TableName: table, Item });
      return other ? bytesOf(other) : key;
    },
  };
}

const bytesOf = ({ key }: Row) => Buffer.from(key as Uint8Array);
