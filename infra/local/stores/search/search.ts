import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import type { Action, PullClass } from '#core/event.ts';
import { clockSlackMs } from '#core/registry/image-graph.ts';
import { type ManifestInfo, manifestsIn, platformsOf, type RepositoryImages, toldOf } from '#core/registry/images.ts';
import { keyMark, prefixOf, registryOf } from '#core/registry/name.ts';
import { type ImageChange, type ImagePulls, usingClasses } from '#core/registry/outdated.ts';
import { withOthers } from '#core/registry/pullers.ts';
import {
  type CatalogueRow,
  type Counts,
  mostRepositories,
  type Pair,
  type PulledDays,
  type Puller,
  type PullsQuery,
  type RepositoryRow,
  recentHalfLives,
  type SavedRecommendations,
  type SearchChange,
  type SearchStore,
  type ShownList,
  sparkDays,
  type UserRow,
} from '#core/stores.ts';
import { moveOlder, type OlderRows } from '../sqlite/older.ts';
import { batchCacheMiB, groupCommit, lists, openDatabase, pauseMs, transaction } from '../sqlite/sqlite.ts';
import { weekIn, weekOfRow, weeksOf } from '../sqlite/weeks.ts';
import { wipe } from '../sqlite/wipe.ts';
import type { Change } from './change.ts';
import { dayMs } from './counted.ts';
import { deletedRead, type Stamped } from './deleted-read.ts';
import { type Doc, docColumns, docOf, documentUsers, hasNamedUser, namedUser } from './doc.ts';
import { hasMany, makeAnonymous, removedAtOnce, removePairWeeks, removeSome } from './forgetting.ts';
import { columns, isPullEvent, joined, partsOf, userColumn } from './joined.ts';
import { type Cell, type PackedTable, packedTable, unpackedTable } from './packed.ts';
import { eachOfField } from './repository-sums.ts';
import { keepSums, type Sums } from './sums.ts';
import { unusedRead } from './unused-read.ts';
import {
  documentIndices,
  documentsByRepository,
  documentsByUser,
  mixWeeks,
  ofSummedWeeks,
  ofUser,
  ofWeeks,
  pairWeeks,
  userDayWeeks,
} from './weeks.ts';

// One table for all documents:
//   event  a registry's event
//   pull   one act of one user
//   both   an event and the pull that it opens, where they say the same (joined.ts)
//   fact   what remains of a forgotten user's events: that an image was pushed, pulled or deleted then, but not by whom
// The table has row ids, so that an index entry ends in 8 bytes instead of the whole key. In each index an event and its
// pull lie side by side, so that a batch changes fewer pages. `user` is a number of `user_numbers` (users.ts).
const pushes = "kind = 'event' AND action = 'push' AND manifest = 1";
const used = usingClasses.map((name) => `'${name}'`).join();
const platformTable =
  'CREATE TABLE IF NOT EXISTS platforms (platform TEXT, digest TEXT, PRIMARY KEY (platform, digest)) WITHOUT ROWID;';
const documentTables = `${documentUsers.schema}
  CREATE TABLE IF NOT EXISTS documents (
    kind TEXT, id TEXT, version INTEGER, gone INTEGER, user INTEGER, repository TEXT, time REAL, action TEXT,
    manifest INTEGER, tag TEXT, digest TEXT, class TEXT, country TEXT, client TEXT, apart INTEGER, uncertain INTEGER,
    PRIMARY KEY (kind, id));`;
export const olderDocuments: OlderRows = {
  ...{ users: documentUsers.table, schema: documentTables, tables: ['documents'] },
};
const schema = `${documentTables}
  CREATE TABLE IF NOT EXISTS manifests (
    repository TEXT, digest TEXT, told INTEGER, doc TEXT, PRIMARY KEY (repository, digest)) WITHOUT ROWID;
  ${platformTable}
${documentIndices}
  DROP TABLE IF EXISTS leaving;
  CREATE INDEX IF NOT EXISTS documents_pushed ON documents (user, repository) WHERE ${pushes};
  CREATE TABLE IF NOT EXISTS recommendations (user TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS shown (user TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID;`;
const pulls = "kind IN ('pull', 'both') AND gone = 0";
// Raw counts: distinct manifest events, GET and HEAD alike; there is one document per id already.
const raw = "kind IN ('event', 'both') AND action = 'pull' AND manifest = 1";
// A document that an older version wrote has no `apart`.
const counts = `SUM(${pulls}) AS pulls, SUM(${raw}) AS raw, SUM(${pushes} AND apart IS NOT 1) AS pushes,
  SUM(${pushes}) AS rawPushes`;

/** Start of the bucket a time falls in, milliseconds. Weeks begin on Monday (1970-01-01 was a Thursday). */
const bucketStart = {
  day: 'CAST(time / 86400000 AS INTEGER) * 86400000',
  week: '(CAST((time / 86400000 + 3) / 7 AS INTEGER) * 7 - 3) * 86400000',
  month: "CAST(strftime('%s', time / 1000, 'unixepoch', 'start of month') AS INTEGER) * 1000",
};

