// The sums that search reads. They are updated in the transaction that changes a document, so that the cost of a read
// depends on its result, not on the number of past pulls. Days are UTC days since 1970.
//
//   sums             a registry by day, in all (`field` '') and by each field; scopes are 'g REGISTRY'
//   repository_days  a repository by day, in all and, in one text, by each field: most of its days have a few pulls, and
//                    a row for each value of each field would be half of all that a write costs
//   mixes            a user's repository by day, class, client and country
//   user_days        a user by day and registry
//   pairs            pulls of a repository by a named user: first, newest, and what the newest was of
//   user_classes     pulls of a named user by registry and class
//   users            what people's pages list, by registry and in all ('')
//   repositories     what repositories' pages list; `stamp` grows with what is known of its images
//   image_facts      the newest of the events that say the same of an image
//
// The catalogue's cost depends on the number of repositories, not of pulls. It counts days with pulls of `taughtClasses`:
//
//   popularity       a repository's users with such days, and their days
//   newest_days      a repository by day: how many users pulled it last on that day
//
// A file of an older version is summed in steps (`build`), in the order of its documents. A document written meanwhile
// is added at once if the steps have passed it; otherwise a later step finds it.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { taughtClasses } from '#core/event.ts';
import { partsOf, registryOf } from '#core/registry/name.ts';
import { halfLifeDays, NotSummed, weakKinds } from '#core/stores.ts';
import { transaction } from '../sqlite/sqlite.ts';

export const dayMs = 86_400_000;
/**
 * How much a change of a repository's image facts adds to its `stamp`. A fact that moves on within the day of the
 * repository's newest pull adds 1: little that is derived from it changes (images-read.ts).
 */
export const stampChange = 2 ** 20;
const numbers = 'pulls INTEGER, uncertain INTEGER, raw INTEGER, pushes INTEGER, rawPushes INTEGER';
const tables = `
  CREATE TABLE sums (scope TEXT, field TEXT, day INTEGER, key TEXT, ${numbers},
    PRIMARY KEY (scope, field, day, key)) WITHOUT ROWID;
  CREATE TABLE repository_days (repository TEXT, day INTEGER, ${numbers}, fields TEXT,
    PRIMARY KEY (repository, day)) WITHOUT ROWID;
  CREATE TABLE mixes (user TEXT, repository TEXT, day INTEGER, class TEXT, client TEXT, country TEXT, ${numbers},
    PRIMARY KEY (user, repository, day, class, client, country)) WITHOUT ROWID;
  CREATE TABLE user_days (user TEXT, day INTEGER, registry TEXT, ${numbers},
    PRIMARY KEY (user, day, registry)) WITHOUT ROWID;
  CREATE TABLE pairs (user TEXT, repository TEXT, pulls INTEGER, firstPull REAL, lastPull REAL,
    tag TEXT, digest TEXT, class TEXT, client TEXT, country TEXT, PRIMARY KEY (user, repository)) WITHOUT ROWID;
  CREATE INDEX pairs_newest ON pairs (repository, lastPull DESC, user);
  CREATE TABLE user_classes (user TEXT, registry TEXT, class TEXT, pulls INTEGER,
    PRIMARY KEY (user, registry, class)) WITHOUT ROWID;
  CREATE TABLE users (scope TEXT, user TEXT, userName TEXT, kind TEXT, pulls INTEGER, firstPull REAL, lastPull REAL,
    PRIMARY KEY (scope, user)) WITHOUT ROWID;
  CREATE INDEX users_recent ON users (scope, lastPull DESC, user);
  CREATE INDEX users_pulls ON users (scope, pulls DESC, user);
  CREATE INDEX users_new ON users (scope, firstPull DESC, user);
  CREATE TABLE repositories (repository TEXT PRIMARY KEY, registry TEXT, name TEXT, pulls INTEGER, raw INTEGER,
    manifests INTEGER, pulledBy INTEGER, lastPull REAL, trend REAL, stamp INTEGER) WITHOUT ROWID;
  CREATE INDEX repositories_popular ON repositories (pulls DESC, repository);
  CREATE INDEX repositories_trending ON repositories (trend DESC, repository);
  CREATE TABLE image_facts (repository TEXT, action TEXT, digest TEXT, tag TEXT, class TEXT, apart INTEGER, last REAL,
    PRIMARY KEY (repository, action, digest, tag, class, apart)) WITHOUT ROWID;
  CREATE INDEX image_facts_deletes ON image_facts (repository) WHERE action = 'delete';
  CREATE TABLE summing (kind TEXT, id TEXT, done INTEGER, total INTEGER);
  CREATE TABLE popularity (repository TEXT PRIMARY KEY, people INTEGER, days INTEGER) WITHOUT ROWID;
  CREATE TABLE newest_days (
    day INTEGER, repository TEXT, people INTEGER, PRIMARY KEY (day, repository)) WITHOUT ROWID;`;
