// The weekly report: what is new, most pulled, unused and outdated, and which recommendations were followed. It names
// no user.
import { cardInService, readModels } from '#core/recommender/model-list.ts';
import { outdated, outdatedReachDays, usingClasses } from '#core/registry/outdated.ts';
import type { ObjectStore, SearchStore } from '#core/stores.ts';

export interface ReportOptions {
  search: Pick<SearchStore, 'pairs' | 'unused' | 'imageUse'>;
  objects: ObjectStore;
  /** The end of the week, milliseconds since the epoch. */
  now: number;
}

const dayMs = 86_400_000;
const shown = 5;
const unusedDays = 30;
const mostUnused = 1000;
/** How many repositories are checked for unused and outdated images: the most pulled ones. */
const lookedAt = 20;

interface Sum {
  pulls: number;
  users: number;
  /** The first pull by anybody, milliseconds. */
  first: number;
}

/** Returns the report's text, a line for each subject. */
export async function weeklyReport({ search, objects, now }: ReportOptions): Promise<string> {
  const from = now - 7 * dayMs;
  const week = new Map<string, Sum>();
  const users = new Set<string>();
  for await (const { user, repository, pulls } of search.pairs({ from, to: now, classes: usingClasses })) {
    users.add(user);
    const sum = week.get(repository) ?? { pulls: 0, users: 0, first: now };
    week.set(repository, { ...sum, pulls: sum.pulls + pulls, users: sum.users + 1 });
  }
  const old = new Set<string>();
  for await (const { user, repository } of search.pairs({ to: from, classes: usingClasses })) {
    if (week.has(repository)) old.add(repository);
    users.delete(user);
  }
  const byPulls = [...week].sort(([a, x], [b, y]) => y.pulls - x.pulls || (a < b ? -1 : 1));
  const pulls = byPulls.reduce((sum, [, row]) => sum + row.pulls, 0);
  const unused = await search.unused({ since: now - unusedDays * dayMs, limit: mostUnused });
  const stillPulled = await outdatedImages(byPulls.slice(0, lookedAt).map(([repository]) => repository));
  const { followed = {} } = cardInService((await readModels(objects)).list) ?? {};
  const lists = Object.values(followed);
  const offered = lists.reduce((sum, row) => sum + row.shown, 0);
  const taken = lists.reduce((sum, row) => sum + row.followed, 0);
  const day = (time: number) => new Date(time).toISOString().slice(0, 10);
  return [
    `Whalewatch: the week from ${day(from)} to ${day(now)}`,
    `Pulls: ${pulls} of ${listed('repository', 'repositories', week.size)}`,
    `New repositories: ${names(byPulls.filter(([name]) => !old.has(name)).map(([name]) => name))}`,
    `New users: ${users.size}`,
    `Most pulled: ${names(byPulls.map(([name, row]) => `${name} (${row.pulls}, by ${listed('user', 'users', row.users)})`))}`,
    `Unused for ${unusedDays} days: ${names(unused.map(({ repository, tag, digest }) => (tag ? `${repository}:${tag}` : `${repository}@${digest}`)))}`,
    `Outdated and still pulled: ${names(stillPulled)}`,
    `Recommendations: ${taken} followed of ${offered} shown in 30 days`,
  ].join('\n');

  async function outdatedImages(repositories: string[]): Promise<string[]> {
    const found: string[] = [];
    for (const repository of repositories) {
      const { pulls, changes } = await search.imageUse({ repository, from: now - outdatedReachDays * dayMs });
      const byImage = Map.groupBy(outdated(pulls, changes, { now }), ({ tag, digest }) =>
        tag ? `:${tag}` : `@${digest}`,
      );
      for (const [image, rows] of byImage)
        found.push(`${repository}${image} by ${listed('user', 'users', new Set(rows.map(({ user }) => user)).size)}`);
    }
    return found;
  }
}

const rules = new Intl.PluralRules('en');
const listed = (one: string, many: string, count: number) => `${count} ${rules.select(count) === 'one' ? one : many}`;

/** The first few names, and how many more there are. */
function names(all: string[]): string {
  if (all.length === 0) return 'none';
  const more = all.length - shown;
  return `${all.slice(0, shown).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
