import { hash } from 'node:crypto';
import { page, readCursor } from '#core/cursor.ts';
import { type Pull, parseStoredEvent, type StoredEvent } from '#core/event.ts';
import { aheadMs } from '#core/steady.ts';
import { type EventStore, type Expiring, forgottenKeptMs } from '#core/stores.ts';
import { openQuarantine, type Quarantine } from './quarantine.ts';
import { openDayKeys } from './secrets/day-keys.ts';
import { batchCacheMiB, groupCommit, openDatabase, readTogether, removeOld, transaction } from './sqlite/sqlite.ts';
import { steadyClock } from './sqlite/steady-clock.ts';
import { rowsATurn, turns } from './sqlite/turns.ts';
import { wiper } from './sqlite/wipe.ts';

const day = 86_400_000;
/**
 * The primary key of events and pulls: rows that are read together are stored together, with two index entries per row
 * where a table by id has four. Files of an older version keep their tables by id; the statements work for both.
 */
const inOrder = 'user, repository, time, id';

export interface LocalEvents extends EventStore, Expiring {
  /** Which of these ids are those of stored events. */
  stored(ids: string[]): Set<string>;
  /** The clock that rows expire by, milliseconds since the epoch: it does not follow a jump ahead at once. */
  time(): number;
  /** Removes entries that were quarantined for too long. */
  expireQuarantine(): Promise<void>;
}

interface Put {
  event: StoredEvent;
  origin: string;
  doc: string;
}

type EventRow = [id: string, user: string, repository: string, time: number, origin: string, doc: string];
type PullRow = [id: string, user: string, repository: string, time: number, doc: string];

type Column = 'id' | 'user' | 'repository' | 'time' | 'origin';

/** What the columns don't have, in the order of `doc`; the rarest last. A new field comes at the end. */
const eventFields = namesOf<Omit<StoredEvent, Column>>({
  ...{ action: 1, kind: 1, method: 1, tag: 1, digest: 1, mediaType: 1, userAgent: 1, source: 1, country: 1, client: 1 },
  ...{ class: 1, addressDigests: 1, references: 1, referenceTypes: 1, subject: 1, size: 1, userType: 1 },
});
const pullFields = namesOf<Omit<Pull, Column>>({
  ...{ tag: 1, digest: 1, class: 1, client: 1, country: 1, events: 1, uncertain: 1 },
});

/** The names of all fields. */
function namesOf<T>(fields: Record<keyof T, 1>): (keyof T)[] {
  return Object.keys(fields) as (keyof T)[];
}

/** The values of fields as a JSON list, without those at the end that are undefined: half as long as with their names. */
function listOf<T>(of: T, fields: (keyof T)[]): string {
  const values = fields.map((name) => of[name]);
  return JSON.stringify(values.slice(0, values.findLastIndex((value) => value !== undefined) + 1));
}

/** The fields that `listOf` wrote; undefined if it is a `doc` of an older version, an object with everything. */
function fieldsOf<T>(doc: string, fields: (keyof T)[]): T | undefined {
  if (!doc.startsWith('[')) return undefined;
  const of: Partial<T> = {};
  for (const [at, value] of (JSON.parse(doc) as (T[keyof T] | null)[]).entries())
    if (value !== null) of[fields[at]] = value;
  return of as T;
}

/** A sequence number is mostly zeros. */
const shortOrigin = (origin: string) => origin.replace(/0{6,}/g, (zeros) => `~${zeros.length}~`);
const wholeOrigin = (origin: string) => origin.replace(/~(\d+)~/g, (_, length) => '0'.repeat(Number(length)));

const docOf = (event: StoredEvent) => listOf<Omit<StoredEvent, Column>>(event, eventFields);
const docOfPull = (pull: Pull) => listOf<Omit<Pull, Column>>(pull, pullFields);
const eventOf = ([id, user, repository, time, origin, doc]: EventRow): StoredEvent => ({
  ...{ id, user, repository, time, origin: wholeOrigin(origin) },
  ...(fieldsOf(doc, eventFields) ?? parseStoredEvent(doc)),
});
const pullOf = ([id, user, repository, time, doc]: PullRow): Pull => ({
  ...{ id, time, user, repository },
  ...(fieldsOf(doc, pullFields) ?? JSON.parse(doc)),
});

