import { hash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { page, readCursor } from '#core/cursor.ts';
import { type Pull, parseStoredEvent, type StoredEvent } from '#core/event.ts';
import { aheadMs } from '#core/steady.ts';
import { type EventStore, type Expiring, forgottenKeptMs } from '#core/stores.ts';
import { eventTables, eventUsers, moveOlderEvents } from './older-events.ts';
import { openQuarantine, type Quarantine } from './quarantine.ts';
import { openDayKeys } from './secrets/day-keys.ts';
import {
  batchCacheMiB,
  groupCommit,
  lists,
  openDatabase,
  pauseMs,
  readTogether,
  removeOld,
  transaction,
} from './sqlite/sqlite.ts';
import { steadyClock } from './sqlite/steady-clock.ts';
import { rowsATurn, turns } from './sqlite/turns.ts';
import { byWeek, weekOf, weekOfRow, weeksOf } from './sqlite/weeks.ts';
import { wipe } from './sqlite/wipe.ts';

const day = 86_400_000;
/** The order of the rows of a week. */
const inOrder = 'user, repository, time, id';
/** How many pairs may have a version of their own before all get a common one. */
const mostVersions = 20_000;
const eventsByUser = byWeek('events', 'events_week');
const pullsByUser = byWeek('pulls', 'pulls_newest');
const { isNamed } = eventUsers;
/** The condition that an event is not leaving. */
const hasUser = `${eventUsers.nameIn('events')} IS NOT NULL`;
/** How many rows of a forgotten user are removed in one transaction, so that others can write in between. */
const forgottenAtOnce = 1000;

export interface LocalEvents extends EventStore, Expiring {
  /** Returns those of these ids that stored events have. */
  stored(ids: string[]): Set<string>;
  /** The clock that rows expire by, milliseconds since the epoch: it does not follow a jump ahead at once. */
  time(): number;
  /** Removes entries that were quarantined for too long. */
  expireQuarantine(): Promise<void>;
  /** Whether rows of forgotten users, whose names are gone already, are still to be removed. */
  isLeaving(): boolean;
  /** Removes those rows; `forget` starts this, too. */
  leave(): Promise<void>;
}

interface Put {
  event: StoredEvent;
  origin: string;
  doc: string;
}

type EventRow = [id: string, user: number, repository: string, time: number, origin: string, doc: string];
type PullRow = [id: string, user: number, repository: string, time: number, doc: string];

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

/** The fields that `listOf` wrote. */
function fieldsOf<T>(doc: string, fields: (keyof T)[]): T {
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
const eventOf = ([id, , repository, time, origin, doc]: EventRow, user: string): StoredEvent => ({
  ...{ id, user, repository, time, origin: wholeOrigin(origin) },
  ...fieldsOf(doc, eventFields),
});
const pullOf = ([id, , repository, time, doc]: PullRow, user: string): Pull => ({
  ...{ id, time, user, repository },
  ...fieldsOf(doc, pullFields),
});
/** Makes a `doc` from one of an older version, an object with everything. */
const shorter = {
  events: (doc: string) => docOf(parseStoredEvent(doc)),
  pulls: (doc: string) => docOfPull(JSON.parse(doc) as Pull),
};

/** Registry events, the pulls derived from them, the quarantine and the daily keys, in one SQLite file. */
export function openEvents(
  file: string,
  clock: () => number,
  { mostQuarantineBytes, cacheMiB = batchCacheMiB }: { mostQuarantineBytes?: number; cacheMiB?: number } = {},
): LocalEvents {
  const database = openDatabase(
    file,
    `${eventTables}
     CREATE UNIQUE INDEX IF NOT EXISTS events_id ON events (id);
     CREATE INDEX IF NOT EXISTS events_week ON events (${weekOfRow}, ${inOrder});
     CREATE UNIQUE INDEX IF NOT EXISTS pulls_week ON pulls (${weekOfRow}, ${inOrder});
     CREATE INDEX IF NOT EXISTS pulls_newest ON pulls (${weekOfRow}, user, time, id);
     CREATE TABLE IF NOT EXISTS versions (
       user TEXT, repository TEXT, version INTEGER, PRIMARY KEY (user, repository)) WITHOUT ROWID;
     CREATE TABLE IF NOT EXISTS forgotten (person TEXT PRIMARY KEY, at REAL) WITHOUT ROWID;`,
    { cacheMiB, isScrubbed: true, before: (older) => moveOlderEvents(older, shorter) },
  );
  const commit = groupCommit(database);
  const time = steadyClock(database, clock);
  const keys = openDayKeys(database, time);
  const held: Quarantine = openQuarantine(database, { keys, time, mostBytes: mostQuarantineBytes });
  const prepare = (sql: string) => database.prepare(sql);
  const putEvent = prepare('INSERT OR IGNORE INTO events VALUES (?, ?, ?, ?, ?, ?)');
  const giveWay = prepare(`DELETE FROM events WHERE id = ? AND NOT (${hasUser})`);
  const origin = lists<[string]>(prepare(`SELECT origin FROM events WHERE id = ? AND ${hasUser}`));
  const eventsOf = prepare(
    `SELECT * FROM events WHERE ${weekOfRow} = ? AND ${isNamed} AND repository = ? AND time BETWEEN ? AND ? ORDER BY time, id`,
  );
  const later = prepare(
    `SELECT * FROM events WHERE ${weekOfRow} = ? AND ${isNamed} AND repository = ? AND time > ? ORDER BY time, id LIMIT ?`,
  );
  const rewriteEvent = prepare(`UPDATE events SET doc = ? WHERE id = ? AND ${isNamed}`);
  const nextRepositories = prepare(
    `SELECT DISTINCT repository FROM events WHERE ${weekOfRow} IN (SELECT value FROM json_each(?)) AND user = ?
       AND repository > ? ORDER BY repository LIMIT ?`,
  );
  const pullsOf = prepare(
    `SELECT * FROM pulls WHERE ${weekOfRow} = ? AND ${isNamed} AND repository = ? AND time BETWEEN ? AND ? ORDER BY time, id`,
  );
  const version = lists<[number]>(prepare('SELECT version FROM versions WHERE user = ? AND repository = ?'));
  const putVersion = prepare('INSERT OR REPLACE INTO versions VALUES (?, ?, ?)');
  const putPull = prepare('INSERT OR REPLACE INTO pulls VALUES (?, ?, ?, ?, ?)');
  const removePull = prepare(
    `DELETE FROM pulls WHERE ${weekOfRow} = ? AND ${isNamed} AND repository = ? AND time = ? AND id = ?`,
  );
  const newest = prepare(
    `SELECT * FROM pulls INDEXED BY pulls_newest
     WHERE ${weekOfRow} = ? AND ${isNamed} AND (time, id) < (?, ?) ORDER BY time DESC, id DESC LIMIT ?`,
  );
  for (const statement of [eventsOf, later, pullsOf, newest]) statement.setReturnArrays(true);
  const putMark = prepare(
    'INSERT INTO forgotten VALUES (?, ?) ON CONFLICT (person) DO UPDATE SET at = max(at, excluded.at)',
  );
  const mark = lists<[number]>(prepare('SELECT at FROM forgotten WHERE person = ?'));
  const oldMark = prepare('SELECT 1 FROM forgotten WHERE at <= ? LIMIT 1');
  const lateMark = prepare('SELECT 1 FROM forgotten WHERE at > ? LIMIT 1');
  const lowerMarks = prepare('UPDATE forgotten SET at = ? WHERE at > ?');
  const expireMarks = prepare('DELETE FROM forgotten WHERE at <= ?');

  const users = eventUsers.open(prepare);
  const digest = (user: string) => hash('sha256', user, 'base64url');
  const eventWeeks = weeksOf(prepare, eventsByUser);
  const pullWeeks = weeksOf(prepare, pullsByUser);

  /** The version of all pairs that were not replaced recently: at least as great as any of theirs. */
  const common: [string, string] = ['', ''];
  let versions = 0;
  /** Returns a function that reads versions within one transaction. */
  const readingVersions = () => {
    let shared: number | undefined;
    return (user: string, repository: string): number => {
      shared ??= version.get(...common)?.[0] ?? 0;
      return version.get(user, repository)?.[0] ?? shared;
    };
  };
  /** A pair needs a version only while a batch may have read it. */
  function dropVersions() {
    const greatest = Number(prepare('SELECT max(version) AS version FROM versions').get()?.version);
    database.exec('DELETE FROM versions');
    putVersion.run(...common, greatest);
    versions = 0;
  }
  const removeVersions = prepare('DELETE FROM versions WHERE user = ? AND repository <> ?');
  /** The rows of a user. */
  const own = [
    { table: 'events', rows: eventsByUser.rows, weeks: eventWeeks },
    { table: 'pulls', rows: pullsByUser.rows, weeks: pullWeeks },
  ].map(({ table, rows, weeks }) => {
    const those = `FROM ${rows} WHERE ${weekOfRow} IN (SELECT value FROM json_each(?)) AND user = ?`;
    const count = lists<[number]>(prepare(`SELECT COUNT(*) ${those}`));
    const some = prepare(`DELETE FROM ${table} WHERE rowid IN (SELECT rowid ${those} LIMIT ${forgottenAtOnce})`);
    return {
      count: (number: number) => count.get(JSON.stringify(weeks()), number)![0],
      /** Removes some; returns whether more may be left. */
      remove: (number: number) => Number(some.run(JSON.stringify(weeks()), number).changes) === forgottenAtOnce,
    };
  });
  /** Removes some rows of a forgotten user. */
  function removeSome(number: number): void {
    if (!own.map(({ remove }) => remove(number)).includes(true)) users.remove(number);
  }
  async function leave(): Promise<void> {
    const part = () => {
      const number = users.leaving();
      if (number !== undefined) removeSome(number);
      return number !== undefined;
    };
    if (!transaction(database, part)) return;
    while (transaction(database, part)) await wait(pauseMs);
    await wipe(file);
  }
  /** The events of the last put by id, with their docs: a batch reads back what it has just put, until it replaces pulls. */
  let latest = new Map<string, Put>();
  const readBack = (row: EventRow, user: string): StoredEvent => {
    const put = latest.get(row[0]);
    return put !== undefined && put.origin === row[4] && put.doc === row[5] ? put.event : eventOf(row, user);
  };
  const eventRows = (rows: unknown) => rows as EventRow[];
  const pulls = (rows: unknown, user: string) => (rows as PullRow[]).map((row) => pullOf(row, user));

  const pause = turns(rowsATurn);

  return {
    async put(events) {
      latest = new Map();
      return transaction(database, () => {
        const numberFor = users.giving();
        return events.map((event) => {
          const { id, user, repository, time } = event;
          const [doc, own] = [docOf(event), shortOrigin(event.origin)];
          latest.set(id, { event, origin: own, doc });
          const put = () => putEvent.run(id, numberFor(user), repository, time, own, doc).changes === 1;
          if (put() || (giveWay.run(id).changes === 1 && put())) return true;
          return wholeOrigin(String(origin.get(id)?.[0])) === event.origin;
        });
      });
    },
    stored: (ids) => readTogether(database, () => new Set(ids.filter((id) => origin.get(id) !== undefined))),
    async events(user, repository, from, to) {
      const rows = eventWeeks(from, to).flatMap((week) => eventRows(eventsOf.all(week, user, repository, from, to)));
      return rows.map((row) => readBack(row, user));
    },
    async rewrite(events) {
      transaction(database, () => {
        for (const event of events) rewriteEvent.run(docOf(event), event.id, event.user);
      });
    },
    async pairs({ cursor, limit }) {
      const weeks = JSON.stringify(eventWeeks());
      const items: { user: string; repository: string }[] = [];
      const [last, lastRepository] = cursor === undefined ? [0, ''] : (JSON.parse(cursor) as [number, string]);
      for (let next = users.from(last); next !== undefined; next = users.from(next[0] + 1)) {
        const [number, user] = next;
        const after = number === last ? lastRepository : '';
        for (const { repository } of nextRepositories.all(weeks, number, after, limit - items.length))
          items.push({ user, repository: String(repository) });
        if (items.length === limit) return { items, cursor: JSON.stringify([number, items[limit - 1].repository]) };
      }
      return { items };
    },
    async eventsAfter(user, repository, after, limit) {
      const start = after ?? Number.NEGATIVE_INFINITY;
      const rows: EventRow[] = [];
      for (const week of eventWeeks(start)) {
        rows.push(...eventRows(later.all(week, user, repository, start, limit - rows.length)));
        if (rows.length === limit) break;
      }
      return rows.map((row) => eventOf(row, user));
    },
    async version(user, repository) {
      return readingVersions()(user, repository);
    },
    async pulls(user, repository, from, to) {
      return pullWeeks(from, to).flatMap((week) => pulls(pullsOf.all(week, user, repository, from, to), user));
    },
    async versions(pairs) {
      return readTogether(database, () => {
        const versionOf = readingVersions();
        return pairs.map(({ user, repository }) => versionOf(user, repository));
      });
    },
    async replacePulls(replacements) {
      latest = new Map();
      return commit(() => {
        const numberFor = users.giving();
        const versionOf = readingVersions();
        const replaced = replacements.map(({ user, repository, version, remove, put }) => {
          if (versionOf(user, repository) !== version) return false;
          putVersion.run(user, repository, version + 1);
          versions++;
          for (const { time, id } of remove) removePull.run(weekOf(time), user, repository, time, id);
          for (const pull of put) putPull.run(pull.id, numberFor(user), repository, pull.time, docOfPull(pull));
          return true;
        });
        if (versions > mostVersions) dropVersions();
        return replaced;
      });
    },
    async history(user, { cursor, limit }) {
      const [time, id] = readCursor(cursor);
      const found: Pull[] = [];
      for (const week of pullWeeks(undefined, time).reverse()) {
        found.push(...pulls(newest.all(week, user, time, id, limit + 1 - found.length), user));
        if (found.length > limit) break;
      }
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
      const rows = transaction(database, () => {
        const versions = Number(removeVersions.run(user, '').changes);
        const number = users.numberOf(user);
        if (number === undefined) return versions;
        const rows = own.reduce((sum, { count }) => sum + count(number), 0);
        users.forget(number);
        removeSome(number);
        // And the row of its name.
        return versions + rows + 1;
      });
      const quarantined = await held.forget(user);
      // Whatever was removed: the files may also name the user in what expired, or an earlier call has removed.
      await wipe(file);
      // What is left after a failure, the next start removes.
      if (users.leaving() !== undefined) setImmediate(() => leave().catch(() => {}));
      return rows + quarantined;
    },
    isLeaving: () => users.leaving() !== undefined,
    leave,
    async expire(before) {
      let rows = 0;
      for (const table of ['events', 'pulls']) rows += await removeOld(database, table, 'rowid', before);
      // They name users, of whom there may be no other row.
      if (rows > 0) {
        transaction(database, dropVersions);
        await eventUsers.dropUnused(database, [eventsByUser, pullsByUser]);
      }
      await held.expire(before);
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
        users.map((user): [string, number | undefined] => [user, mark.get(digest(user))?.[0]]),
      );
      return new Map(marks.filter((pair): pair is [string, number] => pair[1] !== undefined));
    },
  };
}
