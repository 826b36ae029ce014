import { hash } from 'node:crypto';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { Action, PullClass } from '#core/event.ts';
import { clockSlackMs } from '#core/registry/image-graph.ts';
import { type ManifestInfo, manifestsIn, platformsOf, type RepositoryImages, toldOf } from '#core/registry/images.ts';
import { keyMark, prefixOf } from '#core/registry/name.ts';
import { type ImageChange, type ImagePulls, usingClasses } from '#core/registry/outdated.ts';
import { withOthers } from '#core/registry/pullers.ts';
import { imagesIn, isDeleted, oldestUnused } from '#core/registry/unused.ts';
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
  weakKinds,
} from '#core/stores.ts';
import { keepDays } from './pull-days.ts';
import { groupCommit, openDatabase, removeOld, transaction } from './sqlite.ts';
import { wiper } from './wipe.ts';

// One table for all documents: an `event` is a raw registry event, a `pull` one person's one act, and a `fact` what stays of
// a forgotten user's events: that an image was pushed, pulled or deleted then, and nothing of whom.
// `name` columns are folded to lower case, because SQLite folds ASCII only.
const pushes = "kind = 'event' AND action = 'push' AND manifest = 1";
const isOfImage = "kind IN ('event', 'fact')";
const deletes = `${isOfImage} AND action = 'delete'`;
const changed = `${isOfImage} AND (action = 'delete' OR action = 'push' AND manifest = 1)`;
// What the images of a repository are derived from.
const imageFact = `${isOfImage} AND (manifest = 1 OR action = 'delete')`;
const used = usingClasses.map((name) => `'${name}'`).join();
const weak = weakKinds.map((name) => `'${name}'`).join();
const schema = `
  CREATE TABLE IF NOT EXISTS documents (
    kind TEXT, id TEXT, version INTEGER, gone INTEGER,
    user TEXT, userName TEXT, repository TEXT, repositoryName TEXT, time REAL, action TEXT, manifest INTEGER,
    tag TEXT, digest TEXT, class TEXT, country TEXT, client TEXT, apart INTEGER, uncertain INTEGER,
    PRIMARY KEY (kind, id)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS manifests (
    repository TEXT, digest TEXT, told INTEGER, doc TEXT, PRIMARY KEY (repository, digest)) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS platforms (
    platform TEXT, digest TEXT, PRIMARY KEY (platform, digest)) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS documents_user ON documents (kind, user, repository, time);
  CREATE INDEX IF NOT EXISTS documents_repository ON documents (kind, repository, time);
  CREATE INDEX IF NOT EXISTS documents_digest ON documents (kind, digest) WHERE digest IS NOT NULL;
  CREATE INDEX IF NOT EXISTS documents_pushed ON documents (user, repository) WHERE ${pushes};
  DROP INDEX IF EXISTS documents_deleted;
  DROP INDEX IF EXISTS documents_changes;
  CREATE INDEX IF NOT EXISTS image_deletes ON documents (repository, time) WHERE ${deletes};
  CREATE INDEX IF NOT EXISTS image_changes ON documents (repository, action, tag, digest, time) WHERE ${changed};
  CREATE TABLE IF NOT EXISTS recommendations (user TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS shown (user TEXT PRIMARY KEY, doc TEXT) WITHOUT ROWID;`;
/** All that unused images are derived from, in the order that it is read in. Its columns may be newer than the file. */
const imageIndex = `CREATE INDEX IF NOT EXISTS documents_images
  ON documents (repository, action, digest, tag, class, apart, time) WHERE ${imageFact}`;

const pulls = "kind = 'pull' AND gone = 0";
// Raw counts: distinct manifest events, GET and HEAD alike; documents are one an id already.
const raw = "kind = 'event' AND action = 'pull' AND manifest = 1";
// A document that an older version wrote has no `apart`.
const counts = `SUM(${pulls}) AS pulls, SUM(${raw}) AS raw, SUM(${pushes} AND apart IS NOT 1) AS pushes,
  SUM(${pushes}) AS rawPushes`;

/** Start of the bucket a time falls in, milliseconds. Weeks begin on Monday (1970-01-01 was a Thursday). */
const bucketStart = {
  day: 'CAST(time / 86400000 AS INTEGER) * 86400000',
  week: '(CAST((time / 86400000 + 3) / 7 AS INTEGER) * 7 - 3) * 86400000',
  month: "CAST(strftime('%s', time / 1000, 'unixepoch', 'start of month') AS INTEGER) * 1000",
};

