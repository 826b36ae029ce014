// What users were shown, so that the model card can say how often a suggestion is followed by a pull. This stores
// nothing new about anybody: a list is made from the user's pulls, and so is whether a suggestion was followed.
import type { ShownItem, ShownList } from '../stores.ts';

const dayMs = 86_400_000;
/** A first pull within this time after a repository was last shown counts as following the suggestion. */
export const followedWithinDays = 7;
/** Items last shown longer ago than this are dropped. */
export const shownKeptDays = 30;
/** The most repositories kept for a user. */
const mostShown = 200;

const startOfDay = (time: number) => Math.floor(time / dayMs) * dayMs;

/**
 * Returns what to store after a list was shown; undefined if that is stored already, so that a user costs one write a
 * day.
 */
export function withShown(
  known: ShownList | undefined,
  { user, list, items }: { user: string; list: string; items: Pick<ShownItem, 'repository' | 'source'>[] },
  now: number,
): ShownList | undefined {
  const held = new Map((known?.items ?? []).map((item) => [item.repository, item]));
  const today = startOfDay(now);
  if (items.every(({ repository }) => (held.get(repository)?.to ?? 0) >= today)) return undefined;
  for (const { repository, source } of items) {
    const before = held.get(repository);
    held.set(repository, { repository, source: before?.source ?? source, from: before?.from ?? now, to: now });
  }
  const kept = [...held.values()].filter(({ to }) => to > now - shownKeptDays * dayMs);
  return { user, list, items: kept.sort((a, b) => b.to - a.to).slice(0, mostShown) };
}

/** How many suggestions of a source were shown, and how many of them followed. */
export interface Followed {
  shown: number;
  followed: number;
}

/**
 * Adds to the sums, by source, the repositories that a user was shown recently, and which of them they pulled
 * afterwards. `firstPull`: when they first pulled a repository, milliseconds since the epoch.
 */
export function addFollowed(
  sums: Record<string, Followed>,
  { items }: Pick<ShownList, 'items'>,
  firstPull: (repository: string) => number | undefined,
  now: number,
): void {
  for (const { repository, source, from, to } of items) {
    if (to <= now - shownKeptDays * dayMs) continue;
    sums[source] ??= { shown: 0, followed: 0 };
    sums[source].shown++;
    const pulled = firstPull(repository);
    if (pulled !== undefined && pulled >= from && pulled <= to + followedWithinDays * dayMs) sums[source].followed++;
  }
}
