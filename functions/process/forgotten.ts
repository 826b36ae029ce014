// Who was forgotten stays so, though events of theirs were still in the stream, or in the middle of being stored.
//
//   forget    mark (person, now)   remove all that is stored
//   process   look for marks       store the batch     look for marks: any new one? then again from the start
//
// Whatever the order, nothing is left: if the second look misses a mark, all was stored before the mark, and so before the
// removal; if it sees one, the batch removes what it stored and goes without. Looking first as well drops what waited in
// the stream, or is put into it again. What was received after the mark is a new person of that name, and counts.
import { type PeopleStores, removePerson } from '#core/forget.ts';
import type { Delivered } from './pulls.ts';

/** An event with the times, milliseconds since the epoch, when collect received it and when the stream took it. */
export interface Arrived extends Delivered {
  receivedAt: number;
  arrivedAt: number;
}

/**
 * A try that stored events before it saw the mark, and then failed, leaves them for its next try to remove: their records
 * arrived before the mark could be seen. The minute allows for a slow put of the mark and for clocks that differ. Records
 * that arrived later than that were never stored, and removing the person because of them (an old failure put back through)
 * would remove what they did since.
 */
const unseenMs = 60_000;

/** The events but those of forgotten people; what an earlier try of this batch may have stored of those is removed. */
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

/** Was anybody of these forgotten? Asked when all is stored. */
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
