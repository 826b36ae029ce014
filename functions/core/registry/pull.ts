// A pull is one act of one user; a registry reports it as 1-9 manifest events (HEAD, GET, an index's platforms). The
// rule, found with real clients (test/fixtures/registry/README.md, "One pull command, many events"):
//   - an event WITH a tag opens a pull, unless it repeats the tag, digest and method that opened one at most
//     `windowSeconds` ago (clients ask twice in one command), or is the GET after that HEAD (caches and helm ask by
//     tag);
//   - an event WITHOUT a tag joins the newest pull opened at most 60 s ago whose digest it fetches (after a HEAD)
//     or which names it among its references (without references: which opened with an index);
//   - when a client fetches what it has just pushed, this is its own check, and opens nothing;
//   - what a client fetches only to push or delete that very digest at once (crane tag, oras tag, skopeo delete) is
//     part of the writing, and opens nothing;
//   - else it opens a pull by digest.
// Only events of the same user, repository, user agent and address belong together, with three exceptions, each as
// narrow as its cause:
//   - two addresses: a named user's act may come through two ingress addresses, so what a pull has not fetched yet may
//     come from another address soon after;
//   - two clocks: replicas' clocks differ by up to a second, so a HEAD (or an index) may have a later time than the
//     fetch it leads to;
//   - no client at all (Harbor): one user's fetches of one repository within seconds are one pull.
// All times are measured from the event that OPENED the pull, never from the last that joined it: a client that polls
// each second makes a pull each window, not one endless pull. An event joins the NEWEST pull that accepts it. So a pull
// depends on nothing older than itself, which is why changes can be computed locally (pullChange).
import type { Pull, PullClass, StoredEvent } from '../event.ts';
import { keepsImages } from './classify.ts';
import { isIndex } from './media-types.ts';

/** No event joins a pull opened longer ago than this, so events separated by a wider gap are independent. */
export const pullReachMs = 60_000;
/**
 * A named user's pull may be completed from another address within this time: layers are fetched after the manifests.
 */
const otherAddressMs = 10_000;
/** How far the clocks of a registry's replicas may differ. */
const skewMs = 1000;
/** For sources that name no client: index and platform are fetched within this time. */
const uncertainMs = 5000;
/** A check by digest follows the push within this time; from another address it must follow at once. */
const readBackMs = 10_000;
const readBackElsewhereMs = 1000;
/**
 * A check by tag follows within this time; a second command takes longer to start (captured: skopeo delete, 534 ms
 * after a push).
 */
const readBackByTagMs = 400;
/** A client that fetches in order to write does so within this time. */
const writeAfterMs = 2000;
const writeElsewhereAfterMs = 1000;

export interface PullOptions {
  /**
   * An identical tagged event within so many seconds of the opening one belongs to the same pull; 0: never. At most 60.
   */
  windowSeconds?: number;
  /**
   * The result of an earlier call: of the events before this time (milliseconds), exactly those listed opened a pull.
   * Since nothing reaches back further than pullReachMs, the pulls from `before` on are the same as with all events.
   */
  settled?: { before: number; opened: ReadonlySet<string> };
}

/** A pull and its events, the opening one first. */
export interface Act {
  pull: Pull;
  events: StoredEvent[];
}

interface OpenAct extends Act {
  /** The pulled image: the opening event's, until an event comes that led to it. */
  root: StoredEvent;
}

/**
 * The pulls in the events of ONE user and repository, sorted by (time, id). A pure function of the set of events: order
 * and repeats (by id) don't matter, and events that are neither pulls nor pushes of manifests are ignored.
 *
 * Invariant: cut the sorted events wherever two neighbours are more than pullReachMs apart, and the pulls of the parts,
 * one after another, are the pulls of the whole (see `segments`).
 */
export function pullsOf(events: StoredEvent[], options: PullOptions = {}): Pull[] {
  return actsOf(events, options).map(({ pull }) => pull);
}

