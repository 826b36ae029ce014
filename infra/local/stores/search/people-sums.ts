// The sums of one user: mixes, user_days, pairs, pair_weeks, user_classes, users; and what they change in the catalogue.
import { taughtClasses } from '#core/event.ts';
import { byText } from '#core/registry/image-graph.ts';
import { registryOf } from '#core/registry/name.ts';
import { weakKinds } from '#core/stores.ts';
import { lists } from '../sqlite/sqlite.ts';
import { firstFound, weekOf, weekOfRow, weeksOf } from '../sqlite/weeks.ts';
import {
  adder,
  type Counted,
  dayMs,
  increase,
  type Numbers,
  never,
  type Prepare,
  type RepositoryChange,
  runs,
  within,
  zeros,
} from './counted.ts';
import { documentUsers } from './doc.ts';
import { documentsByUser, mixWeeks } from './weeks.ts';

const taught = new Set<string>(taughtClasses);
/** `taughtClasses` as a list in SQL. */
const taughtList = taughtClasses.map((name) => `'${name}'`).join();

interface PairChange {
  user: string;
  repository: string;
  registry: string;
  pulls: number;
  /** The first and last time of those added. */
  first: number;
  last: number;
  /** Set if a document was removed: then first and last are read again. */
  less: boolean;
  /** Days with added pulls of `taughtClasses` (false), or of which some were removed (true). */
  days: Map<number, boolean>;
  /** The last time of those added in each week, or NaN if some were removed. */
  weeks: Map<number, number>;
}

const weekOfDay = (day: number) => weekOf(day * dayMs);

/** Must run before the changes of repositories are stored: it counts their users. */
export function storePeople(prepare: Prepare, counted: Counted[]): void {
  const storeMix = adder(prepare, 'mixes', ['week', 'user', 'repository', 'day', 'class', 'client', 'country']);
  const storeUserDay = adder(prepare, 'user_days', ['week', 'user', 'day', 'registry']);
  const popularity = new Map<string, PopularityChange>();
  counted.sort((a, b) => byText(a.doc.user, b.doc.user) || byText(a.doc.repository, b.doc.repository));
  for (const ofUser of runs(counted, (a, b) => a.doc.user === b.doc.user)) {
    const { user } = ofUser[0].doc;
    const pairs: PairChange[] = [];
    for (const ofPair of runs(ofUser, (a, b) => a.own === b.own)) {
      const pair = pairOf(ofPair);
      const isPulled = user !== '' && (pair.last !== never || pair.less);
      const held = isPulled ? heldPair(prepare, pair) : undefined;
      const days = taughtDays(prepare, pair, held?.taughtDay ?? undefined);
      for (const [{ doc, day }, add] of summed(ofPair, isSameMix, byMix))
        storeMix([weekOfDay(day), user, doc.repository, day, doc.class, doc.client, doc.country], add);
      if (!isPulled) continue;
      pairs.push(pair);
      storePair(prepare, pair, held, storeDays(prepare, pair, held, days, popularity), ofPair[0].own);
      storePairWeeks(prepare, pair);
    }
    for (const [{ day, own }, add] of summed(ofUser, isSameDay, byDay))
      storeUserDay([weekOfDay(day), user, day, own.registry], add);
    if (user !== '') storeUser(prepare, user, pairs, ofUser);
  }
  storePopularity(prepare, popularity);
}

function pairOf(counted: Counted[]): PairChange {
  const [{ doc, own }] = counted;
  const pair: PairChange = {
    ...{ user: doc.user, repository: doc.repository, registry: own.registry },
    ...{ pulls: 0, first: Number.POSITIVE_INFINITY, last: never, less: false, days: new Map(), weeks: new Map() },
  };
  for (const { doc, day, add, isLess } of counted) {
    const [pulls] = add;
    if (pulls === 0 && !isLess) continue;
    pair.pulls += pulls;
    if (isLess) pair.less = true;
    else {
      pair.first = Math.min(pair.first, doc.time);
      pair.last = Math.max(pair.last, doc.time);
    }
    const week = weekOf(doc.time);
    pair.weeks.set(week, Math.max(pair.weeks.get(week) ?? never, isLess ? Number.NaN : doc.time));
    if (pulls !== 0 && taught.has(doc.class)) pair.days.set(day, isLess || (pair.days.get(day) ?? false));
  }
  return pair;
}

