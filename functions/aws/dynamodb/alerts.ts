// Claims and alerts in one DynamoDB table; `expires` (epoch seconds) is the time to live.
//
//   pk               sk                  what
//   claim KEY        -                   a claim that names nobody
//   person USER      claim DIGEST        a claim that names a user
//   tally KEY        -                   parts of a sum
//   alert ID         -                   says that this alert was added
//   notices          time id             an alert; `doc` is its JSON
//   waiting          time id             the same, while nobody has taken it to send it
//   held             time id             the same, while it waits for the digest of its `rule`
//   person USER      notice time id      says that an alert names this user
//   rules            RULE                `sent`: when its last alerts were sent; `since`: when the first was held back
//
// Rows that name a user are under the user's key: forgetting is one consistent query that reads nobody else's rows.
import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { type DynamoDBDocumentClient, GetCommand, PutCommand, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { page, readCursor } from '#core/cursor.ts';
import { inParallel } from '#core/parallel.ts';
import { type Alert, alertReachMs, digestMs, digestOf, stormMs } from '#core/rules.ts';
import { type AlertFeed, type AlertQueue, alertKeptMs, type ClaimStore, claimKeptMs } from '#core/stores.ts';
import { deleteAll, type Key, queryAll, sortable, transact } from './dynamo.ts';

export interface AlertsOptions {
  client: DynamoDBDocumentClient;
  table: string;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

const claimsAtOnce = 32;
const dayMs = 86_400_000;
const lists = { kept: 'notices', waiting: 'waiting', held: 'held' };
const rules = 'rules';

/** What is known of the alerts of a rule; `version` changes with each write. */
interface RuleRow {
  sent: number[];
  since?: number;
  version: number;
}

const personKey = (person: string) => `person ${person}`;
const alertKey = (id: string) => `alert ${id}`;
const notThere = 'attribute_not_exists(pk)';
// A sort key has at most 1024 bytes; a claim's key with a long name may exceed that.
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
  next: ['dynamodb:Query', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:DeleteItem'],
  digest: ['dynamodb:Query', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem'],
  forget: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
} satisfies Record<keyof (ClaimStore & AlertFeed & AlertQueue), string[]>;

export function openAlerts({ client, table, clock }: AlertsOptions): ClaimStore & AlertFeed & AlertQueue {
  const TableName = table;
  const seconds = (ms: number) => Math.floor(ms / 1000);

  const claim = async (key: string, by: string, person?: string) => {
    try {
      await client.send(
        new PutCommand({
          TableName,
          Item: { ...claimKey(key, person), by, expires: seconds(clock() + claimKeptMs) },
          // `= :by`: a put that timed out but succeeded is still ours when the client tries it again.
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

  /** Replaces what is known of a rule, unless another process has replaced it meanwhile. */
  const putRule = (rule: string, old: RuleRow | undefined, next: Omit<RuleRow, 'version'>) => ({
    TableName,
    Item: {
      ...{ pk: rules, sk: rule, ...next, version: (old?.version ?? 0) + 1 },
      expires: seconds(clock() + 2 * digestMs),
    },
    ...(old
      ? {
          ConditionExpression: '#version = :version',
          ExpressionAttributeNames: { '#version': 'version' },
          ExpressionAttributeValues: { ':version': old.version },
        }
      : { ConditionExpression: notThere }),
  });

  return {
    claim,
    claimAll: (claims) => inParallel(claims, claimsAtOnce, ({ key, by }) => claim(key, by)),
    async tally(key, part, count) {
      // One attribute per part: setting it twice has no further effect, and the response has all parts.
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
      const doc = JSON.stringify(alert);
      const expires = seconds(clock() + alertKeptMs);
      const { user } = alert.data;
      const put = (Item: object) => ({ Put: { TableName, Item: { expires, ...Item } } });
      await transact(client, [
        {
          Put: { TableName, Item: { pk: alertKey(alert.id), sk: '-', expires }, ConditionExpression: notThere },
        },
        put({ pk: lists.kept, sk, doc }),
        put({ pk: lists.waiting, sk, doc, expires: seconds(clock() + stormMs) }),
        // Forgetting must find every alert that exists.
        ...(user ? [put({ pk: personKey(user), sk: `notice ${sk}` })] : []),
      ]);
    },
    async next(most) {
      for (;;) {
        const now = clock();
        const [waiting] = await queryAll(
          client,
          {
            TableName,
            KeyConditionExpression: 'pk = :pk AND sk > :after',
            FilterExpression: '#expires > :now',
            ExpressionAttributeNames: { '#expires': 'expires' },
            // Older alerts are never handed out: DynamoDB may keep them for days before it removes them.
            ExpressionAttributeValues: {
              ...{ ':pk': lists.waiting, ':now': seconds(now) },
              ':after': sortable(now - alertReachMs - stormMs),
            },
            ConsistentRead: true,
          },
          1,
        );
        if (!waiting) return undefined;
        const { doc, sk } = waiting;
        const alert = JSON.parse(String(doc)) as Alert;
        const { Item } = await client.send(
          new GetCommand({ TableName, Key: { pk: rules, sk: alert.rule }, ConsistentRead: true }),
        );
        const row = Item as RuleRow | undefined;
        const sent = row?.sent.filter((at) => at > now - stormMs) ?? [];
        const isHeld = sent.length >= most;
        const next = isHeld ? { sent, since: row?.since ?? now } : { sent: [...sent, now], since: row?.since };
        const taken = await transact(client, [
          { Delete: { TableName, Key: { pk: lists.waiting, sk }, ConditionExpression: 'attribute_exists(pk)' } },
          { Put: putRule(alert.rule, row, next) },
          ...(isHeld
            ? [
                {
                  Put: {
                    TableName,
                    Item: { pk: lists.held, sk, rule: alert.rule, doc, expires: seconds(now + digestMs) },
                  },
                },
              ]
            : []),
        ]);
        if (taken && !isHeld) return alert;
      }
    },
    async digest() {
      for (;;) {
        const now = clock();
        const of = { TableName, KeyConditionExpression: 'pk = :pk', ConsistentRead: true };
        const rows = await queryAll(client, { ...of, ExpressionAttributeValues: { ':pk': rules } });
        const due = rows.find(({ since }) => since !== undefined && Number(since) <= now - stormMs);
        if (!due) return undefined;
        const row = due as unknown as RuleRow;
        const rule = String(due.sk);
        if (!(await transact(client, [{ Put: putRule(rule, row, { sent: row.sent, since: undefined }) }]))) continue;
        const held = await queryAll(client, {
          ...of,
          FilterExpression: '#rule = :rule AND #expires > :now',
          ExpressionAttributeNames: { '#rule': 'rule', '#expires': 'expires' },
          ExpressionAttributeValues: { ':pk': lists.held, ':rule': rule, ':now': seconds(now) },
        });
        await deleteAll(
          client,
          table,
          held.map(({ sk }) => ({ pk: lists.held, sk: String(sk) })),
        );
        // Alerts of a forgotten user are gone.
        if (held.length > 0) return digestOf(held.map(({ doc }) => JSON.parse(String(doc)) as Alert));
      }
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
          ExpressionAttributeValues: {
            ':pk': lists.kept,
            ':before': `${sortable(time)} ${id}`,
            ':now': seconds(clock()),
          },
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
      const alerts = keys.filter(({ sk }) => sk.startsWith('notice ')).map(({ sk }) => sk.slice('notice '.length));
      const rowsIn = (list: string) => alerts.map((sk) => ({ pk: list, sk }));
      // Removed from the waiting alerts first, because alerts move from there to the held ones.
      await deleteAll(client, table, rowsIn(lists.waiting));
      await deleteAll(client, table, [...rowsIn(lists.held), ...rowsIn(lists.kept)]);
      await deleteAll(client, table, [
        ...alerts.map((sk) => ({ pk: alertKey(sk.slice(sk.indexOf(' ') + 1)), sk: '-' })),
        ...keys,
      ]);
      return keys.length;
    },
  };
}
