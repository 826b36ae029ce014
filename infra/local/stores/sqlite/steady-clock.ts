// The clock that a database's rows expire by (functions/core/steady.ts), stored in the database, so that all processes
// that open it share its state.
import type { DatabaseSync } from 'node:sqlite';
import { type Steady, steady } from '#core/steady.ts';

/** How often it is stored while nothing happens: less than the step that counts as running time. */
const noteMs = 60_000;

/** Returns a function that reads the time for expiry, milliseconds since the epoch. */
export function steadyClock(database: DatabaseSync, clock: () => number): () => number {
  database.exec('CREATE TABLE IF NOT EXISTS clock (id INTEGER PRIMARY KEY, clock REAL, time REAL, ran REAL)');
  const read = database.prepare('SELECT clock, time, ran FROM clock WHERE id = 1');
  const write = database.prepare('INSERT OR REPLACE INTO clock VALUES (1, ?, ?, ?)');
  return () => {
    const row = read.get();
    const before: Steady | undefined = row && {
      clock: Number(row.clock),
      time: Number(row.time),
      ...(row.ran === null ? {} : { ranMs: Number(row.ran) }),
    };
    const next = steady(before, clock());
    const changed = (before?.ranMs === undefined) !== (next.ranMs === undefined);
    if (!before || changed || Math.abs(next.clock - before.clock) >= noteMs)
      write.run(next.clock, next.time, next.ranMs ?? null);
    return next.time;
  };
}
