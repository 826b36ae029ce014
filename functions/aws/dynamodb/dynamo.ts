// What the tables share: reading all pages of a query, deleting many rows, retrying transactions that conflict,
// sortable times.
import { setTimeout as wait } from 'node:timers/promises';
import {
  type CancellationReason,
  ConditionalCheckFailedException,
  TransactionCanceledException,
} from '@aws-sdk/client-dynamodb';
import {
  BatchGetCommand,
  BatchWriteCommand,
  type DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  TransactWriteCommand,
  type TransactWriteCommandInput,
} from '@aws-sdk/lib-dynamodb';

export type Row = Record<string, unknown>;
/** The keys of all our tables except the claims: partition and sort key, both text. */
export type Key = { pk: string; sk: string };

/** Returns the rows of a query, at most `most`; reads several pages if needed, because one has at most 1 MB. */
export async function queryAll(
  client: DynamoDBDocumentClient,
  input: QueryCommandInput,
  most = Number.POSITIVE_INFINITY,
): Promise<Row[]> {
  const rows: Row[] = [];
  let ExclusiveStartKey: Row | undefined;
  do {
    const Limit = Number.isFinite(most) ? Math.min(1000, most - rows.length) : undefined;
    const page = await client.send(new QueryCommand({ ...input, ExclusiveStartKey, ...(Limit ? { Limit } : {}) }));
    rows.push(...(page.Items ?? []));
    ExclusiveStartKey = page.LastEvaluatedKey;
  } while (ExclusiveStartKey && rows.length < most);
  return rows;
}

/**
 * Reads rows by key, 100 a call, with only these attributes; keys that DynamoDB left unprocessed are requested again.
 * Missing rows are left out.
 */
export async function getAll(
  client: DynamoDBDocumentClient,
  table: string,
  keys: Key[],
  attributes: string[],
): Promise<Row[]> {
  const rows: Row[] = [];
  const ExpressionAttributeNames = Object.fromEntries(attributes.map((name) => [`#${name}`, name]));
  const ProjectionExpression = attributes.map((name) => `#${name}`).join();
  for (const some of inParts(keys, 100)) {
    let left: Row[] = some.map(({ pk, sk }) => ({ pk, sk }));
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > 0) await backOff(attempt);
      const asked = { Keys: left, ConsistentRead: true, ProjectionExpression, ExpressionAttributeNames };
      const { Responses, UnprocessedKeys } = await client.send(
        new BatchGetCommand({ RequestItems: { [table]: asked } }),
      );
      rows.push(...(Responses?.[table] ?? []));
      left = UnprocessedKeys?.[table]?.Keys ?? [];
    }
  }
  return rows;
}

export const inParts = <T>(items: T[], most: number): T[][] =>
  Array.from({ length: Math.ceil(items.length / most) }, (_, part) => items.slice(part * most, (part + 1) * most));

type WriteRequest = { DeleteRequest: { Key: Key } } | { PutRequest: { Item: Row } };

/** Puts a row if its key is free; returns the row that was there. */
export async function putNew(
  client: DynamoDBDocumentClient,
  input: { TableName: string; Item: Row },
): Promise<Row | undefined> {
  try {
    await client.send(new PutCommand({ ...input, ConditionExpression: 'attribute_not_exists(pk)' }));
  } catch (cause) {
    if (!(cause instanceof ConditionalCheckFailedException)) throw cause;
    const Key = { pk: input.Item.pk, sk: input.Item.sk };
    const { Item } = await client.send(new GetCommand({ TableName: input.TableName, Key, ConsistentRead: true }));
    return Item;
  }
}

/** Deletes rows by key. */
export function deleteAll(client: DynamoDBDocumentClient, table: string, keys: Key[]): Promise<void> {
  const requests = keys.map(({ pk, sk }) => ({ DeleteRequest: { Key: { pk, sk } } }));
  return writeAll(client, table, requests);
}

/** Writes rows without conditions, 25 a call; rows that DynamoDB left unprocessed are sent again. */
export async function writeAll(client: DynamoDBDocumentClient, table: string, requests: WriteRequest[]): Promise<void> {
  for (let start = 0; start < requests.length; start += 25) {
    let left = requests.slice(start, start + 25);
    for (let attempt = 0; left.length > 0; attempt++) {
      if (attempt > 0) await backOff(attempt);
      const { UnprocessedItems } = await client.send(new BatchWriteCommand({ RequestItems: { [table]: left } }));
      left = (UnprocessedItems?.[table] ?? []) as typeof left;
    }
  }
}

/**
 * Writes all or nothing: true when written, false when a condition did not hold. A conflict with another transaction
 * says nothing about the conditions, so the write is tried again.
 */
export async function transact(
  client: DynamoDBDocumentClient,
  TransactItems: TransactWriteCommandInput['TransactItems'],
): Promise<boolean> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.send(new TransactWriteCommand({ TransactItems }));
      return true;
    } catch (cause) {
      if (!(cause instanceof TransactionCanceledException)) throw cause;
      const codes = (cause.CancellationReasons ?? []).map(({ Code }: CancellationReason) => Code);
      if (codes.includes('ConditionalCheckFailed')) return false;
      if (attempt === 10 || !codes.every((code) => code === 'None' || code === 'TransactionConflict')) throw cause;
      await backOff(attempt);
    }
  }
}

/** Full jitter, 20 ms doubling to 1 s. */
const backOff = (attempt: number) => wait(Math.random() * Math.min(1000, 20 * 2 ** attempt));

/** Returns a number as 16 characters that sort as the numbers do: its IEEE 754 bits with the sign inverted. */
export function sortable(time: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, time);
  const bits = view.getBigUint64(0);
  const negative = bits >> 63n === 1n;
  const ordered = negative ? ~bits & 0xffffffffffffffffn : bits | (1n << 63n);
  return ordered.toString(16).padStart(16, '0');
}

/** Returns the number that sortable made this text from. */
export function sorted(text: string): number {
  const ordered = BigInt(`0x${text}`);
  const positive = ordered >> 63n === 1n;
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, positive ? ordered & ((1n << 63n) - 1n) : ~ordered & 0xffffffffffffffffn);
  return view.getFloat64(0);
}
