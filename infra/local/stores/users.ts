// Users by number. The rows of a user lie all over events.db, so they have a number, and only one row has the name:
// forgetting takes the name away, whatever the number of rows. From then on nothing finds them, and nothing says whose
// they were. The rows then leave in the background; the same name gets another number.
import type { StatementSync } from 'node:sqlite';
import { lists } from './sqlite/sqlite.ts';

/** `name`: NULL while the rows of a forgotten user leave. A number is never given again. */
export const usersTable = `
  CREATE TABLE IF NOT EXISTS users (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE);`;

/** The condition that a row is of the user with a name. */
export const isNamed = 'user = (SELECT number FROM users WHERE name = ?)';
/** The condition that a row of `events` is not leaving. */
export const hasUser = 'EXISTS (SELECT 1 FROM users WHERE number = events.user AND name IS NOT NULL)';

export interface Users {
  numberOf(name: string): number | undefined;
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

export function openUsers(prepare: (sql: string) => StatementSync): Users {
  const number = lists<[number]>(prepare('SELECT number FROM users WHERE name = ?'));
  const add = prepare('INSERT INTO users (name) VALUES (?)');
  const from = lists<[number, string]>(
    prepare('SELECT number, name FROM users WHERE number >= ? AND name IS NOT NULL ORDER BY number LIMIT 1'),
  );
  const forget = prepare('UPDATE users SET name = NULL WHERE number = ?');
  const leaving = lists<[number]>(prepare('SELECT number FROM users WHERE name IS NULL LIMIT 1'));
  const remove = prepare('DELETE FROM users WHERE number = ?');
  const numberOf = (name: string) => number.get(name)?.[0];
  return {
    numberOf,
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
}
