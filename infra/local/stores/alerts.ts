// Alerts on one machine: claims, the list for the page, and the queue to send.

import { page, readCursor } from '#core/cursor.ts';
import { type Alert, digestMs, digestOf, stormMs } from '#core/rules.ts';
import { aheadMs } from '#core/steady.ts';
import { type AlertFeed, type AlertQueue, alertKeptMs, type ClaimStore, claimKeptMs } from '#core/stores.ts';
import { openDatabase, transaction } from './sqlite/sqlite.ts';
import { steadyClock } from './sqlite/steady-clock.ts';
import { wipe } from './sqlite/wipe.ts';

const dayMs = 86_400_000;

export type Alerts = ClaimStore & AlertFeed & AlertQueue;

/** The state of an alert: column `sent`. */
const became = { waiting: 0, sent: 1, held: 2, summedUp: 3 };

export function openAlerts(file: string, clock: () => number): Alerts {
  const database = openDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, by TEXT, at REAL) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS claims_naming (person TEXT, key TEXT, PRIMARY KEY (person, key)) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS tallies (key TEXT, part TEXT, count INTEGER, at REAL, PRIMARY KEY (key, part)) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS notices (id TEXT PRIMARY KEY, time REAL, at REAL, user TEXT, sent INTEGER, doc TEXT) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS notices_newest ON notices (time DESC, id DESC);
     CREATE INDEX IF NOT EXISTS notices_added ON notices (at);
     CREATE INDEX IF NOT EXISTS notices_unsent ON notices (at) WHERE sent = 0;
     CREATE INDEX IF NOT EXISTS notices_recent ON notices (json_extract(doc, '$.rule'), sent, at);`,
    { added: { claims: { at: 'REAL' } } },
  );
  database.exec('CREATE INDEX IF NOT EXISTS claims_oldest ON claims (at)');
  const time = steadyClock(database, clock);
  const prepare = (sql: string) => database.prepare(sql);
  const putClaim = prepare('INSERT OR IGNORE INTO claims VALUES (?, ?, ?)');
  // Claims of an older version have no time, so they count as new.
  const dateClaims = prepare('UPDATE claims SET at = ? WHERE at IS NULL');
  const expireClaims = prepare('DELETE FROM claims WHERE at < ?');
  const putNaming = prepare('INSERT OR IGNORE INTO claims_naming VALUES (?, ?)');
  const claimed = prepare('SELECT by FROM claims WHERE key = ?');
  const putTally = prepare('INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?)');
  const expireTallies = prepare('DELETE FROM tallies WHERE at < ?');
  const sum = prepare('SELECT sum(count) AS sum FROM tallies WHERE key = ?');
  const putAlert = prepare('INSERT OR IGNORE INTO notices VALUES (?, ?, ?, ?, 0, ?)');
  const expireAlerts = prepare('DELETE FROM notices WHERE at < ?');
  const newest = prepare('SELECT doc FROM notices WHERE (time, id) < (?, ?) ORDER BY time DESC, id DESC LIMIT ?');
  const unsent = prepare('SELECT id, doc FROM notices WHERE sent = 0 AND at > ? ORDER BY at, id LIMIT 1');
  const mark = prepare('UPDATE notices SET sent = ? WHERE id = ?');
  const late = prepare('SELECT 1 FROM notices WHERE at > ? LIMIT 1');
  const lower = prepare('UPDATE notices SET at = ? WHERE at > ?');
  const ofRule = "json_extract(doc, '$.rule') = ?";
  const sentRecently = prepare(`SELECT count(*) AS count FROM notices WHERE ${ofRule} AND sent = 1 AND at > ?`);
  const heldRules = prepare(
    "SELECT json_extract(doc, '$.rule') AS rule, min(at) AS since FROM notices WHERE sent = 2 AND at > ? GROUP BY rule",
  );
  const heldOf = prepare(`SELECT id, doc FROM notices WHERE ${ofRule} AND sent = 2 AND at > ? ORDER BY at, id`);
  const forgetAlerts = prepare('DELETE FROM notices WHERE user = ?');
  const forgetClaims = prepare('DELETE FROM claims WHERE key IN (SELECT key FROM claims_naming WHERE person = ?)');
  const forgetNaming = prepare('DELETE FROM claims_naming WHERE person = ?');

  dateClaims.run(clock());

  return {
    async claim(key, by, person) {
      return transaction(database, () => {
        putClaim.run(key, by, clock());
        if (person !== undefined) putNaming.run(person, key);
        return String(claimed.get(key)?.by);
      });
    },
    async claimAll(claims) {
      return transaction(database, () => {
        expireClaims.run(time() - claimKeptMs);
        return claims.map(({ key, by }) => {
          putClaim.run(key, by, clock());
          return String(claimed.get(key)?.by);
        });
      });
    },
    async tally(key, part, count) {
      return transaction(database, () => {
        expireTallies.run(time() - dayMs);
        putTally.run(key, part, count, clock());
        return Number(sum.get(key)?.sum);
      });
    },
    async add(alert) {
      expireAlerts.run(time() - alertKeptMs);
      putAlert.run(alert.id, alert.time, clock(), alert.data.user ?? '', JSON.stringify(alert));
    },
    async next(most) {
      return transaction(database, () => {
        const now = clock();
        // Alerts sent while the clock was ahead: otherwise they would count as recent until that time.
        if (late.get(now + aheadMs)) lower.run(now, now + aheadMs);
        for (let row = unsent.get(now - stormMs); row; row = unsent.get(now - stormMs)) {
          const alert = JSON.parse(String(row.doc)) as Alert;
          const held = Number(sentRecently.get(alert.rule, now - stormMs)?.count) >= most;
          mark.run(held ? became.held : became.sent, row.id);
          if (!held) return alert;
        }
        return undefined;
      });
    },
    async digest() {
      return transaction(database, () => {
        const now = clock();
        const due = heldRules.all(now - digestMs).find(({ since }) => Number(since) <= now - stormMs);
        if (!due) return undefined;
        const held = heldOf.all(due.rule, now - digestMs);
        for (const { id } of held) mark.run(became.summedUp, id);
        return digestOf(held.map(({ doc }) => JSON.parse(String(doc)) as Alert));
      });
    },
    async alerts({ cursor, limit }) {
      const [time, id] = readCursor(cursor);
      const rows = newest.all(time, id, limit + 1).map((row) => JSON.parse(String(row.doc)) as Alert);
      return page(rows, limit);
    },
    async forget(user) {
      const rows = transaction(database, () => {
        const claims = Number(forgetClaims.run(user).changes);
        forgetNaming.run(user);
        return claims + Number(forgetAlerts.run(user).changes);
      });
      await wipe(file);
      return rows;
    },
  };
}
