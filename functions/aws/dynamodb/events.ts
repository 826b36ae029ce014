// Registry events, the pulls derived from them and the quarantine in one DynamoDB table; the daily keys are in another
// one, without backups.
//
//   pk                         sk             what
//   user U                     repository     the pair's version; lists the repositories of a user
//   events of R U              time id        an event; `doc` is it, as JSON
//   pulls of R U               time id        a pull; in the index `newest` under `user U`
//   quarantine ID              -              a quarantined entry, encrypted; in the index `newest` under `quarantine`
//   quarantined                -              how many entries, their bytes, how many were dropped for lack of room
//   forgotten                  digest time    a digest of a forgotten name; `forgottenAt` is the time
//
// An event's id, user, repository and time are the same at every redelivery, so they make up its key. A table key is at
// most 2048 + 1024 bytes: collect takes names up to 255 and ids up to 256 characters.
import { createHash } from 'node:crypto';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import {
  type DynamoDBDocumentClient,
  GetCommand,
  ScanCommand,
  type ScanCommandOutput,
  type TransactWriteCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb';
import { page, readCursor } from '#core/cursor.ts';
import { type Pull, parseStoredEvent, type StoredEvent } from '#core/event.ts';
import { inParallel } from '#core/parallel.ts';
import { type EventStore, forgottenKeptMs, type Replacement } from '#core/stores.ts';
import { openDayKeys } from './day-keys.ts';
import { deleteAll, getAll, inParts, type Key, queryAll, type Row, sortable, transact, writeAll } from './dynamo.ts';
import { listedBefore, sortKeyOf } from './newest.ts';
import { openQuarantine } from './quarantine.ts';

export { newestIndex } from './newest.ts';

export interface EventsOptions {
  client: DynamoDBDocumentClient;
  table: string;
  /** Table of the daily keys. It must have no point-in-time recovery, which could restore a destroyed key. */
  keyTable: string;
  /** Events, pulls and quarantined entries expire after so many days (DynamoDB's time to live); undefined: never. */
  keepEventsDays?: number;
  /** The most bytes of quarantined entries that are kept. */
  mostQuarantineBytes?: number;
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** The rights that each method needs on the table, and on its index where it lists newest first. */
export const eventRights = {
  put: ['dynamodb:BatchGetItem', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem'],
  events: ['dynamodb:Query'],
  eventsAfter: ['dynamodb:Query'],
  pairs: ['dynamodb:Scan'],
  rewrite: ['dynamodb:UpdateItem'],
  version: ['dynamodb:GetItem'],
  versions: ['dynamodb:BatchGetItem'],
  pulls: ['dynamodb:Query'],
  replacePulls: ['dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:ConditionCheckItem'],
  history: [],
  quarantine: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem'],
  quarantined: [],
  quarantineState: ['dynamodb:GetItem'],
  release: ['dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
  digestKey: [],
  forget: ['dynamodb:Query', 'dynamodb:BatchWriteItem', 'dynamodb:DeleteItem', 'dynamodb:UpdateItem'],
  markForgotten: ['dynamodb:BatchWriteItem'],
  forgotten: ['dynamodb:Query', 'dynamodb:BatchWriteItem'],
} satisfies Record<keyof EventStore, string[]>;
export const eventIndexRights = {
  history: ['dynamodb:Query'],
  quarantine: ['dynamodb:Query'],
  quarantined: ['dynamodb:Query'],
  forget: ['dynamodb:Query'],
} satisfies Partial<Record<keyof EventStore, string[]>>;
export const eventKeyRights = {
  digestKey: ['dynamodb:Query', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem'],
  quarantine: ['dynamodb:Query', 'dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:BatchWriteItem'],
  quarantined: ['dynamodb:GetItem'],
  forget: ['dynamodb:GetItem'],
} satisfies Partial<Record<keyof EventStore, string[]>>;

const dayMs = 86_400_000;
/** Actions of a transaction; one of them sets the version. */
const actionsAtOnce = 100;
const transactionsAtOnce = 8;
const putsAtOnce = 32;
/** Rows that one call of a scan reads. */
const scanAtOnce = 1000;

// The length makes the key unique even if names contain spaces.
const pair = (user: string, repository: string) => `of ${repository.length} ${repository} ${user}`;
const eventsOf = (user: string, repository: string) => `events ${pair(user, repository)}`;
const pullsOf = (user: string, repository: string) => `pulls ${pair(user, repository)}`;
const versionKey = (user: string, repository: string): Key => ({ pk: `user ${user}`, sk: `repository ${repository}` });
const forgottenList = 'forgotten';
const digestOf = (user: string) => createHash('sha256').update(user).digest('base64url');
/** The length of digestOf: SHA-256 in base64url. */
const digestCharacters = 43;

export function openEvents(options: EventsOptions): EventStore {
  const { client, table, keyTable, keepEventsDays, clock, mostQuarantineBytes } = options;
  const TableName = table;
  /** The attribute that makes a row expire some days after a time. */
  const kept = (time: number) =>
    keepEventsDays === undefined ? {} : { expires: Math.ceil((time + keepEventsDays * dayMs) / 1000) };

  const between = async (pk: string, from: number, to: number): Promise<Row[]> => {
    return queryAll(client, {
      TableName,
      KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
      // '!' is the character after the space between time and id, so the range includes every id of the last time.
      ExpressionAttributeValues: { ':pk': pk, ':from': sortable(from), ':to': `${sortable(to)}!` },
      ConsistentRead: true,
    });
  };

  const newest = async <T>(list: string, cursor: string | undefined, limit: number): Promise<T[]> => {
    const [time, id] = readCursor(cursor);
    const rows = await queryAll(client, listedBefore(TableName, list, { time, id }), limit + 1);
    return rows.map(docOf<T>);
  };

  /** Lists each pair of user and repository. Must run before their events are stored, or forget would miss these. */
  const list = async (events: StoredEvent[]) => {
    const keys = new Map(events.map(({ user, repository }) => [pair(user, repository), versionKey(user, repository)]));
    for (let done = false; !done; ) {
      const listed = await getAll(client, table, [...keys.values()], ['pk', 'sk']);
      const there = new Set(listed.map(({ pk, sk }) => JSON.stringify([pk, sk])));
      const missing = [...keys.values()].filter(({ pk, sk }) => !there.has(JSON.stringify([pk, sk])));
      const puts = missing.map((key) => ({
        Put: { TableName, Item: { ...key, ...kept(clock()) }, ConditionExpression: 'attribute_not_exists(pk)' },
      }));
      // Another batch may list one of them first; then the list is read again.
      const parts = inParts(puts, actionsAtOnce);
      const won = await inParallel(parts, transactionsAtOnce, (some) => transact(client, some));
      done = won.every(Boolean);
    }
  };

  const keys = openDayKeys({ client, table: keyTable, clock });
  const held = openQuarantine({ client, table, keys, keepEventsDays, mostBytes: mostQuarantineBytes, clock });

  /** A replacement as actions of a transaction. */
  const changeOf = ({ user, repository, version, remove, put }: Replacement): ChangeOfPulls => {
    const pk = pullsOf(user, repository);
    const changes = new Map<string, Action>();
    for (const pull of remove)
      changes.set(sortKeyOf(pull), { Delete: { TableName, Key: { pk, sk: sortKeyOf(pull) } } });
    for (const pull of put) {
      const at = sortKeyOf(pull);
      const Item = { pk, sk: at, list: `user ${user}`, at, doc: JSON.stringify(pull), ...kept(pull.time) };
      changes.set(at, { Put: { TableName, Item } });
    }
    const unchanged = {
      TableName,
      Key: versionKey(user, repository),
      ExpressionAttributeNames: { '#version': 'version' },
      ConditionExpression: version === 0 ? 'attribute_not_exists(#version)' : '#version = :version',
    };
    const values = version === 0 ? {} : { ':version': version };
    const grow = {
      ...unchanged,
      // A version expires later than its rows.
      UpdateExpression: `SET #version = :next${keepEventsDays === undefined ? '' : ', expires = :expires'}`,
      ExpressionAttributeValues: {
        ...{ ...values, ':next': version + 1 },
        ...(keepEventsDays === undefined ? {} : { ':expires': kept(clock()).expires }),
      },
    };
    const check = { ...unchanged, ...(version === 0 ? {} : { ExpressionAttributeValues: values }) };
    return { check, grow, items: [...changes.values()] };
  };

  /**
   * A change larger than one transaction is split, and the version is incremented in the last part. If it stops in
   * between, the old version shows that the pulls must be recomputed; they are a function of the events, so a retry
   * repairs them.
   */
  const replaceOne = async ({ check, grow, items }: ChangeOfPulls): Promise<boolean> => {
    const left = [...items];
    while (left.length >= actionsAtOnce)
      if (!(await transact(client, [{ ConditionCheck: check }, ...left.splice(0, actionsAtOnce - 1)]))) return false;
    return transact(client, [{ Update: grow }, ...left]);
  };

  return {
    async put(events) {
      await list(events);
      // If a put has the same key twice, only the first is written.
      const first = new Map<string, StoredEvent>();
      const keyOf = (event: StoredEvent) => JSON.stringify([sortKeyOf(event), pair(event.user, event.repository)]);
      for (const event of events) if (!first.has(keyOf(event))) first.set(keyOf(event), event);
      const rows = [...first].map(([key, event]) => {
        const { user, repository, origin } = event;
        const primary = { pk: eventsOf(user, repository), sk: sortKeyOf(event) };
        return { key, primary, Item: { ...primary, origin, doc: JSON.stringify(event), ...kept(event.time) } };
      });
      const found = await getAll(
        client,
        table,
        rows.map(({ primary }) => primary),
        ['pk', 'sk', 'origin'],
      );
      const nameOf = ({ pk, sk }: Row) => JSON.stringify([pk, sk]);
      const held = new Map(found.map((row) => [nameOf(row), String(row.origin)]));
      // All deliveries of an event come from one shard, in order: only a repeat of this batch can run concurrently.
      const fresh = rows.filter(({ primary }) => !held.has(nameOf(primary)));
      await writeAll(
        client,
        table,
        fresh.map(({ Item }) => ({ PutRequest: { Item } })),
      );
      const origins = new Map(rows.map(({ key, primary, Item }) => [key, held.get(nameOf(primary)) ?? Item.origin]));
      return events.map((event) => origins.get(keyOf(event)) === event.origin);
    },
    async rewrite(events) {
      await inParallel(events, putsAtOnce, async (event) => {
        const Key = { pk: eventsOf(event.user, event.repository), sk: sortKeyOf(event) };
        const change = new UpdateCommand({
          ...{ TableName, Key, UpdateExpression: 'SET #doc = :doc', ExpressionAttributeNames: { '#doc': 'doc' } },
          ...{ ExpressionAttributeValues: { ':doc': JSON.stringify(event) } },
          ConditionExpression: 'attribute_exists(pk)',
        });
        await client.send(change).catch((cause) => {
          if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
        });
      });
    },
    async pairs({ cursor, limit }) {
      const items: { user: string; repository: string }[] = [];
      let ExclusiveStartKey = cursor === undefined ? undefined : (JSON.parse(cursor) as Row);
      do {
        const found: ScanCommandOutput = await client.send(
          new ScanCommand({
            ...{
              TableName,
              ExclusiveStartKey,
              ConsistentRead: true,
              ProjectionExpression: 'pk, sk',
              Limit: scanAtOnce,
            },
            FilterExpression: 'begins_with(pk, :user) AND begins_with(sk, :repository)',
            ExpressionAttributeValues: { ':user': 'user ', ':repository': 'repository ' },
          }),
        );
        for (const { pk, sk } of found.Items ?? [])
          items.push({ user: String(pk).slice('user '.length), repository: String(sk).slice('repository '.length) });
        ExclusiveStartKey = found.LastEvaluatedKey;
      } while (ExclusiveStartKey && items.length < limit);
      return { items, ...(ExclusiveStartKey ? { cursor: JSON.stringify(ExclusiveStartKey) } : {}) };
    },
    async eventsAfter(user, repository, after, limit) {
      const rows = await queryAll(
        client,
        {
          TableName,
          KeyConditionExpression: 'pk = :pk AND sk > :after',
          // '!' follows every id of that time.
          ExpressionAttributeValues: {
            ':pk': eventsOf(user, repository),
            ':after': after === undefined ? ' ' : `${sortable(after)}!`,
          },
          ConsistentRead: true,
        },
        limit,
      );
      return rows.slice(0, limit).map(eventOf);
    },
    events: async (user, repository, from, to) => (await between(eventsOf(user, repository), from, to)).map(eventOf),
    pulls: async (user, repository, from, to) => (await between(pullsOf(user, repository), from, to)).map(docOf<Pull>),
    async version(user, repository) {
      const Key = versionKey(user, repository);
      const { Item } = await client.send(new GetCommand({ TableName, Key, ConsistentRead: true }));
      return Number(Item?.version ?? 0);
    },
    async versions(pairs) {
      const keys = pairs.map(({ user, repository }) => versionKey(user, repository));
      const rows = await getAll(client, table, keys, ['pk', 'sk', 'version']);
      const held = new Map(rows.map(({ pk, sk, version }) => [JSON.stringify([pk, sk]), Number(version ?? 0)]));
      return keys.map(({ pk, sk }) => held.get(JSON.stringify([pk, sk])) ?? 0);
    },
    async replacePulls(replacements) {
      const replaced: boolean[] = new Array(replacements.length).fill(false);
      const changes = replacements.map((one, at) => ({ at, ...changeOf(one) }));
      const small = changes.filter(({ items }) => items.length < actionsAtOnce);
      await inParallel(packed(small), transactionsAtOnce, async (some) => {
        const all = await transact(
          client,
          some.flatMap(({ grow, items }) => [{ Update: grow }, ...items]),
        );
        for (const one of some) replaced[one.at] = all || (some.length > 1 && (await replaceOne(one)));
      });
      for (const one of changes.filter(({ items }) => items.length >= actionsAtOnce))
        replaced[one.at] = await replaceOne(one);
      return replaced;
    },
    async history(user, { cursor, limit }) {
      return page(await newest<Pull>(`user ${user}`, cursor, limit), limit);
    },
    quarantine: held.quarantine,
    quarantined: held.quarantined,
    quarantineState: held.quarantineState,
    release: held.release,
    async digestKey(day) {
      // A day's key lives until a day after the day's end; for a day long past (late events), until a day from now. It
      // never lives longer than today's key, because the sender chooses the day.
      return keys.of(day, (now) => Math.min(Math.max(Date.parse(day) + 2 * dayMs, now + dayMs), now + 2 * dayMs));
    },
    async forget(user, repositories = []) {
      const listed = await queryAll(client, {
        TableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': `user ${user}` },
        ConsistentRead: true,
      });
      let count = 0;
      const names = new Set([...listed.map(({ sk }) => String(sk).slice('repository '.length)), ...repositories]);
      for (const repository of names) {
        for (const pk of [eventsOf(user, repository), pullsOf(user, repository)]) {
          const rows = await queryAll(client, {
            TableName,
            KeyConditionExpression: 'pk = :pk',
            ExpressionAttributeValues: { ':pk': pk },
            ProjectionExpression: 'pk, sk',
            ConsistentRead: true,
          });
          await deleteAll(client, table, rows as unknown as Key[]);
          count += rows.length;
        }
        await deleteAll(client, table, [versionKey(user, repository)]);
      }
      count += listed.length;
      return count + (await held.forget(user));
    },
    async markForgotten(user, at) {
      // The time is part of the key, so an older mark never replaces a newer one.
      const sk = `${digestOf(user)} ${sortable(at)}`;
      await writeAll(client, table, [{ PutRequest: { Item: { pk: forgottenList, sk, forgottenAt: at } } }]);
    },
    async forgotten(users) {
      // Few users are forgotten within these days: one query of all marks is cheaper than a read for each user.
      const rows = await queryAll(client, {
        TableName,
        KeyConditionExpression: 'pk = :pk',
        ExpressionAttributeValues: { ':pk': forgottenList },
        ConsistentRead: true,
      });
      const expired = (row: Row) => Number(row.forgottenAt) <= clock() - forgottenKeptMs;
      await deleteAll(
        client,
        table,
        rows.filter(expired).map(({ sk }) => ({ pk: forgottenList, sk: String(sk) })),
      );
      const marks = new Map<string, number>();
      // A user's marks are sorted by time, so the newest is kept.
      for (const row of rows)
        if (!expired(row)) marks.set(String(row.sk).slice(0, digestCharacters), Number(row.forgottenAt));
      return new Map(
        users.flatMap((user) => {
          const at = marks.get(digestOf(user));
          return at === undefined ? [] : [[user, at]];
        }),
      );
    },
  };
}

type Action = NonNullable<TransactWriteCommandInput['TransactItems']>[number];
interface ChangeOfPulls {
  check: NonNullable<Action['ConditionCheck']>;
  grow: NonNullable<Action['Update']>;
  items: Action[];
}

/** Puts as many changes into a transaction as fit. */
function packed<T extends ChangeOfPulls>(changes: T[]): T[][] {
  const groups: T[][] = [];
  let room = 0;
  for (const change of changes) {
    const actions = 1 + change.items.length;
    if (actions > room) {
      groups.push([]);
      room = actionsAtOnce;
    }
    groups[groups.length - 1].push(change);
    room -= actions;
  }
  return groups;
}

const docOf = <T>({ doc }: Row): T => JSON.parse(String(doc));
const eventOf = ({ doc }: Row): StoredEvent => parseStoredEvent(String(doc));
