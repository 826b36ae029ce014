// The sums that search reads: of the documents, kept in the transaction that changes a document, so that a read
// costs what it returns, however much was pulled before. Days are UTC days since 1970.
//
//   sums            a scope by day, in all (`field` '') and by each field: scopes are 'r REPOSITORY' and 'g REGISTRY'
//   mixes           a user's repository by day, class, client and country
//   user_days       a user by day and registry
//   pairs           pulls of a repository by a named user: first, newest, and what the newest was of
//   user_classes    pulls of a named user by registry and class; `users` is what people's pages list, by registry and in all ('')
//   repositories    what repositories' pages list; `stamp` grows with what is known of its images
//   image_facts     the newest of the events that say the same of an image
//   pull_days       (pull-days.ts) who pulled what on which days, for the catalogue
//
// A file that an older version wrote is summed in steps (`build`), in the order of its documents: a document written
// meanwhile is added at once if the steps were past it, and found by a later step if not.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { taughtClasses } from '#core/event.ts';
import { partsOf, registryOf } from '#core/registry/name.ts';
import { halfLifeDays, NotSummed, weakKinds } from '#core/stores.ts';
import { transaction } from '../sqlite/sqlite.ts';
import { catalogueTables, catalogueTriggers } from './pull-days.ts';

export const dayMs = 86_400_000;
const numbers = 'pulls INTEGER, uncertain INTEGER, raw INTEGER, pushes INTEGER, rawPushes INTEGER';
const tables = `
  CREATE TABLE sums (scope TEXT, field TEXT, day INTEGER, key TEXT, ${numbers},
    PRIMARY KEY (scope, field, day, key)) WITHOUT ROWID;
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
  ${catalogueTables}`;
/** Has a row while documents are missing. */
export const fillingTable = 'CREATE TABLE IF NOT EXISTS filling (done INTEGER, total INTEGER)';
/** All but `summing`. */
export const sumTables = [
  ...['sums', 'mixes', 'user_days', 'pairs', 'user_classes', 'users', 'repositories', 'image_facts'],
  ...['pull_days', 'popularity', 'newest_days'],
];

/** What sums are made of: a row of `documents`. */
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

export function docOf(row: SQLInputValue[]): Doc {
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
    ...{
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
    },
  };
}

/** Whether two documents add the same to every sum. */
export const isSame = (a: Doc, b: Doc): boolean =>
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

/** How much of a file that an older version wrote is summed. */
export interface Summing {
  /** Documents are still missing: they are being read from events again (refill.ts). Nothing is summed until then. */
  filling?: boolean;
  kind: string;
  id: string;
  done: number;
  total: number;
}

/** Documents of one step. */
const stepRows = 4000;
/** A file of fewer documents is summed as it is opened. */
const atOnce = 20_000;

export interface Sums {
  /** What is missing; undefined when every document is summed. */
  missing(): Summing | undefined;
  /** Throws NotSummed. */
  whole(): void;
  /** Collects changes of one transaction; `end` stores them. Documents are as the transaction leaves them by then. */
  begin(): Change;
  /** Sums some more of a file that an older version wrote, in a transaction of its own. */
  build(): Summing | undefined;
  /** Forgets all sums: `build` makes them again. */
  restart(): void;
  /** Events that were read again, of a file that is being filled; `over`: they all were. */
  filled(events: number, over?: boolean): void;
}

export interface Change {
  /** A document changed; undefined stands for a missing one, before or after. */
  replace(kind: string, id: string, before: Doc | undefined, after: Doc | undefined): void;
  /** Reports about this repository's manifests have changed. */
  told(repository: string): void;
  end(): void;
}

