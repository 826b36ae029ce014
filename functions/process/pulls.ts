// From delivered registry events to stored pulls. What is stored for a person and repository is always
// pullsOf(the distinct events, sorted by time), whatever the order, batching or redelivery.
import { createHmac } from 'node:crypto';
import { type Classified, clientOf } from '#core/classify.ts';
import type { Pull, PullClass, RegistryEvent, StoredEvent } from '#core/event.ts';
import { pullReachMs, pullsOf } from '#core/pull.ts';
import type { EventStore, SearchChange, SearchStore } from '#core/stores.ts';
import type { Locator } from './locate.ts';

export interface PullOptions {
  events: EventStore;
  search: SearchStore;
  locator: Locator;
  classify: (event: Classified) => PullClass;
  /** Seconds within which an identical tagged event is the same pull. */
  pullWindowSeconds: number;
}

/** An event as a stream record delivered it. */
export interface Delivered {
  event: RegistryEvent;
  /** `shard:sequenceNumber:line` */
  origin: string;
}

/** Stores events and brings the pulls around them up to date; idempotent. Answers how many were redeliveries. */
export async function storeEvents(delivered: Delivered[], options: PullOptions): Promise<{ duplicates: number }> {
  if (delivered.length === 0) return { duplicates: 0 };
  const digest = addressDigests(options.events);
  const stored: StoredEvent[] = [];
  for (const { event, origin } of delivered) stored.push(await store(event, origin, digest, options));

  const first = await options.events.put(stored);
  for (const touched of byPersonAndRepository(stored)) await updatePulls(touched, options);
  return { duplicates: first.filter((isFirst) => !isFirst).length };
}

async function store(
  { address, ...event }: RegistryEvent,
  origin: string,
  digest: (address: string, time: number) => Promise<string[]>,
  { locator, classify }: PullOptions,
): Promise<StoredEvent> {
  return {
    ...event,
    places: address === '' ? [] : await digest(address, event.time),
    country: locator.locate(address)?.country ?? '',
    client: clientOf(event.userAgent),
    class: classify(event),
    origin,
  };
}

/**
 * Digests that tell addresses of one day apart, keyed by that day's secret. Within the rule's reach after midnight an
 * event carries yesterday's too, so that a pull that began before midnight still finds its events.
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

function byPersonAndRepository(events: StoredEvent[]): StoredEvent[][] {
  const groups = Map.groupBy(events, ({ user, repository }) => `${repository} ${user}`);
  return [...groups.values()];
}

/** Recomputes the pulls that the touched events can change, and replaces what was stored of them. */
async function updatePulls(touched: StoredEvent[], options: PullOptions): Promise<void> {
  const { events, search, pullWindowSeconds } = options;
  const { user, repository } = touched[0];
  for (;;) {
    const version = await events.version(user, repository);
    const { stretch, have, want } = await recompute(touched, events, pullWindowSeconds);
    const change = difference(have, want);
    const changed = change.put.length + change.remove.length > 0;
    if (changed && !(await events.replacePulls(user, repository, version, change))) continue;
    await search.write(documents(stretch, want, changed ? version + 1 : version));
    return;
  }
}

/**
 * The stretch of events around the touched ones whose pulls may change, with the pulls stored and the pulls as they must
 * be. Backwards a new event changes nothing but what a pull opened within the reach counts; forwards it may, until nothing
 * follows within the reach, or the openings have come out as stored for two reaches: then all later ones do too.
 */
async function recompute(touched: StoredEvent[], events: EventStore, windowSeconds: number) {
  const { user, repository } = touched[0];
  const before = Math.min(...touched.map(({ time }) => time));
  const from = before - pullReachMs;
  let until = Math.max(...touched.map(({ time }) => time)) + 2 * pullReachMs;
  for (let ahead = 4 * pullReachMs; ; until += ahead, ahead *= 2) {
    const stretch = await events.events(user, repository, from, until);
    const have = await events.pulls(user, repository, from, until);
    const opened = new Set(have.map(({ id }) => id));
    const want = pullsOf(stretch, { windowSeconds, settled: { before, opened } });
    if ((stretch.at(-1)?.time ?? 0) <= until - pullReachMs) return { stretch, have, want };
    if (openings(want, until - 2 * pullReachMs) !== openings(have, until - 2 * pullReachMs)) continue;
    const early = ({ time }: { time: number }) => time <= until - pullReachMs;
    return { stretch: stretch.filter(early), have: have.filter(early), want: want.filter(early) };
  }
}

const openings = (pulls: Pull[], after: number) =>
  pulls
    .filter(({ time }) => time > after)
    .map(({ id }) => id)
    .join();

function difference(have: Pull[], want: Pull[]): { remove: Pull[]; put: Pull[] } {
  const wanted = new Map(want.map((pull) => [pull.id, JSON.stringify(pull)]));
  const held = new Map(have.map((pull) => [pull.id, JSON.stringify(pull)]));
  return {
    remove: have.filter(({ id }) => !wanted.has(id)),
    put: want.filter(({ id }) => held.get(id) !== wanted.get(id)),
  };
}

/**
 * The search documents of a stretch: each event, and for each event the pull it opens or the word that it opens none.
 * Saying the latter too makes a write complete by itself, whatever an earlier one left behind.
 */
function documents(stretch: StoredEvent[], pulls: Pull[], version: number): SearchChange[] {
  const opened = new Map(pulls.map((pull) => [pull.id, pull]));
  return stretch.flatMap((event): SearchChange[] => {
    const document: SearchChange = { kind: 'event', id: event.id, version: 0, doc: event };
    if (event.action !== 'pull') return [document];
    return [document, { kind: 'pull', id: event.id, version, doc: opened.get(event.id) ?? null }];
  });
}
