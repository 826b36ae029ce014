// Users stay forgotten, even if events of theirs were still in the stream or just being stored.
//
//   forget    mark (person, now)   remove all that is stored
//   process   look for marks       store the batch     look for marks again: if there is a new one, start again
//
// Whatever the order, nothing is left: if the second look misses a mark, all was stored before the mark, and so before
// the removal; if it sees one, the batch removes what it stored of that user and repeats without them. The first look
// drops events that waited in the stream or were put into it again. Events received after the mark belong to a new user
// with that name, and count.
import { type PeopleStores, removePerson } from '#core/forget.ts';
import type { Delivered } from './pulls.ts';

/** An event, with the times when collect received it and when the stream accepted it, milliseconds since the epoch. */
export interface Arrived extends Delivered {
  receivedAt: number;
  arrivedAt: number;
}

/**
 * If an attempt stored events before it saw the mark, and then failed, the next attempt must remove them; their records
 * arrived before the mark could be seen. The minute allows for a slow put of the mark and for differing clocks. Events
 * of later records were never stored. Removing the user because of those (such as replayed old failures) would also
 * remove what they did since.
 */
const unseenMs = 60_000;

/**
 * Returns the events without those of forgotten users, and removes what an earlier attempt of this batch may have
 * stored of them.
 */
export async function withoutForgotten(delivered: Arrived[], stores: PeopleStores): Promise<Arrived[]> {
  const marks = await marksOf(delivered, stores);
  if (marks.size === 0) return delivered;
  const stored = delivered.filter(
    (one) => isForgotten(one, marks) && one.arrivedAt <= marks.get(one.event.user)! + unseenMs,
  );
  for (const [user, own] of Map.groupBy(stored, ({ event }) => event.user))
    await removePerson(stores, user, [...new Set(own.map(({ event }) => event.repository))]);
  return delivered.filter((one) => !isForgotten(one, marks));
}

/** Whether any of these users was forgotten. To be called once everything is stored. */
export async function anyForgotten(delivered: Arrived[], stores: PeopleStores): Promise<boolean> {
  const marks = await marksOf(delivered, stores);
  return delivered.some((one) => isForgotten(one, marks));
}

async function marksOf(delivered: Arrived[], { events }: PeopleStores): Promise<Map<string, number>> {
  const users = new Set(delivered.map(({ event }) => event.user));
  users.delete('');
  return users.size === 0 ? new Map() : events.forgotten([...users]);
}

const isForgotten = ({ event, receivedAt }: Arrived, marks: Map<string, number>) =>
  receivedAt <= (marks.get(event.user) ?? Number.NEGATIVE_INFINITY);
