// The five stores, as the stages need them. Two sets fit by shape: embedded (infra/local) and AWS (functions/aws);
// test/contracts has one suite a store, which both must pass.
import type { Claims, Role } from './access.ts';
import type { Pull, PullClass, Quarantined, StoredEvent } from './event.ts';
import type { RepositoryImages } from './registry/images.ts';
import type { ImageChange, ImagePulls } from './registry/outdated.ts';
import type { UnusedImage } from './registry/unused.ts';
import type { Alert } from './rules.ts';

/** A store is down, throttled, full or read-only: nothing is wrong with the call, which may succeed later. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

// --- stream ---------------------------------------------------------------------------------------------------------

export interface StreamRecord {
  /** Partition key: records of one key keep their order. */
  key: string;
  data: Uint8Array;
}

export interface StreamWriter {
  /** Resolves when every record is durable; throws StreamRefused when any was not taken. */
  put(records: StreamRecord[]): Promise<void>;
}

export class StreamRefused extends Error {
  override name = 'StreamRefused';
  /** The records that were, or may have been, refused; left out: all of the put. */
  readonly refused?: StreamRecord[];
  constructor(message: string, { refused, ...options }: ErrorOptions & { refused?: StreamRecord[] } = {}) {
    super(message, options);
    this.refused = refused;
  }
}

// --- checkpoints ----------------------------------------------------------------------------------------------------

/** One committed batch: the rows of a shard form a chain, previous -> last, beginning at '0'. */
export interface Checkpoint {
  shard: string;
  /** Decimal sequence number the batch starts after. */
  previous: string;
  /** Decimal sequence number of the batch's last record; compared within one shard only, as big integers. */
  last: string;
  /** Object key of the batch's delta. */
  delta: string;
  /** Milliseconds since the epoch. */
  committedAt: number;
}

export interface CheckpointStore {
  /** The shard's newest row. */
  latest(shard: string): Promise<Checkpoint | undefined>;
  /** Puts the row if no row (shard, previous) exists: true when it is ours, false when another batch won. */
  commit(row: Checkpoint): Promise<boolean>;
  /** Every shard that has a row. */
  shards(): Promise<string[]>;
  /** Rows with previous >= after, in order, at most `limit`. */
  after(shard: string, after: string, limit: number): Promise<Checkpoint[]>;
  /** Removes rows; refuses (throws) to remove a shard's newest. */
  remove(rows: Pick<Checkpoint, 'shard' | 'previous'>[]): Promise<void>;
}

// --- events ---------------------------------------------------------------------------------------------------------

export interface Page<T> {
  items: T[];
  cursor?: string;
}

export interface QuarantineState {
  entries: number;
  /** As stored. */
  bytes: number;
  /** Entries that left because there was no room, ever; and when the last did, milliseconds since the epoch. */
  dropped: number;
  droppedAt?: number;
}

/** A change of one person's pulls of one repository. */
export interface Replacement {
  user: string;
  repository: string;
  /** What it was computed from. */
  version: number;
  remove: Pull[];
  put: Pull[];
}

/** A store that keeps rows for a time. */
export interface Expiring {
  /** Removes what happened before a time, milliseconds since the epoch. Resolves when it is removed, or surely will be. */
  expire(before: number): Promise<void>;
}

