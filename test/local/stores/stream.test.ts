import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { StreamRefused } from '#core/stores.ts';
import { type LocalStream, openStream, type ReadRecord } from '#local/stores/stream.ts';

const folders: string[] = [];
const opened: LocalStream[] = [];
after(() => {
  for (const stream of opened) stream.close();
  for (const folder of folders) rmSync(folder, { recursive: true });
});

const start = Date.UTC(2026, 10, 21);
let now = start;
const clock = () => now;

function newFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'stream-'));
  folders.push(folder);
  return folder;
}

function open(folder = newFolder(), options: Partial<Parameters<typeof openStream>[1]> = {}) {
  const stream = openStream(folder, { clock, ...options });
  opened.push(stream);
  return stream;
}

const text = (record: ReadRecord) => Buffer.from(record.data).toString();
const record = (key: string, data: string) => ({ key, data: Buffer.from(data) });
const all = (stream: LocalStream) => stream.shards().flatMap(({ id }) => stream.read(id, '0', Infinity).records);
/** Incompressible text. */
const noise = (length: number) =>
  randomBytes(length)
    .toString('latin1')
    .replaceAll(/[^ -~]/g, '~');
const many = (count: number, data = (n: number) => `record ${n}`) =>
  Array.from({ length: count }, (_, n) => record(`key ${n}`, data(n)));

test('records are read back with their key and arrival time', async () => {
  const stream = open();
  await stream.put([record('Zoë', 'one'), record('b', '')]);
  const read = all(stream).sort((a, b) => (a.key < b.key ? -1 : 1));
  assert.deepEqual(
    read.map((item) => [item.key, text(item), item.arrivedAt]),
    [
      ['Zoë', 'one', start],
      ['b', '', start],
    ],
  );
});

test('a shard has the keys whose MD5 is in its range, and the ranges cover everything', async () => {
  const stream = open(undefined, { shards: 3 });
  const shards = stream.shards();
  assert.equal(shards[0].startingHash, '0'.repeat(32));
  assert.equal(shards[2].endingHash, 'f'.repeat(32));
  for (const [index, shard] of shards.slice(1).entries())
    assert.equal(BigInt(`0x${shard.startingHash}`), BigInt(`0x${shards[index].endingHash}`) + 1n);
  await stream.put(many(300));
  for (const { id, startingHash, endingHash } of shards) {
    const { records } = stream.read(id, '0', 300);
    assert.ok(records.length > 50, `${records.length} of 300 records in ${id}`);
    for (const { key } of records) assert.ok(hash('md5', key) >= startingHash && hash('md5', key) <= endingHash);
  }
});

test('records of one key keep their order, across puts and blocks', async () => {
  const stream = open();
  const big = 'x'.repeat(400_000);
  const texts = Array.from({ length: 20 }, (_, n) => `${n} ${n % 3 === 0 ? big : ''}`);
  await Promise.all(texts.map((item) => stream.put([record('one', item)])));
  const read = all(stream);
  assert.deepEqual(read.map(text), texts);
  const numbers = read.map(({ sequenceNumber }) => BigInt(sequenceNumber));
  for (let n = 1; n < numbers.length; n++) assert.ok(numbers[n] > numbers[n - 1]);
});

test('sequence numbers are 56 digits, unique in the stream', async () => {
  const stream = open();
  await stream.put(many(100));
  const numbers = all(stream).map(({ sequenceNumber }) => sequenceNumber);
  for (const number of numbers) assert.match(number, /^[1-9]\d{55}$/);
  assert.equal(new Set(numbers).size, 100);
});

test('a recreated stream continues above the sequence numbers of the previous one', async () => {
  const folder = newFolder();
  const old = open(folder, { shards: 1 });
  await old.put(many(100));
  const last = all(old).at(-1)!.sequenceNumber;
  old.close();
  for (const name of readdirSync(folder)) rmSync(join(folder, name));
  now += 1;
  const stream = open(folder, { shards: 1 });
  await stream.put([record('a', 'new')]);
  const [first] = stream.read('shardId-000000000000', last, 10).records;
  assert.ok(BigInt(first.sequenceNumber) > BigInt(last));
  now = start;
});

