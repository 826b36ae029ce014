// The commit protocol: a batch of one shard becomes sums exactly once. docs/commit-protocol.md has the argument.
//
//   1 read     the shard's newest checkpoint row: everything up to its `last` is done
//   2 drop     records at or below it
//   3 write    events, pulls, search documents, quarantine: all by id, so that writing twice is writing once
//   4 delta    ONE immutable object with the batch's sums; without a row that names it, it does not exist
//   5 commit   the row (shard, previous) -> (last, delta), only if there is no such row: one batch wins
//
// A batch that loses 5 has changed nothing: it starts again at 1 and finds out what is left of it.

import { withoutAddresses } from '#core/addresses.ts';
import type { NotificationLine, Quarantined, RegistryEvent, RegistryLine, RejectedLine } from '#core/event.ts';
import { DeltaBuilder, decodeDelta, type HitSums, type PointsBy } from '#core/hits/delta.ts';
import { jsonOf } from '#core/registry/fields.ts';
import { registryEventMisfit } from '#core/registry/line.ts';
import { normalise } from '#core/registry/normalise.ts';
import { quarantinedText } from '#core/registry/quarantine.ts';
import type { AlertFeed, CheckpointStore, EventStore, ObjectStore, SearchStore } from '#core/stores.ts';
import { type Arrived, anyForgotten, withoutForgotten } from './forgotten.ts';
import { locationsOf } from './locate.ts';
import type { Batch } from './notify.ts';
import { type PullOptions, storeEvents } from './pulls.ts';

export interface ProcessStores {
  checkpoints: CheckpointStore;
  events: EventStore;
  objects: ObjectStore;
  search: SearchStore;
  /** Messages, where there are any: a person may be forgotten while theirs are made. */
  alerts?: Pick<AlertFeed, 'forget'>;
}

export interface ProcessOptions extends ProcessStores, PullOptions {
  /** What a point of the map is: `domain` where left out. */
  points?: PointsBy;
  /** Sends messages about a batch (notify.ts). */
  notify?: (batch: Batch) => Promise<void>;
  clock: () => number;
  /** A name no other delta of this shard has. */
  newId: () => string;
}

/** One record of one shard, in order. */
export interface ShardRecord {
  sequenceNumber: string;
  data: Uint8Array;
  /** Milliseconds since the epoch when the stream took it: the clock of everything that must come out the same on a retry. */
  arrivedAt: number;
}

/** Processes a batch of one shard, in order of sequence numbers. Throws when a store fails: nothing is then committed. */
export async function processBatch(shard: string, records: ShardRecord[], options: ProcessOptions): Promise<void> {
  for (;;) {
    const previous = (await options.checkpoints.latest(shard))?.last ?? '0';
    const fresh = records.filter((record) => BigInt(record.sequenceNumber) > BigInt(previous));
    if (fresh.length === 0) return;
    const last = fresh[fresh.length - 1].sequenceNumber;
    const delta = await write(shard, previous, last, fresh, options);
    if (await commit(shard, previous, last, delta, options)) return;
  }
}

/** Steps 3 and 4: everything the batch says, stored by id; returns the key of its delta. */
async function write(
  shard: string,
  previous: string,
  last: string,
  records: ShardRecord[],
  options: ProcessOptions,
): Promise<string> {
  const { locator, points } = options;
  const bytes = records.reduce((sum, { data }) => sum + data.length, 0);
  // The kernel sums by domain.
  const kernel = points === 'location' ? undefined : locator.begin?.(bytes);
  const sums = kernel ?? new DeltaBuilder(locationsOf(locator), points);
  try {
    return await writeSums(sums, shard, previous, last, records, options);
  } finally {
    sums.close();
  }
}

