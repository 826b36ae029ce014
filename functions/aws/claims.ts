// Claims in DynamoDB: a table with the string key `key` and `expires` (epoch seconds) as its time to live.
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import type { ClaimStore } from '#core/stores.ts';

export interface ClaimsOptions {
  client: DynamoDBDocumentClient;
  table: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

const daySeconds = 86_400;

export function openClaims({ client, table, clock }: ClaimsOptions): ClaimStore {
  return {
    async claim(key, by) {
      try {
        await client.send(
          new PutCommand({
            TableName: table,
            Item: { key, by },
            // `= :by`: a put that timed out and came through is still ours when the client tries it again.
            ConditionExpression: 'attribute_not_exists(#key) OR #by = :by',
            ExpressionAttributeNames: { '#key': 'key', '#by': 'by' },
            ExpressionAttributeValues: { ':by': by },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        );
        return by;
      } catch (cause) {
        if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
        return cause.Item?.by?.S ?? '';
      }
    },
    async tally(key, part, count) {
      // One attribute a part: setting it twice is setting it once, and the answer holds all parts.
      const { Attributes = {} } = await client.send(
        new UpdateCommand({
          TableName: table,
          Key: { key: `tally ${key}` },
          UpdateExpression: 'SET #part = :count, #expires = :expires',
          ExpressionAttributeNames: { '#part': `part ${part}`, '#expires': 'expires' },
          ExpressionAttributeValues: { ':count': count, ':expires': Math.floor(clock() / 1000) + daySeconds },
          ReturnValues: 'ALL_NEW',
        }),
      );
      return Object.entries(Attributes)
        .filter(([name]) => name.startsWith('part '))
        .reduce((sum, [, value]) => sum + Number(value), 0);
    },
  };
}