test('reading goes on after any record, whatever the size of a read', async () => {
  const stream = open(undefined, { shards: 1 });
  const [{ id }] = stream.shards();
  for (const count of [1, 30, 7]) await stream.put(many(count));
  const whole = stream.read(id, '0', 100).records;
  assert.equal(whole.length, 38);
  for (const limit of [1, 5, 38]) {
    const read: ReadRecord[] = [];
    for (;;) {
      const { records } = stream.read(id, read.at(-1)?.sequenceNumber ?? '0', limit);
      if (records.length === 0) break;
      assert.ok(records.length <= limit);
      read.push(...records);
    }
    assert.deepEqual(read, whole);
  }
});

test('a read stops at its byte limit, but returns at least one record', async () => {
  const stream = open(undefined, { shards: 1 });
  const [{ id }] = stream.shards();
  await stream.put(many(10, () => 'x'.repeat(100)));
  assert.equal(stream.read(id, '0', 10, 350).records.length, 3);
  assert.equal(stream.read(id, '0', 10, 1).records.length, 1);
});

test('a split closes the shard, halves its range, and new records go to the children', async () => {
  const stream = open(undefined, { shards: 1 });
  const [{ id }] = stream.shards();
  await stream.put(many(20));
  assert.equal(stream.read(id, '0', 100).end, false);
  const children = stream.splitShard(id);
  await stream.put(many(20));
  const shards = stream.shards();
  assert.deepEqual(
    shards.map(({ id, parent, closed }) => ({ id, parent, closed })),
    [
      { id, parent: undefined, closed: true },
      { id: children[0], parent: id, closed: false },
      { id: children[1], parent: id, closed: false },
    ],
  );
  assert.deepEqual([shards[1].startingHash, shards[2].endingHash], [shards[0].startingHash, shards[0].endingHash]);
  const closed = stream.read(id, '0', 100);
  assert.deepEqual([closed.records.length, closed.end], [20, true]);
  assert.equal(stream.read(id, '0', 19).end, false);
  const read = children.map((child) => stream.read(child, '0', 100));
  assert.deepEqual(
    read.map(({ end }) => end),
    [false, false],
  );
  assert.equal(read[0].records.length + read[1].records.length, 20);
  assert.throws(() => stream.splitShard(id), /closed already/);
});

test('a record over 1 MiB is refused by its size, and the stream goes on', async () => {
  const stream = open();
  await assert.rejects(stream.put([record('k', 'x'.repeat(1024 * 1024))]), (cause: Error) => {
    assert.ok(!(cause instanceof StreamRefused));
    assert.match(cause.message, /1048577 bytes/);
    return true;
  });
  await stream.put([record('k', 'x'.repeat(1024 * 1024 - 1))]);
  assert.equal(all(stream).length, 1);
});

test('records are kept until they are consumed and old enough, and then their space is reused', async () => {
  const folder = newFolder();
  const stream = open(folder, { shards: 1, retentionMs: 1000 });
  const [{ id }] = stream.shards();
  const size = () => statSync(join(folder, 'stream.db')).size;
  await stream.put(many(100, () => noise(20_000)));
  now += 5000;
  assert.equal(stream.trim(), 0, 'nothing is consumed');
  now -= 4500;
  stream.consumed(id, all(stream).at(-1)!.sequenceNumber);
  await stream.put(many(1));
  assert.equal(stream.trim(), 0, 'nothing is old enough');
  now += 4500;
  assert.equal(stream.trim(), 100);
  assert.equal(all(stream).length, 1, 'the one not consumed stays');
  for (let round = 0; round < 20; round++) {
    await stream.put(many(100, () => noise(20_000)));
    now += 1000;
    stream.consumed(id, all(stream).at(-1)!.sequenceNumber);
    stream.trim();
  }
  assert.ok(size() < 8_000_000, `${size()} bytes after 21 MB went through`);
  now = start;
});

test('removed records are overwritten, not only unlisted', async () => {
  const folder = newFolder();
  const stream = open(folder, { shards: 1, retentionMs: 0 });
  await stream.put(many(10, () => noise(500)));
  const database = new DatabaseSync(join(folder, 'stream.db'));
  const sealed = database.prepare('SELECT sealed FROM blocks').get()?.sealed as Uint8Array;
  const inFile = () => {
    database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    return readFileSync(join(folder, 'stream.db')).includes(Buffer.from(sealed.subarray(0, 64)));
  };
  assert.equal(inFile(), true);
  stream.consumed('shardId-000000000000', all(stream).at(-1)!.sequenceNumber);
  stream.trim();
  assert.equal(inFile(), false);
});

