// The tables of events.db, and moving the rows of an older version to them.
import type { DatabaseSync } from 'node:sqlite';
import { moveOlder, type OlderRows } from './sqlite/older.ts';
import { usersIn } from './users.ts';

export const eventUsers = usersIn('users');
const tables = ['events', 'pulls'] as const;
export const eventTables = `${eventUsers.schema}
  CREATE TABLE IF NOT EXISTS events (
    id TEXT NOT NULL, user INTEGER, repository TEXT, time REAL, origin TEXT, doc TEXT);
  CREATE TABLE IF NOT EXISTS pulls (id TEXT, user INTEGER, repository TEXT, time REAL, doc TEXT);`;
export const olderEvents: OlderRows = { users: eventUsers.table, schema: eventTables, tables };

/**
 * Moves the rows of an older version. `shorter`: makes a `doc` of today from an object that has all fields, names too, as
 * the oldest versions stored it.
 */
export function moveOlderEvents(
  database: DatabaseSync,
  shorter: Record<(typeof tables)[number], (doc: string) => string>,
): void {
  for (const table of tables)
    database.function(`shorter_${table}`, { deterministic: true }, (doc) => shorter[table](String(doc)));
  const doc = (table: string) => `CASE WHEN doc LIKE '{%' THEN shorter_${table}(doc) ELSE doc END`;
  moveOlder(database, { ...olderEvents, made: (table, column) => (column === 'doc' ? doc(table) : column) });
}
