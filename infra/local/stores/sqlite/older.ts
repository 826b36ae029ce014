// Moves rows of an older version, which have names of users instead of numbers (users.ts), to the tables of today.
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
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
    database.exec(schema);
  });
  for (const table of tables) while (transaction(database, () => moveSome(database, table, older)));
}

/**
 * Moves some rows, in the order of the older table's key; returns false once all are. What they leave free is used by the
 * next, so that the file hardly grows.
 */
function moveSome(database: DatabaseSync, name: string, { users, made = (_, column) => column }: OlderRows): boolean {
  const older = `older_${name}`;
  const sql = sqlOf(database, older);
  if (sql === undefined) return false;
  const key = /WITHOUT ROWID/.test(String(sql)) ? columnsOf(database, older, 'pk > 0 ORDER BY pk') : ['rowid'];
  const some = `FROM ${older} ORDER BY ${key} LIMIT ${movedAtOnce}`;
  database.exec(`INSERT OR IGNORE INTO ${users} (name) SELECT user FROM (SELECT user ${some})`);
  const held = columnsOf(database, older);
  const both = columnsOf(database, name).filter((column) => held.includes(column));
  const values = both.map((column) => (column === 'user' ? 'user_number' : made(name, column)));
  database.exec(
    `INSERT INTO ${name} (${both}) SELECT ${values} FROM (SELECT * ${some})
     CROSS JOIN (SELECT number AS user_number, name AS user_name FROM ${users}) ON user_name = user`,
  );
  const moved = database.prepare(`DELETE FROM ${older} WHERE (${key}) IN (SELECT ${key} ${some})`).run().changes;
  if (moved === 0) database.exec(`DROP TABLE ${older}`);
  return moved > 0;
}
