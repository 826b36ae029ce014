// The embedded stream: what Kinesis is on AWS, as a log in one SQLite file that threads and processes share.
//
// Records are stored in blocks: what one transaction put into one shard, compressed and encrypted together, at most
// about 1 MiB. Hits shrink to a tenth. A block's key is shard * 2^42 + number of its last record, so that "the block
// after record n" is one search of the key.
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type StreamRecord, StreamRefused, type StreamWriter } from '#core/stores.ts';
import { SettingError } from '#settings/error.ts';
import { openSeal, type Seal } from './secrets/seal.ts';
import { transaction } from './sqlite/sqlite.ts';
import { openWakeups, type Wakeups } from './wakeups.ts';

export interface StreamOptions {
  /** The number of shards of a new stream; an existing one keeps its own. */
  shards?: number;
  /** Milliseconds since the epoch. */
  clock: () => number;
  /** A record is removed when it is consumed and this old; default 24 h, as with Kinesis. Unconsumed records stay. */
  retentionMs?: number;
  /** Bytes of unconsumed and retained records from which puts are refused (4 GiB). */
  maxBytes?: number;
  /** How long a put waits for other writers before it is refused (2 s). */
  patienceMs?: number;
}

interface Shard {
  id: string;
  parent?: string;
  /** It accepts no more records, because it was split. */
  closed: boolean;
  /** The range of MD5 hashes of its partition keys, first and last, 32 hexadecimal digits. */
  startingHash: string;
  endingHash: string;
}

export interface ReadRecord {
  /** 56 decimal digits, growing within a shard; greater than those of any stream made here before. */
  sequenceNumber: string;
  key: string;
  data: Uint8Array;
  /** Milliseconds since the epoch. */
  arrivedAt: number;
}

export interface LocalStream extends StreamWriter {
  shards(): Shard[];
  /**
   * Records after a sequence number ('0': from the oldest kept), at most `limit` and `maxBytes` of data, but at least
   * one. `end`: the shard is closed and these are its last.
   */
  read(shard: string, after: string, limit: number, maxBytes?: number): { records: ReadRecord[]; end: boolean };
  /** Closes a shard and opens two in its place; a reader finishes it before its children. Returns their ids. */
  splitShard(shard: string): string[];
  /** Everything up to this sequence number is processed, and may be removed once it is old enough. */
  consumed(shard: string, sequenceNumber: string): void;
  /** Deletes records that are consumed and old enough; returns how many. */
  trim(): number;
  /** Age of the oldest record not consumed, for each shard that is open or has one. */
  lag(): { shard: string; seconds: number }[];
  /** Returns a function that says how many of the records now in the stream are still not consumed. */
  pending(): () => number;
  /** Changes whenever the stream may have changed; much cheaper than a read. */
  version(): number;
  /**
   * Resolves after so long, when the signal aborts, or as soon as a thread of this process has written records. Records
   * from another process are noticed only by the file's version.
   */
  wait(milliseconds: number, signal: AbortSignal): Promise<void>;
  /** Stores the accepted records, and refuses further ones. */
  close(): void;
}

const mib = 1024 * 1024;
/** Kinesis's limit of a record: data and key together. */
const maxRecordBytes = mib;
const blockBytes = mib;
const transactionBytes = 8 * mib;
const queueBytes = 64 * mib;
const schemaVersion = 1;
/** Records of one shard, ever. Times 2,048 shards it is the greatest integer a double holds exactly. */
const shardRecords = 2 ** 42;

const schema = `
  CREATE TABLE IF NOT EXISTS shards (
    number INTEGER PRIMARY KEY, parent INTEGER, startingHash TEXT NOT NULL, endingHash TEXT NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0, madeAt INTEGER NOT NULL,
    last INTEGER NOT NULL DEFAULT 0, consumed INTEGER NOT NULL DEFAULT 0);
  CREATE TABLE IF NOT EXISTS blocks (id INTEGER PRIMARY KEY, count INTEGER NOT NULL, arrivedAt REAL NOT NULL, sealed BLOB NOT NULL);`;