const isSameMix = (a: Counted, b: Counted) =>
  a.day === b.day && a.doc.class === b.doc.class && a.doc.client === b.doc.client && a.doc.country === b.doc.country;
const byMix = (a: Counted, b: Counted) =>
  a.day - b.day ||
  byText(a.doc.class, b.doc.class) ||
  byText(a.doc.client, b.doc.client) ||
  byText(a.doc.country, b.doc.country);
const isSameDay = (a: Counted, b: Counted) => a.day === b.day && a.own.registry === b.own.registry;
const byDay = (a: Counted, b: Counted) => a.day - b.day || byText(a.own.registry, b.own.registry);

/** The first of each group of documents, and what the group adds. */
function* summed(
  counted: Counted[],
  isSame: (a: Counted, b: Counted) => boolean,
  compare: (a: Counted, b: Counted) => number,
): Iterable<[Counted, Numbers]> {
  if (counted.length === 1) yield [counted[0], counted[0].add];
  else
    for (const same of runs(counted.toSorted(compare), isSame)) {
      const add = zeros();
      for (const one of same) increase(add, one.add);
      yield [same[0], add];
    }
}

/** The changes in `popularity` and `newest_days` for one repository. */
interface PopularityChange {
  people: number;
  days: number;
  /** How many users have this as their newest day. */
  newest: Map<number, number>;
}

const ofTaughtPair = `FROM mixes WHERE week = ? AND user = ? AND repository = ? AND pulls > 0 AND class IN (${taughtList})`;
const newestTaughtDay = `SELECT day ${ofTaughtPair} ORDER BY day DESC LIMIT 1`;
const anyTaughtPull = `SELECT 1 ${ofTaughtPair} AND day = ? LIMIT 1`;

/** Days of a pair with pulls of `taughtClasses`. */
interface TaughtDays {
  newest: number | undefined;
  /** Which of the days that change have any. */
  of: Set<number>;
}

function taughtDays(prepare: Prepare, { user, repository, days }: PairChange, newest: number | undefined): TaughtDays {
  const anyOf = lists(prepare(anyTaughtPull));
  if (days.size === 0) return { newest, of: new Set() };
  const has = (day: number) =>
    newest !== undefined && day <= newest && (day === newest || anyOf.get(weekOfDay(day), user, repository, day));
  return { newest, of: new Set([...days.keys()].filter(has)) };
}

/** Read again, after some were removed. `held`: the pair as it was. */
function newestTaught(prepare: Prepare, pair: PairChange, held: HeldPair | undefined): number | undefined {
  const [first, last] = [
    Math.min(pair.first, held?.firstPull ?? Number.POSITIVE_INFINITY),
    Math.max(pair.last, held?.lastPull ?? never),
  ];
  const newestOf = lists<[number]>(prepare(newestTaughtDay));
  const weeks = weeksOf(prepare, mixWeeks)(first, last).reverse();
  return firstFound(weeks, newestOf, pair.user, pair.repository)?.[0];
}

/** `was`: before `mixes` changed. Returns the newest day with a pull of `taughtClasses`, and how many days. */
function storeDays(
  prepare: Prepare,
  pair: PairChange,
  held: HeldPair | undefined,
  was: TaughtDays,
  popularity: Map<string, PopularityChange>,
): Taught {
  const before = held?.taughtDays ?? 0;
  if (pair.days.size === 0) return { taughtDay: was.newest ?? null, taughtDays: before };
  const days = [...pair.days.keys()];
  const less = [...pair.days.values()].includes(true);
  const now = less
    ? taughtDays(prepare, pair, newestTaught(prepare, pair, held))
    : { of: pair.days, newest: days.reduce((most, day) => Math.max(most, day), was.newest ?? never) };
  const changed = now.of.size - was.of.size;
  const taught = { taughtDay: now.newest ?? null, taughtDays: before + changed };
  if (changed === 0 && now.newest === was.newest) return taught;
  const own = within(popularity, pair.repository, () => ({ people: 0, days: 0, newest: new Map() }));
  own.days += changed;
  own.people += Number(now.newest !== undefined) - Number(was.newest !== undefined);
  if (now.newest === was.newest) return taught;
  if (was.newest !== undefined) own.newest.set(was.newest, (own.newest.get(was.newest) ?? 0) - 1);
  if (now.newest !== undefined) own.newest.set(now.newest, (own.newest.get(now.newest) ?? 0) + 1);
  return taught;
}

