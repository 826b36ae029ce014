// From delivered registry events to stored pulls. What is stored for a user and repository is always pullsOf(the
// distinct events, sorted by time), whatever the order, batching or redelivery.
import { createHmac } from 'node:crypto';
import type { PullClass, RegistryEvent, StoredEvent } from '#core/event.ts';
import { inParallel } from '#core/parallel.ts';
import { type Classified, clientOf } from '#core/registry/classify.ts';
import { byText } from '#core/registry/image-graph.ts';
import {
  apartMs,
  isManifestPull,
  isManifestPush,
  type PullChange,
  type PullReader,
  pullChange,
  pullReachMs,
  segments,
} from '#core/registry/pull.ts';
import { coveredPushes, pushReachMs } from '#core/registry/push.ts';
import type { EventStore, SearchChange, SearchStore } from '#core/stores.ts';
import type { Locator } from './locate.ts';

export interface PullOptions {
  events: EventStore;
  search: SearchStore;
  locator: Locator;
  classify: (event: Classified) => PullClass;
  /** An identical tagged event within so many seconds belongs to the same pull. */
  pullWindowSeconds: number;
}

/** An event as a stream record delivered it. */
export interface Delivered {
  event: RegistryEvent;
  /** `shard:sequenceNumber:line` */
  origin: string;
}

/** How many pairs of user and repository are updated at the same time; they are independent. */
const atOnce = 64;

/**
 * Stores events and brings the pulls around them up to date; idempotent. Returns the stored events, and how many were
 * redeliveries.
 */
export async function storeEvents(
  delivered: Delivered[],
  options: PullOptions,
): Promise<{ duplicates: number; stored: StoredEvent[] }> {
  if (delivered.length === 0) return { duplicates: 0, stored: [] };
  const digest = addressDigests(options.events);
  const stored = await Promise.all(delivered.map(({ event, origin }) => store(event, origin, digest, options)));

  const sorted = byPerson(stored);
  const first = await options.events.put(sorted);
  await updatePulls(byPersonAndRepository(sorted), options);
  return { duplicates: first.filter((isFirst) => !isFirst).length, stored };
}

async function store(
  { address, ...event }: RegistryEvent,
  origin: string,
  digest: (address: string, time: number) => Promise<string[]>,
  { locator, classify }: PullOptions,
): Promise<StoredEvent> {
  if (address !== '') await locator.open?.();
  return {
    ...event,
    addressDigests: address === '' ? [] : await digest(address, event.time),
    country: locator.locate(address)?.country ?? '',
    client: clientOf(event.userAgent),
    class: classify(event),
    origin,
  };
}

/**
 * Digests that distinguish the addresses of one day, keyed with that day's secret. Shortly after midnight, within the
 * pull rule's reach, an event also has the digest of the day before, so that a pull that began before midnight still
 * finds its events.
 */
function addressDigests(events: EventStore) {
  const keys = new Map<string, Promise<Uint8Array>>();
  const keyOf = (day: string) => {
    const key = keys.get(day) ?? events.digestKey(day);
    keys.set(day, key);
    return key;
  };
  return async (address: string, time: number): Promise<string[]> => {
    const days = new Set([time - 2 * pullReachMs, time].map((at) => new Date(at).toISOString().slice(0, 10)));
    return Promise.all(
      [...days].map(async (day) =>
        createHmac('sha256', await keyOf(day))
          .update(`${day} ${address}`)
          .digest('base64url')
          .slice(0, 16),
      ),
    );
  };
}

/**
 * Sorts events by user and repository, as stores keep them, so that a batch comes to each page of a large tree only
 * once. If two have the same id, the order is kept: the first of them is the one to store.
 */
function byPerson(events: StoredEvent[]): StoredEvent[] {
  if (new Set(events.map(({ id }) => id)).size < events.length) return events;
  return events.toSorted((a, b) => byText(a.user, b.user) || byText(a.repository, b.repository));
}

