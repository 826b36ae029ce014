// The commit protocol: a batch of one shard becomes sums exactly once. docs/commit-protocol.md has the argument.
//
//   1 read     the shard's newest checkpoint row: everything up to its `last` is done
//   2 drop     records at or below it
//   3 write    events, pulls, search documents, quarantine: all by id, so that writing twice is writing once
//   4 delta    ONE immutable object with the batch's sums, which is ignored until a row names it
//   5 commit   the row (shard, previous) -> (last, delta), only if there is no such row: one batch wins
//
// A batch that loses at step 5 has changed nothing: it starts again at 1, which shows what is left to do. That is
// nothing if its own commit had timed out but succeeded.

import { withoutAddresses } from '#core/addresses.ts';
import type { NotificationLine, Quarantined, RegistryEvent, RegistryLine, RejectedLine } from '#core/event.ts';
import { DeltaBuilder, decodeDelta, type HitSums, type PointsBy } from '#core/hits/delta.ts';
import { jsonOf } from '#core/registry/fields.ts';
import { whyInvalidEvent } from '#core/registry/line.ts';
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
  /** The alerts, if alerts are kept: a user may be forgotten while alerts about them are made. */
  alerts?: Pick<AlertFeed, 'forget'>;
}

export interface ProcessOptions extends ProcessStores, PullOptions {
  /** What a point of the map is; default: `domain`. */
  points?: PointsBy;
  /** Sends the alerts of a batch (notify.ts). */
  notify?: (batch: Batch) => Promise<void>;
  clock: () => number;
  /** A unique name for a delta of this shard. */
  newId: () => string;
}

/** One record of one shard, in order. */
export interface ShardRecord {
  sequenceNumber: string;
  data: Uint8Array;
  /**
   * When the stream accepted it, milliseconds since the epoch: the clock for everything that must be the same on a
   * retry.
   */
  arrivedAt: number;
}

/** Processes a batch of one shard, in order of sequence numbers. Throws if a store fails; then nothing is committed. */
export async function processBatch(shard: string, records: ShardRecord[], options: ProcessOptions): Promise<void> {
  const { checkpoints, clock } = options;
  for (;;) {
    const previous = (await checkpoints.latest(shard))?.last ?? '0';
    const fresh = records.filter((record) => BigInt(record.sequenceNumber) > BigInt(previous));
    if (fresh.length === 0) return;
    const last = fresh[fresh.length - 1].sequenceNumber;
    const delta = await write(shard, previous, last, fresh, options);
    if (await checkpoints.commit({ shard, previous, last, delta, committedAt: clock() })) return;
  }
}

/** Steps 3 and 4: stores everything in the batch by id; returns the key of its delta. */
async function write(
  shard: string,
  previous: string,
  last: string,
  records: ShardRecord[],
  options: ProcessOptions,
): Promise<string> {
  const { locator, points } = options;
  const bytes = records.reduce((sum, { data }) => sum + data.length, 0);
  // The kernel only sums by domain.
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
          // A line has one entry in the quarantine, with the first reason and the whole body.
          if (rejected.length > 0) quarantine(number, rejected[0].reason, textOf(parsed.body));
        } else {
          const reason = whyInvalidEvent(parsed.event);
          if (reason) quarantine(number, reason, textOf(line));
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
  // A user was forgotten meanwhile: start again, without them.
  if (await anyForgotten(known, options)) return write(shard, previous, last, records, options);
  await objects.put(key, bytes, { ifNoneMatch: '*' });
  return key;
}

/** A registry's clock may be ahead of ours by this much; an event further ahead gets the time when we received it. */
const aheadMs = 86_400_000;

/**
 * Returns a function that prepares an event for storing. Addresses in its texts are masked. Names are normalised,
 * because a name with accents has two spellings that look the same, and both are one user. A time far in the future is
 * replaced, because the event would be kept, and be the newest, until then. Each text is checked once per batch: a few
 * users and clients send most events.
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

/**
 * Returns a text, or any other value as JSON, or a description of what is nested too deep. It must not throw: that
 * would block the shard.
 */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === undefined) return '';
  return jsonOf(value) ?? `${typeof value}, nested too deep to be written`;
}