const dayMs = 86_400_000;
const markAt = `instr(repositoryName, '${keyMark}')`;
const bareName = `substr(repositoryName, iif(${markAt} = 0, 1, ${markAt} + ${keyMark.length}))`;

/** The search store over SQLite: the queries of SearchStore, exact. */
export function openSearch(file: string): SearchStore {
  const database = openDatabase(file, schema, { documents: { apart: 'INTEGER', uncertain: 'INTEGER' } });
  database.exec(imageIndex);
  keepDays(database);
  fillPlatforms(database);
  const commit = groupCommit(database);
  const wiped = wiper(file);
  const put = database.prepare(
    `INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (kind, id) DO UPDATE SET
       version = excluded.version, gone = excluded.gone, user = excluded.user, userName = excluded.userName,
       repository = excluded.repository, repositoryName = excluded.repositoryName, time = excluded.time,
       action = excluded.action, manifest = excluded.manifest, tag = excluded.tag, digest = excluded.digest,
       class = excluded.class, country = excluded.country, client = excluded.client, apart = excluded.apart,
       uncertain = excluded.uncertain
     WHERE excluded.version >= documents.version`,
  );
  const putManifest = database.prepare(
    `INSERT INTO manifests VALUES (?, ?, ?, ?) ON CONFLICT (repository, digest) DO UPDATE SET
       told = excluded.told, doc = excluded.doc WHERE excluded.told > manifests.told`,
  );
  const putPlatform = database.prepare('INSERT OR IGNORE INTO platforms VALUES (?, ?)');
  const putRecommendations = database.prepare('INSERT OR REPLACE INTO recommendations VALUES (?, ?)');
  const removeRecommendations = database.prepare('DELETE FROM recommendations WHERE user = ?');
  const recommendationsOf = database.prepare('SELECT doc FROM recommendations WHERE user = ?');
  // Without statistics SQLite would look through all pulls.
  const putShown = database.prepare(
    `INSERT INTO shown SELECT ?1, ?2
     WHERE EXISTS (SELECT 1 FROM documents INDEXED BY documents_user WHERE ${pulls} AND user = ?1)
     ON CONFLICT DO UPDATE SET doc = excluded.doc`,
  );
  const removeShown = database.prepare('DELETE FROM shown WHERE user = ?');
  const shownTo = database.prepare('SELECT doc FROM shown WHERE user = ?');

  const pushedBy = database.prepare(
    `SELECT DISTINCT repository FROM documents INDEXED BY documents_pushed
     WHERE ${pushes} AND user = ? ORDER BY repository`,
  );

  const rows = <T>(sql: string, ...values: SQLInputValue[]): T[] => database.prepare(sql).all(...values) as T[];
  const repositoryRows = (where: string, order: string, values: SQLInputValue[], limit: number) =>
    rows<RepositoryRow>(
      `SELECT repository, SUM(${pulls}) AS pulls, SUM(${raw}) AS raw,
         COUNT(DISTINCT CASE WHEN ${pulls} AND user <> '' THEN user END) AS pulledBy,
         COALESCE(MAX(CASE WHEN ${pulls} THEN time END), 0) AS lastPull
       FROM documents WHERE gone = 0 AND (kind = 'pull' OR (kind = 'event' AND manifest = 1)) ${where}
       GROUP BY repository ORDER BY ${order} LIMIT ?`,
      ...values,
      limit,
    );

  /** Returns what is known of the images of one repository, or of all, sorted by name. */
  function* images(only?: string): Iterable<RepositoryImages> {
    const [where, values] = only === undefined ? ['', []] : ['AND repository = ?', [only]];
    const facts = database.prepare(
      `SELECT repository, action, digest, tag, class, apart, MAX(time) FROM documents INDEXED BY documents_images
       WHERE ${imageFact} ${where} GROUP BY repository, action, digest, tag, class, apart`,
    );
    facts.setReturnArrays(true);
    const manifests = database.prepare('SELECT doc FROM manifests WHERE repository = ?');
    let open: RepositoryImages | undefined;
    for (const row of facts.iterate(...values)) {
      const [repository, action, digest, tag, kind, apart, time] = row as unknown as SQLInputValue[];
      if (open?.repository !== repository) {
        if (open) yield open;
        const infos = manifests.all(repository).map(({ doc }) => JSON.parse(String(doc)) as ManifestInfo);
        open = { repository: String(repository), facts: [], manifests: infos };
      }
      open.facts.push({
        ...{ action: action as Action, class: kind as PullClass, apart: apart === 1, time: Number(time) },
        ...(digest ? { digest: String(digest) } : {}),
        ...(tag ? { tag: String(tag) } : {}),
      });
    }
    if (open) yield open;
  }

  function deleted(): string[] {
    // A look at the newest of each repository leaves few to be read whole.
    const last = (where: string) =>
      `(SELECT MAX(time) FROM documents e WHERE e.kind IN ('event', 'fact') AND e.repository = d.repository AND ${where})`;
    const quiet = rows<{ repository: string }>(
      `SELECT repository FROM (SELECT repository, MAX(time) AS at FROM documents INDEXED BY image_deletes
         WHERE ${deletes} GROUP BY repository) d
       WHERE NOT COALESCE(${last("e.time > d.at AND e.action = 'push'")}, 0)
         AND NOT COALESCE(${last(`e.time > d.at + ${clockSlackMs} AND e.action = 'pull'`)}, 0)
       ORDER BY repository`,
    );
    return quiet.map(({ repository }) => repository).filter((repository) => [...images(repository)].some(isDeleted));
  }

  return {
    async write(changes) {
      await commit(() => {
        for (const change of changes) put.run(...row(change));
        for (const [repository, info] of manifestsIn(
          changes.flatMap(({ kind, doc }) => (kind === 'event' ? [doc] : [])),
        )) {
          putManifest.run(repository, info.digest, toldOf(info), JSON.stringify(info));
          for (const platform of platformsOf(info)) putPlatform.run(platform, info.digest);
        }
      });
    },
    async users({ search = '', registry, kind, sort, limit, now }) {
      const own = filter({ registry });
      const order = { recent: 'lastPull DESC', pulls: 'pulls DESC', new: 'firstPull DESC', name: 'user' }[sort];
      const found = rows<Omit<UserRow, 'days'>>(
        `SELECT user, substr(MAX(printf('%012d', CASE WHEN class IN (${weak}) THEN 0 ELSE pulls END) || class), 13) AS kind,
           SUM(pulls) AS pulls, MIN(firstPull) AS firstPull, MAX(lastPull) AS lastPull
         FROM (SELECT user, class, COUNT(*) AS pulls, MIN(time) AS firstPull, MAX(time) AS lastPull FROM documents
           WHERE ${pulls} AND user <> '' AND instr(userName, ?) > 0 ${own.where} GROUP BY user, class)
         GROUP BY user HAVING ? IS NULL OR kind = ? ORDER BY ${order}, user LIMIT ?`,
        ...[search.toLowerCase(), ...own.values, kind ?? null, kind ?? null, limit],
      );
      const first = Math.floor(now / dayMs) - sparkDays + 1;
      const days = new Map(found.map(({ user }) => [user, new Array<number>(sparkDays).fill(0)]));
      for (const { user, day, count } of rows<{ user: string; day: number; count: number }>(
        `SELECT user, CAST(time / 86400000 AS INTEGER) - ? AS day, COUNT(*) AS count FROM documents INDEXED BY documents_user
         WHERE ${pulls} AND user IN (SELECT value FROM json_each(?)) AND time >= ? ${own.where}
         GROUP BY user, day HAVING day < ${sparkDays}`,
        ...[first, JSON.stringify([...days.keys()]), first * dayMs, ...own.values],
      ))
        days.get(user)![day] = count;
      return found.map((row) => ({ ...row, days: days.get(row.user)! }));
    },
    async repositories({ sort, search = '', registry, limit, now, halfLifeMs }) {
      const order = {
        popular: 'pulls DESC, repository',
        // A document without a pull weighs nothing; a pull's weight halves with every half-life.
        trending: `SUM(CASE WHEN ${pulls} THEN pow(0.5, max(0, ${now} - time) / ${halfLifeMs}.0) ELSE 0 END) DESC, repository`,
        name: 'repository',
      }[sort];
      const { where, values } = present(deleted());
      const own = filter({ registry });
      return repositoryRows(
        `AND instr(${bareName}, ?) > 0 ${where} ${own.where}`,
        order,
        [search.toLowerCase(), ...values, ...own.values],
        limit,
      );
    },
    async catalogue({ now, halfLifeMs }) {
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
      return rows<PulledDays>(
        `SELECT repository, COUNT(*) AS days FROM pull_days WHERE user = ?
         GROUP BY repository ORDER BY MAX(day) DESC, repository LIMIT ?`,
        user,
        limit,
      );
    },
    async pushed(user) {
      return pushedBy.all(user).map(({ repository }) => String(repository));
    },
    async counts(query) {
      const { where, values } = filter(query);
      const from = `FROM documents WHERE gone = 0 ${where}`;
      const [{ uncertain, ...sums }] = rows<Counts & { uncertain: number }>(
        `SELECT ${counts}, SUM(${pulls} AND uncertain IS 1) AS uncertain ${from}`,
        ...values,
      );
      const total = { total: exact(sums), uncertain: uncertain ?? 0 };
      const group = [
        ...(query.interval ? [`${bucketStart[query.interval]} AS "from"`] : []),
        ...(query.by ? [`COALESCE(${query.by}, '') AS "key"`] : []),
      ];
      if (group.length === 0) return { ...total, buckets: [] };
      const names = group.map((_, index) => index + 1).join();
      const buckets = rows<{ from?: number; key?: string } & Counts>(
        `SELECT ${group.join()}, ${counts} ${from} GROUP BY ${names} HAVING pulls + raw + rawPushes > 0 ORDER BY ${names}`,
        ...values,
      );
      return { ...total, buckets: buckets.map((bucket) => ({ ...bucket })) };
    },
    async pullers({ digest, limit, ...query }) {
      const { where, values } = filter(query);
      const read = (what: string, ...more: SQLInputValue[]) =>
        rows<Row>(
          `SELECT user, repository, COUNT(*) AS pulls, MAX(time) AS lastPull, tag, digest, class, client, country
           FROM documents WHERE user <> '' ${where} AND ${what}
           GROUP BY user, repository ORDER BY lastPull DESC, user, repository LIMIT ?`,
          ...values,
          ...more,
          limit,
        ).map(pullerOf);
      if (digest === undefined) return read(pulls);
      const related = rows<{ digest: string }>(
        'SELECT digest FROM platforms WHERE platform = ?1 UNION SELECT platform FROM platforms WHERE digest = ?1',
        digest,
      ).map((row) => row.digest);
      const pulled = read(
        `${pulls} AND digest IN (SELECT value FROM json_each(?))`,
        JSON.stringify([digest, ...related]),
      );
      // Fetched with something of which we don't know what it names.
      return withOthers(pulled, read(`${raw} AND apart IS NOT 1 AND digest = ?`, digest), limit);
    },
    unused: (query) => oldestUnused(imagesIn(images(), query.registry), query),
    images: async ({ repository }) =>
      [repository]
        .flat()
        .sort()
        .flatMap((one) => [...images(one)]),
    deleted: async () => deleted(),
    async imageUse(query) {
      const names =
        'repository' in query
          ? [query.repository].flat()
          : rows<{ repository: string }>(
              `SELECT repository FROM documents WHERE ${pulls} AND user = ? AND time >= ? AND class IN (${used})
               GROUP BY repository ORDER BY MAX(time) DESC, repository LIMIT ?`,
              ...[query.user, query.from, mostRepositories],
            ).map(({ repository }) => repository);
      const among = 'repository IN (SELECT value FROM json_each(?))';
      return {
        pulls: rows<Row>(
          `SELECT user, repository, class, tag, digest, MIN(time) AS firstPull, MAX(time) AS lastPull
           FROM documents INDEXED BY documents_repository WHERE ${pulls} AND ${among} AND time >= ? AND user <> '' AND class IN (${used})
           GROUP BY user, repository, class, tag, digest`,
          ...[JSON.stringify(names), query.from],
        ).map((row) => filled<ImagePulls>(row)),
        changes: rows<Row>(
          `SELECT repository, action, tag, digest, MAX(time) AS last FROM documents INDEXED BY image_changes
           WHERE ${changed} AND ${among} GROUP BY repository, action, tag, digest`,
          JSON.stringify(names),
        ).map((row) => filled<ImageChange>(row)),
      };
    },
    async *pairs({ from = -Infinity, to = Infinity, classes, repositoryPrefix = '' }) {
      yield* database
        .prepare(
          `SELECT user, repository, COUNT(*) AS pulls, COUNT(DISTINCT CAST(time / 86400000 AS INTEGER)) AS days,
             MIN(time) AS firstPull, MAX(time) AS lastPull FROM documents
           WHERE ${pulls} AND user <> '' AND time >= ? AND time < ? AND substr(repository, 1, ?) = ?
             AND class IN (${classes.map(() => '?').join()})
           GROUP BY user, repository ORDER BY user, repository`,
        )
        .iterate(from, to, [...repositoryPrefix].length, repositoryPrefix, ...classes) as unknown as Iterable<Pair>;
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
      transaction(database, () => {
        for (const list of lists)
          if (list.items.length > 0) putShown.run(list.user, JSON.stringify(list));
          else removeShown.run(list.user);
      });
    },
    async *allShown() {
      for (const { doc } of database.prepare('SELECT doc FROM shown ORDER BY user').iterate())
        yield JSON.parse(String(doc)) as ShownList;
    },
    // A removed pull's row stays: it keeps late writers out, and names nobody.
    expire: (before) => removeOld(database, 'documents', 'kind, id', before, 'AND gone = 0'),
    async forget(user) {
      await wiped(forgetUser(database, user) > 0);
    },
  };
}

