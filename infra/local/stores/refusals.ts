import { type Refusal, type RefusalStore, refusalDays } from '#core/stores.ts';
import { openDatabase, transaction } from './sqlite/sqlite.ts';
import { steadyClock } from './sqlite/steady-clock.ts';

const dayMs = 86_400_000;

/** Counts of refused posts: one row per UTC day, reason and registry. */
export function openRefusals(file: string, clock: () => number): RefusalStore {
  const database = openDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS refusals (
       day INTEGER, reason TEXT, registry TEXT, posts INTEGER, last_at REAL, PRIMARY KEY (day, reason, registry)) WITHOUT ROWID`,
  );
  const add = database.prepare(
    `INSERT INTO refusals VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       posts = posts + excluded.posts, last_at = max(last_at, excluded.last_at)`,
  );
  const expire = database.prepare('DELETE FROM refusals WHERE day <= ?');
  const list = database.prepare(
    `SELECT reason, registry, SUM(posts) AS posts, MAX(last_at) AS lastAt FROM refusals WHERE day > ?
     GROUP BY reason, registry ORDER BY lastAt DESC, reason, registry`,
  );
  const time = steadyClock(database, clock);
  const oldest = (now: number) => Math.floor(now / dayMs) - refusalDays;
  return {
    async add({ reason, registry, posts, lastAt }) {
      transaction(database, () => {
        expire.run(oldest(time()));
        add.run(Math.floor(lastAt / dayMs), reason, registry, posts, lastAt);
      });
    },
    async list() {
      return list.all(oldest(clock())).map((row) => ({ ...row })) as unknown as Refusal[];
    },
  };
}