/** The same for a day's sums. */
const bucketOfDay = (interval: keyof typeof bucketStart) =>
  bucketStart[interval].replaceAll(/\btime\b/g, '(day * 86400000)');
const summed =
  'SUM(pulls) AS pulls, SUM(uncertain) AS uncertain, SUM(raw) AS raw, SUM(pushes) AS pushes, SUM(rawPushes) AS rawPushes';

export interface LocalSearch extends SearchStore {
  sums: Sums;
  writeRows(rows: WrittenRows): Promise<void>;
  /** Whether documents of forgotten users, which are anonymous already, are still to be removed. */
  isLeaving(): boolean;
  /** Removes those documents; `forget` starts this, too. */
  leave(): Promise<void>;
}

/** What `write` stores: rows of `documents`, and reports about manifests. */
export interface WrittenRows {
  documents: PackedTable;
  manifests: [string, ManifestInfo][];
}

export function rowsOf(changes: SearchChange[]): WrittenRows {
  return {
    documents: packedTable(joined(changes.map(row))),
    manifests: manifestsIn(changes.flatMap(({ kind, doc }) => (kind === 'event' ? [doc] : []))),
  };
}

/** The search store over SQLite, with exact results. */
export function openSearch(
  file: string,
  cacheMiB = batchCacheMiB,
  {
    manyDocuments = 1000,
    unusedKept = 12_000,
    stepRows,
  }: { manyDocuments?: number; unusedKept?: number; stepRows?: number } = {},
): LocalSearch {
  const database = openDatabase(file, schema, { cacheMiB, isScrubbed: true, before: moveOlderDocuments });
  const sums = keepSums(database, stepRows);
  const commit = groupCommit(database);
  const add = database.prepare(
    `INSERT INTO documents (${columns.join()}) VALUES (${columns.map(() => '?').join()}) ON CONFLICT (kind, id) DO NOTHING`,
  );
  const update = database.prepare(
    `UPDATE documents SET ${columns.map((name) => `${name} = ?`).join()} WHERE kind = ? AND id = ?`,
  );
  const putManifest = database.prepare(
    `INSERT INTO manifests VALUES (?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET
       told = excluded.told, doc = excluded.doc WHERE excluded.told > manifests.told`,
  );
  const putPlatform = database.prepare('INSERT OR IGNORE INTO platforms VALUES (?, ?)');
  const putRecommendations = database.prepare('INSERT OR REPLACE INTO recommendations VALUES (?, ?)');
  const removeRecommendations = database.prepare('DELETE FROM recommendations WHERE user = ?');
  const recommendationsOf = database.prepare('SELECT doc FROM recommendations WHERE user = ?');
  const putShown = database.prepare(
    `INSERT INTO shown SELECT ?, ?
     WHERE EXISTS (SELECT 1 FROM ${documentsByUser.rows} WHERE ${ofUser} AND ${pulls})
     ON CONFLICT DO UPDATE SET doc = excluded.doc`,
  );
  const removeShown = database.prepare('DELETE FROM shown WHERE user = ?');
  const shownTo = database.prepare('SELECT doc FROM shown WHERE user = ?');

  const pushedBy = database.prepare(
    `SELECT DISTINCT repository FROM documents INDEXED BY documents_pushed
     WHERE ${pushes} AND ${documentUsers.isNamed} ORDER BY repository`,
  );

  const prepare = (sql: string) => database.prepare(sql);
  const users = documentUsers.open(prepare);
  const weeksOfDocuments = weeksOf(prepare, documentsByUser);
  const weeksOfMixes = weeksOf(prepare, mixWeeks);
  const weeksOfUserDays = weeksOf(prepare, userDayWeeks);
  const weeksOfPairs = weeksOf(prepare, pairWeeks);
  const rows = <T>(sql: string, ...values: SQLInputValue[]): T[] => database.prepare(sql).all(...values) as T[];
  const factsOf = database.prepare(
    'SELECT action, digest, tag, class, apart, last FROM image_facts WHERE repository = ?',
  );
  factsOf.setReturnArrays(true);
  const manifestsOf = database.prepare('SELECT doc FROM manifests WHERE repository = ?');
  /** What is known about the images of one repository. */
  function imagesOf(repository: string): RepositoryImages {
    const facts = (factsOf.all(repository) as unknown as SQLInputValue[][]).map(
      ([action, digest, tag, kind, apart, last]) => ({
        ...{ action: action as Action, class: kind as PullClass, apart: apart === 1, time: Number(last) },
        ...(digest ? { digest: String(digest) } : {}),
        ...(tag ? { tag: String(tag) } : {}),
      }),
    );
    const manifests = manifestsOf.all(repository).map(({ doc }) => JSON.parse(String(doc)) as ManifestInfo);
    return { repository, facts, manifests };
  }
  const isPushed = database.prepare("SELECT 1 FROM image_facts WHERE repository = ? AND action = 'push' LIMIT 1");
  const stampedOf = lists<[string, number, number]>(
    database.prepare(
      'SELECT repository, stamp, lastPull FROM repositories WHERE manifests > 0 AND registry = ifnull(?, registry)',
    ),
  );
  const isDeleted = deletedRead(imagesOf);
  const unused = unusedRead(
    {
      repositories: (registry) =>
        stampedOf.all(registry ?? null).map(([repository, stamp, lastPull]) => ({ repository, stamp, lastPull })),
      read: imagesOf,
      isPushed: (repository) => isPushed.get(repository) !== undefined,
    },
    unusedKept,
  );

  function deleted(): string[] {
    // Checking the newest fact of each repository leaves only a few repositories to read completely.
    const last = (where: string) =>
      `COALESCE((SELECT MAX(last) FROM image_facts e WHERE e.repository = d.repository AND ${where}), -1e300)`;
    const quiet = rows<Stamped>(
      `SELECT repository, stamp FROM (SELECT repository, MAX(last) AS at FROM image_facts INDEXED BY image_facts_deletes
         WHERE action = 'delete' GROUP BY repository) d JOIN repositories USING (repository)
       WHERE ${last("e.action = 'push'")} <= d.at AND ${last("e.action = 'pull'")} <= d.at + ${clockSlackMs}
       ORDER BY repository`,
    );
    return quiet.filter(isDeleted).map(({ repository }) => repository);
  }

  const held = database.prepare(
    `SELECT ${columns.join()} FROM documents WHERE kind IN ('event', 'pull', 'both') AND id = ?`,
  );
  held.setReturnArrays(true);
  const removeDocument = database.prepare('DELETE FROM documents WHERE kind = ? AND id = ?');
  const heldApart = database.prepare("SELECT 1 FROM documents WHERE kind IN ('event', 'pull') AND id = ? LIMIT 1");
  const heldJoined = database.prepare("SELECT 1 FROM documents WHERE kind = 'both' AND id = ?");
  /** Whether it is stored in a row of another kind, as only a pull or its event may be. */
  const isElsewhere = (values: Cell[]) =>
    values[0] === 'both'
      ? heldApart.get(values[1])
      : (values[0] === 'pull' || isPullEvent(values)) && heldJoined.get(values[1]);
  /** `named`: a row with the user's name. */
  function putDocument(named: Cell[], numberFor: (name: string) => number, changed: Change): void {
    const [kind, id] = named;
    const values = named.with(userColumn, numberFor(String(named[userColumn])));
    // Most are new.
    if (!isElsewhere(values) && add.run(...values).changes === 1) {
      changed.replace(String(kind), String(id), undefined, docOfRow(named));
      return;
    }
    const userOf = (row: Cell[]) => users.nameOf(Number(row[userColumn]));
    const docOfNumbered = (row: Cell[]) => docOfRow(row.with(userColumn, userOf(row) ?? ''));
    const before = byKind(held.all(id) as unknown as Cell[][]);
    // Those of a forgotten user are leaving, whatever their version.
    const parts = byKind([...before.values()].filter((row) => userOf(row) !== undefined).flatMap(partsOf));
    for (const part of partsOf(values))
      if (Number(parts.get(part[0])?.[2] ?? 0) <= Number(part[2])) parts.set(part[0], part);
    const after = byKind(joined([parts.get('event'), parts.get('pull')].filter((part) => part !== undefined)));
    for (const [kind, row] of before)
      if (!after.has(kind)) {
        removeDocument.run(kind, id);
        changed.replace(String(kind), String(id), docOfNumbered(row), undefined);
      }
    for (const [kind, row] of after) {
      const old = before.get(kind);
      if (old === row) continue;
      if (old) update.run(...row, kind, id);
      else add.run(...row);
      changed.replace(String(kind), String(id), old && docOfNumbered(old), docOfNumbered(row));
    }
  }

  async function writeRows({ documents, manifests }: WrittenRows): Promise<void> {
    await commit(() => {
      const changed = sums.begin();
      const numberFor = users.giving();
      for (const values of unpackedTable(documents)) putDocument(values, numberFor, changed);
      for (const [repository, info] of manifests) {
        if (putManifest.run(repository, info.digest, toldOf(info), JSON.stringify(info)).changes)
          changed.told(repository);
        for (const platform of platformsOf(info)) putPlatform.run(platform, info.digest);
      }
      changed.end();
    });
  }

  /** The users who pulled a repository last, at most so many. */
  function newestUsers(repository: string, limit: number): string[] {
    const pulledBy = prepare('SELECT pulledBy FROM repositories WHERE repository = ?').get(repository)?.pulledBy;
    const most = Math.min(limit, Number(pulledBy ?? 0));
    const found = new Set<string>();
    const ofWeek = prepare(
      `SELECT name FROM pair_weeks INDEXED BY pair_weeks_newest CROSS JOIN ${documentUsers.table} ON number = user
       WHERE week = ? AND repository = ? AND name IS NOT NULL ORDER BY lastPull DESC, name`,
    );
    for (const week of most > 0 ? weeksOfPairs().reverse() : [])
      for (const { name } of ofWeek.iterate(week, repository)) {
        found.add(String(name));
        if (found.size >= most) return [...found];
      }
    return [...found];
  }

  /** Counts of a time range, by start of the interval and value of the field, from the documents themselves. */
  function countedOf(query: PullsQuery, from: number, to: number): Counted[] {
    if (from >= to) return [];
    const { interval, by, user, repository } = query;
    const { where, values } = filter({ ...query, user: undefined, from: undefined, to: undefined });
    // Without a repository: each existing one, so that a short range needs only a few steps of an index.
    const names = user === undefined ? 'repositories' : `mixes WHERE ${ofSummedWeeks} AND user = ?`;
    const among = repository === undefined ? `AND repository IN (SELECT repository FROM ${names})` : '';
    const weeks = listed(weeksOfDocuments(from, to));
    const own = user === undefined ? [] : [weeks, user];
    return rows<Counted>(
      `SELECT ${interval ? bucketStart[interval] : 'NULL'} AS "from", ${by ? `COALESCE(${by}, '')` : "''"} AS "key", ${counts},
         SUM(${pulls} AND uncertain IS 1) AS uncertain
       FROM ${(user === undefined ? documentsByRepository : documentsByUser).rows}
       WHERE ${user === undefined ? ofWeeks : ofUser} AND kind IN ('pull', 'event', 'both') AND gone = 0 ${where} ${among}
         AND time >= ? AND time < ? GROUP BY 1, 2`,
      ...(user === undefined ? [weeks] : own),
      ...[...values, ...(repository === undefined ? own : []), from, to],
    );
  }

  /** The same for whole days, from sums. */
  function summedOf({ interval, by, user, repository, registry }: PullsQuery, from: number, to: number): Counted[] {
    if (from >= to) return [];
    const terms: [string, SQLInputValue][] = [];
    const byWeek = (weeks: typeof weeksOfMixes, user: string): typeof terms => [
      [ofSummedWeeks, listed(weeks(from, to))],
      ['user = ?', user],
    ];
    let [table, key, columns] = ['sums', 'key', summed];
    const names = repository === undefined ? undefined : [repository].flat();
    if (user === undefined && names) {
      table = 'repository_days';
      key = "''";
      if (by) ({ from: table, key, summed: columns } = eachOfField(by));
      const own = names.filter((name) => registry === undefined || registryOf(name) === registry);
      terms.push(['repository IN (SELECT value FROM json_each(?))', JSON.stringify(own)]);
    } else if (user === undefined) {
      if (registry !== undefined) terms.push(['scope = ?', `g ${registry}`]);
      else terms.push(["scope >= ? AND scope < 'g!'", 'g ']);
      terms.push(['field = ?', by ?? '']);
    } else if (names === undefined && !by) {
      table = 'user_days';
      key = "''";
      terms.push(...byWeek(weeksOfUserDays, user));
      if (registry !== undefined) terms.push(['registry = ?', registry]);
    } else {
      table = 'mixes';
      key = by ?? "''";
      terms.push(...byWeek(weeksOfMixes, user), ...ofRegistry(registry));
      if (names) terms.push(['repository IN (SELECT value FROM json_each(?))', JSON.stringify(names)]);
    }
    if (Number.isFinite(from)) terms.push(['day >= ?', from / dayMs]);
    if (Number.isFinite(to)) terms.push(['day < ?', to / dayMs]);
    return rows<Counted>(
      `SELECT ${interval ? bucketOfDay(interval) : 'NULL'} AS "from", ${key} AS "key", ${columns}
       FROM ${table} WHERE ${terms.map(([sql]) => sql).join(' AND ')} GROUP BY 1, 2`,
      ...terms.map(([, value]) => value),
    );
  }

  return {
    sums,
    write: (changes) => writeRows(rowsOf(changes)),
    writeRows,
    async users({ search = '', registry, kind, sort, limit, now }) {
      sums.whole();
      const [index, order] = {
        recent: ['INDEXED BY users_recent', 'lastPull DESC'],
        pulls: ['INDEXED BY users_pulls', 'pulls DESC'],
        new: ['INDEXED BY users_new', 'firstPull DESC'],
        name: ['', 'user'],
      }[sort];
      const found = rows<Omit<UserRow, 'days'>>(
        `SELECT user, kind, pulls, firstPull, lastPull FROM users ${index}
         WHERE scope = ? AND instr(userName, ?) > 0 ${kind ? 'AND kind = ?' : ''} ORDER BY ${order}, user LIMIT ?`,
        ...[registry ?? '', search.toLowerCase(), ...(kind ? [kind] : []), limit],
      );
      const first = Math.floor(now / dayMs) - sparkDays + 1;
      const days = new Map(found.map(({ user }) => [user, new Array<number>(sparkDays).fill(0)]));
      for (const { user, day, count } of rows<{ user: string; day: number; count: number }>(
        `SELECT user, day, SUM(pulls) AS count FROM user_days
         WHERE ${ofSummedWeeks} AND user IN (SELECT value FROM json_each(?)) AND day >= ? AND day < ?
           ${registry === undefined ? '' : 'AND registry = ?'} GROUP BY user, day`,
        ...[listed(weeksOfUserDays(first * dayMs, now)), JSON.stringify([...days.keys()]), first, first + sparkDays],
        ...(registry === undefined ? [] : [registry]),
      ))
        days.get(user)![day - first] = count;
      return found.map((row) => ({ ...row, days: days.get(row.user)! }));
    },
    async repositories({ sort, search = '', registry, limit }) {
      sums.whole();
      const [index, order] = {
        popular: ['INDEXED BY repositories_popular', 'pulls DESC, repository'],
        trending: ['INDEXED BY repositories_trending', 'trend DESC, repository'],
        name: ['', 'repository'],
      }[sort];
      const { where, values } = present(deleted());
      return rows<RepositoryRow>(
        `SELECT repository, pulls, raw, pulledBy, lastPull FROM repositories ${index}
         WHERE (pulls > 0 OR manifests > 0) AND instr(name, ?) > 0 ${registry === undefined ? '' : 'AND registry = ?'} ${where}
         ORDER BY ${order} LIMIT ?`,
        ...[search.toLowerCase(), ...(registry === undefined ? [] : [registry]), ...values, limit],
      );
    },
    async catalogue({ now, halfLifeMs }) {
      sums.whole();
      const [today, halfLife] = [Math.floor(now / dayMs), halfLifeMs / dayMs];
      const { where, values } = present(deleted());
      return rows<CatalogueRow>(
        `SELECT repository, people AS pulledBy, days, COALESCE(recent, 0) AS recent, COALESCE(weight, 0) AS weight
         FROM popularity LEFT JOIN (
           SELECT repository, SUM(people) AS recent, SUM(people * pow(0.5, max(0, ? - day) / ?)) AS weight
           FROM newest_days WHERE day >= ? GROUP BY repository) USING (repository)
         WHERE people > 0 ${where} ORDER BY repository`,
        today,
        halfLife,
        today - recentHalfLives * halfLife,
        ...values,
      );
    },
    async pulledDays({ user, limit }) {
      sums.whole();
      return rows<PulledDays>(
        `SELECT repository, taughtDays AS days FROM pairs WHERE user = ? AND taughtDay IS NOT NULL
         ORDER BY taughtDay DESC, repository LIMIT ?`,
        ...[user, limit],
      );
    },
    async pulled(user) {
      sums.whole();
      return rows<{ repository: string }>('SELECT repository FROM pairs WHERE user = ? ORDER BY repository', user).map(
        ({ repository }) => repository,
      );
    },
    async pushed(user) {
      return pushedBy.all(user).map(({ repository }) => String(repository));
    },
    async counts(query) {
      sums.whole();
      const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY, interval, by } = query;
      // Reads whole days from sums, and the rest before and after them from the documents.
      let [first, end] = [Math.ceil(from / dayMs) * dayMs, Math.floor(to / dayMs) * dayMs];
      // There are no sums of a user's tags.
      if (first > end || (query.user !== undefined && by === 'tag')) first = end = to;
      const found = new Map<string, Counted>();
      const none = { pulls: 0, uncertain: 0, raw: 0, pushes: 0, rawPushes: 0 };
      const all: Counted = { from: null, key: '', ...none };
      for (const part of [
        countedOf(query, from, first),
        summedOf(query, first, end),
        countedOf(query, end, to),
      ].flat()) {
        const name = `${part.from} ${part.key}`;
        const bucket = found.get(name) ?? { from: part.from, key: part.key, ...none };
        found.set(name, bucket);
        for (const sum of [bucket, all])
          for (const name of ['pulls', 'uncertain', 'raw', 'pushes', 'rawPushes'] as const) sum[name] += part[name];
      }
      const total = { total: countsIn(all), uncertain: all.uncertain };
      if (!interval && !by) return { ...total, buckets: [] };
      const buckets = [...found.values()]
        .filter(({ pulls, raw, rawPushes }) => pulls + raw + rawPushes > 0)
        .sort((a, b) => Number(a.from) - Number(b.from) || byText(a.key, b.key))
        .map(({ from, key, ...sums }) => ({
          ...(interval ? { from: Number(from) } : {}),
          ...(by ? { key } : {}),
          ...countsIn(sums),
        }));
      return { ...total, buckets };
    },
    async pullers({ digest, limit, ...query }) {
      const { where, values } = filter(query);
      const read = (what: string, ...more: SQLInputValue[]) =>
        rows<Row>(
          `SELECT ${namedUser}, repository, COUNT(*) AS pulls, MAX(time) AS lastPull, tag, digest, class, client, country
           FROM documents WHERE ${ofWeeks} AND ${hasNamedUser} ${where} AND ${what}
           GROUP BY documents.user, repository ORDER BY lastPull DESC, 1, 2 LIMIT ?`,
          ...[listed(weeksOfDocuments(query.from, query.to)), ...values],
          ...more,
          limit,
        ).map(pullerOf);
      const { repository, from, to, registry } = query;
      if (digest === undefined && repository !== undefined && from === undefined && to === undefined) {
        sums.whole();
        return [repository]
          .flat()
          .filter((name) => registry === undefined || registryOf(name) === registry)
          .flatMap((name) => rows<Row>(pairsOfUsers, name, JSON.stringify(newestUsers(name, limit))))
          .map(pullerOf)
          .sort((a, b) => b.lastPull - a.lastPull || byText(a.user, b.user) || byText(a.repository, b.repository))
          .slice(0, limit);
      }
      if (digest === undefined) return read(pulls);
      const related = rows<{ digest: string }>(
        'SELECT digest FROM platforms WHERE platform = ? UNION SELECT platform FROM platforms WHERE digest = ?',
        ...[digest, digest],
      ).map((row) => row.digest);
      const pulled = read(
        `${pulls} AND digest IN (SELECT value FROM json_each(?))`,
        JSON.stringify([digest, ...related]),
      );
      // Fetched as part of something whose references are unknown.
      return withOthers(pulled, read(`${raw} AND apart IS NOT 1 AND digest = ?`, digest), limit);
    },
    async unused(query) {
      sums.whole();
      return unused(query);
    },
    async images({ repository }) {
      sums.whole();
      return [repository]
        .flat()
        .sort()
        .map(imagesOf)
        .filter(({ facts }) => facts.length > 0);
    },
    async deleted() {
      sums.whole();
      return deleted();
    },
    async imageUse(query) {
      sums.whole();
      const names =
        'repository' in query
          ? [query.repository].flat()
          : rows<{ repository: string }>(
              `SELECT repository FROM ${documentsByUser.rows} WHERE ${ofUser} AND ${pulls} AND time >= ? AND class IN (${used})
               GROUP BY repository ORDER BY MAX(time) DESC, repository LIMIT ?`,
              ...[listed(weeksOfDocuments(query.from)), query.user, query.from, mostRepositories],
            ).map(({ repository }) => repository);
      const among = 'repository IN (SELECT value FROM json_each(?))';
      return {
        pulls: rows<Row>(
          `SELECT ${namedUser}, repository, class, tag, digest, MIN(time) AS firstPull, MAX(time) AS lastPull
           FROM ${documentsByRepository.rows}
           WHERE ${ofWeeks} AND ${pulls} AND ${among} AND time >= ? AND ${hasNamedUser} AND class IN (${used})
           GROUP BY documents.user, repository, class, tag, digest`,
          ...[listed(weeksOfDocuments(query.from)), JSON.stringify(names), query.from],
        ).map((row) => filled<ImagePulls>(row)),
        changes: rows<Row>(
          `SELECT repository, action, tag, digest, MAX(last) AS last FROM image_facts
           WHERE action IN ('push', 'delete') AND ${among} GROUP BY repository, action, tag, digest`,
          JSON.stringify(names),
        ).map((row) => filled<ImageChange>(row)),
      };
    },
    async *pairs({ from = -Infinity, to = Infinity, classes, repositoryPrefix = '' }) {
      const next = database.prepare(
        `SELECT user FROM users WHERE scope = '' AND user > ? ORDER BY user LIMIT 1 OFFSET ${usersATime - 1}`,
      );
      const some = database.prepare(
        `SELECT name AS user, repository, COUNT(*) AS pulls, COUNT(DISTINCT CAST(time / 86400000 AS INTEGER)) AS days,
           MIN(time) AS firstPull, MAX(time) AS lastPull FROM ${documentUsers.table} CROSS JOIN ${documentsByUser.rows}
         WHERE ${ofWeeks} AND name > ? AND name <= ? AND documents.user = number AND ${pulls}
           AND time >= ? AND time < ? AND substr(repository, 1, ?) = ? AND class IN (${classes.map(() => '?').join()})
         GROUP BY name, repository ORDER BY name, repository`,
      );
      const weeks = listed(weeksOfDocuments(from, to));
      const terms = [from, to, [...repositoryPrefix].length, repositoryPrefix, ...classes];
      for (let last = ''; ; ) {
        const end = next.get(last)?.user as string | undefined;
        yield* some.iterate(weeks, last, end ?? afterTexts, ...terms) as unknown as Iterable<Pair>;
        if (end === undefined) return;
        last = end;
      }
    },
    async saveRecommendations(saved) {
      transaction(database, () => {
        for (const row of saved)
          if (row.items.length > 0) putRecommendations.run(row.user, JSON.stringify(row));
          else removeRecommendations.run(row.user);
      });
    },
    async recommendations(user) {
      const found = recommendationsOf.get(user);
      return found && (JSON.parse(String(found.doc)) as SavedRecommendations);
    },
    async shown(user) {
      const found = shownTo.get(user);
      return found && (JSON.parse(String(found.doc)) as ShownList);
    },
    async saveShown(lists) {
      const weeks = listed(weeksOfDocuments());
      transaction(database, () => {
        for (const list of lists)
          if (list.items.length > 0) putShown.run(list.user, JSON.stringify(list), weeks, list.user);
          else removeShown.run(list.user);
      });
    },
    async *allShown() {
      for (const { doc } of database.prepare('SELECT doc FROM shown ORDER BY user').iterate())
        yield JSON.parse(String(doc)) as ShownList;
    },
    // A removed pull's row stays without names, so that late writers can't restore it.
    async expire(before) {
      database.exec('CREATE INDEX IF NOT EXISTS documents_time ON documents (time)');
      const old = database.prepare(
        `SELECT id, ${docColumns} FROM documents WHERE time < ? AND gone = 0 LIMIT ${expiredAtOnce}`,
      );
      old.setReturnArrays(true);
      const remove = database.prepare('DELETE FROM documents WHERE kind = ? AND id = ?');
      const some = () => {
        const found = old.all(before) as unknown as SQLInputValue[][];
        const changed = sums.begin();
        for (const [id, ...doc] of found) {
          remove.run(doc[0], id);
          changed.replace(String(doc[0]), String(id), docOf(doc), undefined);
        }
        changed.end();
        return found.length;
      };
      let rows = 0;
      for (let part = transaction(database, some); part > 0; part = transaction(database, some)) {
        rows += part;
        await new Promise((resolve) => setImmediate(resolve));
      }
      if (rows > 0) await documentUsers.dropUnused(database, [documentsByUser]);
    },
    // In parts, so that other writers of this file wait for at most one part.
    async forget(user) {
      const some = () => {
        const number = users.numberOf(user);
        return number === undefined ? 0 : removePart(number, removedAtOnce.directly);
      };
      // Taking the lock once: each time, a batch may come first.
      const documents = transaction(database, () => {
        for (const list of [removeRecommendations, removeShown]) list.run(user);
        const number = users.numberOf(user);
        if (number === undefined || sums.missing() || !hasMany(prepare, number, manyDocuments)) return some();
        makeAnonymous(prepare, user);
        users.forget(number);
        return 0;
      });
      if (documents === removedAtOnce.directly) await inParts(removedAtOnce.directly, some);
      // Whatever was removed: the files may also name the user in what expired, or an earlier call has removed.
      await wipe(file);
      // What is left after a failure, the next forgetting or start removes.
      if (users.leaving() !== undefined) setImmediate(() => leave().catch(() => {}));
    },
    isLeaving: () => users.leaving() !== undefined,
    leave,
  };

  async function leave(): Promise<void> {
    if (users.leaving() === undefined) return;
    for (let number = users.leaving(); number !== undefined; number = users.leaving()) {
      const own = number;
      await inParts(removedAtOnce.leaving, () => removePart(own, removedAtOnce.leaving));
    }
    await wipe(file);
  }

  /** Removes at most so many rows of a user, and after the last of them the number; returns how many. */
  function removePart(number: number, most: number): number {
    const documents = removeSome(prepare, number, most, sums.begin());
    const rows = documents + (documents < most ? removePairWeeks(prepare, number, most - documents) : 0);
    if (rows < most) users.remove(number);
    return rows;
  }

  /** Repeats work that removes at most so many rows, until fewer are left. */
  async function inParts(most: number, some: () => number): Promise<void> {
    while (transaction(database, some) === most) await wait(pauseMs);
  }
}