/** Returns how many rows were deleted. What is known of images stays, without whom. */
function forgetUser(database: DatabaseSync, user: string): number {
  return transaction(database, () => {
    const facts = database.prepare(
      `SELECT repository, action, manifest, digest, tag, class, apart, MAX(time) AS time FROM documents
       INDEXED BY documents_user WHERE kind = 'event' AND user = ? AND (manifest = 1 OR action = 'delete')
       GROUP BY repository, action, manifest, digest, tag, class, apart`,
    );
    const put = database.prepare(
      `INSERT INTO documents (kind, id, version, gone, user, userName, repository, repositoryName, time, action, manifest,
         tag, digest, class, country, client, apart, uncertain)
       VALUES ('fact', ?, 0, 0, '', '', ?, ?, ?, ?, ?, ?, ?, ?, '', '', ?, 0)
       ON CONFLICT (kind, id) DO UPDATE SET time = excluded.time WHERE excluded.time > documents.time`,
    );
    for (const { repository, action, manifest, digest, tag, class: kind, apart, time } of facts.all(user)) {
      const id = hash('sha256', JSON.stringify([repository, action, digest, tag, kind, apart]), 'base64url');
      put.run(id, repository, String(repository).toLowerCase(), time, action, manifest, tag, digest, kind, apart);
    }
    return ['documents', 'recommendations', 'shown']
      .map((table) => Number(database.prepare(`DELETE FROM ${table} WHERE user = ?`).run(user).changes))
      .reduce((sum, rows) => sum + rows);
  });
}

