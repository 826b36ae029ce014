// Moves rows of an older version, which have names of users instead of numbers (users.ts), to the tables of today.
import { existsSync } from 'node:fs';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { lists, transaction } from './sqlite.ts';

export interface OlderRows {
  /** The table of users: a file without it is older. */
  users: string;
  /** Makes the tables of today, without indices. */
  schema: string;
  tables: readonly string[];
  /** What a column of a table is made from, in SQL; default: the column itself. */
  made?: (table: string, column: string) => string;
}

/** The smallest value of each column of a key. */
const least: Record<string, SQLInputValue> = {
  ...{ rowid: -1, kind: '', id: '', user: '', repository: '', time: -Number.MAX_VALUE },
};
/** How many rows are moved in one transaction. */
const movedAtOnce = 20_000;

const sqlOf = (database: DatabaseSync, table: string) =>
  database.prepare("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?").get(table)?.sql;
const columnsOf = (database: DatabaseSync, table: string, where = 'true') =>
  lists<[string]>(database.prepare(`SELECT name FROM pragma_table_info('${table}') WHERE ${where}`))
    .all()
    .map(([name]) => name);

/** Whether opening a file moves rows. */
export function hasOlderRows(file: string, older: OlderRows): boolean {
  if (!existsSync(file)) return false;
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 10_000 });
    const is = hasOlder(database, older);
    database.close();
    return is;
  } catch {
    // Opening it reports what is wrong.
    return false;
  }
}

function hasOlder(database: DatabaseSync, { users, tables }: OlderRows): boolean {
  const has = (table: string) => sqlOf(database, table) !== undefined;
  return (has(tables[0]) && !has(users)) || tables.some((table) => has(`older_${table}`));
}

/** Moves all rows. If it is interrupted, the next call goes on; several processes may do it at once. */
export function moveOlder(database: DatabaseSync, older: OlderRows): void {
  if (!hasOlder(database, older)) return;
  const { users, schema, tables } = older;
  transaction(database, () => {
    // Another process may have done the same.
    if (sqlOf(database, users) !== undefined) return;
    for (const table of tables) {
      const indices = database.prepare(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = ?",
      );
      for (const { name } of indices.all(table)) database.exec(`DROP INDEX ${name}`);
      database.exec(`ALTER TABLE ${table} RENAME TO older_${table}`);
    }
    database.exec(`${schema} CREATE TABLE moved (name TEXT PRIMARY KEY, last TEXT)`);
  });
  for (const table of tables) while (transaction(database, () => moveSome(database, table, older)));
}

/** Moves some rows, in the order of the older table's key; returns false once all are. */
function moveSome(
  database: DatabaseSync,
  name: string,
  { users, tables, made = (_, column) => column }: OlderRows,
): boolean {
  const older = `older_${name}`;
  const sql = sqlOf(database, older);
  if (sql === undefined) return false;
  const key = /WITHOUT ROWID/.test(String(sql)) ? columnsOf(database, older, 'pk > 0 ORDER BY pk') : ['rowid'];
  const last = database.prepare('SELECT last FROM moved WHERE name = ?').get(name)?.last;
  const after: SQLInputValue[] = last === undefined ? key.map((column) => least[column]) : JSON.parse(String(last));
  const some = `FROM ${older} WHERE (${key}) > (${key.map(() => '?')}) ORDER BY ${key} LIMIT ${movedAtOnce}`;
  const descending = key.map((column) => `${column} DESC`);
  const end = lists(database.prepare(`SELECT * FROM (SELECT ${key} ${some}) ORDER BY ${descending} LIMIT 1`)).get(
    ...after,
  );
  if (end === undefined) {
    database.exec(`DROP TABLE ${older}; DELETE FROM moved`);
    // Its keys have names.
    if (!tables.some((table) => sqlOf(database, `older_${table}`))) database.exec('DROP TABLE moved');
    return false;
  }
  database.prepare(`INSERT OR IGNORE INTO ${users} (name) SELECT user FROM (SELECT user ${some})`).run(...after);
  const held = columnsOf(database, older);
  const both = columnsOf(database, name).filter((column) => held.includes(column));
  const values = both.map((column) => (column === 'user' ? 'user_number' : made(name, column)));
  database
    .prepare(
      `INSERT INTO ${name} (${both}) SELECT ${values} FROM (SELECT * ${some})
       CROSS JOIN (SELECT number AS user_number, name AS user_name FROM ${users}) ON user_name = user`,
    )
    .run(...after);
  database.prepare('INSERT OR REPLACE INTO moved VALUES (?, ?)').run(name, JSON.stringify(end));
  return true;
}
