// Finds outdated images that users still pull, from pulls, pushes and deletes alone, each with its evidence.
import type { PullClass } from '../event.ts';
import { byText, clockSlackMs } from './image-graph.ts';
import { imageText } from './name.ts';

const dayMs = 86_400_000;
/** A user who pulled an image within this time counts as still pulling it. */
const stillPullsDays = 30;
/** How far back others' pulls are considered. */
export const outdatedReachDays = 90;
/** The classes whose pulls count as use of an image, and are compared. */
export const usingClasses: PullClass[] = ['human', 'ci', 'cluster'];
/** The fewest other users that can make a majority. */
const fewestMoved = 2;

/** A user's pulls of one image by one class; times are milliseconds since the epoch. */
export interface ImagePulls {
  user: string;
  repository: string;
  class: PullClass;
  tag?: string;
  digest?: string;
  firstPull: number;
  lastPull: number;
}

/** Pushes or deletes of one tag and digest in a repository; a delete without either is of the whole repository. */
export interface ImageChange {
  repository: string;
  action: 'push' | 'delete';
  tag?: string;
  digest?: string;
  /** Time of the newest, milliseconds since the epoch. */
  last: number;
}

/** Why an image is outdated, and the evidence. */
type Evidence =
  /** `digest` was pushed with the tag, and another digest was still pulled afterwards. */
  | { reason: 'pushed-anew'; pushedAt: number; digest: string }
  /** Of `others` users of the same class who pulled the tag, `moved` now pull `to` and no longer this tag. */
  | { reason: 'others-moved'; to: string; moved: number; others: number }
  /** The tag, its digest or the whole repository was deleted, and not pushed or pulled since. */
  | { reason: 'deleted'; deletedAt: number; what: 'tag' | 'digest' | 'repository' };

export interface Outdated extends Omit<ImagePulls, 'firstPull'> {
  evidence: Evidence;
}

/**
 * Returns the outdated images among those that these users still pull, sorted by repository, user and tag. `of` limits
 * the users whose rows are returned; everybody's pulls are used as evidence.
 */
export function outdated(
  pulls: ImagePulls[],
  changes: ImageChange[],
  { now, of }: { now: number; of?: string },
): Outdated[] {
  const changesOf = Map.groupBy(changes, ({ repository }) => repository);
  const found: Outdated[] = [];
  for (const [repository, rows] of Map.groupBy(pulls, ({ repository }) => repository)) {
    const tags = tagsOf(changesOf.get(repository) ?? []);
    for (const ofClass of Map.groupBy(rows, (row) => row.class).values()) {
      const byUser = Map.groupBy(ofClass, ({ user }) => user);
      const moved = movesOf(byUser);
      for (const [user, own] of byUser) {
        if (of !== undefined && user !== of) continue;
        for (const row of own) {
          if (row.lastPull < now - stillPullsDays * dayMs) continue;
          const evidence = deleted(row, own, tags) ?? pushedAnew(row, own, tags) ?? moved(user, row, own);
          if (evidence) found.push({ ...imageOf(row), evidence });
        }
      }
    }
  }
  return found.sort(
    (a, b) =>
      byText(a.repository, b.repository) ||
      byText(a.user, b.user) ||
      byText(a.tag ?? '', b.tag ?? '') ||
      byText(a.digest ?? '', b.digest ?? '') ||
      byText(a.class, b.class),
  );
}

/** The evidence in a sentence. */
export function sentenceOf({ user, repository, tag, digest, lastPull, evidence }: Outdated, now: number): string {
  const image = imageText(repository, tag === undefined ? `@${(digest ?? '').slice(0, 19)}` : `:${tag}`);
  const days = (since: number) => {
    const count = Math.floor((now - since) / dayMs);
    return count === 0 ? 'today' : count === 1 ? '1 day ago' : `${count} days ago`;
  };
  const pulled = `${user} last pulled ${image} ${days(lastPull)}`;
  if (evidence.reason === 'pushed-anew')
    return `${pulled}; its tag was pushed again ${days(evidence.pushedAt)} and is ${evidence.digest.slice(0, 19)} now.`;
  if (evidence.reason === 'deleted') return `${pulled}; the ${evidence.what} was deleted ${days(evidence.deletedAt)}.`;
  return `${pulled}; ${evidence.moved} of ${evidence.others} others moved from ${tag} to ${evidence.to}.`;
}

const imageOf = ({ firstPull, ...row }: ImagePulls): Omit<ImagePulls, 'firstPull'> => row;

interface Tags {
  pushes: ImageChange[];
  deletes: ImageChange[];
  /** The newest push of each tag. */
  current: Map<string, ImageChange>;
}

function tagsOf(changes: ImageChange[]): Tags {
  const current = new Map<string, ImageChange>();
  const pushes = changes.filter(({ action }) => action === 'push');
  for (const push of pushes) {
    const { tag, digest, last } = push;
    if (!tag || !digest) continue;
    const known = current.get(tag);
    // Of two at the same time either may be the newer: the choice does not depend on the order.
    if (!known || known.last < last || (known.last === last && (known.digest ?? '') < digest)) current.set(tag, push);
  }
  return { pushes, deletes: changes.filter(({ action }) => action === 'delete'), current };
}

