// A pull is one person's one act; a registry reports it as 1-9 manifest events (HEAD, GET, an index's platforms).
// The rule, found with real clients (test/fixtures/registry/README.md, "One pull command, many events"):
//   - an event WITH a tag opens a pull, unless it repeats the tag, digest and method that opened one at most
//     `windowSeconds` ago: clients ask twice in one command;
//   - an event WITHOUT a tag belongs to the newest pull opened at most 60 s ago whose digest it fetches (after a HEAD)
//     or which names it among its references (without references: which opened with an index);
//   - else it opens a pull by digest.
// Only events of the same user, repository, user agent and address meet. Both times are measured from the event that
// OPENED the pull, never from the last that joined it: a client that polls each second makes a pull each window, not one
// endless pull.
import type { Pull, StoredEvent } from '../event.ts';

/** No event touches a pull opened longer ago than this: what a gap wider than it parts is independent. */
export const pullReachMs = 60_000;

export interface PullOptions {
  /** An identical tagged event this soon after the opening one is the same pull; 0: never. At most 60. */
  windowSeconds?: number;
  /**
   * What an earlier call decided: of the events before this time (milliseconds), those named opened a pull and no other
   * did. Since nothing reaches back further than pullReachMs, the pulls from `before` on come out as of the whole.
   */
  settled?: { before: number; opened: ReadonlySet<string> };
}

interface OpenPull {
  pull: Pull;
  by: StoredEvent;
}

/**
 * The pulls in the events of ONE person and repository, sorted by (time, id). A pure function of the set: order and
 * repeats (by id) don't matter, and what is no manifest pull is passed over.
 *
 * Invariant: cut the sorted events wherever two neighbours are more than pullReachMs apart, and the pulls of the parts,
 * one after another, are the pulls of the whole (see `segments`).
 */
export function pullsOf(events: StoredEvent[], { windowSeconds = 2, settled }: PullOptions = {}): Pull[] {
  const windowMs = checkedWindow(windowSeconds) * 1000;
  const opened: OpenPull[] = [];
  let oldest = 0;
  let last: StoredEvent | undefined;
  for (const event of events.filter(isManifestPull).sort(byTime)) {
    if (event.id === last?.id) continue;
    last = event;
    while (oldest < opened.length && event.time - opened[oldest].by.time > pullReachMs) oldest++;
    const decided = settled !== undefined && event.time < settled.before;
    const opens = decided && settled.opened.has(event.id);
    const owner = opens
      ? undefined
      : findLast(opened, oldest, ({ by }) => meets(by, event) && owns(by, event, windowMs));
    if (owner) owner.pull.events++;
    else if (opens || !decided) opened.push({ by: event, pull: pullOpenedBy(event) });
  }
  return opened.map(({ pull }) => pull);
}

/** Sorted distinct events cut into independent parts. */
export function segments(events: StoredEvent[]): StoredEvent[][] {
  const parts: StoredEvent[][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const event of events.toSorted(byTime)) {
    if (event.time - before > pullReachMs) parts.push([]);
    parts.at(-1)!.push(event);
    before = event.time;
  }
  return parts;
}

export interface PullChange {
  remove: Pull[];
  put: Pull[];
  /** The events that were looked at again, and the pulls as they now are, both from <= time <= to. */
  events: StoredEvent[];
  pulls: Pull[];
}

/** What is stored of one person and repository, from <= time <= to. */
export interface PullReader {
  events(from: number, to: number): Promise<StoredEvent[]>;
  pulls(from: number, to: number): Promise<Pull[]>;
}

/**
 * What must change in the stored pulls when `touched` events, already stored, are new. It reads only around them: back by
 * the reach, forth until the newest minute of pulls is the same as stored and as without the touched events; what comes
 * after sees nothing of what came before. So a repository that is pulled every second for a year costs no more than a
 * quiet one, and a repeated call looks at (at least) the same events again, whatever was stored meanwhile.
 *
 * When every stored event has been touched in a call whose change was then stored, pulls are pullsOf(all events).
 */