export interface EventStore {
  /**
   * Puts by id (the first delivery stays). Returns, event by event, whether the stored one has this origin:
   * false marks a redelivered duplicate; a retried batch gets the same result.
   */
  put(events: StoredEvent[]): Promise<boolean[]>;
  /** Puts events that are stored in another class or client: what is not stored (any more) stays so. */
  rewrite(events: StoredEvent[]): Promise<void>;
  /** Every user and repository with events, each once; pairs that come meanwhile may be left out. */
  pairs(page: { cursor?: string; limit: number }): Promise<Page<{ user: string; repository: string }>>;
  /** At most `limit` events of one person and repository, sorted by (time, id), of later than `after` or from the first on. */
  eventsAfter(user: string, repository: string, after: number | undefined, limit: number): Promise<StoredEvent[]>;
  /** Events of one person and repository with from <= time <= to, sorted by (time, id). */
  events(user: string, repository: string, from: number, to: number): Promise<StoredEvent[]>;
  /** Grows by one with every replacement of this person's pulls of this repository; 0 at first. */
  version(user: string, repository: string): Promise<number>;
  /** The same of several, in their order. */
  versions(pairs: { user: string; repository: string }[]): Promise<number[]>;
  /** Pulls stored for one person and repository with from <= time <= to. */
  pulls(user: string, repository: string, from: number, to: number): Promise<Pull[]>;
  /**
   * Each removes and puts in one step if its version is still what it names; false when another batch was first. They share
   * transactions, and each stands for itself. A person and repository is in the list once.
   */
  replacePulls(replacements: Replacement[]): Promise<boolean[]>;
  /** Newest first. An unreadable cursor throws BadCursor. */
  history(user: string, page: { cursor?: string; limit: number }): Promise<Page<Pull>>;
  /** Idempotent by id. Kept encrypted, within `quarantineBounds`: the oldest leave first. */
  quarantine(entries: Quarantined[]): Promise<void>;
  /** Newest first; a page has `quarantineBounds.pageBytes` at most. Entries whose day's key is destroyed are left out. */
  quarantined(page: { cursor?: string; limit: number }): Promise<Page<Quarantined>>;
  quarantineState(): Promise<QuarantineState>;
  release(ids: string[]): Promise<void>;
  /** The secret that keys address digests of one UTC day; made on first use, gone a day after that day ends. */
  digestKey(day: string): Promise<Uint8Array>;
  /**
   * Deletes every event and pull of a user, and quarantined entries that name them; returns how many rows were deleted.
   * `repositories`: where something of theirs may be that a put which was under way has not listed.
   */
  forget(user: string, repositories?: string[]): Promise<number>;
  /** Notes that a person was forgotten at a time, milliseconds, by a digest of the name; gone after `forgottenKeptMs`. */
  markForgotten(user: string, at: number): Promise<void>;
  /** When these people were last forgotten: those only who were. A mark that was put is seen. */
  forgotten(users: string[]): Promise<Map<string, number>>;
}

/** Longer than a record can come back: a week in the stream at most, and a week among the failures. */
export const forgottenKeptMs = 16 * 86_400_000;

export class BadCursor extends Error {
  override name = 'BadCursor';
}

// --- objects --------------------------------------------------------------------------------------------------------

export interface ObjectInfo {
  key: string;
  etag: string;
  size: number;
  modified: number;
}

export interface ObjectStore {
  /** `range`: bytes start <= i < end; a range may reach beyond the end of the object. */
  get(key: string, range?: { start: number; end: number }): Promise<{ body: Uint8Array; etag: string } | undefined>;
  head(key: string): Promise<ObjectInfo | undefined>;
  /** Throws PreconditionFailed when ifMatch or ifNoneMatch does not hold. */
  put(
    key: string,
    body: Uint8Array | string,
    options?: {
      ifMatch?: string;
      ifNoneMatch?: '*';
      contentType?: string;
      cacheControl?: string;
      contentEncoding?: string;
    },
  ): Promise<{ etag: string }>;
  /** Keys under a prefix, sorted by their UTF-8 bytes. */
  list(prefix: string): Promise<ObjectInfo[]>;
  /** Missing keys are no error. */
  remove(keys: string[]): Promise<void>;
}

/** The stored bytes are not those that were put. */
export class Damaged extends Error {
  override name = 'Damaged';
  constructor(key: string, how = 'it is not what was stored') {
    super(`"${key}" is damaged: ${how}. Restore the data folder from a backup: npm run restore`);
  }
}

export class PreconditionFailed extends Error {
  override name = 'PreconditionFailed';
}

// --- search ---------------------------------------------------------------------------------------------------------

/** A document change. Stored only if `version` is not below the stored one, so late writers can't undo newer ones. */
export type SearchChange =
  /** `apart`: it is not part of a pull or push that counts (a read-back, a platform of an index); its `class` is its pull's. */
  | { kind: 'event'; id: string; version: number; doc: StoredEvent; apart?: boolean }
  | { kind: 'pull'; id: string; version: number; doc: Pull | null };

