// The embedded object store: bodies are files in a folder, with an index beside them.
//
// A body's file never changes: a put writes a new file, and takes effect with the index row that names it. So a reader
// sees one version or the other, one of several writers with the same If-Match wins, and a key can be any text, because
// it is never part of a path. Small bodies, such as most deltas, are stored in the row: one flush to disk instead of
// three.
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { Damaged, type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { syncFolder } from './secrets/secret.ts';
import { groupCommit, openDatabase, transaction } from './sqlite/sqlite.ts';

/** Bodies up to this many bytes are kept in the index. */
const smallBytes = 64 * 1024;
/** Versions that are known to be undamaged. */
const mostVerified = 10_000;
/** S3's limit, in bytes of UTF-8. */
const maxKeyBytes = 1024;
/** A file without a row belongs to a put that is in progress or, after an hour, to one that never ended. */
const abandonedMs = 3_600_000;

interface Row {
  key: string;
  version: string;
  size: number;
  modified: number;
  /** null if the body is in the file of that version. */
  body: Uint8Array | null;
  /** CRC-32 of the body; null if an older version stored it. */
  sum: number | null;
}

/** Opens (and makes) a folder of objects. Each put gets a new ETag, also with the same body. */
export function openObjects(folder: string, clock: () => number = Date.now): ObjectStore {
  const bodies = join(folder, 'bodies');
  mkdirSync(bodies, { recursive: true });
  const database = openDatabase(
    join(folder, 'index.db'),
    `CREATE TABLE IF NOT EXISTS objects (
       key TEXT PRIMARY KEY, version TEXT NOT NULL, size INTEGER NOT NULL, modified REAL NOT NULL, body BLOB, sum INTEGER)`,
    { added: { objects: { sum: 'INTEGER' } } },
  );
  const commit = groupCommit(database);
  const find = database.prepare('SELECT * FROM objects WHERE key = ?');
  const describe = database.prepare(
    'SELECT key, version, size, modified, body IS NULL AS large FROM objects WHERE key = ?',
  );
  const from = database.prepare('SELECT key, version, size, modified FROM objects WHERE key >= ? ORDER BY key');
  const replace = database.prepare('INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)');
  const removeRow = database.prepare('DELETE FROM objects WHERE key = ? RETURNING version, body IS NULL AS large');
  const file = (version: string) => join(bodies, version);
  const verified = new Set<string>();
  sweep();

  /** Removes files that killed puts left behind. */
  function sweep() {
    const known = new Set(
      database
        .prepare('SELECT version FROM objects WHERE body IS NULL')
        .all()
        .map(({ version }) => version),
    );
    for (const name of readdirSync(bodies)) {
      const stat = known.has(name) ? undefined : statSync(file(name), { throwIfNoEntry: false });
      if (stat && Date.now() - stat.mtimeMs > abandonedMs) rmSync(file(name), { force: true });
    }
  }

  /**
   * Checks the whole body when this process opens that version for the first time, even if only a part is requested.
   */
  async function verify({ key, version, size, body, sum }: Row) {
    if (sum === null || verified.has(version)) return;
    const bytes =
      body ??
      (await readPart(file(version), 0, size).catch((cause: Error) => {
        throw new Damaged(key, cause.message);
      }));
    // It was replaced or removed meanwhile: reading it shows which.
    if (!bytes) return;
    if (bytes.length !== size || crc32(bytes) !== sum) throw new Damaged(key);
    if (verified.size >= mostVerified) verified.clear();
    verified.add(version);
  }

  /** A reader may still have it open, and some systems forbid removing open files: then the sweep removes it later. */
  const drop = (version: string) => rm(file(version), { force: true }).catch(() => {});

  async function write(version: string, bytes: Uint8Array) {
    const handle = await open(file(version), 'wx');
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    syncFolder(bodies);
  }

  return {
    async get(key, range) {
      for (let seen = ''; ; ) {
        const row = find.get(key) as unknown as Row | undefined;
        if (!row) return undefined;
        if (row.version === seen) throw new Damaged(key, `the body is missing: ${file(seen)} was removed`);
        seen = row.version;
        await verify(row);
        const start = Math.min(row.size, range?.start ?? 0);
        const end = Math.max(start, Math.min(row.size, range?.end ?? row.size));
        const body = row.body?.subarray(start, end) ?? (await readPart(file(row.version), start, end));
        // Without its file it was replaced meanwhile.
        if (body) return { body, etag: etagOf(row) };
      }
    },
    async head(key) {
      const row = describe.get(key) as unknown as Row | undefined;
      return row && infoOf(row);
    },
    async put(key, body, { ifMatch, ifNoneMatch } = {}) {
      checkKey(key);
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      const version = randomUUID();
      const small = bytes.length <= smallBytes;
      if (!small) await write(version, bytes);
      let held: (Row & { large: number }) | undefined;
      try {
        await commit(() => {
          held = describe.get(key) as unknown as typeof held;
          if (ifNoneMatch === '*' && held) throw new PreconditionFailed(`"${key}" exists already`);
          if (ifMatch !== undefined && (!held || etagOf(held) !== ifMatch))
            throw new PreconditionFailed(`"${key}" is ${held ? etagOf(held) : 'not there'}, not ${ifMatch}`);
          replace.run(key, version, bytes.length, clock(), small ? bytes : null, crc32(bytes));
        });
      } catch (cause) {
        if (!small) await drop(version);
        throw cause;
      }
      if (held?.large) await drop(held.version);
      return { etag: etagOf({ version }) };
    },
    async list(prefix) {
      const found = [];
      for (const row of from.iterate(prefix) as Iterable<unknown>) {
        if (!(row as Row).key.startsWith(prefix)) break;
        found.push(infoOf(row as Row));
      }
      return found;
    },
    async remove(keys) {
      const removed = transaction(database, () => keys.flatMap((key) => removeRow.all(key)));
      await Promise.all(removed.map(({ version, large }) => (large ? drop(String(version)) : undefined)));
    },
  };
}

/** The ETag in quotes, as HTTP and S3 write it. */
const etagOf = ({ version }: Pick<Row, 'version'>) => `"${version}"`;

const infoOf = ({ key, size, modified, version }: Row) => ({ key, etag: etagOf({ version }), size, modified });

function checkKey(key: string) {
  if (!key.isWellFormed()) throw new RangeError(`key ${JSON.stringify(key)} is not valid Unicode`);
  const bytes = Buffer.byteLength(key);
  if (bytes < 1 || bytes > maxKeyBytes) throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes, not ${bytes}`);
}

/** Returns bytes start <= i < end of a file, or undefined if the file is missing. */
async function readPart(path: string, start: number, end: number): Promise<Uint8Array | undefined> {
  const handle = await open(path).catch((cause) => {
    if (cause.code !== 'ENOENT') throw cause;
  });
  if (!handle) return undefined;
  try {
    const bytes = Buffer.allocUnsafeSlow(end - start);
    for (let read = 0; read < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, read, bytes.length - read, start + read);
      if (bytesRead === 0) throw new Error(`${path} is truncated: ${start + read} of ${end} bytes`);
      read += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
