// The five stores, as the stages need them. There are two implementations of each: embedded (infra/local) and AWS
// (functions/aws); both must pass the store's contract in test/contracts.
import type { Claims, Role } from './access.ts';
import type { Pull, PullClass, Quarantined, StoredEvent } from './event.ts';
import type { RepositoryImages } from './registry/images.ts';
import type { ImageChange, ImagePulls } from './registry/outdated.ts';
import type { UnusedImage } from './registry/unused.ts';
import type { Alert } from './rules.ts';

/** A store is down, throttled, full or read-only: the call is valid and may succeed later. */
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
  /** Resolves when every record is durable; throws StreamRefused if any was not accepted. */
  put(records: StreamRecord[]): Promise<void>;
}

export class StreamRefused extends Error {
  override name = 'StreamRefused';
  /** The records that were, or may have been, refused; default: all records of the put. */
  readonly refused?: StreamRecord[];
  constructor(message: string, { refused, ...options }: ErrorOptions & { refused?: StreamRecord[] } = {}) {
    super(message, options);
    this.refused = refused;
  }
}

// --- checkpoints ----------------------------------------------------------------------------------------------------

/** A committed batch: the rows of a shard form a chain, previous -> last, starting at '0'. */
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
  /** Puts the row if no row (shard, previous) exists: true if this row was put, false if another batch won. */
  commit(row: Checkpoint): Promise<boolean>;
  /** Every shard that has a row. */
  shards(): Promise<string[]>;
  /** Rows with previous >= after, in order, at most `limit`. */
  after(shard: string, after: string, limit: number): Promise<Checkpoint[]>;
  /** Removes rows; throws if one is a shard's newest. */
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
  /** How many entries were ever dropped for lack of room, and when the last was, milliseconds since the epoch. */
  dropped: number;
  droppedAt?: number;
}

/** A change of one user's pulls of one repository. */
export interface Replacement {
  user: string;
  repository: string;
  /** The version that it was computed from. */
  version: number;
  remove: Pull[];
  put: Pull[];
}

/** A store whose rows expire. */
export interface Expiring {
  /**
   * Removes rows from before a time, milliseconds since the epoch. Resolves once they are removed, or certain to be.
   */
  expire(before: number): Promise<void>;
}

export interface EventStore {
  /**
   * Puts events by id (the first delivery stays). Returns for each event whether the stored one has the same origin:
   * false marks a redelivered duplicate; a retried batch gets the same result.
   */
  put(events: StoredEvent[]): Promise<boolean[]>;
  /** Replaces stored events whose class or client changed; events that are not stored (any more) are not added. */
  rewrite(events: StoredEvent[]): Promise<void>;
  /** Every pair of user and repository with events, each once; pairs added meanwhile may be left out. */
  pairs(page: { cursor?: string; limit: number }): Promise<Page<{ user: string; repository: string }>>;
  /**
   * At most `limit` events of one user and repository, sorted by (time, id): those later than `after`, or from the
   * first on.
   */
  eventsAfter(user: string, repository: string, after: number | undefined, limit: number): Promise<StoredEvent[]>;
  /** Events of one user and repository with from <= time <= to, sorted by (time, id). */
  events(user: string, repository: string, from: number, to: number): Promise<StoredEvent[]>;
  /** The version of this user's pulls of this repository: 0 at first, incremented with every replacement. */
  version(user: string, repository: string): Promise<number>;
  /** The versions of several pairs, in their order. */
  versions(pairs: { user: string; repository: string }[]): Promise<number[]>;
  /** The stored pulls of one user and repository with from <= time <= to. */
  pulls(user: string, repository: string, from: number, to: number): Promise<Pull[]>;
  /**
   * Each change removes and puts in one step if the stored version is still the one it names; its result is false if
   * another batch was first. Changes may share transactions, but succeed or fail on their own. Each pair of user and
   * repository may be in the list once.
   */
  replacePulls(replacements: Replacement[]): Promise<boolean[]>;
  /** Newest first. An unreadable cursor throws BadCursor. */
  history(user: string, page: { cursor?: string; limit: number }): Promise<Page<Pull>>;
  /** Idempotent by id. Entries are stored encrypted, within `quarantineBounds`: the oldest are dropped first. */
  quarantine(entries: Quarantined[]): Promise<void>;
  /**
   * Newest first; a page has at most `quarantineBounds.pageBytes` bytes. Entries whose day's key was destroyed are left
   * out.
   */
  quarantined(page: { cursor?: string; limit: number }): Promise<Page<Quarantined>>;
  quarantineState(): Promise<QuarantineState>;
  release(ids: string[]): Promise<void>;
  /** The secret key for the address digests of one UTC day; made on first use, destroyed a day after that day ends. */
  digestKey(day: string): Promise<Uint8Array>;
  /**
   * Deletes every event and pull of a user, and quarantined entries that name them; returns how many rows were deleted.
   * `repositories`: further ones that may have events of theirs, because a concurrent put has not listed them yet.
   */
  forget(user: string, repositories?: string[]): Promise<number>;
  /** Marks a user as forgotten at a time, milliseconds, by a digest of the name; expires after `forgottenKeptMs`. */
  markForgotten(user: string, at: number): Promise<void>;
  /**
   * When these users were last forgotten, without those who were not. Strongly consistent: every mark that was put is
   * seen.
   */
  forgotten(users: string[]): Promise<Map<string, number>>;
}

