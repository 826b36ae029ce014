import type { Factors } from '#core/recommender/als.ts';
import { compress, type Entry } from '#core/recommender/ratings.ts';
import { type FitOptions, fit } from '#train/kernel.ts';

/** The kernel's fit for a list of entries, with the signature of the reference implementation. */
export function fitEntries(
  entries: Entry[],
  users: number,
  items: number,
  options: FitOptions,
  random: () => number,
): Factors {
  const byUser = compress(
    entries,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );
  return fit(byUser, items, options, random);
}