/**
 * Makes the file of an empty search store that is to be filled from `total` events (refill.ts), with all facts that can
 * be read from the file `from`.
 */
export function emptySearch(file: string, total: number, from: string): void {
  const database = openDatabase(file, schema);
  keepSums(database);
  database.prepare('INSERT INTO filling VALUES (0, ?)').run(total);
  if (existsSync(from))
    transaction(database, () => {
      try {
        const lost = new DatabaseSync(from, { readOnly: true, timeout: 10_000 });
        const put = database.prepare(
          `INSERT INTO documents (kind, id, version, gone, user, repository, time, action, manifest, tag, digest, class, country, client,
             apart, uncertain)
           VALUES ('fact', ?, 0, 0, NULL, ?, ?, ?, ?, ?, ?, ?, '', '', ?, 0)`,
        );
        const facts = lost.prepare(
          "SELECT id, repository, time, action, manifest, tag, digest, class, apart FROM documents WHERE kind = 'fact'",
        );
        facts.setReturnArrays(true);
        for (const row of facts.iterate() as unknown as Iterable<SQLInputValue[]>) put.run(...row);
        lost.close();
      } catch {} // facts that can't be read are lost: an image that only forgotten users used may be listed as unused
    });
  database.exec('PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE');
  database.close();
}

