// What `pushes` counts: tags, and manifests pushed without a tag that are not part of another push. A client PUTs the
// platforms of an index before the index, and helm PUTs a digest before its tag; each of these is one push. `rawPushes`
// counts the PUTs.
import type { StoredEvent } from '../event.ts';
import { isIndex } from './media-types.ts';
import { byTime, isManifestPush } from './pull.ts';

/** Platforms precede their index by as long as uploading their layers takes. */
export const pushReachMs = 3_600_000;
/** Manifests of a push without references or clients follow one another within this time. */
const nearMs = 60_000;
const uncertainMs = 5000;
/** The same PUT again within this time is a retry. */
export const retryMs = 2000;

/**
 * The manifest pushes of ONE user and repository that are part (or a retry) of others: by id, with the ids of those
 * others. Further events only ever add entries, so of several writers the one that has seen the most events is right,
 * in whatever order they write.
 */
export function coveredPushes(events: StoredEvent[]): Map<string, string[]> {
  const pushes = events.filter(isManifestPush);
  const ofDigest = Map.groupBy(pushes, ({ digest = '' }) => digest);
  const naming = new Map<string, StoredEvent[]>();
  for (const push of pushes)
    for (const digest of push.references ?? [])
      if (ofDigest.has(digest)) naming.set(digest, [...(naming.get(digest) ?? []), push]);
  // A report without references may refer to anything, so those near in time are checked one by one.
  const unreferenced = pushes.filter((push) => !push.references && (push.tag || isIndex(push.mediaType))).sort(byTime);
  const covered = new Map<string, string[]>();
  for (const push of pushes) {
    const { digest = '' } = push;
    const candidates = [...ofDigest.get(digest)!, ...(naming.get(digest) ?? []), ...near(unreferenced, push)];
    const by = candidates.filter((whole) => covers(whole, push)).map(({ id }) => id);
    if (by.length > 0) covered.set(push.id, by);
  }
  return covered;
}

/** The events, of sorted ones, that are at most nearMs away. */
function near(sorted: StoredEvent[], { time }: StoredEvent): StoredEvent[] {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle].time < time - nearMs) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < sorted.length && sorted[end].time <= time + nearMs) end++;
  return sorted.slice(low, end);
}

/** Whether `push` is a part, or a retry, of `whole`. */
function covers(whole: StoredEvent, push: StoredEvent): boolean {
  const after = whole.time - push.time;
  if (whole.id === push.id || Math.abs(after) > pushReachMs) return false;
  if (whole.digest === push.digest && whole.tag === push.tag && whole.userAgent === push.userAgent)
    return after >= -retryMs && (after < 0 || (after === 0 && whole.id < push.id));
  if (push.tag || !push.digest) return false;
  if (whole.digest === push.digest) return whole.tag !== undefined;
  if (whole.references) return whole.references.includes(push.digest);
  if (isIndex(whole.mediaType)) return after >= 0 && after <= nearMs && whole.userAgent === push.userAgent;
  const uncertain = !whole.mediaType && !push.mediaType && !push.references && whole.tag !== undefined;
  return uncertain && Math.abs(after) <= uncertainMs;
}