interface ShardRow {
  number: number;
  parent: number | null;
  startingHash: string;
  endingHash: string;
  closed: number;
  madeAt: number;
  last: number;
  consumed: number;
}

interface BlockRow {
  id: number;
  count: number;
  arrivedAt: number;
  sealed: Uint8Array;
}

interface HashedRecord extends StreamRecord {
  hash: string;
}

interface Waiting {
  records: HashedRecord[];
  bytes: number;
  since: number;
  resolve: () => void;
  reject: (cause: Error) => void;
}

/** Opens (and makes) the stream of a folder. Throws one error that names the folder when it can't be used. */
export function openStream(folder: string, options: StreamOptions): LocalStream {
  try {
    const seal = openSeal(folder);
    return whenFree(() => {
      const database = new DatabaseSync(join(folder, 'stream.db'), { timeout: 100 });
      try {
        setUpLog(database, options);
        const stream = streamOver(database, seal, options, openWakeups(folder));
        // A lost key is reported at once, not only at the first read.
        for (const { id } of stream.shards()) stream.read(id, '0', 1);
        return stream;
      } catch (cause) {
        database.close();
        throw cause;
      }
    });
  } catch (cause) {
    throw new SettingError(
      `the stream in ${folder} can't be used: ${(cause as Error).message}. Fix its permissions, or move the folder away to begin a new stream.`,
      { cause },
    );
  }
}

function setUpLog(database: DatabaseSync, { shards = 2, clock }: StreamOptions) {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version !== 0 && version !== schemaVersion)
    throw new Error(`it has format ${version} and this version reads format ${schemaVersion}`);
  if (version === 0) {
    database.exec('PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL');
    transaction(database, () => {
      database.exec(schema);
      if (shardRows(database).length === 0)
        for (const [from, to] of ranges(0n, 2n ** 128n - 1n, shards)) addShard(database, from, to, null, clock());
      database.exec(`PRAGMA user_version = ${schemaVersion}`);
    });
  }
  // FULL: a put that resolved also survives a power cut. secure_delete: removed records are not left in free pages.
  database.exec('PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 67108864');
}