/** Registry events, the pulls derived from them, the quarantine and the daily keys, in one SQLite file. */
export function openEvents(
  file: string,
  clock: () => number,
  { mostQuarantineBytes, cacheMiB = batchCacheMiB }: { mostQuarantineBytes?: number; cacheMiB?: number } = {},
): LocalEvents {
  const database = openDatabase(
    file,
    `CREATE TABLE IF NOT EXISTS events (
       id TEXT NOT NULL UNIQUE, user TEXT, repository TEXT, time REAL, origin TEXT, doc TEXT,
       PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS pulls (
       id TEXT, user TEXT, repository TEXT, time REAL, doc TEXT, PRIMARY KEY (user, repository, time, id)) WITHOUT ROWID;
     CREATE INDEX IF NOT EXISTS pulls_history ON pulls (user, time DESC, id DESC);
     CREATE TABLE IF NOT EXISTS versions (
       user TEXT, repository TEXT, version INTEGER, PRIMARY KEY (user, repository)) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS forgotten (person TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;`,
    { cacheMiB },
  );
  const commit = groupCommit(database);
  const wiped = wiper(file);
  const time = steadyClock(database, clock);
  const keys = openDayKeys(database, time);
  const held: Quarantine = openQuarantine(database, { keys, time, mostBytes: mostQuarantineBytes });
  const prepare = (sql: string) => database.prepare(sql);
  const putEvent = prepare('INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)');
  const origin = prepare('SELECT origin FROM events WHERE id = ?');
  const eventsOf = prepare(
    'SELECT * FROM events WHERE user = ? AND repository = ? AND time BETWEEN ? AND ? ORDER BY time, id',
  );
  const later = prepare(
    'SELECT * FROM events WHERE user = ? AND repository = ? AND time > ? ORDER BY time, id LIMIT ?',
  );
  const rewriteEvent = prepare('UPDATE events SET doc = ? WHERE id = ? AND user = ?');
  const pairsAfter = prepare(
    `SELECT user, repository FROM events WHERE (user, repository) > (?, ?)
     GROUP BY user, repository ORDER BY user, repository LIMIT ?`,
  );
  const pullsOf = prepare(
    'SELECT * FROM pulls WHERE user = ? AND repository = ? AND time BETWEEN ? AND ? ORDER BY time, id',
  );
  const version = prepare('SELECT version FROM versions WHERE user = ? AND repository = ?');
  const firstVersion = prepare('INSERT INTO versions VALUES (?, ?, 1) ON CONFLICT DO NOTHING');
  const nextVersion = prepare(
    'UPDATE versions SET version = version + 1 WHERE user = ? AND repository = ? AND version = ?',
  );
  const putPull = prepare('INSERT OR REPLACE INTO pulls VALUES (?, ?, ?, ?, ?)');
  const removePull = prepare('DELETE FROM pulls WHERE user = ? AND repository = ? AND time = ? AND id = ?');
  const newest = prepare(
    'SELECT * FROM pulls WHERE user = ? AND (time, id) < (?, ?) ORDER BY time DESC, id DESC LIMIT ?',
  );
  for (const statement of [eventsOf, later, pullsOf, newest]) statement.setReturnArrays(true);
  const putMark = prepare(
    'INSERT INTO forgotten VALUES (?, ?) ON CONFLICT (person) DO UPDATE SET at = max(at, excluded.at)',
  );
  const mark = prepare('SELECT at FROM forgotten WHERE person = ?');
  const oldMark = prepare('SELECT 1 FROM forgotten WHERE at <= ? LIMIT 1');
  const lateMark = prepare('SELECT 1 FROM forgotten WHERE at > ? LIMIT 1');
  const lowerMarks = prepare('UPDATE forgotten SET at = ? WHERE at > ?');
  const expireMarks = prepare('DELETE FROM forgotten WHERE at <= ?');

  const digest = (user: string) => hash('sha256', user, 'base64url');
  const versionOf = (user: string, repository: string) => Number(version.get(user, repository)?.version ?? 0);
  /** The events of the last put by id, with their docs: a batch reads back what it has just put, until it replaces pulls. */
  let latest = new Map<string, Put>();
  const readBack = (row: EventRow): StoredEvent => {
    const put = latest.get(row[0]);
    return put !== undefined && put.origin === row[4] && put.doc === row[5] ? put.event : eventOf(row);
  };
  const eventRows = (rows: unknown) => rows as EventRow[];
  const pulls = (rows: unknown) => (rows as PullRow[]).map(pullOf);

  const pause = turns(rowsATurn);

  return {
    async put(events) {
      latest = new Map();
      return transaction(database, () =>
        events.map((event) => {
          const { id, user, repository, time } = event;
          const [doc, own] = [docOf(event), shortOrigin(event.origin)];
          latest.set(id, { event, origin: own, doc });
          if (putEvent.run(id, user, repository, time, own, doc).changes === 1) return true;
          return wholeOrigin(String(origin.get(id)?.origin)) === event.origin;
        }),
      );
    },
    stored: (ids) => readTogether(database, () => new Set(ids.filter((id) => origin.get(id) !== undefined))),
    async events(user, repository, from, to) {
      return eventRows(eventsOf.all(user, repository, from, to)).map(readBack);
    },
    async rewrite(events) {
      transaction(database, () => {
        for (const event of events) rewriteEvent.run(docOf(event), event.id, event.user);
      });
    },
    async pairs({ cursor, limit }) {
      const after = cursor === undefined ? ['', ''] : (JSON.parse(cursor) as [string, string]);
      const items = pairsAfter.all(...after, limit).map(({ user, repository }) => ({
        ...{ user: String(user), repository: String(repository) },
      }));
      const last = items.at(-1);
      return {
        items,
        ...(last && items.length === limit ? { cursor: JSON.stringify([last.user, last.repository]) } : {}),
      };
    },
    async eventsAfter(user, repository, after, limit) {
      return eventRows(later.all(user, repository, after ?? Number.NEGATIVE_INFINITY, limit)).map(eventOf);
    },
    async version(user, repository) {
      return versionOf(user, repository);
    },
    async pulls(user, repository, from, to) {
      return pulls(pullsOf.all(user, repository, from, to));
    },
    async versions(pairs) {
      return readTogether(database, () => pairs.map(({ user, repository }) => versionOf(user, repository)));
    },
    async replacePulls(replacements) {
      latest = new Map();
      return commit(() =>
        replacements.map(({ user, repository, version, remove, put }) => {
          const { changes } =
            version === 0 ? firstVersion.run(user, repository) : nextVersion.run(user, repository, version);
          if (changes === 0) return false;
          for (const pull of remove) removePull.run(user, repository, pull.time, pull.id);
          for (const pull of put) putPull.run(pull.id, user, repository, pull.time, docOfPull(pull));
          return true;
        }),
      );
    },
    async history(user, { cursor, limit }) {
      const [time, id] = readCursor(cursor);
      const found = pulls(newest.all(user, time, id, limit + 1));
      // A reader of all pages yields to other work after each page.
      await pause(found.length);
      return page(found, limit);
    },
    quarantine: held.quarantine,
    quarantined: held.quarantined,
    quarantineState: held.quarantineState,
    release: held.release,
    async digestKey(ofDay) {
      // A day's key lives until a day after its end; for a day long past (late events) until a day from now.
      // At most as long as today's key: the sender chooses the day.
      return keys.of(ofDay, (now) => Math.min(Math.max(Date.parse(ofDay) + 2 * day, now + day), now + 2 * day));
    },
    async forget(user) {
      let rows = 0;
      for (const [table, key] of [
        ['events', inOrder],
        ['pulls', inOrder],
        ['versions', 'user, repository'],
      ]) {
        const some = prepare(
          `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE user = ? LIMIT ${rowsATurn})`,
        );
        for (let removed = rowsATurn; removed >= rowsATurn; rows += removed) {
          removed = Number(some.run(user).changes);
          await pause(removed);
        }
      }
      rows += await held.forget(user);
      await wiped(rows > 0);
      return rows;
    },
    async expire(before) {
      for (const table of ['events', 'pulls']) await removeOld(database, table, inOrder, before);
      await held.expire(before);
      // A version without rows is removed.
      prepare(
        `DELETE FROM versions WHERE NOT EXISTS (
           SELECT 1 FROM events WHERE events.user = versions.user AND events.repository = versions.repository)`,
      ).run();
    },
    time,
    expireQuarantine: () => held.expire(),
    async markForgotten(user, at) {
      putMark.run(digest(user), at);
    },
    async forgotten(users) {
      if (users.length === 0) return new Map();
      const before = time() - forgottenKeptMs;
      if (oldMark.get(before)) expireMarks.run(before);
      // Marks set by a clock that was ahead: otherwise these users would stay forgotten until then.
      const now = clock();
      if (lateMark.get(now + aheadMs)) lowerMarks.run(now, now + aheadMs);
      const marks = readTogether(database, () =>
        users.map((user): [string, unknown] => [user, mark.get(digest(user))?.at]),
      );
      return new Map(marks.filter((pair): pair is [string, number] => pair[1] !== undefined));
    },
  };
}
