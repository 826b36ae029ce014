// The sums that search reads. They are updated in the transaction that changes a document, so that the cost of a read
// depends on its result, not on the number of past pulls. Days are UTC days since 1970.
//
//   sums             a registry by day, in all (`field` '') and by each field; scopes are 'g REGISTRY'
//   repository_days  a repository by day, in all and, in one text, by each field (a row for each value would be half of
//                    all that a write costs, as most days have few pulls)
//   mixes            a user's repository by day, class, client and country (by week: sqlite/weeks.ts)
//   user_days        a user by day and registry (by week)
//   pairs            pulls of a repository by a named user: first, last, and the days that the catalogue counts: newest, how many
//   pair_weeks       the last pull of a pair in each week (by week): which users pulled a repository last; an index of
//                    `pairs` would be changed all over with each batch. Users are numbers, as in `documents`: their rows
//                    lie all over the index, so they leave with the documents of a forgotten user
//   user_classes     pulls of a named user by registry and class
//   users            what people's pages list, by registry and in all ('')
//   repositories     what repositories' pages list; `stamp` grows with what is known of its images
//   recent_pulls     a repository's pulls of its newest days (trend.ts)
//   image_facts      the newest of the events that say the same of an image
//
// Reading the catalogue costs as much as there are repositories. It counts days with pulls of `taughtClasses`:
//
//   popularity       a repository's users with such days, and their days
//   newest_days      a repository by day: how many users pulled it last on that day
//
// A file of an older version is summed in steps (`build`), in the order of its documents. A document written meanwhile
// is added at once if the steps have passed it; otherwise a later step finds it.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { NotSummed } from '#core/stores.ts';
import { transaction } from '../sqlite/sqlite.ts';
import { type Change, change, type Summing } from './change.ts';
import { docColumns, docOf } from './doc.ts';
import { recentPulls } from './trend.ts';

const numbers = 'pulls INTEGER, uncertain INTEGER, raw INTEGER, pushes INTEGER, rawPushes INTEGER';
const tables = `
  CREATE TABLE sums (scope TEXT, field TEXT, day INTEGER, key TEXT, ${numbers},
    PRIMARY KEY (scope, field, day, key)) WITHOUT ROWID;
  CREATE TABLE repository_days (repository TEXT, day INTEGER, ${numbers}, fields TEXT,
    PRIMARY KEY (repository, day)) WITHOUT ROWID;
  CREATE TABLE mixes (
    week INTEGER, user TEXT, repository TEXT, day INTEGER, class TEXT, client TEXT, country TEXT, ${numbers},
    PRIMARY KEY (week, user, repository, day, class, client, country)) WITHOUT ROWID;
  CREATE TABLE user_days (week INTEGER, user TEXT, day INTEGER, registry TEXT, ${numbers},
    PRIMARY KEY (week, user, day, registry)) WITHOUT ROWID;
  CREATE TABLE pairs (user TEXT, repository TEXT, pulls INTEGER, firstPull REAL, lastPull REAL, taughtDay INTEGER,
    taughtDays INTEGER, PRIMARY KEY (user, repository)) WITHOUT ROWID;
  CREATE TABLE pair_weeks (week INTEGER, user INTEGER, repository TEXT, lastPull REAL,
    PRIMARY KEY (week, user, repository)) WITHOUT ROWID;
  CREATE INDEX pair_weeks_newest ON pair_weeks (week, repository, lastPull DESC, user);
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
  ...['sums', 'repository_days', 'mixes', 'user_days', 'pairs', 'pair_weeks', 'user_classes', 'users', 'repositories'],
  ...['image_facts', 'popularity', 'newest_days', 'recent_pulls'],
];

/** A file with fewer steps is summed when it is opened. */
const stepsAtOnce = 5;

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

/**
 * Opens the sums of a database with `documents`: makes the tables, and sums a small file at once. `stepRows`: how many
 * documents are summed in one step.
 */
export function keepSums(database: DatabaseSync, stepRows = 4000): Sums {
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
    database.prepare("SELECT 1 FROM pragma_table_info('pair_weeks') WHERE name = 'user' AND type = 'INTEGER'").get() !==
    undefined;
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
  database.exec(`${fillingTable}; ${recentPulls}`);
  const left = missing();
  if (left && left.total - left.done < stepsAtOnce * stepRows) while (sums.build());
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