/** Like pullsOf, with the events of each pull. */
export function actsOf(events: StoredEvent[], { windowSeconds = 2, settled }: PullOptions = {}): Act[] {
  const windowMs = checkedWindow(windowSeconds) * 1000;
  const acts: OpenAct[] = [];
  const pushed = new Map<string | undefined, StoredEvent[]>();
  let oldest = 0;
  const sorted = distinct(events.filter((event) => isManifestPull(event) || isWrite(event)).sort(byTime));
  const forWriting = fetchedToWrite(sorted);
  for (const event of sorted) {
    if (event.action === 'delete' || forWriting.has(event.id)) continue;
    if (event.action === 'push') {
      const { digest } = event;
      pushed.set(digest, [...(pushed.get(digest) ?? []).filter((push) => isFresh(push, event)), event]);
      continue;
    }
    while (oldest < acts.length && event.time - acts[oldest].pull.time > pullReachMs) oldest++;
    const decided = settled !== undefined && event.time < settled.before;
    const opens = decided && settled.opened.has(event.id);
    const act = opens ? undefined : findLast(acts, oldest, (act) => takes(act, event, windowMs));
    if (act) join(act, event);
    else if (opens || !(decided || pushed.get(event.digest)?.some((push) => isReadBack(push, event))))
      acts.push({ root: event, pull: pullOpenedBy(event), events: [event] });
  }
  return acts;
}

/** Sorted distinct events cut wherever the gap is wider: into independent parts, unless it is given. */
export function segments(events: StoredEvent[], gapMs = pullReachMs): StoredEvent[][] {
  const parts: StoredEvent[][] = [];
  let before = Number.NEGATIVE_INFINITY;
  for (const event of events.toSorted(byTime)) {
    if (event.time - before > gapMs) parts.push([]);
    parts.at(-1)!.push(event);
    before = event.time;
  }
  return parts;
}

export interface PullChange {
  remove: Pull[];
  put: Pull[];
  /** The events that were read again, and the current pulls, both with from <= time <= to. */
  events: StoredEvent[];
  pulls: Pull[];
  /**
   * For each manifest pull event that was read, its pull, or null if it belongs to none. Missing if its pull was opened
   * before `from`.
   */
  pullOf: Map<string, Pull | null>;
}

/** What is stored of one user and repository, from <= time <= to. */
export interface PullReader {
  events(from: number, to: number): Promise<StoredEvent[]>;
  pulls(from: number, to: number): Promise<Pull[]>;
}

/**
 * What must change in the stored pulls when `touched` events, already stored, are new. It reads only around them: back
 * by the reach, and forward until the newest minute of pulls is the same as stored and the same as without the touched
 * events; later pulls can't be affected. So a repository that is pulled every second for a year costs no more than a
 * quiet one, and a repeated call reads (at least) the same events again, whatever was stored meanwhile.
 *
 * Touched events that lie far apart are read apart: a batch of an import may span a year. Once every stored event was
 * touched in a call whose change was stored, the stored pulls are pullsOf(all events).
 */
export async function pullChange(
  touched: StoredEvent[],
  reader: PullReader,
  { windowSeconds, gapMs = apartMs }: Pick<PullOptions, 'windowSeconds'> & { gapMs?: number } = {},
): Promise<PullChange> {
  const parts = segments(touched, gapMs);
  const changes: PullChange[] = [];
  for (const [at, part] of parts.entries()) {
    const next = parts[at + 1];
    const change = await changeAround(part, reader, windowSeconds, next ? next[0].time - reachBackMs : Infinity);
    if (change) changes.push(change);
    else next.unshift(...part);
  }
  return {
    remove: changes.flatMap(({ remove }) => remove),
    put: changes.flatMap(({ put }) => put),
    events: changes.flatMap(({ events }) => events),
    pulls: changes.flatMap(({ pulls }) => pulls),
    pullOf: new Map(changes.flatMap(({ pullOf }) => [...pullOf])),
  };
}