export async function pullChange(
  touched: StoredEvent[],
  reader: PullReader,
  { windowSeconds }: Pick<PullOptions, 'windowSeconds'> = {},
): Promise<PullChange> {
  const times = touched.map(({ time }) => time);
  const first = times.reduce((a, b) => Math.min(a, b));
  const from = first - pullReachMs;
  const ids = new Set(touched.map(({ id }) => id));
  for (let ahead = pullReachMs; ; ahead *= 2) {
    const to = times.reduce((a, b) => Math.max(a, b)) + ahead;
    // Pulls opened up to `to` are wanted whole: their events end a reach later.
    const events = await reader.events(from, to + pullReachMs);
    const stored = await reader.pulls(from, to);
    const options = { windowSeconds, settled: { before: first, opened: new Set(stored.map(({ id }) => id)) } };
    const pulls = pullsOf(events, options).filter(({ time }) => time <= to);
    const before = pullsOf(
      events.filter(({ id }) => !ids.has(id)),
      options,
    );
    const newest = (list: Pull[]) =>
      JSON.stringify(list.filter(({ time }) => time > to - pullReachMs && time <= to).map(({ id }) => id));
    if (newest(pulls) === newest(stored) && newest(pulls) === newest(before))
      return { ...difference(stored, pulls), events: events.filter(({ time }) => time <= to), pulls };
  }
}

function difference(stored: Pull[], wanted: Pull[]): Pick<PullChange, 'remove' | 'put'> {
  const texts = new Map(stored.map((pull) => [pull.id, contentOf(pull)]));
  const ids = new Set(wanted.map(({ id }) => id));
  return {
    remove: stored.filter(({ id }) => !ids.has(id)),
    put: wanted.filter((pull) => texts.get(pull.id) !== contentOf(pull)),
  };
}

/** The same text for the same pull, whatever order a store gives its fields back in. */
function contentOf({ id, time, user, repository, tag, digest, class: kind, client, country, events }: Pull): string {
  return JSON.stringify([id, time, user, repository, tag, digest, kind, client, country, events]);
}

/** What `raw` counts: every manifest pull event, HEAD or GET. */
export function isManifestPull(event: Pick<StoredEvent, 'action' | 'kind'>): boolean {
  return event.action === 'pull' && event.kind === 'manifest';
}

/** What `pushes` counts. */
export function isManifestPush(event: Pick<StoredEvent, 'action' | 'kind'>): boolean {
  return event.action === 'push' && event.kind === 'manifest';
}

/** The order of everything here: time, then id where the clock says nothing. */
export function byTime(a: { time: number; id: string }, b: { time: number; id: string }): number {
  return a.time - b.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

function meets(by: StoredEvent, event: StoredEvent): boolean {
  return by.userAgent === event.userAgent && samePlace(by.places, event.places);
}

function samePlace(a: string[], b: string[]): boolean {
  return a.length === 0 ? b.length === 0 : a.some((place) => b.includes(place));
}

/** Whether `event` is part of the pull that `by` opened; both meet, and `by` is at most pullReachMs older. */
function owns(by: StoredEvent, event: StoredEvent, windowMs: number): boolean {
  if (event.tag)
    return (
      windowMs > 0 &&
      event.time - by.time <= windowMs &&
      by.tag === event.tag &&
      by.digest === event.digest &&
      by.method === event.method
    );
  if (!event.digest) return false;
  if (event.digest === by.digest) return by.method === 'HEAD';
  return by.references ? by.references.includes(event.digest) : isIndex(by.mediaType);
}

/** An OCI index or a Docker manifest list. */
export function isIndex(mediaType = ''): boolean {
  return mediaType.includes('image.index') || mediaType.includes('manifest.list');
}

function pullOpenedBy({ id, time, user, repository, tag, digest, class: kind, client, country }: StoredEvent): Pull {
  const pull: Pull = { id, time, user, repository, class: kind, client, country, events: 1 };
  if (tag) pull.tag = tag;
  if (digest) pull.digest = digest;
  return pull;
}

function checkedWindow(seconds: number): number {
  if (!(seconds >= 0 && seconds * 1000 <= pullReachMs))
    throw new RangeError(`windowSeconds is ${seconds}: give a number from 0 (no merging) to ${pullReachMs / 1000}`);
  return seconds;
}

function findLast<T>(items: T[], from: number, holds: (item: T) => boolean): T | undefined {
  for (let index = items.length - 1; index >= from; index--) if (holds(items[index])) return items[index];
}
