// Counts of refused posts. They are in the table of credentials, which both collect (which counts) and serve (which
// shows) may use: pk is `refused`, sk the UTC day, reason and registry.
import { UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { type Refusal, type RefusalReason, type RefusalStore, refusalDays } from '#core/stores.ts';
import type { CredentialsOptions } from './credentials.ts';
import { queryAll } from './dynamo.ts';

/** The rights that each method needs on the table. */
export const refusalRights = {
  add: ['dynamodb:UpdateItem'],
  list: ['dynamodb:Query'],
} satisfies Record<keyof RefusalStore, string[]>;

const dayMs = 86_400_000;
const pk = 'refused';
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

export function openRefusals({ client, table, clock }: CredentialsOptions): RefusalStore {
  const TableName = table;
  return {
    async add({ reason, registry, posts, lastAt }) {
      const expires = Math.ceil((lastAt + (refusalDays + 1) * dayMs) / 1000);
      const Key = { pk, sk: `${dayOf(lastAt)} ${reason} ${registry}` };
      await client.send(
        new UpdateCommand({
          ...{ TableName, Key, UpdateExpression: 'SET lastAt = :at, expires = :expires ADD posts :posts' },
          ExpressionAttributeValues: { ':at': lastAt, ':expires': expires, ':posts': posts },
        }),
      );
    },
    async list() {
      const rows = await queryAll(client, {
        TableName,
        KeyConditionExpression: 'pk = :pk AND sk > :before',
        // The bare day sorts before all rows of that day, so the query includes the whole oldest day.
        ExpressionAttributeValues: { ':pk': pk, ':before': dayOf(clock() - (refusalDays - 1) * dayMs) },
        ConsistentRead: true,
      });
      const sums = new Map<string, Refusal>();
      for (const { sk, posts, lastAt } of rows) {
        const [, reason, registry] = String(sk).split(' ');
        const key = `${reason} ${registry}`;
        const held = sums.get(key) ?? { reason: reason as RefusalReason, registry, posts: 0, lastAt: 0 };
        held.posts += Number(posts);
        held.lastAt = Math.max(held.lastAt, Number(lastAt));
        sums.set(key, held);
      }
      return [...sums.values()].sort(
        (a, b) => b.lastAt - a.lastAt || (`${a.reason} ${a.registry}` < `${b.reason} ${b.registry}` ? -1 : 1),
      );
    },
  };
}