/** How far before touched events stored ones are read and may change. A write shows the purpose of earlier fetches. */
const reachBackMs = writeAfterMs + pullReachMs;
/** Touched events separated by a wider gap are read apart. */
export const apartMs = 7 * 86_400_000;

/** The change around sorted events; undefined if it reaches `until`, the first time that other touched ones change. */
async function changeAround(
  touched: StoredEvent[],
  reader: PullReader,
  windowSeconds: number | undefined,
  until: number,
): Promise<PullChange | undefined> {
  const [first, last] = [touched[0].time - writeAfterMs, touched[touched.length - 1].time];
  const from = touched[0].time - reachBackMs;
  const ids = new Set(touched.map(({ id }) => id));
  for (let ahead = pullReachMs; ; ahead *= 2) {
    const to = last + ahead;
    if (to >= until) return undefined;
    // Pulls opened up to `to` must be complete: their events end a reach later. Pushes a little before and writes a
    // little after matter too.
    const read = await reader.events(from - readBackMs, to + pullReachMs + writeAfterMs);
    const stored = await reader.pulls(from, to);
    const options = { windowSeconds, settled: { before: first, opened: new Set(stored.map(({ id }) => id)) } };
    const acts = actsOf(read, options).filter(({ pull }) => pull.time <= to);
    const pulls = acts.map(({ pull }) => pull);
    const before = pullsOf(
      read.filter(({ id }) => !ids.has(id)),
      options,
    );
    const newest = (list: Pull[]) =>
      JSON.stringify(list.filter(({ time }) => time > to - pullReachMs && time <= to).map(({ id }) => id));
    if (newest(pulls) === newest(stored) && newest(pulls) === newest(before)) {
      const events = read.filter(({ time }) => time >= from && time <= to);
      return { ...difference(stored, pulls), events, pulls, pullOf: pullOfEach(events, acts, first) };
    }
  }
}

/**
 * The change that makes the stored pulls of from <= time <= to equal to those of all events, given that the earlier
 * stored ones already are. Used to recompute the past by a new rule, step by step in order of time.
 */
export async function pullsBetween(
  from: number,
  to: number,
  reader: PullReader,
  { windowSeconds }: Pick<PullOptions, 'windowSeconds'> = {},
): Promise<PullChange> {
  const read = await reader.events(from - pullReachMs - readBackMs, to + pullReachMs + writeAfterMs);
  const stored = await reader.pulls(from - pullReachMs, to);
  const isInside = ({ time }: { time: number }) => time >= from && time <= to;
  const opened = new Set(stored.filter(({ time }) => time < from).map(({ id }) => id));
  const acts = actsOf(read, { windowSeconds, settled: { before: from, opened } });
  const pulls = acts.map(({ pull }) => pull).filter(isInside);
  const events = read.filter(isInside);
  return { ...difference(stored.filter(isInside), pulls), events, pulls, pullOf: pullOfEach(events, acts, from) };
}

/** `from`: events before it that no pull here has may belong to an older one. */
function pullOfEach(events: StoredEvent[], acts: Act[], from: number): Map<string, Pull | null> {
  const pullOf = new Map<string, Pull | null>();
  for (const event of events) if (isManifestPull(event) && event.time >= from) pullOf.set(event.id, null);
  for (const act of acts) for (const { id } of act.events) pullOf.set(id, act.pull);
  return pullOf;
}

function difference(stored: Pull[], wanted: Pull[]): Pick<PullChange, 'remove' | 'put'> {
  const texts = new Map(stored.map((pull) => [pull.id, contentOf(pull)]));
  const ids = new Set(wanted.map(({ id }) => id));
  return {
    remove: stored.filter(({ id }) => !ids.has(id)),
    put: wanted.filter((pull) => !texts.has(pull.id) || texts.get(pull.id) !== contentOf(pull)),
  };
}