/** Longer than a record can come back: at most a week in the stream, and a week at the failure destination. */
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
  /** Throws PreconditionFailed if ifMatch or ifNoneMatch does not hold. */
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
  /** Missing keys are not an error. */
  remove(keys: string[]): Promise<void>;
}

/** Thrown if the stored bytes are not those that were put. */
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

/**
 * A change of a document. It is stored only if `version` is not below the stored one, so that late writers can't undo
 * newer changes.
 */
export type SearchChange =
  /**
   * `apart`: the event is not part of a pull or push that counts (a read-back, a platform of an index). `class` is that
   * of its pull.
   */
  | { kind: 'event'; id: string; version: number; doc: StoredEvent; apart?: boolean }
  /** `was`: whose, of what and when a removed pull was. A store that keeps sums reads more while that is unknown. */
  | { kind: 'pull'; id: string; version: number; doc: Pull | null; was?: Pick<Pull, 'user' | 'repository' | 'time'> };

export interface RepositoryRow {
  repository: string;
  pulls: number;
  raw: number;
  /** Distinct named users. */
  pulledBy: number;
  lastPull: number;
}

/**
 * What recommendations need to know about a repository: counts of pulls of the classes that models learn from
 * (`taughtClasses`). Users and UTC days are counted, never events, so a user who pulls in a loop counts once, and
 * anonymous pulls don't count.
 */
export interface CatalogueRow {
  repository: string;
  /** Distinct named users, at least 1. */
  pulledBy: number;
  /** Distinct pairs of a user and a day. */
  days: number;
  /** The number of users whose newest pull is at most `recentHalfLives` half-lives old. */
  recent: number;
  /** The sum over those users of 2^-(age of the day of their newest pull / half-life). */
  weight: number;
}

/** After ten half-lives a pull weighs a thousandth and is no longer recent. */
export const recentHalfLives = 10;
/** After this many days a pull's weight in `trending` has halved. */
export const halfLifeDays = 3;

/** The result is read from sums, and the sums of documents that an older version stored are still being computed. */
export class NotSummed extends Error {
  override name = 'NotSummed';
  readonly done: number;
  readonly total: number;
  constructor(done: number, total: number) {
    const share = Math.floor((100 * done) / Math.max(1, total));
    super(`Documents of an older version are being summed: ${share} % of ${total} are done. Try again in a moment.`);
    this.done = done;
    this.total = total;
  }
}