function storePopularity(prepare: Prepare, changed: Map<string, PopularityChange>): void {
  const store = prepare(
    `INSERT INTO popularity VALUES (?, ?, ?)
     ON CONFLICT DO UPDATE SET people = people + excluded.people, days = days + excluded.days`,
  );
  const storeNewest = prepare(
    'INSERT INTO newest_days VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET people = people + excluded.people',
  );
  for (const [repository, { people, days, newest }] of changed) {
    store.run(repository, people, days);
    for (const [day, count] of newest) if (count !== 0) storeNewest.run(day, repository, count);
  }
}

/** Of the days with pulls of `taughtClasses`: the newest, and how many. */
interface Taught {
  taughtDay: number | null;
  taughtDays: number;
}

/** A row of `pairs`. */
interface HeldPair extends Taught {
  pulls: number;
  firstPull: number;
  lastPull: number;
}

function heldPair(prepare: Prepare, { user, repository }: PairChange): HeldPair | undefined {
  const pairOf = prepare(
    'SELECT pulls, firstPull, lastPull, taughtDay, taughtDays FROM pairs WHERE user = ? AND repository = ?',
  );
  const found = lists<[number, number, number, number | null, number]>(pairOf).get(user, repository);
  if (!found) return undefined;
  const [pulls, firstPull, lastPull, taughtDay, taughtDays] = found;
  return { pulls, firstPull, lastPull, taughtDay, taughtDays };
}

const ofPair = `FROM ${documentsByUser.rows}
  WHERE ${weekOfRow} = ? AND ${documentUsers.isNamed} AND repository = ? AND kind IN ('pull', 'both')`;

const edges = {
  first: `SELECT time ${ofPair} ORDER BY time LIMIT 1`,
  last: `SELECT time ${ofPair} ORDER BY time DESC LIMIT 1`,
};

/** The time of a pair's first or last pull, read again from the documents of the weeks from one time to another. */
function edgeOf(prepare: Prepare, { user, repository }: PairChange, from: number, to: number, end: keyof typeof edges) {
  const time = lists<[number]>(prepare(edges[end]));
  const weeks = weeksOf(prepare, documentsByUser)(from, to);
  const found = firstFound(end === 'first' ? weeks : weeks.reverse(), time, user, repository);
  if (!found) throw new Error('a pair with pulls has no documents');
  return found[0];
}

function storePair(
  prepare: Prepare,
  pair: PairChange,
  held: HeldPair | undefined,
  { taughtDay, taughtDays }: Taught,
  own: RepositoryChange,
): void {
  const { user, repository } = pair;
  const pulls = (held?.pulls ?? 0) + pair.pulls;
  if (pulls === 0) {
    if (held) own.pulledBy--;
    prepare('DELETE FROM pairs WHERE user = ? AND repository = ?').run(user, repository);
    return;
  }
  if (!held) own.pulledBy++;
  let first = Math.min(pair.first, held?.firstPull ?? Number.POSITIVE_INFINITY);
  let last = Math.max(pair.last, held?.lastPull ?? never);
  if (pair.less) [first, last] = (['first', 'last'] as const).map((end) => edgeOf(prepare, pair, first, last, end));
  prepare(
    `INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = excluded.pulls,
       firstPull = excluded.firstPull, lastPull = excluded.lastPull, taughtDay = excluded.taughtDay,
       taughtDays = excluded.taughtDays`,
  ).run(user, repository, pulls, first, last, taughtDay, taughtDays);
}

const numberOfUser = `(SELECT number FROM ${documentUsers.table} WHERE name = ?)`;
const putPairWeek = `INSERT INTO pair_weeks VALUES (?, ${numberOfUser}, ?, ?)
  ON CONFLICT DO UPDATE SET lastPull = excluded.lastPull WHERE excluded.lastPull > lastPull`;
const removePairWeek = `DELETE FROM pair_weeks WHERE week = ? AND user = ${numberOfUser} AND repository = ?`;

function storePairWeeks(prepare: Prepare, { user, repository, weeks }: PairChange): void {
  const store = prepare(putPairWeek);
  const remove = prepare(removePairWeek);
  for (const [week, added] of weeks) {
    if (!Number.isNaN(added)) {
      store.run(week, user, repository, added);
      continue;
    }
    remove.run(week, user, repository);
    const last = lists<[number]>(prepare(edges.last)).get(week, user, repository)?.[0];
    if (last !== undefined) store.run(week, user, repository, last);
  }
}