/** The sums of a database that has `documents`: tables are made, and what a small file lacks is summed. */
export function keepSums(database: DatabaseSync): Sums {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    const statement = prepared.get(sql) ?? database.prepare(sql);
    prepared.set(sql, statement);
    return statement;
  };
  const there = () => database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'summing'").get() !== undefined;
  if (!there())
    transaction(database, () => {
      // Another thread may have done the same: looked at again under the lock.
      if (there()) return;
      for (const name of ['documents_added', 'documents_changed', 'documents_removed', 'day_added', 'day_removed'])
        database.exec(`DROP TRIGGER IF EXISTS ${name}`);
      for (const name of ['pull_days', 'popularity', 'newest_days']) database.exec(`DROP TABLE IF EXISTS ${name}`);
      database.exec(tables);
      database.exec(catalogueTriggers);
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
        database.exec('DROP TRIGGER day_removed');
        for (const name of sumTables) database.exec(`DELETE FROM ${name}`);
        database.exec('DROP TRIGGER day_added; DELETE FROM summing');
        database.exec(catalogueTriggers);
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

  /** All that is there is to be summed. */
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
interface Cell {
  key: (string | number)[];
  add: Numbers;
}
interface PairChange {
  user: string;
  repository: string;
  pulls: number;
  first: number;
  newest?: Doc;
  /** A document was removed: first and newest are read again. */
  less: boolean;
}
interface RepositoryChange {
  pulls: number;
  raw: number;
  manifests: number;
  pulledBy: number;
  last: number;
  less: boolean;
  stamp: number;
}
interface FactChange {
  key: [string, string, string, string, string, number];
  last: number;
  /** Documents that came with this time, less those that went. */
  came: number;
  /** The greatest that went. */
  less: number;
}

const never = Number.NEGATIVE_INFINITY;
const taught = new Set<string>(taughtClasses);
const taughtList = taughtClasses.map((name) => `'${name}'`).join();
const sumNames = ['pulls', 'uncertain', 'raw', 'pushes', 'rawPushes'];
const grow = sumNames.map((name) => `${name} = ${name} + excluded.${name}`).join();
const isEmpty = 'pulls = 0 AND raw = 0 AND pushes = 0 AND rawPushes = 0';
const keysOf = {
  sums: ['scope', 'field', 'day', 'key'],
  mixes: ['user', 'repository', 'day', 'class', 'client', 'country'],
  user_days: ['user', 'day', 'registry'],
};
type Table = keyof typeof keysOf;
const before = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b)) <= 0;
const imageFact = "kind IN ('event', 'fact') AND (manifest = 1 OR action = 'delete')";