function streamOver(database: DatabaseSync, seal: Seal, options: StreamOptions, wakeups: Wakeups): LocalStream {
  const { clock, retentionMs = 86_400_000, maxBytes = 4 * 1024 * mib, patienceMs = 2000 } = options;
  const insertBlock = database.prepare('INSERT INTO blocks VALUES (?, ?, ?, ?)');
  const updateLast = database.prepare('UPDATE shards SET last = ? WHERE number = ?');
  const updateConsumed = database.prepare('UPDATE shards SET consumed = max(consumed, min(?, last)) WHERE number = ?');
  const closeShard = database.prepare('UPDATE shards SET closed = 1 WHERE number = ?');
  const blocksAfter = database.prepare('SELECT * FROM blocks WHERE id > ? AND id < ? ORDER BY id');
  const oldest = database.prepare('SELECT arrivedAt FROM blocks WHERE id > ? AND id < ? ORDER BY id LIMIT 1');
  const spent = database.prepare('SELECT id, count FROM blocks WHERE id > ? AND id <= ? AND arrivedAt <= ? LIMIT 16');
  const removeBlock = database.prepare('DELETE FROM blocks WHERE id = ?');
  const dataVersion = database.prepare('PRAGMA data_version');
  const pages = database.prepare(
    'SELECT (page_count - freelist_count) * page_size AS used, freelist_count AS free FROM pragma_page_count, pragma_freelist_count, pragma_page_size',
  );

  const queue: Waiting[] = [];
  let queued = 0;
  let timer: NodeJS.Timeout | undefined;
  /**
   * When the next transaction may begin: after a pause as long as the last one took, so that other work gets its turn.
   */
  let notBefore = 0;
  let closed = false;
  /** data_version counts other connections' transactions only. */
  let ownWrites = 0;

  const find = (id: string): ShardRow => {
    const row = shardRows(database).find(({ number }) => shardId(number) === id);
    if (!row) throw new Error(`there is no shard ${id}`);
    return row;
  };

  function schedule() {
    timer ??= setTimeout(flush, Math.max(0, notBefore - performance.now()));
  }

  function flush() {
    timer = undefined;
    const began = performance.now();
    const group = takeGroup();
    let refused: StreamRefused | undefined;
    try {
      transaction(database, () => append(group.flatMap(({ records }) => records)));
      ownWrites++;
      wakeups.wakeOthers();
    } catch (cause) {
      if (isBusy(cause) && !closed && began - group[0].since < patienceMs) {
        queue.unshift(...group);
        for (const { bytes } of group) queued += bytes;
        group.length = 0;
      } else refused = cause instanceof StreamRefused ? cause : new StreamRefused(refusal(cause), { cause });
    }
    for (const { resolve, reject } of group) refused ? reject(refused) : resolve();
    const ended = performance.now();
    notBefore = ended + Math.min(50, ended - began);
    if (queue.length > 0) schedule();
  }

  function takeGroup(): Waiting[] {
    const group: Waiting[] = [];
    let bytes = 0;
    while (queue.length > 0 && (group.length === 0 || bytes + queue[0].bytes <= transactionBytes)) {
      const next = queue.shift()!;
      bytes += next.bytes;
      queued -= next.bytes;
      group.push(next);
    }
    return group;
  }

  function append(records: HashedRecord[]) {
    if (Number(pages.get()?.used) >= maxBytes)
      throw new StreamRefused(`the stream is full: it holds ${maxBytes} bytes that are not processed yet`);
    const arrivedAt = clock();
    for (const shard of shardRows(database).filter((row) => !row.closed)) {
      const own = records.filter(({ hash }) => hash >= shard.startingHash && hash <= shard.endingHash);
      let { last } = shard;
      for (const block of blocks(own)) {
        last += block.length;
        const id = shard.number * shardRecords + last;
        insertBlock.run(
          id,
          block.length,
          arrivedAt,
          seal.close(pack(encode(block)), blockName(id, block.length, arrivedAt)),
        );
      }
      if (last !== shard.last) updateLast.run(last, shard.number);
    }
  }

  return {
    async put(records) {
      const hashed = records.map(hashRecord);
      if (hashed.length === 0) return;
      const bytes = hashed.reduce((sum, { data }) => sum + data.length, 0);
      if (closed) throw new StreamRefused('the stream is closed');
      if (queued + bytes > queueBytes) throw new StreamRefused(`${queued} bytes already wait to be written`);
      return new Promise((resolve, reject) => {
        queue.push({ records: hashed, bytes, since: performance.now(), resolve, reject });
        queued += bytes;
        schedule();
      });
    },
    shards() {
      return shardRows(database).map(({ number, parent, startingHash, endingHash, closed }) => ({
        id: shardId(number),
        ...(parent === null ? {} : { parent: shardId(parent) }),
        closed: closed === 1,
        startingHash,
        endingHash,
      }));
    },
    read(shard, after, limit, maxBytes = Infinity) {
      const row = find(shard);
      const start = row.number * shardRecords;
      const skip = recordNumber(row, after);
      const records: ReadRecord[] = [];
      let bytes = 0;
      for (const block of blocksAfter.iterate(start + skip, start + shardRecords) as Iterable<unknown>) {
        const { id, count, arrivedAt, sealed } = block as BlockRow;
        const first = id - start - count + 1;
        const plain = openBlock(seal, sealed, blockName(id, count, arrivedAt), shard);
        for (const { index, key, data } of decode(unpack(plain))) {
          if (first + index <= skip) continue;
          bytes += data.length;
          if (records.length === limit || (records.length > 0 && bytes > maxBytes)) return { records, end: false };
          records.push({ sequenceNumber: sequenceNumber(row, first + index), key, data, arrivedAt });
        }
      }
      return { records, end: row.closed === 1 };
    },
    splitShard(shard) {
      ownWrites++;
      return whenFree(() =>
        transaction(database, () => {
          const { number, startingHash, endingHash, closed } = find(shard);
          if (closed) throw new Error(`${shard} is closed already`);
          if (startingHash === endingHash) throw new Error(`${shard} holds one hash only: it can't be split`);
          closeShard.run(number);
          const halves = ranges(BigInt(`0x${startingHash}`), BigInt(`0x${endingHash}`), 2);
          return halves.map(([from, to]) => shardId(addShard(database, from, to, number, clock())));
        }),
      );
    },
    consumed(shard, sequence) {
      ownWrites++;
      whenFree(() => {
        const row = find(shard);
        updateConsumed.run(recordNumber(row, sequence), row.number);
      });
    },
    trim() {
      let trimmed = 0;
      for (const { number, consumed } of shardRows(database)) {
        const start = number * shardRecords;
        for (;;) {
          // A few at a time, because writers wait while records are overwritten.
          const rows = spent.all(start, start + consumed, clock() - retentionMs);
          if (rows.length === 0) break;
          whenFree(() => transaction(database, () => rows.map(({ id }) => removeBlock.run(id))));
          trimmed += rows.reduce((sum, { count }) => sum + Number(count), 0);
        }
      }
      if (Number(pages.get()?.free) > 16_384) whenFree(() => database.exec('PRAGMA incremental_vacuum(4096)'));
      return trimmed;
    },
    lag() {
      const now = clock();
      return shardRows(database).flatMap((row) => {
        const start = row.number * shardRecords;
        const waiting = oldest.get(start + row.consumed, start + shardRecords);
        if (!waiting && row.closed) return [];
        return {
          shard: shardId(row.number),
          seconds: waiting ? Math.max(0, now - Number(waiting.arrivedAt)) / 1000 : 0,
        };
      });
    },
    pending() {
      const ends = new Map(shardRows(database).map(({ number, last }) => [number, last]));
      return () =>
        shardRows(database).reduce(
          (sum, { number, consumed }) => sum + Math.max(0, (ends.get(number) ?? 0) - consumed),
          0,
        );
    },
    version() {
      return Number(dataVersion.get()?.data_version) + ownWrites;
    },
    wait: wakeups.wait,
    close() {
      if (closed) return;
      closed = true;
      clearTimeout(timer);
      while (queue.length > 0) flush();
      clearTimeout(timer);
      wakeups.close();
      database.close();
    },
  };
}

