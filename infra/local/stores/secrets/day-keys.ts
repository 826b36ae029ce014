// Keys that are destroyed some days after their day: those of address digests and of quarantined entries.
import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

const keyBytes = 32;

/** `time`: the clock for expiry. */
export function openDayKeys(database: DatabaseSync, time: () => number) {
  database.exec('CREATE TABLE IF NOT EXISTS digest_keys (day TEXT PRIMARY KEY, key BLOB, expires REAL) WITHOUT ROWID');
  const find = database.prepare('SELECT key FROM digest_keys WHERE day = ?');
  const put = database.prepare('INSERT OR IGNORE INTO digest_keys VALUES (?, ?, ?)');
  const expired = database.prepare('SELECT 1 FROM digest_keys WHERE expires <= ? LIMIT 1');
  const remove = database.prepare('DELETE FROM digest_keys WHERE expires <= ?');

  const expire = () => {
    const now = time();
    // Checked first, because a delete that removes nothing also takes the write lock.
    if (expired.get(now)) remove.run(now);
    return now;
  };
  const held = (name: string) => find.get(name)?.key as Uint8Array | undefined;

  return {
    expire,
    /** Undefined if it was destroyed, or never made. */
    find(name: string): Uint8Array | undefined {
      expire();
      return held(name);
    },
    /** Made on first use; `expiresAt` is called with the current time. */
    of(name: string, expiresAt: (now: number) => number): Uint8Array {
      const now = expire();
      const known = held(name);
      if (known) return known;
      put.run(name, randomBytes(keyBytes), expiresAt(now));
      return held(name) as Uint8Array;
    },
  };
}