function change(prepare: Prepare, at: Summing | undefined): Change {
  const cells: Record<Table, Map<string, Cell>> = { sums: new Map(), mixes: new Map(), user_days: new Map() };
  const pairs = new Map<string, PairChange>();
  const classes = new Map<string, { key: [string, string, string]; pulls: number }>();
  const repositories = new Map<string, RepositoryChange>();
  const facts = new Map<string, FactChange>();
  const days = new Map<string, { key: [string, string, number]; less: boolean }>();

  const put = (table: Table, key: (string | number)[], add: Numbers, sign: number) => {
    const name = key.join('\0');
    const cell = cells[table].get(name);
    if (cell) for (let index = 0; index < 5; index++) cell.add[index] += sign * add[index];
    else cells[table].set(name, { key, add: add.map((value) => sign * value) as Numbers });
  };
  const repositoryChange = (repository: string): RepositoryChange => {
    let found = repositories.get(repository);
    if (!found) {
      found = { pulls: 0, raw: 0, manifests: 0, pulledBy: 0, last: never, less: false, stamp: 0 };
      repositories.set(repository, found);
    }
    return found;
  };

  function count(doc: Doc, sign: 1 | -1) {
    const { kind, user, repository, time, action, manifest } = doc;
    const isPull = kind === 'pull';
    if (!isPull && (manifest === 1 || action === 'delete')) fact(doc, sign);
    if (kind === 'fact') return;
    const own = repositoryChange(repository);
    if (!isPull && manifest === 1) own.manifests += sign;
    const isRaw = !isPull && manifest === 1 && action === 'pull';
    const isPush = !isPull && manifest === 1 && action === 'push';
    if (!isPull && !isRaw && !isPush) return;
    const add: Numbers = isPull
      ? [1, doc.uncertain === 1 ? 1 : 0, 0, 0, 0]
      : isRaw
        ? [0, 0, 1, 0, 0]
        : [0, 0, 0, doc.apart === 1 ? 0 : 1, 1];
    const day = Math.floor(time / dayMs);
    const registry = registryOf(repository);
    for (const scope of [`r ${repository}`, `g ${registry}`]) {
      put('sums', [scope, '', day, ''], add, sign);
      put('sums', [scope, 'class', day, doc.class], add, sign);
      put('sums', [scope, 'client', day, doc.client], add, sign);
      put('sums', [scope, 'country', day, doc.country], add, sign);
      put('sums', [scope, 'tag', day, doc.tag ?? ''], add, sign);
    }
    put('mixes', [user, repository, day, doc.class, doc.client, doc.country], add, sign);
    put('user_days', [user, day, registry], add, sign);
    if (isRaw) own.raw += sign;
    if (!isPull) return;
    own.pulls += sign;
    if (sign > 0) own.last = Math.max(own.last, time);
    else own.less = true;
    if (user === '') return;

    const pairKey = `${user}\0${repository}`;
    let pair = pairs.get(pairKey);
    if (!pair) {
      pair = { user, repository, pulls: 0, first: Number.POSITIVE_INFINITY, less: false };
      pairs.set(pairKey, pair);
    }
    pair.pulls += sign;
    if (sign < 0) pair.less = true;
    else {
      pair.first = Math.min(pair.first, time);
      if (!pair.newest || time >= pair.newest.time) pair.newest = doc;
    }
    const classKey = `${user}\0${registry}\0${doc.class}`;
    const kindOf = classes.get(classKey);
    if (kindOf) kindOf.pulls += sign;
    else classes.set(classKey, { key: [user, registry, doc.class], pulls: sign });
    if (!taught.has(doc.class)) return;
    const dayKey = `${pairKey}\0${day}`;
    const touched = days.get(dayKey);
    if (!touched) days.set(dayKey, { key: [user, repository, day], less: sign < 0 });
    else if (sign < 0) touched.less = true;
  }

  function fact({ repository, action, digest, tag, class: kind, apart, time }: Doc, sign: 1 | -1) {
    const key: FactChange['key'] = [repository, action, digest ?? '', tag ?? '', kind, apart === 1 ? 1 : 0];
    const name = key.join('\0');
    let found = facts.get(name);
    if (!found) {
      found = { key, last: never, came: 0, less: never };
      facts.set(name, found);
    }
    if (sign > 0 && time > found.last) Object.assign(found, { last: time, came: 0 });
    if (time === found.last) found.came += sign;
    if (sign < 0) found.less = Math.max(found.less, time);
  }

  return {
    replace(kind, id, old, now) {
      // A later step of the build comes to it.
      if (at && !(before(kind, at.kind) && (kind !== at.kind || before(id, at.id)))) return;
      if (old && now && isSame(old, now)) return;
      if (old) count(old, -1);
      if (now) count(now, 1);
    },
    told(repository) {
      repositoryChange(repository).stamp = 1;
    },
    end() {
      for (const table of ['sums', 'mixes', 'user_days'] as const) storeCells(prepare, table, cells[table].values());
      storeDays(prepare, days.values());
      for (const pair of pairs.values()) storePair(prepare, pair, repositoryChange(pair.repository));
      storeUsers(prepare, [...classes.values()], pairs);
      for (const one of facts.values()) storeFact(prepare, one, repositoryChange(one.key[0]));
      for (const [name, one] of repositories) storeRepository(prepare, name, one);
    },
  };
}

function storeCells(prepare: Prepare, table: Table, changed: Iterable<Cell>): void {
  const keys = keysOf[table];
  const columns = keys.length + sumNames.length;
  const add = prepare(
    `INSERT INTO ${table} VALUES (${Array.from({ length: columns }, () => '?').join()}) ON CONFLICT DO UPDATE SET ${grow}`,
  );
  const clear = prepare(`DELETE FROM ${table} WHERE ${keys.map((name) => `${name} = ?`).join(' AND ')} AND ${isEmpty}`);
  for (const { key, add: numbers } of changed) {
    if (numbers.every((value) => value === 0)) continue;
    add.run(...key, ...numbers);
    if (numbers.some((value) => value < 0)) clear.run(...key);
  }
}

