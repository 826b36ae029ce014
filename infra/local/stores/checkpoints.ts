import type { Checkpoint, CheckpointStore } from '#core/stores.ts';
import { openDatabase, transaction } from './sqlite/sqlite.ts';

// Sequence numbers have up to 128 digits: padded, they sort as text in the order of integers.
const pad = (sequenceNumber: string) => sequenceNumber.padStart(128, '0');
const unpad = (text: string) => text.replace(/^0+(?=\d)/, '');

/** Checkpoint rows in one SQLite table; the primary key (shard, previous) lets only one batch win. */
export function openCheckpoints(file: string): CheckpointStore {
  const database = openDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS checkpoints (
       shard TEXT, previous TEXT, last TEXT NOT NULL, delta TEXT NOT NULL, committedAt REAL NOT NULL,
       PRIMARY KEY (shard, previous)) WITHOUT ROWID`,
  );
  const columns = 'SELECT shard, previous, last, delta, committedAt FROM checkpoints';
  const newest = database.prepare(`${columns} WHERE shard = ? ORDER BY previous DESC LIMIT 1`);
  const insert = database.prepare('INSERT OR IGNORE INTO checkpoints VALUES (?, ?, ?, ?, ?)');
  const shards = database.prepare('SELECT DISTINCT shard FROM checkpoints ORDER BY shard');
  const chain = database.prepare(`${columns} WHERE shard = ? AND previous >= ? ORDER BY previous LIMIT ?`);
  const remove = database.prepare('DELETE FROM checkpoints WHERE shard = ? AND previous = ?');

  const read = (row: Record<string, unknown>): Checkpoint => ({
    shard: String(row.shard),
    previous: unpad(String(row.previous)),
    last: unpad(String(row.last)),
    delta: String(row.delta),
    committedAt: Number(row.committedAt),
  });

  return {
    async latest(shard) {
      const row = newest.get(shard);
      return row && read(row);
    },
    async commit({ shard, previous, last, delta, committedAt }) {
      return insert.run(shard, pad(previous), pad(last), delta, committedAt).changes === 1;
    },
    async shards() {
      return shards.all().map((row) => String(row.shard));
    },
    async after(shard, after, limit) {
      return chain.all(shard, pad(after), limit).map(read);
    },
    async remove(rows) {
      transaction(database, () => {
        for (const { shard, previous } of rows) {
          if (newest.get(shard)?.previous === pad(previous))
            throw new Error(`row ${previous} is the newest of ${shard}: without it the chain would start again`);
          remove.run(shard, pad(previous));
        }
      });
    },
  };
}