/** Has a row while some documents are not summed. */
const fillingTable = 'CREATE TABLE IF NOT EXISTS filling (done INTEGER, total INTEGER)';
/** All but `summing`. */
export const sumTables = [
  ...['sums', 'repository_days', 'mixes', 'user_days', 'pairs', 'user_classes', 'users', 'repositories', 'image_facts'],
  ...['popularity', 'newest_days'],
];

/** The input of sums: a row of `documents`. */
export interface Doc {
  kind: string;
  user: string;
  repository: string;
  time: number;
  action: string;
  manifest: number;
  tag: string | null;
  digest: string | null;
  class: string;
  country: string;
  client: string;
  apart: number | null;
  uncertain: number | null;
}
export const docColumns =
  'kind, user, repository, time, action, manifest, tag, digest, class, country, client, apart, uncertain';

export const docOf = (row: SQLInputValue[]): Doc => {
  const [kind, user, repository, time, action, manifest, tag, digest, kindOfPull, country, client, apart, uncertain] =
    row as [
      string,
      string,
      string,
      number,
      string,
      number,
      string | null,
      string | null,
      string,
      string,
      string,
      number | null,
      number | null,
    ];
  return {
    kind,
    user,
    repository,
    time,
    action,
    manifest,
    tag,
    digest,
    class: kindOfPull,
    country,
    client,
    apart,
    uncertain,
  };
};

/** Whether two documents contribute the same to every sum. */
const isSame = (a: Doc, b: Doc): boolean =>
  a.time === b.time &&
  a.class === b.class &&
  a.user === b.user &&
  a.repository === b.repository &&
  a.digest === b.digest &&
  a.tag === b.tag &&
  a.client === b.client &&
  a.country === b.country &&
  (a.apart ?? 0) === (b.apart ?? 0) &&
  (a.uncertain ?? 0) === (b.uncertain ?? 0) &&
  a.manifest === b.manifest &&
  a.action === b.action;

/** How much of a file of an older version is summed. */
interface Summing {
  /** Documents are still being rebuilt from events (refill.ts); nothing is summed until that is done. */
  filling?: boolean;
  kind: string;
  id: string;
  done: number;
  total: number;
}

/** How many documents are summed in one step. */
const stepRows = 4000;
/** A file with fewer documents is summed when it is opened. */
const atOnce = 20_000;

export interface Sums {
  /** What is missing; undefined if every document is summed. */
  missing(): Summing | undefined;
  /** Throws NotSummed. */
  whole(): void;
  /** Collects the changes of one transaction; `end` stores them, when the documents have their final state. */
  begin(): Change;
  /** Sums some more documents of a file of an older version, in a separate transaction. */
  build(): Summing | undefined;
  /** Drops all sums; `build` recomputes them. */
  restart(): void;
  /** Records how many events were read again for a file that is being filled; `over`: all of them. */
  filled(events: number, over?: boolean): void;
}

export interface Change {
  /** Records a changed document; undefined stands for a missing one, before or after. */
  replace(kind: string, id: string, before: Doc | undefined, after: Doc | undefined): void;
  /** Records that reports about this repository's manifests have changed. */
  told(repository: string): void;
  end(): void;
}

