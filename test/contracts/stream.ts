// The contract of the stream: what every stage relies on in each implementation. `make` returns an empty store for a
// test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StreamRefused, type StreamWriter } from '#core/stores.ts';

export interface StreamUnderTest {
  stream: StreamWriter;
  /** Every record, shard by shard, in the order in which a reader gets them. */
  read(): Promise<{ shard: string; sequenceNumber: string; key: string; data: Uint8Array }[]>;
}

export function streamContract(name: string, make: () => Promise<StreamUnderTest>): void {
  const record = (key: string, data: string) => ({ key, data: Buffer.from(data) });

  test(`${name}: records are read back byte for byte`, async () => {
    const { stream, read } = await make();
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    await stream.put([{ key: 'Zoë', data: bytes }]);
    const [{ key, data }, ...others] = await read();
    assert.deepEqual(others, []);
    assert.deepEqual([key, Uint8Array.from(data)], ['Zoë', bytes]);
  });

  test(`${name}: putting no records resolves`, async () => {
    const { stream, read } = await make();
    await stream.put([]);
    assert.deepEqual(await read(), []);
  });

  test(`${name}: records of one key are in one shard, in the order of the puts`, async () => {
    const { stream, read } = await make();
    for (let n = 0; n < 5; n++)
      await stream.put(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => record(key, `${key}${n}`)));
    const records = await read();
    for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const own = records.filter((item) => item.key === key);
      assert.equal(new Set(own.map(({ shard }) => shard)).size, 1);
      assert.deepEqual(
        own.map(({ data }) => Buffer.from(data).toString()),
        [0, 1, 2, 3, 4].map((n) => `${key}${n}`),
      );
    }
  });

  test(`${name}: sequence numbers are decimal and grow within a shard`, async () => {
    const { stream, read } = await make();
    for (let n = 0; n < 4; n++) await stream.put(Array.from({ length: 8 }, (_, k) => record(`key ${k}`, `${n}`)));
    const records = await read();
    assert.ok(new Set(records.map(({ shard }) => shard)).size > 1, 'several shards');
    for (const [index, { shard, sequenceNumber }] of records.entries()) {
      assert.match(sequenceNumber, /^[1-9]\d*$/);
      const before = records[index - 1];
      if (before?.shard === shard) assert.ok(BigInt(sequenceNumber) > BigInt(before.sequenceNumber));
    }
  });

  test(`${name}: one put may have more records and bytes than one call to Kinesis takes`, async () => {
    const { stream, read } = await make();
    const big = 'x'.repeat(700_000);
    const put = Array.from({ length: 1203 }, (_, n) => record(`key ${n}`, n < 10 ? `${n}${big}` : `${n}`));
    await stream.put(put);
    const texts = (await read()).map(({ data }) => Buffer.from(data).toString());
    assert.deepEqual(texts.sort(), put.map(({ data }) => data.toString()).sort());
  });

  test(`${name}: a record over 1 MiB is refused with its size, and not tried again`, async () => {
    const { stream, read } = await make();
    const put = stream.put([record('k', 'x'.repeat(1024 * 1024))]);
    await assert.rejects(put, (cause: Error) => !(cause instanceof StreamRefused) && /1048577/.test(cause.message));
    await stream.put([record('k', 'x'.repeat(1024 * 1024 - 1))]);
    assert.equal((await read()).length, 1);
  });
}