/** Gives the same text for the same pull, whatever the order of its fields in a store's result. */
function contentOf(pull: Pull): string {
  const { id, time, user, repository, tag, digest, class: kind, client, country, events, uncertain } = pull;
  return JSON.stringify([id, time, user, repository, tag, digest, kind, client, country, events, uncertain]);
}

/** What `raw` counts: every manifest pull event, HEAD or GET. */
export function isManifestPull(event: Pick<StoredEvent, 'action' | 'kind'>): boolean {
  return event.action === 'pull' && event.kind === 'manifest';
}

/** What `rawPushes` counts. */
export function isManifestPush(event: Pick<StoredEvent, 'action' | 'kind'>): boolean {
  return event.action === 'push' && event.kind === 'manifest';
}

function isWrite(event: StoredEvent): boolean {
  return isManifestPush(event) || (event.action === 'delete' && event.digest !== undefined);
}

/** Sorted events, each id once. */
function distinct(events: StoredEvent[]): StoredEvent[] {
  return events.filter(({ id }, at) => id !== events[at - 1]?.id);
}

/**
 * Ids of events that fetched something only to push or delete its digest. Each write claims the newest fetch before it,
 * and the HEAD by tag that led to a fetch by digest. So the result depends on nothing older than the fetch, and on
 * nothing newer than writeAfterMs.
 */
function fetchedToWrite(sorted: StoredEvent[]): Set<string> {
  const found = new Set<string>();
  const fetches = new Map<string, StoredEvent[]>();
  for (const event of sorted) {
    if (!event.digest) continue;
    const recent = (fetches.get(event.digest) ?? []).filter(({ time }) => event.time - time <= writeAfterMs);
    fetches.set(event.digest, recent);
    if (isManifestPull(event)) recent.push(event);
    else {
      const own = recent.filter((fetch) => isFetchedFor(event, fetch));
      const [lead, fetch] = [own.at(-2), own.at(-1)];
      if (fetch) found.add(fetch.id);
      if (fetch && !fetch.tag && lead?.tag && lead.method === 'HEAD') found.add(lead.id);
    }
  }
  return found;
}

/** Engines that keep images pull and push by separate commands. */
function isFetchedFor(write: StoredEvent, fetch: StoredEvent): boolean {
  if (write.userAgent !== fetch.userAgent || write.userAgent === '') return false;
  if (write.action === 'push' && keepsImages.test(write.userAgent)) return false;
  if (sameAddress(write.addressDigests, fetch.addressDigests)) return true;
  return write.user !== '' && write.time - fetch.time <= writeElsewhereAfterMs;
}