/** Opens the sums of a database with `documents`: makes the tables, and sums a small file at once. */
export function keepSums(database: DatabaseSync): Sums {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  // An older version maintained the catalogue with triggers, and kept the days of each user and repository.
  database.exec('DROP TABLE IF EXISTS pull_days');
  for (const name of ['documents_added', 'documents_changed', 'documents_removed', 'day_added', 'day_removed'])
    database.exec(`DROP TRIGGER IF EXISTS ${name}`);
  const there = () =>
    database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'repository_days'").get() !== undefined;
  if (!there())
    transaction(database, () => {
      // Another thread may have done the same, so it is checked again under the lock.
      if (there()) return;
      for (const name of [...sumTables, 'summing']) database.exec(`DROP TABLE IF EXISTS ${name}`);
      database.exec(tables);
      begin();
    });

  const sums: Sums = {
    missing,
    whole() {
      const left = missing();
      if (left) throw new NotSummed(left.done, left.total);
    },
    begin: () => change(prepare, missing()),
    build() {
      return transaction(database, () => {
        const at = missing();
        if (!at || at.filling) return undefined;
        const rows = prepare(
          `SELECT id, gone, ${docColumns} FROM documents WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT ${stepRows}`,
        );
        rows.setReturnArrays(true);
        const found = rows.all(at.kind, at.id) as unknown as SQLInputValue[][];
        const all = change(prepare, undefined);
        for (const [id, gone, ...doc] of found)
          if (!gone) all.replace(String(doc[0]), String(id), undefined, docOf(doc));
        all.end();
        if (found.length < stepRows) {
          database.exec('DELETE FROM summing');
          return undefined;
        }
        const [id, , kind] = found[found.length - 1] as string[];
        prepare('UPDATE summing SET kind = ?, id = ?, done = done + ?').run(kind, id, found.length);
        return missing();
      });
    },
    restart() {
      transaction(database, () => {
        for (const name of sumTables) database.exec(`DELETE FROM ${name}`);
        database.exec('DELETE FROM summing');
        begin();
      });
    },
    filled(events, over) {
      if (!over) prepare('UPDATE filling SET done = ?').run(events);
      else
        transaction(database, () => {
          database.exec('DELETE FROM filling; DELETE FROM summing');
          begin();
        });
    },
  };
  database.exec(fillingTable);
  const left = missing();
  if (left && left.total - left.done < atOnce) while (sums.build());
  return sums;

  function missing(): Summing | undefined {
    const filling = prepare('SELECT done, total FROM filling').get() as Pick<Summing, 'done' | 'total'> | undefined;
    if (filling) return { kind: '', id: '', ...filling, filling: true };
    return prepare('SELECT * FROM summing').get() as Summing | undefined;
  }

  /** Everything stored must be summed. */
  function begin() {
    database.exec(
      `INSERT INTO summing SELECT '', '', 0, total FROM (SELECT COUNT(*) AS total FROM documents) WHERE total > 0`,
    );
  }
}

// --- one change -------------------------------------------------------------------------------------------------------

type Prepare = (sql: string) => StatementSync;
/** pulls, uncertain, raw, pushes, rawPushes */
type Numbers = [number, number, number, number, number];
interface PairChange {
  user: string;
  repository: string;
  registry: string;
  pulls: number;
  first: number;
  newest?: Doc;
  /** Set if a document was removed: then first and newest are read again. */
  less: boolean;
  /** Days with added pulls of `taughtClasses` (false), or of which some were removed (true). */
  days: Map<number, boolean>;
}
/** What one document adds, negative if it is removed. */
interface Counted {
  doc: Doc;
  day: number;
  add: Numbers;
  /** What changes of its repository. */
  own: RepositoryChange;
}
/** Sums of a scope on a day: in total, and by the values of each of `sumFields`. */
interface DaySums {
  all: Numbers;
  by: Map<string, Numbers>[];
}
interface RepositoryChange {
  registry: string;
  pulls: number;
  raw: number;
  manifests: number;
  pulledBy: number;
  last: number;
  less: boolean;
  stamp: number;
  days: Map<number, Counted[]>;
  facts: Map<string, FactChange>;
}
interface FactChange {
  key: [string, string, string, string, string, number];
  last: number;
  /** Documents added with this time, minus those removed. */
  came: number;
  /** The greatest removed time. */
  less: number;
}

const never = Number.NEGATIVE_INFINITY;
const taught = new Set<string>(taughtClasses);
const taughtList = taughtClasses.map((name) => `'${name}'`).join();
const sumNames = ['pulls', 'uncertain', 'raw', 'pushes', 'rawPushes'];
const sumFields = ['class', 'client', 'country', 'tag'];
const grow = sumNames.map((name) => `${name} = ${name} + excluded.${name}`).join();
const isEmpty = 'pulls = 0 AND raw = 0 AND pushes = 0 AND rawPushes = 0';
const before = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0;
const imageFact = "kind IN ('event', 'fact', 'both') AND (manifest = 1 OR action = 'delete')";

/** Returns a map's value for a key, and makes it if there is none. */
function within<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}

const zeros = (): Numbers => [0, 0, 0, 0, 0];
const emptyDay = (): DaySums => ({ all: zeros(), by: sumFields.map(() => new Map()) });

function increase(numbers: Numbers, add: Numbers): void {
  for (let index = 0; index < 5; index++) numbers[index] += add[index];
}

/** The values of `sumFields`. */
const valuesOf = ({ class: kind, client, country, tag }: Doc) => [kind, client, country, tag ?? ''];