/** Must run after `pairs`, which have a user's first and last pull if some were removed. */
function storeUser(prepare: Prepare, user: string, pairs: PairChange[], counted: Counted[]): void {
  const classes = new Map<string, { registry: string; class: string; pulls: number }>();
  for (const { doc, own, add } of counted)
    if (add[0] !== 0)
      within(classes, `${own.registry}\0${doc.class}`, () => ({
        ...{ registry: own.registry, class: doc.class, pulls: 0 },
      })).pulls += add[0];
  const add = prepare(
    'INSERT INTO user_classes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls',
  );
  const clear = prepare('DELETE FROM user_classes WHERE user = ? AND registry = ? AND class = ? AND pulls = 0');
  for (const { registry, class: kind, pulls } of classes.values()) {
    if (pulls !== 0) add.run(user, registry, kind, pulls);
    if (pulls < 0) clear.run(user, registry, kind);
  }
  const classesOf = prepare('SELECT registry, class, pulls FROM user_classes WHERE user = ? ORDER BY class');
  const pairsOf = prepare('SELECT repository, firstPull, lastPull FROM pairs WHERE user = ?');
  const heldOf = lists<[kind: string, firstPull: number, lastPull: number]>(
    prepare('SELECT kind, firstPull, lastPull FROM users WHERE scope = ? AND user = ?'),
  );
  // Two of the three indices: the first pull stays.
  const more = prepare('UPDATE users SET pulls = pulls + ?, lastPull = ? WHERE scope = ? AND user = ?');
  const store = prepare(
    `INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind, pulls = excluded.pulls,
       firstPull = excluded.firstPull, lastPull = excluded.lastPull`,
  );
  const remove = prepare('DELETE FROM users WHERE scope = ? AND user = ?');
  if (pairs.length === 0) return;
  const less = pairs.some((pair) => pair.less);
  const all = less ? (pairsOf.all(user) as { repository: string; firstPull: number; lastPull: number }[]) : [];
  let rows: { registry: string; class: string; pulls: number }[] | undefined;
  for (const scope of new Set(['', ...pairs.map(({ registry }) => registry)])) {
    const isMeant = ({ registry }: { registry: string }) => scope === '' || registry === scope;
    const held = heldOf.get(scope, user);
    if (held && !less) {
      // More of what they pulled most before.
      const came = [...classes.values()].filter(isMeant);
      const times = pairs.filter(isMeant).map((pair) => [pair.first, pair.last]);
      const [kind, firstPull, lastPull] = held;
      if (came.every((row) => row.class === kind) && times.every(([first]) => first >= firstPull)) {
        const pulls = came.reduce((sum, row) => sum + row.pulls, 0);
        const last = times.reduce((most, [, time]) => Math.max(most, time), lastPull);
        more.run(pulls, last, scope, user);
        continue;
      }
    }
    rows ??= classesOf.all(user) as { registry: string; class: string; pulls: number }[];
    const byClass = new Map<string, number>();
    for (const row of rows.filter(isMeant)) byClass.set(row.class, (byClass.get(row.class) ?? 0) + row.pulls);
    const kinds = [...byClass];
    if (kinds.length === 0) {
      remove.run(scope, user);
      continue;
    }
    const times = less
      ? all
          .filter(({ repository }) => isMeant({ registry: registryOf(repository) }))
          .map(({ firstPull, lastPull }) => [firstPull, lastPull])
      : [
          ...pairs.filter(isMeant).map((pair) => [pair.first, pair.last]),
          ...(held ? [held.slice(1) as [number, number]] : []),
        ];
    const first = times.reduce((least, [time]) => Math.min(least, time), Number.POSITIVE_INFINITY);
    const last = times.reduce((most, [, time]) => Math.max(most, time), never);
    const pulls = kinds.reduce((sum, [, count]) => sum + count, 0);
    store.run(scope, user, user.toLowerCase(), kindOf(kinds), pulls, first, last);
  }
}

/** The class with the most pulls. One that says little counts only where all do. Ties: the last by name. */
function kindOf(kinds: [string, number][]): string {
  const weigh = ([kind, pulls]: [string, number]) => ((weakKinds as string[]).includes(kind) ? 0 : pulls);
  return kinds.reduce((best, next) =>
    weigh(next) > weigh(best) || (weigh(next) === weigh(best) && next[0] > best[0]) ? next : best,
  )[0];
}
