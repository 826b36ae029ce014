// The index of the events table that lists newest first.
import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { sortable, sorted } from './dynamo.ts';

/** Partition key `list`, sort key `at`: the time and id. */
export const newestIndex = 'newest';

export const sortKeyOf = ({ time, id }: { time: number; id: string }) => `${sortable(time)} ${id}`;

/** Reads what sortKeyOf made. */
export const readSortKey = (sortKey: string) => ({ time: sorted(sortKey.slice(0, 16)), id: sortKey.slice(17) });

/** The rows of a list before a time and id, newest first. */
export const listedBefore = (
  TableName: string,
  list: string,
  before: { time: number; id: string },
): QueryCommandInput => ({
  TableName,
  IndexName: newestIndex,
  KeyConditionExpression: '#list = :list AND #at < :before',
  ExpressionAttributeNames: { '#list': 'list', '#at': 'at' },
  ExpressionAttributeValues: { ':list': list, ':before': sortKeyOf(before) },
  ScanIndexForward: false,
});
