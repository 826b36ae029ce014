// Users by number. The rows of a user lie all over events.db and search.db, so they have a number, and only one row has
// the name: forgetting takes the name away, whatever the number of rows. From then on nothing finds them, and nothing
// says whose they were. The rows then leave in the background; the same name gets another number.
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { lists, pauseMs, transaction } from './sqlite/sqlite.ts';
import { type ByWeek, weeksOf } from './sqlite/weeks.ts';

/** How many users are looked at in one transaction. */
const usersAtOnce = 2000;

export interface Users {
  numberOf(name: string): number | undefined;
  nameOf(number: number): string | undefined;
  /** Returns a function that gives users numbers within one write transaction. */
  giving(): (name: string) => number;
  /** The first user whose number is at least this. */
  from(number: number): [number: number, name: string] | undefined;
  /** Takes the name away, within a transaction. */
  forget(number: number): void;
  /** A number whose rows are leaving. */
  leaving(): number | undefined;
  /** Removes a number whose rows have left, within a transaction. */
  remove(number: number): void;
}

/** The names and numbers in a table of a database; the rows of users have the number in their column `user`. */
export const usersIn = (table: string) => ({
  table,
  /** `name`: NULL while the rows of a forgotten user leave. A number is never given again. */
  schema: `CREATE TABLE IF NOT EXISTS ${table} (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);`,
  /** The condition that a row is of the user with a name. */
  isNamed: `user = (SELECT number FROM ${table} WHERE name = ?)`,
  /** The name of a row's user, in SQL; NULL if the row is leaving. `row`: the name of its table. */
  nameIn: (row: string) => `(SELECT name FROM ${table} WHERE number = ${row}.user)`,

  /** Removes the names of users without a row; `indices`: all in which a row of theirs would be. */
  async dropUnused(database: DatabaseSync, indices: ByWeek[]): Promise<void> {
    const prepare = (sql: string) => database.prepare(sql);
    const rows = indices.map(
      ({ rows, week }) =>
        `EXISTS (SELECT 1 FROM json_each(?) CROSS JOIN ${rows} WHERE ${week} = value AND user = number)`,
    );
    const drop = prepare(`DELETE FROM ${table} WHERE number BETWEEN ? AND ? AND NOT (${rows.join(' OR ')})`);
    const weeks = indices.map((index) => weeksOf(prepare, index));
    const greatest = Number(prepare(`SELECT max(number) AS number FROM ${table}`).get()?.number);
    for (let from = 1; from <= greatest; from += usersAtOnce) {
      transaction(database, () => {
        // The newest first: most users have rows there.
        drop.run(from, from + usersAtOnce - 1, ...weeks.map((of) => JSON.stringify(of().reverse())));
      });
      await wait(pauseMs);
    }
  },

  open(prepare: (sql: string) => StatementSync): Users {
    const number = lists<[number]>(prepare(`SELECT number FROM ${table} WHERE name = ?`));
    const name = lists<[string | null]>(prepare(`SELECT name FROM ${table} WHERE number = ?`));
    const add = prepare(`INSERT INTO ${table} (name) VALUES (?)`);
    const from = lists<[number, string]>(
      prepare(`SELECT number, name FROM ${table} WHERE number >= ? AND name IS NOT NULL ORDER BY number LIMIT 1`),
    );
    const forget = prepare(`UPDATE ${table} SET name = NULL WHERE number = ?`);
    const leaving = lists<[number]>(prepare(`SELECT number FROM ${table} WHERE name IS NULL LIMIT 1`));
    const remove = prepare(`DELETE FROM ${table} WHERE number = ?`);
    const numberOf = (name: string) => number.get(name)?.[0];
    return {
      numberOf,
      nameOf: (own) => name.get(own)?.[0] ?? undefined,
      giving() {
        // Most rows of a batch are of a few users.
        const given = new Map<string, number>();
        return (name) => {
          const own = given.get(name) ?? numberOf(name) ?? Number(add.run(name).lastInsertRowid);
          given.set(name, own);
          return own;
        };
      },
      from: (least) => from.get(least),
      forget(own) {
        forget.run(own);
      },
      leaving: () => leaving.get()?.[0],
      remove(own) {
        remove.run(own);
      },
    };
  },
});
