// Indices that begin with the week of `time`. What is stored together is mostly of the same days: a batch then changes
// the few pages of its weeks, however many rows are older. With a user first it would change about a page for each row.
import type { SQLInputValue, StatementSync } from 'node:sqlite';
import type { Lists } from './sqlite.ts';

const weekMs = 7 * 86_400_000;
/** Earlier (2013) and later (2060) times share the first and the last week, so that made-up times can't make many. */
const [first, last] = [2243, 4696];

/** The week of a time, in SQL. */
export const weekIn = (time: string) => `min(max(CAST(${time} / ${weekMs} AS INTEGER), ${first}), ${last})`;

/** The week of a row, in SQL: indices and the conditions that use them must have the same text. */
export const weekOfRow = weekIn('time');

/** The week of a time in milliseconds, which may be infinite. */
export const weekOf = (time: number): number => Math.min(Math.max(Math.trunc(time / weekMs), first), last);

/** Rows by week: what they are read from, in SQL, and their week. */
export interface ByWeek {
  rows: string;
  week: string;
}

/** The rows of a table by an index that begins with `weekOfRow`. */
export const byWeek = (table: string, index: string): ByWeek => ({
  rows: `${table} INDEXED BY ${index}`,
  week: weekOfRow,
});

/** The row of the first of these weeks that has one; `statement` has the week as its first parameter. */
export function firstFound<Row extends unknown[]>(
  weeks: number[],
  statement: Lists<Row>,
  ...values: SQLInputValue[]
): Row | undefined {
  for (const week of weeks) {
    const found = statement.get(week, ...values);
    if (found) return found;
  }
  return undefined;
}

/** Returns a function that lists the weeks from one time to another that may have rows, in ascending order. */
export function weeksOf(
  prepare: (sql: string) => StatementSync,
  { rows, week }: ByWeek,
): (from?: number, to?: number) => number[] {
  const least = `SELECT min(${week}) FROM ${rows} WHERE ${week}`;
  let next: StatementSync | undefined;
  return (from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY) => {
    const [start, end] = [weekOf(from), weekOf(to)];
    // Asking which have rows would cost as much as reading them.
    if (end - start < 2) return start < end ? [start, end] : [start];
    next ??= prepare(
      `WITH RECURSIVE weeks (w) AS (
         SELECT (${least} >= ?) UNION ALL SELECT (${least} > w) FROM weeks WHERE w < ?)
       SELECT w FROM weeks WHERE w <= ?`,
    );
    return next.all(start, end, end).map(({ w }) => Number(w));
  };
}
