// The index of the events table that lists newest first.
import type { QueryCommandInput } from '@aws-sdk/lib-dynamodb';
import { sortable, sorted } from './dynamo.ts';

/** Partition key `list`, sort key `at`: the time and id. */
export const newestIndex = 'newest';

export const placeOf = ({ time, id }: { time: number; id: string }) => `${sortable(time)} ${id}`;

/** The inverse of placeOf. */
export const placeRead = (place: string) => ({ time: sorted(place.slice(0, 16)), id: place.slice(17) });

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
  ExpressionAttributeValues: { ':list': list, ':before': placeOf(before) },
  ScanIndexForward: false,
});