/** A list for json_each. */
const listed = (weeks: number[]) => JSON.stringify(weeks);
/** SQLite sorts each text before any blob. */
const afterTexts = new Uint8Array();
/**
 * How many users' pulls are sorted at once, because rows lie by week and not by user. Forgetting waits for each of these
 * reads: the log can't be begun again before its end.
 */
const usersATime = 100;

/** How many documents are changed in one transaction, so that others can write in between. */
const expiredAtOnce = 2000;

type Row = Record<string, unknown>;

/** Moves the documents of a file of an older version, and fills its table of platforms. */
function moveOlderDocuments(database: DatabaseSync): void {
  fillPlatforms(database);
  moveOlder(database, olderDocuments);
}

/** Makes and fills the table of platforms in a file of an older version. */
function fillPlatforms(database: DatabaseSync): void {
  const has = (table: string) => database.prepare('SELECT 1 FROM sqlite_master WHERE name = ?').get(table);
  if (!has('manifests') || has('platforms')) return;
  transaction(database, () => {
    database.exec(platformTable);
    const put = database.prepare('INSERT OR IGNORE INTO platforms VALUES (?, ?)');
    for (const { doc } of database.prepare('SELECT doc FROM manifests').iterate()) {
      const info = JSON.parse(String(doc)) as ManifestInfo;
      for (const platform of platformsOf(info)) put.run(platform, info.digest);
    }
  });
}

