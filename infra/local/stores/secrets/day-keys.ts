// Secrets that are destroyed after their days: of address digests, and of what is quarantined.
import { randomBytes } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

const keyBytes = 32;

/** `time`: what expires goes by. */
export function openDayKeys(database: DatabaseSync, time: () => number) {
  database.exec('CREATE TABLE IF NOT EXISTS digest_keys (day TEXT PRIMARY KEY, key BLOB, expires REAL) WITHOUT ROWID');
  const find = database.prepare('SELECT key FROM digest_keys WHERE day = ?');
  const put = database.prepare('INSERT OR IGNORE INTO digest_keys VALUES (?, ?, ?)');
  const expired = database.prepare('SELECT 1 FROM digest_keys WHERE expires <= ? LIMIT 1');
  const remove = database.prepare('DELETE FROM digest_keys WHERE expires <= ?');

  const expire = () => {
    const now = time();
    // Asked first: a delete that removes nothing takes the lock of writers all the same.
    if (expired.get(now)) remove.run(now);
    return now;
  };
  const held = (name: string) => find.get(name)?.key as Uint8Array | undefined;

  return {
    expire,
    /** Undefined: it was destroyed, or never made. */
    find(name: string): Uint8Array | undefined {
      expire();
      return held(name);
    },
    /** Made on first use; `expiresAt` is given the time. */
    of(name: string, expiresAt: (now: number) => number): Uint8Array {
      const now = expire();
      const known = held(name);
      if (known) return known;
      put.run(name, randomBytes(keyBytes), expiresAt(now));
      return held(name) as Uint8Array;
    },
  };
}