function shardRows(database: DatabaseSync): ShardRow[] {
  return database.prepare('SELECT * FROM shards ORDER BY number').all() as unknown as ShardRow[];
}

function addShard(database: DatabaseSync, from: string, to: string, parent: number | null, madeAt: number): number {
  const insert = database.prepare(
    `INSERT INTO shards (number, parent, startingHash, endingHash, madeAt)
     VALUES ((SELECT coalesce(max(number) + 1, 0) FROM shards), ?, ?, ?, ?)`,
  );
  return Number(insert.run(parent, from, to, Math.round(madeAt)).lastInsertRowid);
}

const shardId = (number: number) => `shardId-${String(number).padStart(12, '0')}`;
const hex = (value: bigint) => value.toString(16).padStart(32, '0');

/** Cuts a range of hashes into equal parts. */
function ranges(from: bigint, to: bigint, parts: number): [string, string][] {
  const cut = (part: number) => from + ((to - from + 1n) * BigInt(part)) / BigInt(parts);
  return Array.from({ length: parts }, (_, part) => [hex(cut(part)), hex(cut(part + 1) - 1n)]);
}

/**
 * Starts with the time when the shard was made, so that a new stream continues above the positions committed for the
 * old one.
 */
const prefix = ({ number, madeAt }: ShardRow) =>
  `49${String(madeAt).padStart(13, '0')}${String(number).padStart(6, '0')}`;
const sequenceNumber = (row: ShardRow, record: number) => prefix(row) + String(record).padStart(35, '0');

