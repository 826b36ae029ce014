// The weight of a repository in `trending`. It depends on 120 days, which are a page each in `repository_days` if the
// repository is busy: so their numbers of pulls are kept in one row.
import { halfLifeDays } from '#core/stores.ts';
import { lists } from '../sqlite/sqlite.ts';
import type { Prepare, RepositoryChange } from './counted.ts';

/** An older pull weighs less than 10^-12 of a pull on the newest day. */
const weighedDays = 40 * halfLifeDays;

/**
 * `days`: pulls on the newest day with any, on the day before, and so on, as a JSON list that ends with the oldest
 * weighed day with any. `total`: all pulls of the repository, to notice that another version has counted more.
 */
export const recentPulls = `CREATE TABLE IF NOT EXISTS recent_pulls (
  repository TEXT PRIMARY KEY, total INTEGER, newest INTEGER, days TEXT) WITHOUT ROWID`;

interface Recent {
  newest: number;
  days: number[];
}

const nothing = -1e300;

/**
 * The base-2 logarithm of the pulls' weights as of day 0. All weights halve at the same rate, so the order is the same
 * on every day. Must run after `repository_days` has changed. `before`: all pulls of the repository until then.
 */
export function trendOf(prepare: Prepare, repository: string, before: number, own: RepositoryChange): number {
  const recent = grown(prepare, repository, before, own) ?? scanned(prepare, repository);
  if (recent === undefined) {
    prepare('DELETE FROM recent_pulls WHERE repository = ?').run(repository);
    return nothing;
  }
  const { newest, days } = recent;
  prepare('INSERT OR REPLACE INTO recent_pulls VALUES (?, ?, ?, ?)').run(
    ...[repository, before + own.pulls, newest, JSON.stringify(days)],
  );
  const weight = days.reduce((sum, pulls, age) => sum + pulls * 2 ** (-age / halfLifeDays), 0);
  return Math.log2(weight) + newest / halfLifeDays;
}

/** What is kept, with the pulls that were added; undefined if it must be scanned. */
function grown(prepare: Prepare, repository: string, before: number, own: RepositoryChange): Recent | undefined {
  if (own.less) return undefined;
  const held = lists<[total: number, newest: number, days: string]>(
    prepare('SELECT total, newest, days FROM recent_pulls WHERE repository = ?'),
  ).get(repository);
  if (held?.[0] !== before) return undefined;
  let newest = held[1];
  let days: number[] = JSON.parse(held[2]);
  for (const [day, counted] of own.days) {
    const pulls = counted.reduce((sum, { add }) => sum + add[0], 0);
    if (pulls === 0) continue;
    if (day > newest) {
      const later = new Array<number>(Math.min(day - newest, weighedDays)).fill(0);
      [newest, days] = [day, [...later, ...days].slice(0, weighedDays)];
    }
    const age = newest - day;
    if (age >= weighedDays) continue;
    while (days.length <= age) days.push(0);
    days[age] += pulls;
  }
  return { newest, days: days.slice(0, days.findLastIndex((pulls) => pulls > 0) + 1) };
}

function scanned(prepare: Prepare, repository: string): Recent | undefined {
  const newest = lists<[number]>(
    prepare('SELECT day FROM repository_days WHERE repository = ? AND pulls > 0 ORDER BY day DESC LIMIT 1'),
  ).get(repository)?.[0];
  if (newest === undefined) return undefined;
  const days: number[] = [];
  const rows = prepare('SELECT day, pulls FROM repository_days WHERE repository = ? AND day > ? AND pulls > 0');
  for (const [day, pulls] of lists<[number, number]>(rows).all(repository, newest - weighedDays)) {
    while (days.length <= newest - day) days.push(0);
    days[newest - day] = pulls;
  }
  return { newest, days };
}