async function writeSums(
  sums: HitSums,
  shard: string,
  previous: string,
  last: string,
  records: ShardRecord[],
  options: ProcessOptions,
): Promise<string> {
  const { events, objects, newId } = options;
  const delivered: Arrived[] = [];
  const unread: Quarantined[] = [];
  const hitsByMinute = new Map<number, number>();
  const kept = keeper();

  for (const { sequenceNumber, data, arrivedAt } of records) {
    const position = (line: number) => `${shard}:${sequenceNumber}:${line}`;
    const quarantine = (line: number, reason: string, body: string, registry?: string) => {
      const text = quarantinedText(body);
      unread.push({
        ...{ id: position(line), time: arrivedAt, reason, position: position(line), body: text },
        ...(registry === undefined ? {} : { registry }),
      });
    };
    const before = sums.promptHits;
    sums.read(data, arrivedAt, {
      other(line, number) {
        const parsed = line as RegistryLine | RejectedLine | NotificationLine;
        if (parsed.type === 'rejected') quarantine(number, textOf(parsed.reason), textOf(parsed.body), parsed.registry);
        else if (parsed.type === 'notification') {
          const { events, rejected } = normalise(parsed.body, { receivedAt: arrivedAt });
          for (const event of events)
            delivered.push({
              event: kept(event, arrivedAt),
              ...{ receivedAt: arrivedAt, arrivedAt, origin: position(number) },
            });
          // A line has one entry in the quarantine: the first reason, and all of the body.
          if (rejected.length > 0) quarantine(number, rejected[0].reason, textOf(parsed.body));
        } else {
          const misfit = registryEventMisfit(parsed.event);
          if (misfit) quarantine(number, misfit, textOf(line));
          else
            delivered.push({
              event: kept(parsed.event, parsed.receivedAt),
              ...{ receivedAt: parsed.receivedAt, arrivedAt, origin: position(number) },
            });
        }
      },
      bad(text, number, reason) {
        quarantine(number, reason, text);
      },
    });
    const minute = Math.floor(arrivedAt / 60_000) * 60_000;
    hitsByMinute.set(minute, (hitsByMinute.get(minute) ?? 0) + sums.promptHits - before);
  }
  sums.close();

  sums.count('quarantined', unread.length);
  if (unread.length > 0) await events.quarantine(unread);
  const known = await withoutForgotten(delivered, options);
  const { duplicates, stored } = await storeEvents(known, options);
  sums.count('registryEvents', delivered.length);
  sums.count('duplicates', duplicates);

  const key = `deltas/${shard}/${last.padStart(64, '0')}-${newId()}`;
  const bytes = sums.encode({ shard, previous, last });
  const { arrivedAt } = records[records.length - 1];
  const locations = () => decodeDelta(bytes).locations;
  await options.notify?.({ shard, previous, arrivedAt, events: stored, locations, hitsByMinute });
  // Somebody was forgotten meanwhile: again, without them.
  if (await anyForgotten(known, options)) return write(shard, previous, last, records, options);
  await objects.put(key, bytes, { ifNoneMatch: '*' });
  return key;
}

/** A registry's clock may be ahead of ours by so much; what is further ahead happened when we received it. */
const aheadMs = 86_400_000;

/**
 * Returns what gives an event as it is kept: no text in it holds an address. A name with accents can be written in two ways that
 * look the same: both are one user. And no time lies far in the future: what is kept by its time would be kept, and be the newest,
 * until then. Texts are looked at once a batch: a few users and clients send most of it.
 */
function keeper(): (event: RegistryEvent, receivedAt: number) => RegistryEvent {
  const users = new Map<string, string>();
  const agents = new Map<string, string>();
  return (event, receivedAt) => {
    const user = users.get(event.user) ?? withoutAddresses(event.user.normalize('NFC'), { strict: true });
    const userAgent = agents.get(event.userAgent) ?? withoutAddresses(event.userAgent);
    users.set(event.user, user);
    agents.set(event.userAgent, userAgent);
    const time = event.time > receivedAt + aheadMs ? receivedAt : event.time;
    return { ...event, user, userAgent, time };
  };
}

/** A text or its JSON; of what is nested too deep to write, what it is. A line that throws would hold its shard. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  return jsonOf(value) ?? `${typeof value}, nested too deep to be written`;
}

/** Step 5. A commit that timed out may have succeeded: the row itself says whose it is. */
async function commit(shard: string, previous: string, last: string, delta: string, options: ProcessOptions) {
  const { checkpoints, clock } = options;
  if (await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() })) return true;
  const [row] = await checkpoints.after(shard, previous, 1);
  return row?.previous === previous && row.delta === delta;
}