/** After `mixes`, which say whether another pull of the day is left. */
function storeDays(prepare: Prepare, days: Iterable<{ key: [string, string, number]; less: boolean }>): void {
  const add = prepare('INSERT INTO pull_days VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const remove = prepare('DELETE FROM pull_days WHERE user = ? AND repository = ? AND day = ?');
  const left = prepare(
    `SELECT 1 FROM mixes WHERE user = ? AND repository = ? AND day = ? AND pulls > 0 AND class IN (${taughtList}) LIMIT 1`,
  );
  for (const { key, less } of days)
    if (!less || left.get(...key)) add.run(...key);
    else remove.run(...key);
}

function storePair(prepare: Prepare, pair: PairChange, own: RepositoryChange): void {
  const { user, repository } = pair;
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
    const ofPair =
      "FROM documents INDEXED BY documents_user WHERE kind = 'pull' AND user = ? AND repository = ? AND gone = 0";
    const last = prepare(`SELECT ${docColumns} ${ofPair} ORDER BY time DESC LIMIT 1`);
    last.setReturnArrays(true);
    newest = docOf(last.get(user, repository) as unknown as SQLInputValue[]);
    first = Number(prepare(`SELECT MIN(time) AS time ${ofPair}`).get(user, repository)?.time);
  }
  if (newest)
    prepare('INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').run(
      ...[user, repository, pulls, first, newest.time],
      ...[newest.tag, newest.digest, newest.class, newest.client, newest.country],
    );
  else
    prepare('UPDATE pairs SET pulls = ?, firstPull = ? WHERE user = ? AND repository = ?').run(
      ...[pulls, first, user, repository],
    );
}

/** After `pairs`, which have a user's first and last pull where some went. */
function storeUsers(
  prepare: Prepare,
  changed: { key: [string, string, string]; pulls: number }[],
  pairs: Map<string, PairChange>,
): void {
  const add = prepare(
    'INSERT INTO user_classes VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET pulls = pulls + excluded.pulls',
  );
  const clear = prepare('DELETE FROM user_classes WHERE user = ? AND registry = ? AND class = ? AND pulls = 0');
  for (const { key, pulls } of changed) {
    if (pulls !== 0) add.run(...key, pulls);
    if (pulls < 0) clear.run(...key);
  }
  const classesOf = prepare('SELECT registry, class, pulls FROM user_classes WHERE user = ? ORDER BY class');
  const pairsOf = prepare('SELECT repository, firstPull, lastPull FROM pairs WHERE user = ?');
  const held = prepare('SELECT firstPull, lastPull FROM users WHERE scope = ? AND user = ?');
  const store = prepare('INSERT OR REPLACE INTO users VALUES (?, ?, ?, ?, ?, ?, ?)');
  const remove = prepare('DELETE FROM users WHERE scope = ? AND user = ?');
  const byUser = Map.groupBy(pairs.values(), ({ user }) => user);
  for (const [user, own] of byUser) {
    const rows = classesOf.all(user) as { registry: string; class: string; pulls: number }[];
    const byClass = new Map<string, number>();
    for (const row of rows) byClass.set(row.class, (byClass.get(row.class) ?? 0) + row.pulls);
    const touched = new Set(['', ...own.map(({ repository }) => registryOf(repository))]);
    const less = own.some((pair) => pair.less);
    const all = less ? (pairsOf.all(user) as { repository: string; firstPull: number; lastPull: number }[]) : [];
    for (const scope of touched) {
      const kinds =
        scope === ''
          ? [...byClass]
          : rows.filter((row) => row.registry === scope).map((row) => [row.class, row.pulls] as [string, number]);
      if (kinds.length === 0) {
        remove.run(scope, user);
        continue;
      }
      const isIn = ({ repository }: { repository: string }) => scope === '' || registryOf(repository) === scope;
      const times = less
        ? all.filter(isIn).map(({ firstPull, lastPull }) => [firstPull, lastPull])
        : [
            ...own.filter(isIn).map((pair) => [pair.first, pair.newest!.time]),
            ...(held.all(scope, user) as { firstPull: number; lastPull: number }[]).map((row) => [
              row.firstPull,
              row.lastPull,
            ]),
          ];
      const first = times.reduce((least, [time]) => Math.min(least, time), Number.POSITIVE_INFINITY);
      const last = times.reduce((most, [, time]) => Math.max(most, time), never);
      const pulls = kinds.reduce((sum, [, count]) => sum + count, 0);
      store.run(scope, user, user.toLowerCase(), kindOf(kinds), pulls, first, last);
    }
  }
}

