// Opens the databases of the data folder, which several threads and processes read and write at once.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { SettingError } from '#settings/error.ts';
import { checkpoint } from './checkpoint.ts';
import { isLongerThan } from './log.ts';

interface OpenOptions {
  added?: Record<string, Record<string, string>>;
  cacheMiB?: number;
  isScrubbed?: boolean;
  before?: (database: DatabaseSync) => void;
}

/**
 * Opens (and makes) a SQLite file in WAL mode. synchronous FULL: the stores are in several files, and after a power cut
 * a position must not exist without the data stored before it. secure_delete overwrites removed rows. `added`: columns,
 * by table, that a file of an older version lacks. `cacheMiB`: the most memory for cached pages. `isScrubbed`: its
 * checkpoints are our own (checkpoint.ts), so that forgetting takes no longer the larger it is. `before`: what is done
 * before the schema. Throws SettingError if
 * the file is not a database or can't be written.
 */
export function openDatabase(
  file: string,
  schema: string,
  { added = {}, cacheMiB = 8, isScrubbed = false, before }: OpenOptions = {},
): DatabaseSync {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const database = new DatabaseSync(file, { timeout: 10_000 });
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;');
    database.exec(`PRAGMA cache_size = -${1024 * cacheMiB}`);
    database.exec(`PRAGMA wal_autocheckpoint = ${isScrubbed ? 0 : checkpointBytes / 4096}`);
    if (isScrubbed && file !== ':memory:') {
      const changes = lists<[number]>(database.prepare('SELECT total_changes()'));
      scrubbed.set(database, { file, changes: () => changes.get()![0] });
    }
    before?.(database);
    database.exec(schema);
    for (const [table, columns] of Object.entries(added)) addColumns(database, table, columns);
    return database;
  } catch (cause) {
    throw new SettingError(`${file} can't be used: ${(cause as Error).message}`, { cause });
  }
}

/**
 * A batch of 10,000 pulls changes some ten thousand pages: those that do not fit into the cache are written and read
 * repeatedly.
 */
export const batchCacheMiB = 32;
/** The cache for pages that are read repeatedly. */
export const readCacheMiB = 16;
/** A page that changes with each batch is copied back into the file only once per this much log. */
const checkpointBytes = 64 * 1024 * 1024;
/** The same while batches are large, as in an import: each changes many of the pages that the one before changed. */
const largeBatches = { rows: 5000, checkpointBytes: 4 * checkpointBytes };

/** Databases with our own checkpoints: their file, and how many rows the connection has changed. */
const scrubbed = new WeakMap<DatabaseSync, { file: string; changes: () => number }>();

/**
 * Copies a log that has become long into the file, unless others write or read: then a later commit does it. `rows`: how
 * many were changed.
 */
function afterCommit(file: string, rows: number): void {
  const most = rows < largeBatches.rows ? checkpointBytes : largeBatches.checkpointBytes;
  try {
    if (isLongerThan(file, most)) checkpoint(file, 1000);
  } catch {} // What was committed is stored. A disk that fails or is full is reported by the next write.
}

function addColumns(database: DatabaseSync, table: string, columns: Record<string, string>): void {
  const names = () =>
    new Set(
      database
        .prepare(`PRAGMA table_info(${table})`)
        .all()
        .map(({ name }) => String(name)),
    );
  if (Object.keys(columns).every((name) => names().has(name))) return;
  // Another process may be doing the same, so it is checked again under the lock.
  transaction(database, () => {
    const there = names();
    for (const [name, type] of Object.entries(columns))
      if (!there.has(name)) database.exec(`ALTER TABLE ${table} ADD COLUMN ${name} ${type}`);
  });
}

/** Runs work in one write transaction: everything is stored, or nothing. */
export function transaction<T>(database: DatabaseSync, work: () => T): T {
  const own = scrubbed.get(database);
  if (own === undefined) return committed(database, work);
  giveWay(database);
  const began = performance.now();
  const before = own.changes();
  const result = committed(database, work);
  afterCommit(own.file, own.changes() - before);
  const writing = writers.get(database) ?? { since: began, held: 0 };
  writers.set(database, { ...writing, held: writing.held + performance.now() - began });
  return result;
}

/** Since when a connection has written without a pause, and for how long of that it has held the write lock. */
const writers = new WeakMap<DatabaseSync, { since: number; held: number }>();
/** How long a connection may hold the lock for nearly all of the time: others give up after 10 s. */
const longestMs = 3000;

/** Pauses if others had hardly a chance to take the write lock, as during an import. */
function giveWay(database: DatabaseSync): void {
  const writing = writers.get(database);
  const elapsed = writing ? performance.now() - writing.since : 0;
  if (!writing || elapsed < longestMs) return;
  if (writing.held > 0.8 * elapsed) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pauseMs);
  writers.delete(database);
}

function committed<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (cause) {
    // A full disk has already ended the transaction.
    if (database.isTransaction) database.exec('ROLLBACK');
    throw cause;
  }
}

/** A statement that returns rows as lists. */
export interface Lists<Row extends unknown[]> {
  get(...values: SQLInputValue[]): Row | undefined;
  all(...values: SQLInputValue[]): Row[];
}

/**
 * Makes a statement return rows as lists of their columns. For each row as an object node:sqlite makes a hidden class,
 * which only a collection of the whole heap frees.
 */
export function lists<Row extends unknown[]>(statement: StatementSync): Lists<Row> {
  statement.setReturnArrays(true);
  return statement as unknown as Lists<Row>;
}

/** Runs many small reads: each alone would take and leave the file's lock. */
export function readTogether<T>(database: DatabaseSync, read: () => T): T {
  database.exec('BEGIN');
  try {
    return read();
  } finally {
    database.exec('COMMIT');
  }
}

/**
 * Group commit: pieces of work from one turn of the event loop share a transaction, and so one wait for the disk. One
 * that throws does not affect the others.
 */
export function groupCommit(database: DatabaseSync): <T>(work: () => T) => Promise<T> {
  let queue: (() => unknown)[] = [];
  let committed: Promise<PromiseSettledResult<unknown>[]> | undefined;
  const commit = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    const works = queue;
    queue = [];
    committed = undefined;
    try {
      return transaction(database, () => works.map((work) => ({ status: 'fulfilled' as const, value: work() })));
    } catch {
      return Promise.allSettled(works.map(async (work) => transaction(database, work)));
    }
  };
  return async <T>(work: () => T) => {
    const place = queue.push(work) - 1;
    committed ??= commit();
    const result = (await committed)[place];
    if (result.status === 'rejected') throw result.reason;
    return result.value as T;
  };
}

/** How long whoever writes repeatedly waits in between: SQLite tries to take a lock every 100 ms. */
export const pauseMs = 110;

/** How many rows are removed in one transaction, so that others can write in between. */
const oldAtOnce = 2000;

/** Removes rows from before a time, in steps; returns how many. `where`: a further condition. */
export async function removeOld(
  database: DatabaseSync,
  table: string,
  key: string,
  before: number,
  where = '',
): Promise<number> {
  database.exec(`CREATE INDEX IF NOT EXISTS ${table}_time ON ${table} (time)`);
  const remove = database.prepare(
    `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} WHERE time < ? ${where} LIMIT ${oldAtOnce})`,
  );
  for (let rows = 0; ; await new Promise((resolve) => setImmediate(resolve))) {
    const removed = transaction(database, () => Number(remove.run(before).changes));
    if (removed === 0) return rows;
    rows += removed;
  }
}
