// Claims and alerts in one DynamoDB table; `expires` (epoch seconds) is the time to live.
//
//   pk               sk                  what
//   claim KEY        -                   a claim that names nobody
//   person P         claim DIGEST        a claim that names a person
//   tally KEY        -                   parts of a sum
//   notices          time id             an alert; `doc` is its JSON
//   person P         notice time id      says that an alert names this user
//
// What names a person is found under the person: forgetting is one query, consistent, over nobody else's rows.
import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { page, readCursor } from '#core/cursor.ts';
import { inParallel } from '#core/parallel.ts';
import type { Alert } from '#core/rules.ts';
import { type AlertFeed, alertKeptMs, type ClaimStore, claimKeptMs } from '#core/stores.ts';
import { deleteAll, type Key, queryAll, sortable } from './dynamo.ts';

export interface AlertsOptions {
  client: DynamoDBDocumentClient;
  table: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

const claimsAtOnce = 32;
const dayMs = 86_400_000;
const list = 'notices';

const personKey = (person: string) => `person ${person}`;
// A sort key is at most 1024 bytes, which a person's name in a rule's key may pass.
const claimKey = (key: string, person?: string): Key =>
  person === undefined
    ? { pk: `claim ${key}`, sk: '-' }
    : { pk: personKey(person), sk: `claim ${createHash('sha256').update(key).digest('base64url')}` };

/** The rights that each method needs on the table. */
export const alertRights = {
  claim: ['dynamodb:PutItem'],
  claimAll: ['dynamodb:PutItem'],
  tally: ['dynamodb:UpdateItem'],
  add: ['dynamodb:PutItem'],
  alerts: ['dynamodb:Query'],
  forget: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
} satisfies Record<keyof (ClaimStore & AlertFeed), string[]>;

export function openAlerts({ client, table, clock }: AlertsOptions): ClaimStore & AlertFeed {
  const TableName = table;
  const seconds = (ms: number) => Math.floor(ms / 1000);

  const claim = async (key: string, by: string, person?: string) => {
    try {
      await client.send(
        new PutCommand({
          TableName,
          Item: { ...claimKey(key, person), by, expires: seconds(clock() + claimKeptMs) },
          // `= :by`: a put that timed out and came through is still ours when the client tries it again.
          ConditionExpression: 'attribute_not_exists(pk) OR #by = :by',
          ExpressionAttributeNames: { '#by': 'by' },
          ExpressionAttributeValues: { ':by': by },
          ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        }),
      );
      return by;
    } catch (cause) {
      if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
      return cause.Item?.by?.S ?? '';
    }
  };

  return {
    claim,
    claimAll: (claims) => inParallel(claims, claimsAtOnce, ({ key, by }) => claim(key, by)),
    async tally(key, part, count) {
      // One attribute a part: setting it twice is setting it once, and the response holds all parts.
      const { Attributes = {} } = await client.send(
        new UpdateCommand({
          TableName,
          Key: { pk: `tally ${key}`, sk: '-' },
          UpdateExpression: 'SET #part = :count, #expires = :expires',
          ExpressionAttributeNames: { '#part': `part ${part}`, '#expires': 'expires' },
          ExpressionAttributeValues: { ':count': count, ':expires': seconds(clock() + dayMs) },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return Object.entries(Attributes)
        .filter(([name]) => name.startsWith('part '))
        .reduce((sum, [, value]) => sum + Number(value), 0);
    },
    async add(alert) {
      const sk = `${sortable(alert.time)} ${alert.id}`;
      const expires = seconds(clock() + alertKeptMs);
      const { user } = alert.data;
      // Under the user first: forgetting must find every alert that exists.
      if (user)
        await client.send(new PutCommand({ TableName, Item: { pk: personKey(user), sk: `notice ${sk}`, expires } }));
      await client.send(new PutCommand({ TableName, Item: { pk: list, sk, doc: JSON.stringify(alert), expires } }));
    },
    async alerts({ cursor, limit }) {
      const [time, id] = readCursor(cursor);
      const rows = await queryAll(
        client,
        {
          TableName,
          KeyConditionExpression: 'pk = :pk AND sk < :before',
          // DynamoDB's own expiry may be two days late.
          FilterExpression: '#expires > :now',
          ExpressionAttributeNames: { '#expires': 'expires' },
          ExpressionAttributeValues: { ':pk': list, ':before': `${sortable(time)} ${id}`, ':now': seconds(clock()) },
          ScanIndexForward: false,
        },
        limit + 1,
      );
      return page(
        rows.map(({ doc }) => JSON.parse(String(doc)) as Alert),
        limit,
      );
    },
    async forget(user) {
      const rows = await queryAll(client, {
        TableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': personKey(user) },
        ConsistentRead: true,
      });
      const keys = rows.map(({ pk, sk }) => ({ pk: String(pk), sk: String(sk) }));
      const listed = keys.filter(({ sk }) => sk.startsWith('notice '));
      await deleteAll(
        client,
        table,
        listed.map(({ sk }) => ({ pk: list, sk: sk.slice('notice '.length) })),
      );
      await deleteAll(client, table, keys);
      return keys.length;
    },
  };
}
