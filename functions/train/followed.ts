// How often users pulled what they were shown, from data that is stored anyway: the shown lists, and first pulls.

import type { AllEntries } from '#core/recommender/entries.ts';
import { addFollowed, type Followed } from '#core/recommender/shown.ts';
import type { SearchStore, ShownList } from '#core/stores.ts';

interface Pulled {
  users: string[];
  items: string[];
  entries: AllEntries;
}

/**
 * Returns the sums by source. `entries` must be grouped by user. Lists of users without pulls that models learn from
 * are removed, such as a user forgotten while a list was made.
 */
export async function followed(
  { users, items, entries }: Pulled,
  search: Pick<SearchStore, 'allShown' | 'saveShown'>,
  now: number,
): Promise<Record<string, Followed>> {
  const sums: Record<string, Followed> = {};
  const place = new Map(users.map((user, at) => [user, at]));
  const starts = new Uint32Array(users.length + 1);
  entries.forEach(({ user }) => {
    starts[user + 1]++;
  });
  for (let user = 0; user < users.length; user++) starts[user + 1] += starts[user];
  const left: ShownList[] = [];
  for await (const list of search.allShown()) {
    const user = place.get(list.user);
    if (user === undefined) left.push({ ...list, items: [] });
    else {
      const firstPulls = new Map<string, number | undefined>();
      for (let at = starts[user]; at < starts[user + 1]; at++) {
        const { item, firstPull } = entries.at(at)!;
        firstPulls.set(items[item], firstPull);
      }
      addFollowed(sums, list, (repository) => firstPulls.get(repository), now);
    }
  }
  await search.saveShown(left);
  return sums;
}