export interface PullsQuery {
  /** If several are given: all of them together. */
  repository?: string | string[];
  /** Only repositories of this registry. */
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
  /** Pushed tags, and manifests pushed without a tag that are not part of an index or a tagged push. */
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

/** How often a user pulled a repository, and when first and last, milliseconds since the epoch. */
export interface Pair {
  user: string;
  repository: string;
  pulls: number;
  /**
   * UTC days with a pull. Training learns from these, because repeats within a day say nothing. Missing in files with
   * only numbers of pulls.
   */
  days?: number;
  firstPull: number;
  lastPull: number;
}

/** A user of a repository, with their number of pulls, and the image, client and country of the newest one. */
export interface Puller {
  user: string;
  repository: string;
  pulls: number;
  /** Milliseconds since the epoch. */
  lastPull: number;
  tag?: string;
  /** The digest that was requested: for an image in an index, that of the index. */
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

/**
 * A repository that was suggested to a user: by which source, and when first and last, milliseconds since the epoch.
 */
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

/** On how many days a user pulled a repository. */
export interface PulledDays {
  repository: string;
  days: number;
}

/** The most repositories of a user that are read. */
export const mostRepositories = 100;

/** Who pulled which images, and whether these were pushed or deleted since. */
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
  /**
   * The class of most of their pulls; a class that says little (`weakKinds`) only if they have no other. Ties: the last
   * by name.
   */
  kind: PullClass;
  pulls: number;
  /** Milliseconds since the epoch, as is lastPull. */
  firstPull: number;
  lastPull: number;
  /** Pulls on each of the last `sparkDays` UTC days, today last. */
  days: number[];
}

/** Classes that also include people's clients. */
export const weakKinds: PullClass[] = ['signature', 'version-check'];
export const sparkDays = 30;

export interface SearchStore extends Expiring {
  write(changes: SearchChange[]): Promise<void>;
  /**
   * Sums what is older than the day before `now`; lists and counts are then read from the sums and what came since.
   * Returns until when. After `mostMs` milliseconds it throws, and the sums that are in use stay. A store that updates its
   * sums with each write lacks it.
   */
  sumUp?(now: number, mostMs?: number): Promise<{ through: number }>;
  /** Named users of a kind, whose name contains `search` (ignoring case). Ties are sorted by name. */
  users(query: UsersQuery): Promise<UserRow[]>;
  /**
   * Repositories that were pulled or pushed, and not deleted since. trending: the weight of each pull halves with every
   * `halfLifeDays` between its UTC day and today.
   */
  repositories(query: {
    sort: 'popular' | 'trending' | 'name';
    search?: string;
    registry?: string;
    limit: number;
    now: number;
  }): Promise<RepositoryRow[]>;
  /**
   * Every repository that a named user pulled by a class that training uses and that was not deleted since, sorted by
   * name.
   */
  catalogue(query: { now: number; halfLifeMs: number }): Promise<CatalogueRow[]>;
  /** What this user pulled by `taughtClasses`: at most `limit` repositories, newest day first, ties by name. */
  pulledDays(query: { user: string; limit: number }): Promise<PulledDays[]>;
  /** The repositories that this user pulled, by whatever class, sorted. */
  pulled(user: string): Promise<string[]>;
  /** The repositories to which this user pushed manifests, sorted. */
  pushed(user: string): Promise<string[]>;
  /** `uncertain`: how many of the total's pulls come from sources that can't distinguish two acts. */
  counts(
    query: PullsQuery,
  ): Promise<{ total: Counts; uncertain: number; buckets: ({ from?: number; key?: string } & Counts)[] }>;
  /**
   * Who pulled a digest or repository, newest first. A digest also counts as pulled with an index that names it, by
   * each of its platforms, and as part of something whose references were not reported.
   */
  pullers(query: {
    digest?: string;
    repository?: string | string[];
    registry?: string;
    from?: number;
    to?: number;
    limit: number;
  }): Promise<Puller[]>;
  /** Images that were pushed before `since` and are not in use (core/registry/unused.ts), the oldest push first. */
  unused(query: { since: number; registry?: string; limit: number }): Promise<UnusedImage[]>;
  /**
   * What is known about the images of these repositories, sorted by name; repositories of which nothing is known are
   * left out.
   */
  images(query: { repository: string | string[] }): Promise<RepositoryImages[]>;
  /** Repositories without any image left, sorted; a push brings one back. Their history stays. */
  deleted(): Promise<string[]>;
  /**
   * Pulls of these repositories since `from` by named users (`usingClasses`), a row for each user, class, tag and
   * digest, and when these tags and digests were last pushed and deleted. If only `user` is given: of every repository
   * the user pulled since, at most `mostRepositories`, newest pull first.
   */
  imageUse(query: { repository: string | string[]; from: number } | { user: string; from: number }): Promise<ImageUse>;
  /**
   * The pulls that training reads: one row per user and repository, sorted by (user, repository), without anonymous
   * pulls.
   */
  pairs(query: PairsQuery): AsyncIterable<Pair>;
  /** Replaces the saved recommendations of these users; a row without items removes them. */
  saveRecommendations(rows: SavedRecommendations[]): Promise<void>;
  recommendations(user: string): Promise<SavedRecommendations | undefined>;
  /** What this user was shown. */
  shown(user: string): Promise<ShownList | undefined>;
  /**
   * Replaces the lists stored for these users; a list without items is removed. Nothing is stored for a user without
   * pulls.
   */
  saveShown(lists: ShownList[]): Promise<void>;
  /** What all users were shown. */
  allShown(): AsyncIterable<ShownList>;
  forget(user: string): Promise<void>;
}

// --- alerts --------------------------------------------------------------------------------------------------------

/** Claims: an alert is sent at most once. */
export interface ClaimStore {
  /**
   * Puts `by` under `key` if the key is free, and never changes it again. Returns what is stored, which is `by` if the
   * claim is ours. `person` is the user that the key names, always the same for a key: forgetting the user frees the
   * claim.
   */
  claim(key: string, by: string, person?: string): Promise<string>;
  /**
   * The same for many keys at once, which name nobody; returns the results in order. A claim expires after
   * `claimKeptMs`.
   */
  claimAll(claims: { key: string; by: string }[]): Promise<string[]>;
  /** Sets a part of a sum (idempotent) and returns the whole sum. Expires after a day. */
  tally(key: string, part: string, count: number): Promise<number>;
}

/** How long a claim is kept. None is kept forever, because strangers choose some of the keys (domains). */
export const claimKeptMs = 90 * 86_400_000;

/** How long alerts are kept. */
export const alertKeptMs = 30 * 86_400_000;

/** The alerts that were not sent yet. Each alert is handed out once, to whichever caller is first. */
export interface AlertQueue {
  /**
   * Takes and returns the oldest waiting alert that is not older than `stormMs`. If a rule has had `most` alerts within
   * that time, its further ones are held back for a digest.
   */
  next(most: number): Promise<Alert | undefined>;
  /** Takes and returns the digest of a rule whose first alert was held back at least `stormMs` ago. */
  digest(): Promise<Alert | undefined>;
}

/** The alerts that the page shows. */
export interface AlertFeed {
  /** Idempotent by id: an alert is also in the queue only once. */
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
  /** The owner's name for an API token, the registry's name, or the session's user. */
  name: string;
  /** The user name at the registry that it acts for. */
  user?: string;
  role?: Role;
  /** The claims of a session. Its role is recomputed for each request, so that changed rules apply at once. */
  claims?: Claims;
  createdAt: number;
  expiresAt?: number;
  usedAt?: number;
}

export interface CredentialStore {
  put(credential: Credential): Promise<void>;
  /** Returns undefined if there is none or it has expired. */
  find(kind: CredentialKind, digest: string): Promise<Credential | undefined>;
  /** All credentials that have not expired, oldest first. */
  list(kind: CredentialKind): Promise<Credential[]>;
  /** Records the time of its last use; does nothing if it is gone. */
  used(kind: CredentialKind, digest: string, at: number): Promise<void>;
  /** Returns whether it existed. */
  remove(kind: CredentialKind, digest: string): Promise<boolean>;
  /** Removes credentials that act for a user; returns how many. */
  forget(user: string): Promise<number>;
}

// --- refusals -------------------------------------------------------------------------------------------------------

/** Why a registry's post, or a part of it, did not count. */
export const refusalReasons = [
  'no-token',
  'wrong-token',
  'unset-registry',
  'too-large',
  'not-json',
  'unknown-host',
  'not-understood',
  'stream-refused',
] as const;
export type RefusalReason = (typeof refusalReasons)[number];

/** Refused posts of one reason; `registry` is the one whose token they had, '' if it was nobody's. */
export interface Refusal {
  reason: RefusalReason;
  registry: string;
  posts: number;
  /** Milliseconds since the epoch. */
  lastAt: number;
}

/** For how many UTC days counts of posts are kept. */
export const refusalDays = 7;

export interface RefusalStore {
  /** Adds posts to the count for the day of `lastAt`. */
  add(refusal: Refusal): Promise<void>;
  /** Returns the sums of the last days, one for each reason and registry, the newest first. */
  list(): Promise<Refusal[]>;
}