type Row = Record<string, unknown>;

/** Fills the platforms of a file that an older version wrote. */
function fillPlatforms(database: DatabaseSync): void {
  if (database.prepare('SELECT 1 FROM platforms LIMIT 1').get()) return;
  transaction(database, () => {
    const put = database.prepare('INSERT OR IGNORE INTO platforms VALUES (?, ?)');
    for (const { doc } of database.prepare('SELECT doc FROM manifests').iterate()) {
      const info = JSON.parse(String(doc)) as ManifestInfo;
      for (const platform of platformsOf(info)) put.run(platform, info.digest);
    }
  });
}

/** SQLite takes the other columns of a group from its row with the greatest time. */
function pullerOf({ tag, digest, class: kind, ...row }: Row): Puller {
  return {
    ...(row as Pick<Puller, 'user' | 'repository' | 'pulls' | 'lastPull' | 'client' | 'country'>),
    ...(tag ? { tag: String(tag) } : {}),
    ...(digest ? { digest: String(digest) } : {}),
    class: kind as PullClass,
  };
}

/** A row without its empty columns. */
const filled = <T>(row: Row): T =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null && value !== '')) as T;

/** Sums over no rows are NULL in SQL; here they are 0. */
const exact = ({ pulls, raw, pushes, rawPushes }: Counts): Counts => ({
  ...{ pulls: pulls ?? 0, raw: raw ?? 0, pushes: pushes ?? 0, rawPushes: rawPushes ?? 0 },
});

/** The condition that a repository is a registry's; none without one. */
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
    ['user = ?', user],
    ['time >= ?', from],
    ['time < ?', to],
  ];
  const given = terms.filter((term): term is [string, SQLInputValue] => term[1] !== undefined);
  return { where: given.map(([sql]) => `AND ${sql}`).join(' '), values: given.map(([, value]) => value) };
}

function row(change: SearchChange): SQLInputValue[] {
  const { kind, id, version, doc } = change;
  if (!doc) return [kind, id, version, 1, '', '', '', '', 0, '', 0, null, null, '', '', '', 0, 0];
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
    user.toLowerCase(),
    repository,
    repository.toLowerCase(),
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