export interface RepositoryRow {
  repository: string;
  pulls: number;
  raw: number;
  /** Different named people. */
  pulledBy: number;
  lastPull: number;
}

/**
 * What recommendations need to know about a repository: who pulled it by a class that teaches (`taughtClasses`). Users and
 * UTC days are counted, never events: a user who pulls in a loop counts once, and pulls without a name
 * count nothing.
 */
export interface CatalogueRow {
  repository: string;
  /** Distinct named users, at least 1. */
  pulledBy: number;
  /** Distinct pairs of a user and a day. */
  days: number;
  /** Users whose newest pull is at most `recentHalfLives` half-lives old. */
  recent: number;
  /** Those users, each at 2^-(age of the day of their newest pull / half-life). */
  weight: number;
}

/** After ten half-lives a pull weighs a thousandth: it is not recent. */
export const recentHalfLives = 10;
/** A pull's weight in `trending` halves with so many days. */
export const halfLifeDays = 3;

/** The answer is read from sums, and the sums of what an older version stored are still being made. */
export class NotSummed extends Error {
  override name = 'NotSummed';
  readonly done: number;
  readonly total: number;
  constructor(done: number, total: number) {
    const share = Math.floor((100 * done) / Math.max(1, total));
    super(`What was stored before is being summed: ${share} % of ${total} documents are done. Ask again in a moment.`);
    this.done = done;
    this.total = total;
  }
}

export interface PullsQuery {
  /** Several: of all of these together. */
  repository?: string | string[];
  /** All repositories of this registry only. */
  registry?: string;
  user?: string;
  /** Milliseconds, from <= time < to. */
  from?: number;
  to?: number;
  interval?: 'day' | 'week' | 'month';
  by?: 'tag' | 'class' | 'country' | 'client';
}

export interface Counts {
  pulls: number;
  raw: number;
  /** Tags, and manifests pushed without one that no tag or index takes in. */
  pushes: number;
  /** Manifest PUTs. */
  rawPushes: number;
}

export interface PairsQuery {
  /** Milliseconds, from <= time < to. */
  from?: number;
  to?: number;
  /** Classes of pulls to read. */
  classes: PullClass[];
  /** A prefix of repository names. */
  repositoryPrefix?: string;
}

/** How often one user pulled one repository, and when first and last, milliseconds since the epoch. */
export interface Pair {
  user: string;
  repository: string;
  pulls: number;
  /** UTC days with a pull: what training learns from, as repeats within a day say nothing. Missing in files that give pulls alone. */
  days?: number;
  firstPull: number;
  lastPull: number;
}

/** Users of a repository with their number of pulls, and the image, client and country of their newest. */
export interface Puller {
  user: string;
  repository: string;
  pulls: number;
  /** Milliseconds since the epoch. */
  lastPull: number;
  tag?: string;
  /** What was asked for: of an image in an index, the index. */
  digest?: string;
  class: PullClass;
  client: string;
  country: string;
}

export interface SavedRecommendations {
  user: string;
  model: string;
  items: { repository: string; score: number }[];
}

/** A repository that was suggested to a user, by which source, and when first and last, milliseconds since the epoch. */
export interface ShownItem {
  repository: string;
  source: string;
  from: number;
  to: number;
}

/** Repositories that a user was shown recently; `list` is the id of the newest list. */
export interface ShownList {
  user: string;
  list: string;
  items: ShownItem[];
}

/** How many days a user pulled a repository on. */
export interface PulledDays {
  repository: string;
  days: number;
}

/** So many of a user's repositories are looked at, at most. */
export const mostRepositories = 100;

/** Who pulled which images, and what became of the images. */
export interface ImageUse {
  pulls: ImagePulls[];
  changes: ImageChange[];
}

export interface UsersQuery {
  search?: string;
  registry?: string;
  kind?: PullClass;
  /** Newest pull first, most pulls first, newest first pull first, by name. */
  sort: 'recent' | 'pulls' | 'new' | 'name';
  limit: number;
  /** Milliseconds since the epoch. */
  now: number;
}