function include(sums: DaySums, { doc, add }: Counted): void {
  increase(sums.all, add);
  for (const [field, value] of valuesOf(doc).entries()) increase(within(sums.by[field], value, zeros), add);
}

function change(prepare: Prepare, at: Summing | undefined): Change {
  const counted: Counted[] = [];
  const repositories = new Map<string, RepositoryChange>();

  const repositoryChange = (repository: string): RepositoryChange =>
    within(repositories, repository, () => ({
      ...{
        registry: registryOf(repository),
        pulls: 0,
        raw: 0,
        manifests: 0,
        pulledBy: 0,
        last: never,
        less: false,
        stamp: 0,
      },
      ...{ days: new Map(), facts: new Map() },
    }));

  function count(doc: Doc, sign: 1 | -1) {
    const { kind, repository, time, action, manifest } = doc;
    const isPull = kind === 'pull' || kind === 'both';
    const isEvent = kind === 'event' || kind === 'both';
    const own = repositoryChange(repository);
    if (kind !== 'pull' && (manifest === 1 || action === 'delete')) fact(own, doc, sign);
    if (kind === 'fact') return;
    if (isEvent && manifest === 1) own.manifests += sign;
    const isRaw = isEvent && manifest === 1 && action === 'pull';
    const isPush = isEvent && manifest === 1 && action === 'push';
    if (!isPull && !isRaw && !isPush) return;
    const uncertain = isPull && doc.uncertain === 1;
    const of = (isCounted: boolean) => (isCounted ? sign : 0);
    const add: Numbers = [of(isPull), of(uncertain), of(isRaw), of(isPush && doc.apart !== 1), of(isPush)];
    const day = Math.floor(time / dayMs);
    const one = { doc, day, add, own };
    within(own.days, day, (): Counted[] => []).push(one);
    counted.push(one);
    if (isRaw) own.raw += sign;
    if (!isPull) return;
    own.pulls += sign;
    if (sign > 0) own.last = Math.max(own.last, time);
    else own.less = true;
  }

  function fact(
    own: RepositoryChange,
    { repository, action, digest, tag, class: kind, apart, time }: Doc,
    sign: 1 | -1,
  ) {
    const isApart = apart === 1 ? 1 : 0;
    const found = within(
      own.facts,
      `${action}\0${digest ?? ''}\0${tag ?? ''}\0${kind}\0${isApart}`,
      (): FactChange => ({
        ...{ key: [repository, action, digest ?? '', tag ?? '', kind, isApart], last: never, came: 0, less: never },
      }),
    );
    if (sign > 0 && time > found.last) Object.assign(found, { last: time, came: 0 });
    if (time === found.last) found.came += sign;
    if (sign < 0) found.less = Math.max(found.less, time);
  }

  return {
    replace(kind, id, old, now) {
      // A later step of the build will sum it.
      if (at && !(before(kind, at.kind) && (kind !== at.kind || before(id, at.id)))) return;
      if (old && now && isSame(old, now)) return;
      if (old) count(old, -1);
      if (now) count(now, 1);
    },
    told(repository) {
      repositoryChange(repository).stamp = stampChange;
    },
    end() {
      storeScopes(prepare, repositories);
      const popularity = new Map<string, PopularityChange>();
      counted.sort((a, b) => order(a.doc.user, b.doc.user) || order(a.doc.repository, b.doc.repository));
      for (const own of runs(counted, (a, b) => a.doc.user === b.doc.user)) storePerson(prepare, own, popularity);
      storePopularity(prepare, popularity);
      for (const [name, own] of repositories) {
        if (own.facts.size > 0) storeFacts(prepare, name, own);
        storeRepository(prepare, name, own);
      }
    },
  };
}

/** Adds the changes to a table of sums. */
function adder(prepare: Prepare, table: string, keys: string[]): (key: (string | number)[], add: Numbers) => void {
  const marks = Array.from({ length: keys.length + sumNames.length }, () => '?').join();
  const add = prepare(`INSERT INTO ${table} VALUES (${marks}) ON CONFLICT DO UPDATE SET ${grow}`);
  const clear = prepare(`DELETE FROM ${table} WHERE ${keys.map((name) => `${name} = ?`).join(' AND ')} AND ${isEmpty}`);
  return (key, numbers) => {
    if (numbers.every((value) => value === 0)) return;
    add.run(...key, ...numbers);
    if (numbers.some((value) => value < 0)) clear.run(...key);
  };
}