/** The image was deleted after its newest push and pull, and its user has pulled nothing here since. */
function deleted(row: ImagePulls, own: ImagePulls[], { pushes, deletes, current }: Tags): Evidence | undefined {
  const newestPull = Math.max(...own.map(({ lastPull }) => lastPull));
  const push = row.tag === undefined ? undefined : current.get(row.tag);
  const digest = push?.digest ?? row.digest;
  const pushedAt = row.tag === undefined ? newestPush(pushes, row.digest) : (push?.last ?? Number.NEGATIVE_INFINITY);
  let found: Extract<Evidence, { reason: 'deleted' }> | undefined;
  for (const { tag, digest: deletedDigest, last } of deletes) {
    const what =
      tag === undefined && deletedDigest === undefined
        ? 'repository'
        : tag !== undefined && tag === row.tag
          ? 'tag'
          : tag === undefined && deletedDigest === digest
            ? 'digest'
            : undefined;
    if (!what || last <= pushedAt || newestPull > last + clockSlackMs) continue;
    if (!found || last > found.deletedAt) found = { reason: 'deleted', deletedAt: last, what };
  }
  return found;
}

const newestPush = (pushes: ImageChange[], digest: string | undefined) =>
  pushes.reduce((most, push) => (push.digest === digest ? Math.max(most, push.last) : most), Number.NEGATIVE_INFINITY);

/**
 * A digest that its tag no longer names was pulled after the tag moved, and the new digest has not been pulled since.
 */
function pushedAnew(row: ImagePulls, own: ImagePulls[], { pushes, current }: Tags): Evidence | undefined {
  if (row.digest === undefined) return undefined;
  const named = pushes.filter(({ tag, digest }) => tag !== undefined && digest === row.digest);
  // A digest that some tag still names is as new as that tag; of two pushed at the same time neither is outdated.
  if (named.some(({ tag, last }) => current.get(tag as string)?.last === last)) return undefined;
  let found: Extract<Evidence, { reason: 'pushed-anew' }> | undefined;
  for (const { tag } of named) {
    if (row.tag !== undefined && row.tag !== tag) continue;
    const { digest = '', last } = current.get(tag as string) as ImageChange;
    const updated = own.some((other) => other.digest === digest && other.lastPull > row.lastPull);
    if (updated || row.lastPull <= last + clockSlackMs) continue;
    if (!found || last > found.pushedAt) found = { reason: 'pushed-anew', pushedAt: last, digest };
  }
  return found;
}

/** A user's pulls of a tag, with any digest. */
interface TagPulls {
  tag: string;
  first: number;
  last: number;
}

/** Returns a function that says whether most other users of a class and repository moved from a tag to another one. */
function movesOf(byUser: Map<string, ImagePulls[]>) {
  const tagsBy = new Map([...byUser].map(([user, rows]) => [user, byTag(rows)]));
  /** For each tag: who pulled it, and the tag to which they moved, if they did. */
  const from = new Map<string, Map<string, string | undefined>>();
  for (const [user, tags] of tagsBy) {
    const newest = newestTag(tags) as TagPulls;
    for (const { tag, last } of tags.values()) {
      const movedTo = newest.tag !== tag && newest.first > last ? newest.tag : undefined;
      from.set(tag, (from.get(tag) ?? new Map()).set(user, movedTo));
    }
  }

  return (user: string, row: ImagePulls, own: ImagePulls[]): Evidence | undefined => {
    const tags = tagsBy.get(user) ?? byTag(own);
    if (row.tag === undefined || newestTag(tags)?.tag !== row.tag) return undefined;
    // Keeps one row per tag: that of the newest of its digests.
    if (own.some((other) => other.tag === row.tag && other.lastPull > row.lastPull)) return undefined;
    const users = from.get(row.tag) ?? new Map<string, string | undefined>();
    const others = users.size - (users.has(user) ? 1 : 0);
    const counts = new Map<string, number>();
    for (const [other, to] of users) if (other !== user && to !== undefined) counts.set(to, (counts.get(to) ?? 0) + 1);
    for (const [to, moved] of counts)
      if (moved >= fewestMoved && moved * 2 > others && !tags.has(to))
        return { reason: 'others-moved', to, moved, others };
    return undefined;
  };
}

function byTag(rows: ImagePulls[]): Map<string, TagPulls> {
  const tags = new Map<string, TagPulls>();
  for (const { tag, firstPull, lastPull } of rows) {
    if (tag === undefined) continue;
    const known = tags.get(tag) ?? { tag, first: firstPull, last: lastPull };
    tags.set(tag, { tag, first: Math.min(known.first, firstPull), last: Math.max(known.last, lastPull) });
  }
  return tags;
}

const newestTag = (tags: Map<string, TagPulls>): TagPulls | undefined =>
  [...tags.values()].sort((a, b) => b.last - a.last || (a.tag < b.tag ? -1 : 1))[0];