/** SQLite takes a group's other columns from the row with the greatest time. */
function pullerOf({ tag, digest, class: kind, ...row }: Row): Puller {
  return {
    ...(row as Pick<Puller, 'user' | 'repository' | 'pulls' | 'lastPull' | 'client' | 'country'>),
    ...(tag ? { tag: String(tag) } : {}),
    ...(digest ? { digest: String(digest) } : {}),
    class: kind as PullClass,
  };
}

/** Returns a row without its empty columns. */
const filled = <T>(row: Row): T =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== '')) as T;

/** Counts for the start of an interval and a value of a field. */
interface Counted extends Counts {
  from: number | null;
  key: string;
  uncertain: number;
}

const countsIn = ({ pulls, raw, pushes, rawPushes }: Counts): Counts => ({ pulls, raw, pushes, rawPushes });
const byText = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
/** Pairs of a repository and a list of users, with what their last pull was of. */
const pairsOfUsers = `SELECT pair.user, pair.repository, pulls, lastPull, tag, digest, class, client, country FROM pairs pair
  CROSS JOIN ${documentsByRepository.rows} ON ${weekOfRow} = ${weekIn('lastPull')}
    AND documents.repository = pair.repository AND documents.user = (SELECT number FROM ${documentUsers.table} WHERE name = pair.user)
    AND time = lastPull AND ${pulls}
  WHERE pair.repository = ? AND pair.user IN (SELECT value FROM json_each(?)) GROUP BY pair.user`;

