// The quarantine of events.db: each entry is encrypted with its day's key. Bytes and days are limited; the oldest
// entries are dropped first.
import type { DatabaseSync } from 'node:sqlite';
import { readCursor, shortPage } from '#core/cursor.ts';
import type { Quarantined } from '#core/event.ts';
import { namesPerson } from '#core/registry/quarantine.ts';
import {
  openEntry,
  quarantineBounds,
  quarantineKeyExpiry,
  quarantineKeyName,
  sealEntry,
} from '#core/registry/sealed.ts';
import type { EventStore } from '#core/stores.ts';
import type { openDayKeys } from './secrets/day-keys.ts';
import { removeOld, transaction } from './sqlite/sqlite.ts';
import { bytesATurn, turns } from './sqlite/turns.ts';

const dayMs = 86_400_000;
/** How many of the oldest entries are dropped in one transaction. */
const leavingAtOnce = 100;

interface Row {
  id: string;
  time: number;
  /** Encrypted; text if an older version stored it. */
  doc: Uint8Array | string;
}

export interface QuarantineOptions {
  keys: ReturnType<typeof openDayKeys>;
  /** The clock for expiry, milliseconds since the epoch. */
  time: () => number;
  /** The most bytes that are kept. */
  mostBytes?: number;
}

export type Quarantine = Pick<EventStore, 'quarantine' | 'quarantined' | 'quarantineState' | 'release'> & {
  /** Deletes entries that name a user; returns how many. */
  forget(user: string): Promise<number>;
  /** Removes entries older than `before`, and those beyond their retention. */
  expire(before?: number): Promise<void>;
};

export function openQuarantine(
  database: DatabaseSync,
  { keys, time, mostBytes = quarantineBounds.bytes }: QuarantineOptions,
): Quarantine {
  database.exec(
    `CREATE TABLE IF NOT EXISTS quarantine (id TEXT PRIMARY KEY, time REAL, doc TEXT) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS quarantine_newest ON quarantine (time DESC, id DESC);
     CREATE TABLE IF NOT EXISTS quarantined (id INTEGER PRIMARY KEY, entries INTEGER, bytes INTEGER, dropped INTEGER, dropped_at REAL);
     INSERT OR IGNORE INTO quarantined SELECT 1, COUNT(*), COALESCE(SUM(length(doc)), 0), 0, NULL FROM quarantine
       WHERE NOT EXISTS (SELECT 1 FROM quarantined);
     CREATE TRIGGER IF NOT EXISTS quarantine_added AFTER INSERT ON quarantine BEGIN
       UPDATE quarantined SET entries = entries + 1, bytes = bytes + length(NEW.doc); END;
     CREATE TRIGGER IF NOT EXISTS quarantine_removed AFTER DELETE ON quarantine BEGIN
       UPDATE quarantined SET entries = entries - 1, bytes = bytes - length(OLD.doc); END;`,
  );
  const put = database.prepare('INSERT OR IGNORE INTO quarantine VALUES (?, ?, ?)');
  const newest = database.prepare(
    'SELECT id, time, doc FROM quarantine WHERE (time, id) < (?, ?) ORDER BY time DESC, id DESC',
  );
  const oldest = database.prepare(
    `SELECT id, length(doc) AS bytes FROM quarantine ORDER BY time, id LIMIT ${leavingAtOnce}`,
  );
  const remove = database.prepare('DELETE FROM quarantine WHERE id = ?');
  const totals = database.prepare('SELECT entries, bytes, dropped, dropped_at FROM quarantined');
  const drop = database.prepare('UPDATE quarantined SET dropped = dropped + ?, dropped_at = ?');

  /** Rows before a position, up to as many bytes as are read in one turn. */
  function someBefore(place: [number, string]): Row[] {
    const rows: Row[] = [];
    let bytes = 0;
    for (const row of newest.iterate(...place) as Iterable<unknown>) {
      rows.push(row as Row);
      bytes += (row as Row).doc.length;
      if (bytes >= bytesATurn) break;
    }
    return rows;
  }

  /** Undefined if its key was destroyed. */
  async function opened({ id, time, doc }: Row): Promise<Quarantined | undefined> {
    if (typeof doc === 'string') return JSON.parse(doc);
    const key = keys.find(quarantineKeyName(time));
    return key && openEntry(id, doc, key);
  }

  /** Every entry before a position, newest first; yields to other work regularly. */
  async function* entries(place: [number, string]) {
    const pause = turns(bytesATurn);
    for (let rows = someBefore(place); rows.length > 0; ) {
      for (const row of rows) {
        const entry = await opened(row);
        if (entry) yield entry;
        await pause(row.doc.length);
      }
      const { time, id } = rows[rows.length - 1];
      rows = someBefore([time, id]);
    }
  }

  /** Removes the oldest entries until the rest fits. */
  async function makeRoom(): Promise<void> {
    const pause = turns(1);
    for (;;) {
      const left = transaction(database, () => {
        let over = Number(totals.get()?.bytes) - mostBytes;
        if (over <= 0) return false;
        let dropped = 0;
        for (const { id, bytes } of oldest.all()) {
          if (over <= 0) break;
          remove.run(id);
          over -= Number(bytes);
          dropped++;
        }
        drop.run(dropped, time());
        return over > 0;
      });
      if (!left) return;
      await pause(1);
    }
  }

  return {
    async quarantine(entries) {
      const rows: [string, number, Uint8Array][] = [];
      for (const entry of entries) {
        const key = keys.of(quarantineKeyName(entry.time), (now) => quarantineKeyExpiry(entry.time, now));
        rows.push([entry.id, entry.time, await sealEntry(entry, key)]);
      }
      transaction(database, () => {
        for (const row of rows) put.run(...row);
      });
      if (Number(totals.get()?.bytes) > mostBytes) await makeRoom();
    },
    async quarantined({ cursor, limit }) {
      return shortPage(entries(readCursor(cursor)), limit, quarantineBounds.pageBytes);
    },
    async quarantineState() {
      const { entries, bytes, dropped, dropped_at: droppedAt } = totals.get() as Record<string, number | null>;
      return {
        ...{ entries: Number(entries), bytes: Number(bytes), dropped: Number(dropped) },
        ...(droppedAt === null ? {} : { droppedAt }),
      };
    },
    async release(ids) {
      transaction(database, () => {
        for (const id of ids) remove.run(id);
      });
    },
    async forget(user) {
      let count = 0;
      for await (const entry of entries(readCursor()))
        if (namesPerson(entry, user)) count += Number(remove.run(entry.id).changes);
      return count;
    },
    async expire(before = Number.NEGATIVE_INFINITY) {
      keys.expire();
      await removeOld(database, 'quarantine', 'id', Math.max(before, time() - quarantineBounds.days * dayMs));
    },
  };
}