export interface UserRow {
  user: string;
  /** The class of most of their pulls; one that says little (`weakKinds`) only if they have no other. Ties: the last by name. */
  kind: PullClass;
  pulls: number;
  /** Milliseconds since the epoch, as is lastPull. */
  firstPull: number;
  lastPull: number;
  /** Pulls on each of the last `sparkDays` UTC days, today last. */
  days: number[];
}

/** Classes that people's own clients belong to, among others. */
export const weakKinds: PullClass[] = ['signature', 'version-check'];
export const sparkDays = 30;

export interface SearchStore extends Expiring {
  write(changes: SearchChange[]): Promise<void>;
  /** Named users whose name contains `search` (any case) and who are of a kind. Ties are in the order of names. */
  users(query: UsersQuery): Promise<UserRow[]>;
  /**
   * Only repositories that were pulled or pushed and not deleted since.
   * trending: each pull weighs half as much with every `halfLifeDays` between its UTC day and today.
   */
  repositories(query: {
    sort: 'popular' | 'trending' | 'name';
    search?: string;
    registry?: string;
    limit: number;
    now: number;
  }): Promise<RepositoryRow[]>;
  /** Every repository that a named user pulled by a class that training uses and that was not deleted since, sorted by name. */
  catalogue(query: { now: number; halfLifeMs: number }): Promise<CatalogueRow[]>;
  /** What this user pulled by classes that teach, at most `limit` repositories, newest day first, ties by name. */
  pulledDays(query: { user: string; limit: number }): Promise<PulledDays[]>;
  /** The repositories whose manifests this person pushed, sorted. */
  pushed(user: string): Promise<string[]>;
  /** `uncertain`: how many of the total's pulls come from sources that can't tell acts apart. */
  counts(
    query: PullsQuery,
  ): Promise<{ total: Counts; uncertain: number; buckets: ({ from?: number; key?: string } & Counts)[] }>;
  /**
   * Who pulled a digest or repository, newest first. A digest is also pulled with an index that names it, by each of its
   * platforms, and by whoever fetched it as a part of something whose references were not reported.
   */
  pullers(query: {
    digest?: string;
    repository?: string | string[];
    registry?: string;
    from?: number;
    to?: number;
    limit: number;
  }): Promise<Puller[]>;
  /** What was pushed before `since` and is not in use (core/registry/unused.ts), the oldest push first. */
  unused(query: { since: number; registry?: string; limit: number }): Promise<UnusedImage[]>;
  /** What is known of the images of these repositories, sorted by name; those of which nothing is known are left out. */
  images(query: { repository: string | string[] }): Promise<RepositoryImages[]>;
  /** Repositories of which nothing is left, sorted: a push brings one back. Their history stays. */
  deleted(): Promise<string[]>;
  /**
   * The pulls by named users (`usingClasses`) since `from` of these repositories, a row for each user, class, tag and digest;
   * and when these were pushed and deleted last. Every repository the user pulled since, where only `user` is given, at most
   * `mostRepositories`, newest pull first.
   */
  imageUse(query: { repository: string | string[]; from: number } | { user: string; from: number }): Promise<ImageUse>;
  /** The pulls that training reads: one row a person and repository, sorted by (user, repository), anonymous left out. */
  pairs(query: PairsQuery): AsyncIterable<Pair>;
  /** Replaces the saved recommendations of these people; a row without items removes what was saved. */
  saveRecommendations(rows: SavedRecommendations[]): Promise<void>;
  recommendations(user: string): Promise<SavedRecommendations | undefined>;
  /** What this user was shown. */
  shown(user: string): Promise<ShownList | undefined>;
  /** Replaces what is stored of these users; without items it is removed. A user without pulls is not stored. */
  saveShown(lists: ShownList[]): Promise<void>;
  /** What all users were shown. */
  allShown(): AsyncIterable<ShownList>;
  forget(user: string): Promise<void>;
}

// --- alerts --------------------------------------------------------------------------------------------------------

