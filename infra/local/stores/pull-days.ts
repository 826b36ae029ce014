// Who pulled what on which days, kept up to date by triggers on the documents, so that the catalogue is read from sums: its
// reading costs what there are repositories, however many pulls there were.
//
//   pull_days     one row a user, repository and UTC day with a pull that teaches
//   popularity    of each repository: how many users, and how many such rows
//   newest_days   of each repository and day: how many users pulled it last on that day
import type { DatabaseSync } from 'node:sqlite';
import { taughtClasses } from '#core/event.ts';
import { transaction } from './sqlite.ts';

const classes = taughtClasses.map((name) => `'${name}'`).join();
/** The condition that a document is such a pull. */
const taught = (row: string) =>
  `${row}.kind = 'pull' AND ${row}.gone = 0 AND ${row}.user <> '' AND ${row}.class IN (${classes})`;
const dayOf = (row: string) => `CAST(${row}.time / 86400000 AS INTEGER)`;
// Not OR IGNORE: inside a trigger the policy of the statement that fired it would take its place.
const add = (row: string) =>
  `INSERT INTO pull_days SELECT ${row}.user, ${row}.repository, ${dayOf(row)} WHERE ${taught(row)} ON CONFLICT DO NOTHING;`;
/** Another pull of that day may be left. */
const remove = `
  DELETE FROM pull_days WHERE ${taught('OLD')} AND user = OLD.user AND repository = OLD.repository AND day = ${dayOf('OLD')}
    AND NOT EXISTS (SELECT 1 FROM documents AS other WHERE ${taught('other')} AND other.user = OLD.user
      AND other.repository = OLD.repository AND ${dayOf('other')} = ${dayOf('OLD')}
      AND other.time >= ${dayOf('OLD')} * 86400000 AND other.time < (${dayOf('OLD')} + 1) * 86400000);`;
const own = (row: string, which: string) =>
  `pull_days WHERE user = ${row}.user AND repository = ${row}.repository AND day ${which} ${row}.day`;

const tables = `
  CREATE TABLE pull_days (user TEXT, repository TEXT, day INTEGER, PRIMARY KEY (user, repository, day)) WITHOUT ROWID;
  CREATE TABLE popularity (repository TEXT PRIMARY KEY, people INTEGER, days INTEGER) WITHOUT ROWID;
  CREATE TABLE newest_days (
    day INTEGER, repository TEXT, people INTEGER, PRIMARY KEY (day, repository)) WITHOUT ROWID;`;

/** What an older version stored. */
const fill = `
  INSERT INTO pull_days SELECT DISTINCT user, repository, ${dayOf('documents')} AS day FROM documents
    WHERE ${taught('documents')} ORDER BY user, repository, day;
  INSERT INTO popularity SELECT repository, COUNT(DISTINCT user), COUNT(*) FROM pull_days GROUP BY repository;
  INSERT INTO newest_days SELECT day, repository, COUNT(*)
    FROM (SELECT repository, MAX(day) AS day FROM pull_days GROUP BY user, repository) GROUP BY day, repository;
  DROP INDEX IF EXISTS documents_taught;`;

const triggers = `
  CREATE TRIGGER documents_added AFTER INSERT ON documents WHEN ${taught('NEW')} BEGIN ${add('NEW')} END;
  CREATE TRIGGER documents_changed AFTER UPDATE ON documents WHEN OLD.kind = 'pull'
    AND (OLD.gone, OLD.user, OLD.repository, OLD.class, OLD.time)
      IS NOT (NEW.gone, NEW.user, NEW.repository, NEW.class, NEW.time) BEGIN ${remove} ${add('NEW')} END;
  CREATE TRIGGER documents_removed AFTER DELETE ON documents WHEN ${taught('OLD')} BEGIN ${remove} END;
  CREATE TRIGGER day_added AFTER INSERT ON pull_days BEGIN
    INSERT INTO popularity VALUES (NEW.repository, NOT EXISTS (SELECT 1 FROM ${own('NEW', '<>')}), 1)
      ON CONFLICT DO UPDATE SET people = people + excluded.people, days = days + 1;
    UPDATE newest_days SET people = people - 1 WHERE repository = NEW.repository
      AND day = (SELECT MAX(day) FROM ${own('NEW', '<')}) AND NOT EXISTS (SELECT 1 FROM ${own('NEW', '>')});
    INSERT INTO newest_days SELECT NEW.day, NEW.repository, 1 WHERE NOT EXISTS (SELECT 1 FROM ${own('NEW', '>')})
      ON CONFLICT DO UPDATE SET people = people + 1;
  END;
  CREATE TRIGGER day_removed AFTER DELETE ON pull_days BEGIN
    UPDATE popularity SET people = people - NOT EXISTS (SELECT 1 FROM ${own('OLD', '<>')}), days = days - 1
      WHERE repository = OLD.repository;
    UPDATE newest_days SET people = people - 1
      WHERE day = OLD.day AND repository = OLD.repository AND NOT EXISTS (SELECT 1 FROM ${own('OLD', '>')});
    INSERT INTO newest_days SELECT MAX(day), repository, 1 FROM ${own('OLD', '<')}
      AND NOT EXISTS (SELECT 1 FROM ${own('OLD', '>')}) GROUP BY repository
      ON CONFLICT DO UPDATE SET people = people + 1;
  END;`;

/** Makes the tables and triggers in a database that lacks them, and fills them from its documents. */
export function keepDays(database: DatabaseSync): void {
  const there = () => database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'day_removed'").get() !== undefined;
  if (there()) return;
  // Another thread may do the same: looked at again under the lock.
  transaction(database, () => {
    if (!there()) for (const script of [tables, fill, triggers]) database.exec(script);
  });
}
