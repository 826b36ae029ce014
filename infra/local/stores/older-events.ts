// The tables of events.db in files of an older version, whose rows lie in the order of users or ids.
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { transaction } from './sqlite/sqlite.ts';

export const eventTables = `
  CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT);
  CREATE TABLE IF NOT EXISTS pulls (id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT);`;

const columns = { events: 'id, user, repository, time, origin, doc', pulls: 'id, user, repository, time, doc' };

const isOlder = (database: DatabaseSync) =>
  database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'events' AND sql LIKE '%WITHOUT ROWID%'").get() !==
  undefined;

/** Moves the rows to the tables of today, in one transaction: about 15 s for a million events. */
export function moveOlderRows(database: DatabaseSync): void {
  if (!isOlder(database)) return;
  transaction(database, () => {
    // Another process may have done the same.
    if (!isOlder(database)) return;
    for (const name of Object.keys(columns)) database.exec(`ALTER TABLE ${name} RENAME TO older_${name}`);
    database.exec(eventTables);
    for (const [name, list] of Object.entries(columns))
      database.exec(`INSERT INTO ${name} SELECT ${list} FROM older_${name} ORDER BY time; DROP TABLE older_${name}`);
  });
}

/** Whether opening a file moves its rows. */
export function hasOlderRows(file: string): boolean {
  if (!existsSync(file)) return false;
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const is = isOlder(database);
    database.close();
    return is;
  } catch {
    // Opening it reports what is wrong.
    return false;
  }
}