/** The condition that a repository belongs to a registry; none if all are meant. */
function ofRegistry(registry: string | undefined): [string, SQLInputValue][] {
  if (registry === undefined) return [];
  const prefix = prefixOf(registry);
  return [prefix ? ['instr(repository, ?) = 1', prefix] : ['instr(repository, ?) = 0', keyMark]];
}

/** The condition that a repository is not deleted. */
function present(deleted: string[]): { where: string; values: SQLInputValue[] } {
  if (deleted.length === 0) return { where: '', values: [] };
  return { where: 'AND repository NOT IN (SELECT value FROM json_each(?))', values: [JSON.stringify(deleted)] };
}

function filter({ repository, registry, user, from, to }: PullsQuery): { where: string; values: SQLInputValue[] } {
  const terms: [string, SQLInputValue | undefined][] = [
    Array.isArray(repository)
      ? ['repository IN (SELECT value FROM json_each(?))', JSON.stringify(repository)]
      : ['repository = ?', repository],
    ...ofRegistry(registry),
    [documentUsers.isNamed, user],
    ['time >= ?', from],
    ['time < ?', to],
  ];
  const given = terms.filter((term): term is [string, SQLInputValue] => term[1] !== undefined);
  return { where: given.map(([sql]) => `AND ${sql}`).join(' '), values: given.map(([, value]) => value) };
}

/** In the order of `columns`. */
function row(change: SearchChange): Cell[] {
  const { kind, id, version, doc } = change;
  if (!doc) return [kind, id, version, 1, '', '', 0, '', 0, null, null, '', '', '', 0, 0];
  const { action, manifest } =
    kind === 'event'
      ? { action: change.doc.action, manifest: change.doc.kind === 'manifest' }
      : { action: 'pull', manifest: false };
  const { user, repository, time, tag, digest, class: pullClass, country, client } = doc;
  return [
    kind,
    id,
    version,
    0,
    user,
    repository,
    time,
    action,
    manifest ? 1 : 0,
    tag ?? null,
    digest ?? null,
    pullClass,
    country,
    client,
    kind === 'event' && change.apart ? 1 : 0,
    kind === 'pull' && change.doc?.uncertain ? 1 : 0,
  ];
}

const byKind = (rows: Cell[][]) => new Map(rows.map((row) => [row[0], row]));

/** The document of a row of `columns`; undefined if it is gone. */
function docOfRow([kind, , , gone, ...doc]: Cell[]): Doc | undefined {
  return gone ? undefined : docOf([kind, ...doc]);
}