function storeScopes(prepare: Prepare, repositories: Map<string, RepositoryChange>): void {
  const registries = new Map<string, Map<number, DaySums>>();
  for (const [repository, { registry, days }] of repositories) {
    const ofRegistry = within(registries, registry, () => new Map<number, DaySums>());
    for (const [day, counted] of days) {
      const sums = within(ofRegistry, day, emptyDay);
      for (const one of counted) include(sums, one);
      storeDay(prepare, repository, day, counted);
    }
  }
  const store = adder(prepare, 'sums', ['scope', 'field', 'day', 'key']);
  for (const [registry, days] of registries) {
    const scope = `g ${registry}`;
    for (const [day, { all, by }] of days) {
      store([scope, '', day, ''], all);
      for (const [field, values] of by.entries())
        for (const [value, numbers] of values) store([scope, sumFields[field], day, value], numbers);
    }
  }
}

const isNothing = (numbers: Numbers) => numbers.every((value) => value === 0);

/** Adds documents to the sums of a repository's day. */
function storeDay(prepare: Prepare, repository: string, day: number, counted: Counted[]): void {
  const sums = counted.length === 1 ? undefined : sumOf(counted);
  if (sums && isNothing(sums.all) && sums.by.every((values) => [...values.values()].every(isNothing))) return;
  // Most days are new, and most of those have one document.
  const add = prepare('INSERT INTO repository_days VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const [{ doc, add: numbers }] = counted;
  const text = sums ? fieldsText(sums.by) : JSON.stringify(valuesOf(doc).map((value) => [[value, ...numbers]]));
  if (add.run(repository, day, ...(sums?.all ?? numbers), text).changes === 1) return;
  const { all, by } = sums ?? sumOf(counted);
  const found = prepare(`SELECT ${sumNames.join()}, fields FROM repository_days WHERE repository = ? AND day = ?`);
  found.setReturnArrays(true);
  const held = found.get(repository, day) as unknown as [...Numbers, string];
  const fields = JSON.parse(held.pop() as string) as [string, ...Numbers][][];
  increase(all, held as unknown as Numbers);
  for (const [field, rows] of fields.entries())
    for (const [value, ...numbers] of rows) increase(within(by[field], value, zeros), numbers);
  if (isNothing(all)) prepare('DELETE FROM repository_days WHERE repository = ? AND day = ?').run(repository, day);
  else
    prepare(
      `UPDATE repository_days SET ${sumNames.map((name) => `${name} = ?`).join()}, fields = ? WHERE repository = ? AND day = ?`,
    ).run(...all, fieldsText(by), repository, day);
}

function sumOf(counted: Counted[]): DaySums {
  const sums = emptyDay();
  for (const one of counted) include(sums, one);
  return sums;
}

/** Of each of `sumFields` the values and their numbers, sorted: [[["human",1,0,2,0,0]],…]. `eachOfField` reads it. */
function fieldsText(by: Map<string, Numbers>[]): string {
  return JSON.stringify(
    by.map((values) =>
      [...values.keys()]
        .sort()
        .map((value) => [value, ...values.get(value)!])
        .filter(([, ...numbers]) => !isNothing(numbers as Numbers)),
    ),
  );
}

/** The rows of a field of `repository_days`, and in SQL what they are: the value and its sums. */
export function eachOfField(field: string): { from: string; key: string; summed: string } {
  return {
    from: `repository_days, json_each(fields, '$[${sumFields.indexOf(field)}]')`,
    key: 'value ->> 0',
    summed: sumNames.map((name, at) => `SUM(value ->> ${at + 1}) AS ${name}`).join(),
  };
}

/** The documents of one user, sorted by repository. */
function storePerson(prepare: Prepare, counted: Counted[], popularity: Map<string, PopularityChange>): void {
  const { user } = counted[0].doc;
  const storeMix = adder(prepare, 'mixes', ['user', 'repository', 'day', 'class', 'client', 'country']);
  const storeUserDay = adder(prepare, 'user_days', ['user', 'day', 'registry']);
  const pairs: PairChange[] = [];
  for (const ofPair of runs(counted, (a, b) => a.own === b.own)) {
    const pair = pairOf(ofPair);
    const days = taughtDays(prepare, pair);
    for (const [{ doc, day }, add] of summed(ofPair, isSameMix, byMix))
      storeMix([user, doc.repository, day, doc.class, doc.client, doc.country], add);
    if (user === '') continue;
    pairs.push(pair);
    storeDays(prepare, pair, days, popularity);
    storePair(prepare, pair, ofPair[0].own);
  }
  for (const [{ day, own }, add] of summed(counted, isSameDay, byDay)) storeUserDay([user, day, own.registry], add);
  if (user !== '') storeUser(prepare, user, pairs, counted);
}

function pairOf(counted: Counted[]): PairChange {
  const [{ doc, own }] = counted;
  const pair: PairChange = {
    ...{ user: doc.user, repository: doc.repository, registry: own.registry },
    ...{ pulls: 0, first: Number.POSITIVE_INFINITY, less: false, days: new Map() },
  };
  for (const { doc, day, add } of counted) {
    const [pulls] = add;
    if (pulls === 0) continue;
    pair.pulls += pulls;
    if (pulls < 0) pair.less = true;
    else {
      pair.first = Math.min(pair.first, doc.time);
      if (!pair.newest || doc.time >= pair.newest.time) pair.newest = doc;
    }
    if (taught.has(doc.class)) pair.days.set(day, pulls < 0 || (pair.days.get(day) ?? false));
  }
  return pair;
}

const isSameMix = (a: Counted, b: Counted) =>
  a.day === b.day && a.doc.class === b.doc.class && a.doc.client === b.doc.client && a.doc.country === b.doc.country;
const byMix = (a: Counted, b: Counted) =>
  a.day - b.day ||
  order(a.doc.class, b.doc.class) ||
  order(a.doc.client, b.doc.client) ||
  order(a.doc.country, b.doc.country);
const isSameDay = (a: Counted, b: Counted) => a.day === b.day && a.own.registry === b.own.registry;
const byDay = (a: Counted, b: Counted) => a.day - b.day || order(a.own.registry, b.own.registry);

const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Parts of a sorted list whose items are the same. */
function* runs<T>(items: T[], isSame: (a: T, b: T) => boolean): Iterable<T[]> {
  for (let start = 0, end = 0; start < items.length; start = end) {
    while (end < items.length && isSame(items[start], items[end])) end++;
    yield items.slice(start, end);
  }
}

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

const ofTaughtPair = `FROM mixes WHERE user = ? AND repository = ? AND pulls > 0 AND class IN (${taughtList})`;

/** Days of a pair with pulls of `taughtClasses`. */
interface TaughtDays {
  newest: number | undefined;
  /** Which of the days that change have any. */
  of: Set<number>;
}

function taughtDays(prepare: Prepare, { user, repository, days }: PairChange): TaughtDays {
  const newestOf = prepare(`SELECT day ${ofTaughtPair} ORDER BY day DESC LIMIT 1`);
  const anyOf = prepare(`SELECT 1 ${ofTaughtPair} AND day = ? LIMIT 1`);
  if (days.size === 0) return { newest: undefined, of: new Set() };
  const newest = newestOf.get(user, repository)?.day as number | undefined;
  const has = (day: number) =>
    newest !== undefined && day <= newest && (day === newest || anyOf.get(user, repository, day));
  return { newest, of: new Set([...days.keys()].filter(has)) };
}

/** `was`: before `mixes` changed. */
function storeDays(
  prepare: Prepare,
  pair: PairChange,
  was: TaughtDays,
  popularity: Map<string, PopularityChange>,
): void {
  if (pair.days.size === 0) return;
  const days = [...pair.days.keys()];
  const less = [...pair.days.values()].includes(true);
  const now = less
    ? taughtDays(prepare, pair)
    : { of: pair.days, newest: days.reduce((most, day) => Math.max(most, day), was.newest ?? never) };
  const changed = now.of.size - was.of.size;
  if (changed === 0 && now.newest === was.newest) return;
  const own = within(popularity, pair.repository, () => ({ people: 0, days: 0, newest: new Map() }));
  own.days += changed;
  own.people += Number(now.newest !== undefined) - Number(was.newest !== undefined);
  if (now.newest === was.newest) return;
  if (was.newest !== undefined) own.newest.set(was.newest, (own.newest.get(was.newest) ?? 0) - 1);
  if (now.newest !== undefined) own.newest.set(now.newest, (own.newest.get(now.newest) ?? 0) + 1);
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

const ofPair =
  "FROM documents INDEXED BY documents_user WHERE kind IN ('pull', 'both') AND user = ? AND repository = ? AND gone = 0";
const newestOfPair = `SELECT ${docColumns} ${ofPair} ORDER BY time DESC LIMIT 1`;
const firstOfPair = `SELECT MIN(time) AS time ${ofPair}`;

function storePair(prepare: Prepare, pair: PairChange, own: RepositoryChange): void {
  const { user, repository } = pair;
  if (pair.pulls === 0 && !pair.newest && !pair.less) return;
  const found = prepare('SELECT pulls, firstPull, lastPull FROM pairs WHERE user = ? AND repository = ?').get(
    user,
    repository,
  ) as { pulls: number; firstPull: number; lastPull: number } | undefined;
  const pulls = (found?.pulls ?? 0) + pair.pulls;
  if (pulls === 0) {
    if (found) own.pulledBy--;
    prepare('DELETE FROM pairs WHERE user = ? AND repository = ?').run(user, repository);
    return;
  }
  if (!found) own.pulledBy++;
  let first = Math.min(pair.first, found?.firstPull ?? Number.POSITIVE_INFINITY);
  let newest = found && !pair.less && found.lastPull > (pair.newest?.time ?? never) ? undefined : pair.newest;
  if (pair.less) {
    const last = prepare(newestOfPair);
    last.setReturnArrays(true);
    newest = docOf(last.get(user, repository) as unknown as SQLInputValue[]);
    first = Number(prepare(firstOfPair).get(user, repository)?.time);
  }
  if (newest)
    prepare(
      `INSERT INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = excluded.pulls,
         firstPull = excluded.firstPull, lastPull = excluded.lastPull, tag = excluded.tag, digest = excluded.digest,
         class = excluded.class, client = excluded.client, country = excluded.country`,
    ).run(
      ...[user, repository, pulls, first, newest.time],
      ...[newest.tag, newest.digest, newest.class, newest.client, newest.country],
    );
  else
    prepare('UPDATE pairs SET pulls = ?, firstPull = ? WHERE user = ? AND repository = ?').run(
      ...[pulls, first, user, repository],
    );
}

/** Must run after `pairs`, which have a user's first and last pull if some were removed. */
function storeUser(prepare: Prepare, user: string, changed: PairChange[], counted: Counted[]): void {
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
  const heldOf = prepare('SELECT kind, firstPull, lastPull FROM users WHERE scope = ? AND user = ?');
  // Two of the three indices: the first pull stays.
  const more = prepare('UPDATE users SET pulls = pulls + ?, lastPull = ? WHERE scope = ? AND user = ?');
  const store = prepare(
    `INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET kind = excluded.kind, pulls = excluded.pulls,
       firstPull = excluded.firstPull, lastPull = excluded.lastPull`,
  );
  const remove = prepare('DELETE FROM users WHERE scope = ? AND user = ?');
  const pairs = changed.filter((pair) => pair.newest || pair.less);
  if (pairs.length === 0) return;
  const less = pairs.some((pair) => pair.less);
  const all = less ? (pairsOf.all(user) as { repository: string; firstPull: number; lastPull: number }[]) : [];
  let rows: { registry: string; class: string; pulls: number }[] | undefined;
  for (const scope of new Set(['', ...pairs.map(({ registry }) => registry)])) {
    const isMeant = ({ registry }: { registry: string }) => scope === '' || registry === scope;
    const held = heldOf.get(scope, user) as { kind: string; firstPull: number; lastPull: number } | undefined;
    if (held && !less) {
      // More of what they pulled most before.
      const came = [...classes.values()].filter(isMeant);
      const times = pairs.filter(isMeant).map((pair) => [pair.first, pair.newest!.time]);
      if (came.every((row) => row.class === held.kind) && times.every(([first]) => first >= held.firstPull)) {
        const pulls = came.reduce((sum, row) => sum + row.pulls, 0);
        const last = times.reduce((most, [, time]) => Math.max(most, time), held.lastPull);
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
          ...pairs.filter(isMeant).map((pair) => [pair.first, pair.newest!.time]),
          ...(held ? [[held.firstPull, held.lastPull]] : []),
        ];
    const first = times.reduce((least, [time]) => Math.min(least, time), Number.POSITIVE_INFINITY);
    const last = times.reduce((most, [, time]) => Math.max(most, time), never);
    const pulls = kinds.reduce((sum, [, count]) => sum + count, 0);
    store.run(scope, user, user.toLowerCase(), kindOf(kinds), pulls, first, last);
  }
}

/** The class with the most pulls; a class that says little only if there is no other. Ties: the last by name. */
function kindOf(kinds: [string, number][]): string {
  const weigh = ([kind, pulls]: [string, number]) => ((weakKinds as string[]).includes(kind) ? 0 : pulls);
  return kinds.reduce((best, next) =>
    weigh(next) > weigh(best) || (weigh(next) === weigh(best) && next[0] > best[0]) ? next : best,
  )[0];
}

const sameFact = 'repository = ? AND action = ? AND digest = ? AND tag = ? AND class = ? AND apart = ?';
const lastOfFact = `SELECT last FROM image_facts WHERE ${sameFact}`;
const removeFact = `DELETE FROM image_facts WHERE ${sameFact}`;

function storeFacts(prepare: Prepare, repository: string, own: RepositoryChange): void {
  const lastOf = prepare(lastOfFact);
  const add = prepare('INSERT INTO image_facts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING');
  const move = prepare(`UPDATE image_facts SET last = ? WHERE ${sameFact}`);
  const day = (time: number) => Math.floor(time / dayMs);
  const newest = prepare('SELECT lastPull FROM repositories WHERE repository = ?').get(repository)?.lastPull as
    | number
    | undefined;
  let moved = false;
  for (const { key, last, came, less } of own.facts.values()) {
    // Most are new.
    if (less === never && add.run(...key, last).changes === 1) {
      own.stamp = stampChange;
      continue;
    }
    const held = lastOf.get(...key)?.last as number | undefined;
    let now = Math.max(last, held ?? never);
    if (less >= now && !(last === now && came > 0)) {
      const [, action, digest, tag, kind, apart] = key;
      // Happens rarely: when an event is recomputed because more of its pull has come, or expires.
      const index = digest ? 'documents_digest' : 'documents_repository';
      const left = prepare(
        `SELECT MAX(time) AS time FROM documents INDEXED BY ${index} WHERE ${imageFact} AND repository = ? AND action = ?
           AND digest ${digest ? '=' : 'IS'} ? AND COALESCE(tag, '') = ? AND class = ? AND (apart IS 1) = ?`,
      ).get(repository, action, digest || null, tag, kind, apart)?.time as number | null;
      now = left ?? never;
    }
    if (now === held) continue;
    if (now === never) prepare(removeFact).run(...key);
    else if (held === undefined) add.run(...key, now);
    else move.run(now, ...key);
    // Once more on the day of the repository's newest pull.
    const isSame = held !== undefined && now > held && day(now) === day(held) && !!newest && day(held) >= day(newest);
    if (!isSame) own.stamp = stampChange;
    else moved = true;
  }
  if (!moved || own.stamp > 0) return;
  const deletes = "SELECT 1 FROM image_facts WHERE repository = ? AND action = 'delete' LIMIT 1";
  own.stamp = prepare(deletes).get(repository) ? stampChange : 1;
}

function storeRepository(prepare: Prepare, repository: string, own: RepositoryChange): void {
  const { pulls, raw, manifests, pulledBy } = own;
  const stamp = own.less ? stampChange : own.stamp;
  const held = prepare('SELECT lastPull FROM repositories WHERE repository = ?').get(repository)?.lastPull as
    | number
    | undefined;
  let last = Math.max(own.last, held ?? 0);
  if (own.less)
    last = Number(
      prepare(
        `SELECT COALESCE(MAX(time), 0) AS time FROM documents INDEXED BY documents_repository
         WHERE kind IN ('pull', 'both') AND repository = ?`,
      ).get(repository)?.time,
    );
  const { registry, repository: name } = partsOf(repository);
  prepare(
    `INSERT INTO repositories VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls,
       raw = raw + excluded.raw, manifests = manifests + excluded.manifests, pulledBy = pulledBy + excluded.pulledBy,
       lastPull = excluded.lastPull, trend = excluded.trend, stamp = stamp + excluded.stamp`,
  ).run(
    ...[
      repository,
      registry,
      name.toLowerCase(),
      pulls,
      raw,
      manifests,
      pulledBy,
      last,
      trendOf(prepare, repository),
      stamp,
    ],
  );
}

const nothing = -1e300;
/** An older pull weighs less than 10^-12 of a pull on the newest day. */
const weighedHalfLives = 40;

/**
 * The base-2 logarithm of the pulls' weights as of day 0. All weights halve at the same rate, so the order is the same
 * on every day.
 */
function trendOf(prepare: Prepare, repository: string): number {
  const newest = prepare(
    'SELECT day FROM repository_days WHERE repository = ? AND pulls > 0 ORDER BY day DESC LIMIT 1',
  ).get(repository)?.day as number | undefined;
  if (newest === undefined) return nothing;
  const rows = prepare(
    'SELECT day, pulls FROM repository_days WHERE repository = ? AND day > ? AND pulls > 0 ORDER BY day DESC',
  ).all(repository, newest - weighedHalfLives * halfLifeDays) as { day: number; pulls: number }[];
  const weight = rows.reduce((sum, { day, pulls }) => sum + pulls * 2 ** ((day - newest) / halfLifeDays), 0);
  return Math.log2(weight) + newest / halfLifeDays;
}