/** The order of everything here: by time, then by id. */
export function byTime(a: { time: number; id: string }, b: { time: number; id: string }): number {
  return a.time - b.time || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

/** Whether an event is part of a pull opened at most pullReachMs before it. */
function takes({ root, events }: OpenAct, event: StoredEvent, windowMs: number): boolean {
  const [opener] = events;
  const age = event.time - opener.time;
  if (opener.userAgent !== event.userAgent) return false;
  if (!sameAddress(opener.addressDigests, event.addressDigests)) {
    // Two nodes of one user may pull the same image side by side: an event from another address joins only if this pull
    // still lacks it.
    if (event.user === '' || age > otherAddressMs || events.some((other) => isSameRequest(other, event))) return false;
  }
  if (event.tag && event.tag === root.tag)
    return event.digest === root.digest && (isRepeat(events, event, age, windowMs) || isLateHead(events, event, age));
  if (!root.tag && leads(event, root) && age <= skewMs) return true;
  if (!event.tag && isLedBy(event, root)) return true;
  return isUncertain(opener) && isUncertain(event) && age <= uncertainMs && !(root.tag && event.tag);
}

/**
 * Whether a tagged event of the same tag and digest repeats the method that opened the pull, or is the GET after its
 * HEAD.
 */
function isRepeat([opener]: StoredEvent[], event: StoredEvent, age: number, windowMs: number): boolean {
  return windowMs > 0 && age <= windowMs && (event.method === opener.method || opener.method === 'HEAD');
}

/**
 * The HEAD that led to that GET, but with a later time. Within one replica the order is right: crane pull, crane push
 * are two commands.
 */
function isLateHead(events: StoredEvent[], event: StoredEvent, age: number): boolean {
  if (event.method !== 'HEAD' || events.some(({ method }) => method === 'HEAD')) return false;
  return age === 0 || (age <= skewMs && event.source !== events[0].source);
}

/** Whether an untagged event fetches what `root` requested or references. */
function isLedBy(event: StoredEvent, root: StoredEvent): boolean {
  if (!event.digest) return false;
  if (event.digest === root.digest) return root.method === 'HEAD';
  return root.references ? root.references.includes(event.digest) : isIndex(root.mediaType);
}

/** Whether `event` led to `root`, although its time is later: a HEAD by tag, or the index of a platform. */
function leads(event: StoredEvent, root: StoredEvent): boolean {
  if (!root.digest) return false;
  if (event.digest === root.digest) return event.tag !== undefined && event.method === 'HEAD' && root.method !== 'HEAD';
  return event.references?.includes(root.digest) ?? false;
}

function join(act: OpenAct, event: StoredEvent): void {
  const { root, pull } = act;
  act.events.push(event);
  pull.events++;
  if (evidence(event.class) > evidence(pull.class)) pull.class = event.class;
  if (root.tag || !(event.tag || leads(event, root))) return;
  act.root = event;
  if (event.tag) pull.tag = event.tag;
  if (event.digest) pull.digest = event.digest;
}

/**
 * How much an event says about the client: any client may send a HEAD, and signatures are fetched along with images.
 */
function evidence(kind: PullClass): number {
  return kind === 'version-check' ? 0 : kind === 'signature' ? 1 : 2;
}

/** Whether a fetch is a client's check of its own push. */
function isReadBack(push: StoredEvent, event: StoredEvent): boolean {
  // An event without a client's name may come from anybody.
  if (push.userAgent !== event.userAgent || event.userAgent === '' || !event.digest) return false;
  const here = sameAddress(push.addressDigests, event.addressDigests);
  if (!here && event.user === '') return false;
  const within = event.tag ? readBackByTagMs : here ? readBackMs : readBackElsewhereMs;
  return event.time - push.time <= within;
}

function isFresh(push: StoredEvent, { time }: StoredEvent): boolean {
  return time - push.time <= readBackMs;
}

function isSameRequest(a: StoredEvent, b: StoredEvent): boolean {
  return a.digest === b.digest && a.method === b.method;
}

function sameAddress(a: string[], b: string[]): boolean {
  return a.length === 0 ? b.length === 0 : a.some((digest) => b.includes(digest));
}

/** Whether its source reports a user, but nothing that distinguishes one of their acts from another. */
function isUncertain({ user, userAgent, addressDigests, references, mediaType, digest }: StoredEvent): boolean {
  return (
    userAgent === '' && addressDigests.length === 0 && !references && !mediaType && user !== '' && digest !== undefined
  );
}

function pullOpenedBy(event: StoredEvent): Pull {
  const { id, time, user, repository, tag, digest, class: kind, client, country } = event;
  const pull: Pull = { id, time, user, repository, class: kind, client, country, events: 1 };
  if (tag) pull.tag = tag;
  if (digest) pull.digest = digest;
  if (isUncertain(event)) pull.uncertain = true;
  return pull;
}

function checkedWindow(seconds: number): number {
  if (!(seconds >= 0 && seconds * 1000 <= pullReachMs))
    throw new RangeError(`windowSeconds is ${seconds}: must be from 0 (no merging) to ${pullReachMs / 1000}`);
  return seconds;
}

function findLast<T>(items: T[], from: number, holds: (item: T) => boolean): T | undefined {
  for (let index = items.length - 1; index >= from; index--) if (holds(items[index])) return items[index];
}