/** Claims: an alert is sent at most once. */
export interface ClaimStore {
  /**
   * Puts `by` under `key` if the key is free, and never changes it again; returns what is stored: `by` if the claim is ours. `person`
   * is whom the key names, always the same for a key: forgetting the person takes the claim back.
   */
  claim(key: string, by: string, person?: string): Promise<string>;
  /** The same for many keys at once that name nobody; the result in their order. A claim is let go after `claimKeptMs`. */
  claimAll(claims: { key: string; by: string }[]): Promise<string[]>;
  /** Sets a part of a sum (idempotent) and returns the whole sum. Expires after a day. */
  tally(key: string, part: string, count: number): Promise<number>;
}

/** How long a claim is kept: strangers choose some of the keys (domains), so that none is kept for ever. */
export const claimKeptMs = 90 * 86_400_000;

/** How long alerts are kept. */
export const alertKeptMs = 30 * 86_400_000;

/** What of the alerts was not sent yet. However many ask, each alert is handed out once. */
export interface AlertQueue {
  /**
   * Returns the oldest alert that nobody has taken, and takes it; none older than `stormMs`. Of a rule that had `most`
   * within that time the rest is held back for a digest.
   */
  next(most: number): Promise<Alert | undefined>;
  /** Returns the digest of a rule whose first alert was held back `stormMs` ago or longer, and takes it. */
  digest(): Promise<Alert | undefined>;
}

/** Alerts as the page shows them. */
export interface AlertFeed {
  /** Idempotent by id: what was added is in the queue once, too. */
  add(alert: Alert): Promise<void>;
  /** Newest first. An unreadable cursor throws BadCursor. */
  alerts(page: { cursor?: string; limit: number }): Promise<Page<Alert>>;
  /** Removes alerts and claims that name a user; returns how many. */
  forget(user: string): Promise<number>;
}

// --- credentials ----------------------------------------------------------------------------------------------------

/** A signed-in browser, a script's API token, or a registry's webhook token. */
export type CredentialKind = 'session' | 'token' | 'registry';

export interface Credential {
  kind: CredentialKind;
  /** SHA-256 of the secret, base64url. The secret itself is kept nowhere. */
  digest: string;
  /** What the owner calls it; the registry's name; the session's user. */
  name: string;
  /** The registry's user name it speaks for. */
  user?: string;
  role?: Role;
  /** The claims of a session: its role is recomputed for each request, so that changed rules apply at once. */
  claims?: Claims;
  createdAt: number;
  expiresAt?: number;
  usedAt?: number;
}

export interface CredentialStore {
  put(credential: Credential): Promise<void>;
  /** Returns undefined when there is none or it has expired. */
  find(kind: CredentialKind, digest: string): Promise<Credential | undefined>;
  /** All that have not expired, oldest first. */
  list(kind: CredentialKind): Promise<Credential[]>;
  /** Notes when it was last used; does nothing when it is gone. */
  used(kind: CredentialKind, digest: string, at: number): Promise<void>;
  /** Returns whether it was there. */
  remove(kind: CredentialKind, digest: string): Promise<boolean>;
  /** Removes what speaks for a user; returns how many. */
  forget(user: string): Promise<number>;
}

// --- refusals -------------------------------------------------------------------------------------------------------

/** Why a registry's post did not count, or not all of it. */
export const refusalReasons = [
  'no-token',
  'wrong-token',
  'too-large',
  'not-json',
  'unknown-host',
  'not-understood',
  'stream-refused',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** Refused posts of one reason; `registry` is the one whose token they carried, '' where they carried no valid token. */
export interface Refusal {
  reason: RefusalReason;
  registry: string;
  posts: number;
  /** Milliseconds since the epoch. */
  lastAt: number;
}

/** Counts of posts are kept by UTC day, this many days. */
export const refusalDays = 7;

export interface RefusalStore {
  /** Adds posts to the count of the day of `lastAt`. */
  add(refusal: Refusal): Promise<void>;
  /** Returns the sums of the last days, one for each reason and registry, the newest first. */
  list(): Promise<Refusal[]>;
}