/** The number of the record in the shard; 0 for '0' and for a record of another stream. */
function recordNumber(row: ShardRow, sequence: string): number {
  const head = prefix(row);
  return sequence.length === head.length + 35 && sequence.startsWith(head) ? Number(sequence.slice(head.length)) : 0;
}

function hashRecord({ key, data }: StreamRecord): HashedRecord {
  const size = data.length + Buffer.byteLength(key);
  if (size > maxRecordBytes)
    throw new RangeError(`a record of ${size} bytes is too large: a stream takes ${maxRecordBytes}, key included`);
  if (key.length < 1 || key.length > 256)
    throw new RangeError(`a partition key has 1 to 256 characters, not ${key.length}`);
  return { key, data, hash: hash('md5', key) };
}

/** Groups records, in order, into blocks. */
function blocks(records: HashedRecord[]): HashedRecord[][] {
  const result: HashedRecord[][] = [];
  let bytes = Infinity;
  for (const record of records) {
    if (bytes + record.data.length > blockBytes) {
      result.push([]);
      bytes = 0;
    }
    bytes += record.data.length;
    result[result.length - 1].push(record);
  }
  return result;
}

const blockName = (id: number, count: number, arrivedAt: number) => `block ${id} ${count} ${arrivedAt}`;

function openBlock(seal: Seal, sealed: Uint8Array, name: string, shard: string): Buffer {
  try {
    return seal.open(sealed, name);
  } catch (cause) {
    throw new Error(`${name} of ${shard} can't be decrypted: its key file or the database is not the one it had`, {
      cause,
    });
  }
}

// zstd's magic number. An uncompressed block begins with the length of a key, which is never that great.
const packedMark = Buffer.from([0x28, 0xb5, 0x2f, 0xfd]);
const packOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Compresses if that is shorter; a few hundred bytes are not worth the 20 us. */
function pack(bytes: Buffer): Buffer {
  const packed = bytes.length > 400 ? zstdCompressSync(bytes, packOptions) : bytes;
  return packed.length < bytes.length ? packed : bytes;
}

function unpack(bytes: Buffer): Buffer {
  return bytes.subarray(0, 4).equals(packedMark) ? zstdDecompressSync(bytes) : bytes;
}

/** Record after record: bytes of the key (16 bit), bytes of the data (32 bit), key, data; little endian. */
function encode(records: HashedRecord[]): Buffer {
  const keys = records.map(({ key }) => Buffer.from(key));
  const size = records.reduce((sum, { data }, index) => sum + 6 + keys[index].length + data.length, 0);
  const bytes = Buffer.allocUnsafe(size);
  let offset = 0;
  for (const [index, { data }] of records.entries()) {
    offset = bytes.writeUInt16LE(keys[index].length, offset);
    offset = bytes.writeUInt32LE(data.length, offset);
    bytes.set(keys[index], offset);
    offset += keys[index].length;
    bytes.set(data, offset);
    offset += data.length;
  }
  return bytes;
}

function* decode(bytes: Buffer): Generator<{ index: number; key: string; data: Uint8Array }> {
  for (let index = 0, offset = 0; offset < bytes.length; index++) {
    const keyEnd = offset + 6 + bytes.readUInt16LE(offset);
    const end = keyEnd + bytes.readUInt32LE(offset + 2);
    yield { index, key: bytes.toString('utf8', offset + 6, keyEnd), data: bytes.subarray(keyEnd, end) };
    offset = end;
  }
}

/** SQLITE_BUSY, in any of its extended forms. */
const isBusy = (cause: unknown) => ((cause as { errcode?: number }).errcode ?? 0) % 256 === 5;

/** Says why nothing was accepted, without the data. */
const refusal = (cause: unknown) =>
  isBusy(cause) ? 'another process has locked the stream' : `the stream can't be written: ${(cause as Error).message}`;

/** Runs work that needs the write lock, waiting up to 50 times the connection's timeout for other writers. */
function whenFree<T>(work: () => T): T {
  for (let tries = 1; ; tries++) {
    try {
      return work();
    } catch (cause) {
      if (!isBusy(cause) || tries === 50) throw cause;
    }
  }
}
