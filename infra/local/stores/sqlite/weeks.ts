// Indices that begin with the week of `time`. What is stored together is mostly of the same days: a batch then changes
// the few pages of its weeks, however many rows are older. With a user first it would change about a page for each row.
import type { DatabaseSync, StatementSync } from 'node:sqlite';

const weekMs = 7 * 86_400_000;
/** Earlier (2013) and later (2060) times share the first and the last week, so that made-up times can't make many. */
const [first, last] = [2243, 4696];

/** The week of a row, in SQL: for indices and conditions, which must be the same text. */
export const weekOfRow = `min(max(CAST(time / ${weekMs} AS INTEGER), ${first}), ${last})`;

/** The week of a time in milliseconds, which may be infinite. */
export const weekOf = (time: number): number => Math.min(Math.max(Math.trunc(time / weekMs), first), last);

/**
 * Returns a function that lists the weeks from one time to another of which an index has rows, in ascending order.
 * `index`: an index of `table` by week.
 */
export function weeksOf(database: DatabaseSync, table: string, index: string): (from: number, to: number) => number[] {
  const of = `FROM ${table} INDEXED BY ${index} WHERE ${weekOfRow}`;
  let next: StatementSync | undefined;
  return (from, to) => {
    const [start, end] = [weekOf(from), weekOf(to)];
    // Asking which have rows would cost as much as reading them.
    if (end - start < 2) return start === end ? [start] : [start, end];
    next ??= database.prepare(
      `WITH RECURSIVE weeks (week) AS (
         SELECT (SELECT min(${weekOfRow}) ${of} >= ?1)
         UNION ALL SELECT (SELECT min(${weekOfRow}) ${of} > week) FROM weeks WHERE week < ?2)
       SELECT week FROM weeks WHERE week <= ?2`,
    );
    return next.all(start, end).map(({ week }) => Number(week));
  };
}