test('the consumed position never goes back, nor beyond the last record', async () => {
  const stream = open(undefined, { shards: 1, retentionMs: 0 });
  const [{ id }] = stream.shards();
  await stream.put(many(10));
  const numbers = all(stream).map(({ sequenceNumber }) => sequenceNumber);
  stream.consumed(id, String(BigInt(numbers[9]) + 100n));
  stream.consumed(id, numbers[0]);
  await stream.put(many(1));
  stream.trim();
  assert.equal(all(stream).length, 1);
});

test('lag is the age of the oldest record not consumed', async () => {
  const stream = open(undefined, { shards: 1 });
  const [{ id }] = stream.shards();
  assert.deepEqual(stream.lag(), [{ shard: id, seconds: 0 }]);
  await stream.put(many(1));
  now += 2500;
  await stream.put(many(1));
  const [first, second] = all(stream);
  now += 500;
  assert.deepEqual(stream.lag(), [{ shard: id, seconds: 3 }]);
  stream.consumed(id, first.sequenceNumber);
  assert.deepEqual(stream.lag(), [{ shard: id, seconds: 0.5 }]);
  stream.splitShard(id);
  stream.consumed(id, second.sequenceNumber);
  assert.deepEqual(
    stream.lag().map(({ shard }) => shard),
    ['shardId-000000000001', 'shardId-000000000002'],
  );
  now = start;
});

test('`version` changes with every put, also of another connection', async () => {
  const folder = newFolder();
  const [mine, other] = [open(folder), open(folder)];
  const before = mine.version();
  assert.equal(mine.version(), before);
  await other.put(many(1));
  const after = mine.version();
  assert.notEqual(after, before);
  await mine.put(many(1));
  assert.notEqual(mine.version(), after);
});

test('no address, key or text is found in the files of the folder', async () => {
  const folder = newFolder();
  const stream = open(folder);
  await stream.put(many(200, () => '{"address":"203.0.113.77","domain":"portal.example"}'));
  const [first] = stream.shards();
  stream.consumed(first.id, stream.read(first.id, '0', 50).records[49].sequenceNumber);
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    for (const secret of ['203.0.113.77', 'portal.example', 'key 1']) assert.ok(!bytes.includes(secret), name);
  }
  assert.equal(statSync(join(folder, 'key')).mode & 0o777, 0o600);
});

test('records are still there after the stream is closed and opened again', async () => {
  const folder = newFolder();
  const stream = open(folder);
  const put = stream.put(many(50));
  stream.close();
  await put;
  await assert.rejects(stream.put(many(1)), new StreamRefused('the stream is closed'));
  assert.equal(all(open(folder)).length, 50);
});

test('a full stream refuses records, and accepts them again when there is room', async () => {
  const stream = open(undefined, { shards: 1, maxBytes: 500_000, retentionMs: 0 });
  const [{ id }] = stream.shards();
  await stream.put(many(600, () => noise(2000)));
  await assert.rejects(
    stream.put(many(1)),
    (cause: Error) => cause instanceof StreamRefused && /full/.test(cause.message),
  );
  stream.consumed(id, all(stream).at(-1)!.sequenceNumber);
  stream.trim();
  await stream.put(many(1));
});

test('a stream that another process locks too long refuses records', async () => {
  const folder = newFolder();
  const stream = open(folder, { patienceMs: 0 });
  const other = new DatabaseSync(join(folder, 'stream.db'));
  other.exec('BEGIN IMMEDIATE');
  await assert.rejects(stream.put(many(1)), (cause: Error) => {
    return cause instanceof StreamRefused && /another process has locked the stream/.test(cause.message);
  });
  other.exec('ROLLBACK');
  await stream.put(many(1));
  assert.equal(all(stream).length, 1);
});