/** The class of most pulls; one that says little only if there is no other. Ties: the last by name. */
function kindOf(kinds: [string, number][]): string {
  const weigh = ([kind, pulls]: [string, number]) => ((weakKinds as string[]).includes(kind) ? 0 : pulls);
  return kinds.reduce((best, next) =>
    weigh(next) > weigh(best) || (weigh(next) === weigh(best) && next[0] > best[0]) ? next : best,
  )[0];
}

function storeFact(prepare: Prepare, { key, last, came, less }: FactChange, own: RepositoryChange): void {
  const where = 'repository = ? AND action = ? AND digest = ? AND tag = ? AND class = ? AND apart = ?';
  const held = prepare(`SELECT last FROM image_facts WHERE ${where}`).get(...key)?.last as number | undefined;
  let now = Math.max(last, held ?? never);
  if (less >= now && !(last === now && came > 0)) {
    const [repository, action, digest, tag, kind, apart] = key;
    // Seldom: what becomes of an event once more of its pull has come, and what is let go.
    const index = digest ? 'documents_digest' : 'documents_repository';
    const left = prepare(
      `SELECT MAX(time) AS time FROM documents INDEXED BY ${index} WHERE ${imageFact} AND repository = ?1 AND action = ?2
         AND digest ${digest ? '=' : 'IS'} ?3 AND COALESCE(tag, '') = ?4 AND class = ?5 AND (apart IS 1) = ?6`,
    ).get(repository, action, digest || null, tag, kind, apart)?.time as number | null;
    now = left ?? never;
  }
  if (now === held) return;
  if (now === never) prepare(`DELETE FROM image_facts WHERE ${where}`).run(...key);
  else prepare('INSERT OR REPLACE INTO image_facts VALUES (?, ?, ?, ?, ?, ?, ?)').run(...key, now);
  // Once more on the day of the repository's newest pull: nothing that is derived from it changes (images-read.ts).
  const day = (time: number) => Math.floor(time / dayMs);
  const newest = prepare('SELECT lastPull FROM repositories WHERE repository = ?').get(key[0])?.lastPull as
    | number
    | undefined;
  const isSame = held !== undefined && now > held && day(now) === day(held) && !!newest && day(held) >= day(newest);
  if (!isSame || prepare("SELECT 1 FROM image_facts WHERE repository = ? AND action = 'delete' LIMIT 1").get(key[0]))
    own.stamp = 1;
}

function storeRepository(prepare: Prepare, repository: string, own: RepositoryChange): void {
  const { pulls, raw, manifests, pulledBy } = own;
  const stamp = own.less ? 1 : own.stamp;
  const held = prepare('SELECT lastPull FROM repositories WHERE repository = ?').get(repository)?.lastPull as
    | number
    | undefined;
  let last = Math.max(own.last, held ?? 0);
  if (own.less)
    last = Number(
      prepare(
        `SELECT COALESCE(MAX(time), 0) AS time FROM documents INDEXED BY documents_repository
         WHERE kind = 'pull' AND repository = ?`,
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
/** An older pull weighs less than a millionth of a millionth of a pull of the newest day. */
const weighedHalfLives = 40;

/**
 * The logarithm (base 2) of the pulls' weights, as on the day 0: what halves with the days halves for all alike, so that the order
 * holds on every day.
 */
function trendOf(prepare: Prepare, repository: string): number {
  const newest = prepare(
    `SELECT day FROM sums WHERE scope = ? AND field = '' AND pulls > 0 ORDER BY day DESC LIMIT 1`,
  ).get(`r ${repository}`)?.day as number | undefined;
  if (newest === undefined) return nothing;
  const rows = prepare(
    `SELECT day, pulls FROM sums WHERE scope = ? AND field = '' AND day > ? AND pulls > 0 ORDER BY day DESC`,
  ).all(`r ${repository}`, newest - weighedHalfLives * halfLifeDays) as { day: number; pulls: number }[];
  const weight = rows.reduce((sum, { day, pulls }) => sum + pulls * 2 ** ((day - newest) / halfLifeDays), 0);
  return Math.log2(weight) + newest / halfLifeDays;
}
