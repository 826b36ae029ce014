// The tables of events.db, and moving the rows of files of an older version to them: there rows had names of users
// instead of numbers, and lay in the order of users, ids or time.
import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { lists, transaction } from './sqlite/sqlite.ts';
import { usersTable } from './users.ts';

export const eventTables = `${usersTable}
  CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, user INTEGER, repository TEXT, time REAL, origin TEXT, doc TEXT);
  CREATE TABLE IF NOT EXISTS pulls (id TEXT, user INTEGER, repository TEXT, time REAL, doc TEXT);`;

type Table = 'events' | 'pulls';
const tables: Table[] = ['events', 'pulls'];
/** The columns after `user`. */
const columns = { events: 'repository, time, origin, doc', pulls: 'repository, time, doc' };
/** The smallest value of each column of a key. */
const least: Record<string, SQLInputValue> = { rowid: -1, id: '', user: '', repository: '', time: -Number.MAX_VALUE };
/** How many rows are moved in one transaction. */
const movedAtOnce = 20_000;

const has = (database: DatabaseSync, table: string) =>
  database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(table) !== undefined;

const isOlder = (database: DatabaseSync) =>
  (has(database, 'events') && !has(database, 'users')) || tables.some((table) => has(database, `older_${table}`));

/**
 * Moves the rows of an older version to the tables of today, which have no indices yet. If it is interrupted, the next
 * call goes on; several processes may do it at once. `shorter`: makes a `doc` of today from an object that has all
 * fields, names too, as the oldest versions stored it.
 */
export function moveOlderRows(database: DatabaseSync, shorter: Record<Table, (doc: string) => string>): void {
  if (!isOlder(database)) return;
  transaction(database, () => {
    // Another process may have done the same.
    if (has(database, 'users')) return;
    const indices = database.prepare(
      `SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('events', 'pulls')`,
    );
    for (const { name } of indices.all()) database.exec(`DROP INDEX ${name}`);
    for (const table of tables) database.exec(`ALTER TABLE ${table} RENAME TO older_${table}`);
    database.exec(`${eventTables} CREATE TABLE moved (name TEXT PRIMARY KEY, last TEXT)`);
  });
  for (const table of tables) {
    database.function(`shorter_${table}`, { deterministic: true }, (doc) => shorter[table](String(doc)));
    while (transaction(database, () => moveSome(database, table)));
  }
}

/** Moves some rows, in the order of the older table's key; returns false once all are. */
function moveSome(database: DatabaseSync, table: Table): boolean {
  const older = `older_${table}`;
  if (!has(database, older)) return false;
  const keys = database.prepare(`SELECT name FROM pragma_table_info('${older}') WHERE pk > 0 ORDER BY pk`).all();
  const key = keys.length === 0 ? ['rowid'] : keys.map(({ name }) => String(name));
  const last = database.prepare('SELECT last FROM moved WHERE name = ?').get(table)?.last;
  const after: SQLInputValue[] = last === undefined ? key.map((name) => least[name]) : JSON.parse(String(last));
  const some = `FROM ${older} WHERE (${key}) > (${key.map(() => '?')}) ORDER BY ${key} LIMIT ${movedAtOnce}`;
  const descending = key.map((name) => `${name} DESC`);
  const next = lists(database.prepare(`SELECT * FROM (SELECT ${key} ${some}) ORDER BY ${descending} LIMIT 1`));
  const end = next.get(...after);
  if (end === undefined) {
    database.exec(`DROP TABLE ${older}; DELETE FROM moved`);
    // Its keys have names.
    if (!tables.some((other) => has(database, `older_${other}`))) database.exec('DROP TABLE moved');
    return false;
  }
  database.prepare(`INSERT OR IGNORE INTO users (name) SELECT user FROM (SELECT user ${some})`).run(...after);
  const doc = `CASE WHEN doc LIKE '{%' THEN shorter_${table}(doc) ELSE doc END`;
  database
    .prepare(
      `INSERT INTO ${table} SELECT id, number, ${columns[table].replace('doc', doc)}
       FROM (SELECT * ${some}) CROSS JOIN users ON name = user`,
    )
    .run(...after);
  database.prepare('INSERT OR REPLACE INTO moved VALUES (?, ?)').run(table, JSON.stringify(end));
  return true;
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