test('hits take little space', async () => {
  const folder = newFolder();
  const stream = open(folder);
  const hit = (n: number) =>
    `{"type":"hit","time":${start + n * 7},"address":"203.0.113.${n % 256}","domain":"d${n % 99}.example"}\n`;
  for (let from = 0; from < 20_000; from += 1000) await stream.put(many(1000, (n) => hit(from + n)));
  stream.close();
  const { size } = statSync(join(folder, 'stream.db'));
  assert.ok(size < 40 * 20_000, `${size} bytes`);
  const [first] = all(open(folder));
  assert.match(text(first), /^\{"type":"hit",.*\n$/);
});

test('puts wait for a short lock and keep their order, across transactions', async () => {
  const folder = newFolder();
  const stream = open(folder, { shards: 1, patienceMs: 10_000 });
  const other = new DatabaseSync(join(folder, 'stream.db'));
  other.exec('BEGIN IMMEDIATE');
  // More than fits into one transaction.
  const texts = Array.from({ length: 10 }, (_, n) => `${n}${'x'.repeat(1_000_000)}`);
  const puts = texts.map((item) => stream.put([record('k', item)]));
  setTimeout(() => other.exec('ROLLBACK'));
  await Promise.all(puts);
  assert.deepEqual(
    all(stream).map((item) => text(item)[0]),
    texts.map(([first]) => first),
  );
});

test('a folder that is not a stream gives one clear error', () => {
  const garbage = newFolder();
  writeFileSync(join(garbage, 'stream.db'), 'not a database, '.repeat(100));
  assert.throws(() => open(garbage), /the stream in .* can't be used: file is not a database\. Fix/);
  const badKey = newFolder();
  writeFileSync(join(badKey, 'key'), 'short');
  assert.throws(() => open(badKey), /can't be used: .*key holds 5 bytes instead of 32/);
  const file = join(newFolder(), 'file');
  writeFileSync(file, '');
  assert.throws(() => open(file), /the stream in .* can't be used/);
  const newer = newFolder();
  open(newer).close();
  new DatabaseSync(join(newer, 'stream.db')).exec('PRAGMA user_version = 9');
  assert.throws(() => open(newer), /format 9 and this version reads format 1/);
});

test('a lost key is reported when the stream is opened', async () => {
  const folder = newFolder();
  const stream = open(folder, { shards: 1 });
  await stream.put(many(1));
  stream.close();
  rmSync(join(folder, 'key'));
  assert.throws(() => open(folder), /can't be used: block 1 1 \d+ of shardId-000000000000 can't be decrypted/);
});

const writer = `
  import { workerData } from 'node:worker_threads';
  const [folder, name, streamFile] = workerData ?? process.argv.slice(1);
  const { openStream } = await import(streamFile);
  const stream = openStream(folder, { shards: 3, clock: () => 0 });
  for (let n = 0; n < 40; n++)
    await stream.put([{ key: name, data: Buffer.from(n + '') }, { key: name + n, data: Buffer.from('other') }]);
  stream.close();`;

test("threads and processes that open and write at once lose nothing, and each one's order is kept", async () => {
  const folder = newFolder();
  const streamFile = new URL('../../../infra/local/stores/stream.ts', import.meta.url).href;
  const threads = ['a', 'b', 'c', 'd'].map((name) => {
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(writer)}`), {
      workerData: [folder, name, streamFile],
    });
    return new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
  });
  execFileSync(process.execPath, ['--input-type=module', '-e', writer, folder, 'p', streamFile]);
  await Promise.all(threads);
  const stream = open(folder);
  assert.equal(stream.shards().length, 3);
  const read = all(stream);
  assert.equal(read.length, 5 * 80);
  for (const name of ['a', 'b', 'c', 'd', 'p'])
    assert.deepEqual(
      read.filter(({ key }) => key === name).map(text),
      Array.from({ length: 40 }, (_, n) => `${n}`),
    );
});

test('a wait for records ends at a put by any thread, and otherwise only at its time', async () => {
  const folder = newFolder();
  const [mine, other] = [open(folder), open(folder)];
  const long = 3_600_000;
  const stopping = new AbortController();
  const woken = [mine.wait(long, stopping.signal), other.wait(long, stopping.signal)];
  await other.put([record('a', 'b')]);
  await Promise.all(woken);
  await mine.wait(1, stopping.signal);
  const aborted = mine.wait(long, stopping.signal);
  stopping.abort();
  await aborted;
  await mine.wait(long, stopping.signal);
});