function byPersonAndRepository(events: StoredEvent[]): StoredEvent[][] {
  const groups = Map.groupBy(events, ({ user, repository }) => JSON.stringify([repository, user]));
  return [...groups.values()];
}

/**
 * Recomputes the pulls that the touched events of users and repositories can change, and replaces the stored ones. All
 * changes share a few transactions; those that conflict with another batch are recomputed.
 */
async function updatePulls(groups: StoredEvent[][], options: PullOptions): Promise<void> {
  const { events, search, pullWindowSeconds: windowSeconds } = options;
  const written: SearchChange[] = [];
  let left = groups.map((touched) => ({ touched, user: touched[0].user, repository: touched[0].repository }));
  await inParallel(left, atOnce, async ({ touched, user, repository }) => {
    const reader = { events: (from: number, to: number) => events.events(user, repository, from, to) };
    for (const change of await pushDocuments(touched, reader)) written.push(change);
  });
  while (left.length > 0) {
    const versions = await events.versions(left);
    const changes = left.map(({ user, repository }, at) => ({ user, repository, version: versions[at] }));
    const computed: PullChange[] = [];
    await inParallel([...left.entries()], atOnce, async ([at, { touched, user, repository }]) => {
      const reader = {
        events: (from: number, to: number) => events.events(user, repository, from, to),
        pulls: (from: number, to: number) => events.pulls(user, repository, from, to),
      };
      computed[at] = await pullChange(touched, reader, { windowSeconds });
    });
    const changed = (at: number) => computed[at].put.length + computed[at].remove.length > 0;
    const replacements = changes.flatMap((change, at) =>
      changed(at) ? [{ ...change, remove: computed[at].remove, put: computed[at].put }] : [],
    );
    const replaced = replacements.length > 0 ? await events.replacePulls(replacements) : [];
    let next = 0;
    const again = left.filter((_, at) => {
      if (changed(at) && !replaced[next++]) return true;
      for (const one of documents(computed[at], versions[at] + (changed(at) ? 1 : 0))) written.push(one);
      return false;
    });
    left = again;
  }
  await search.write(written);
}

/**
 * The search documents of the recomputed events: each pull event with its pull's class, and for each the pull that it
 * opens, or a tombstone if it opens none. The tombstones make a write complete by itself, whatever an earlier one left
 * behind.
 */
export function documents({ events, pullOf }: Pick<PullChange, 'events' | 'pullOf'>, version: number): SearchChange[] {
  return events.flatMap((event): SearchChange[] => {
    const { id, user, repository, time } = event;
    if (isManifestPush(event)) return [];
    if (!isManifestPull(event)) return [{ kind: 'event', id, version: 0, doc: event }];
    const pull = pullOf.get(id);
    if (pull === undefined) return [];
    const doc = pull && pull.class !== event.class ? { ...event, class: pull.class } : event;
    return [
      { kind: 'event', id, version, doc, apart: pull === null },
      pull?.id === id
        ? { kind: 'pull', id, version, doc: pull }
        : { kind: 'pull', id, version, doc: null, was: { user, repository, time } },
    ];
  });
}

/**
 * The documents of new pushes, and of those that are part of them. Being part of another push has the greater version,
 * so that a writer that does not see the index yet can't undo it.
 */
export async function pushDocuments(
  touched: StoredEvent[],
  reader: Pick<PullReader, 'events'>,
): Promise<SearchChange[]> {
  const fresh = new Map(touched.filter(isManifestPush).map((event) => [event.id, event]));
  const around: StoredEvent[] = [];
  for (const part of segments([...fresh.values()], apartMs))
    for (const event of await reader.events(part[0].time - pushReachMs, part[part.length - 1].time + pushReachMs))
      around.push(event);
  const covered = coveredPushes(around);
  const changed = around.filter(({ id }) => fresh.has(id) || covered.get(id)?.some((by) => fresh.has(by)));
  return changed.map((doc) => {
    const apart = covered.has(doc.id);
    return { kind: 'event', id: doc.id, version: apart ? 1 : 0, doc, apart };
  });
}
