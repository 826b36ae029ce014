// The contract of the checkpoint store: what every stage relies on in each implementation. `make` returns an empty
// store for a test.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Checkpoint, CheckpointStore } from '#core/stores.ts';
import { start } from './samples.ts';

export function checkpointContract(name: string, make: () => Promise<CheckpointStore>): void {
  const row = (previous: string, last: string, shard = 'shard-1'): Checkpoint => ({
    shard,
    previous,
    last,
    delta: `deltas/${shard}/${last}`,
    committedAt: start + 0.5,
  });
  /** Sequence numbers as Kinesis gives them: 56 digits. */
  const long = (n: number) => String(n).padStart(3, '0').padStart(56, '4959033827149025660');

  test(`${name}: a shard without rows has no latest`, async () => {
    const store = await make();
    assert.equal(await store.latest('shard-1'), undefined);
    assert.deepEqual(await store.shards(), []);
    assert.deepEqual(await store.after('shard-1', '0', 10), []);
  });

  test(`${name}: a committed row is the latest, whole`, async () => {
    const store = await make();
    assert.equal(await store.commit(row('0', long(1))), true);
    assert.deepEqual(await store.latest('shard-1'), row('0', long(1)));
    assert.equal(await store.latest('shard-2'), undefined);
  });

  test(`${name}: a second row with the same previous row is refused and changes nothing`, async () => {
    const store = await make();
    await store.commit(row('0', long(1)));
    assert.equal(await store.commit({ ...row('0', long(9)), delta: 'other' }), false);
    assert.equal(await store.commit(row('0', long(1))), false);
    assert.deepEqual(await store.after('shard-1', '0', 10), [row('0', long(1))]);
    assert.equal(await store.commit(row('0', long(2), 'shard-2')), true);
  });

  test(`${name}: of racing rows with the same previous row exactly one wins`, async () => {
    const store = await make();
    const rows = Array.from({ length: 8 }, (_, n) => ({ ...row('0', long(n + 1)), delta: `delta ${n}` }));
    const won = await Promise.all(rows.map((item) => store.commit(item)));
    assert.equal(won.filter(Boolean).length, 1);
    assert.deepEqual(await store.latest('shard-1'), rows[won.indexOf(true)]);
  });

  test(`${name}: positions are compared as integers, not as text`, async () => {
    const store = await make();
    const chain = ['0', '9', '10', '99', '100', long(1), `1${'0'.repeat(56)}`];
    for (let n = 1; n < chain.length; n++) assert.ok(await store.commit(row(chain[n - 1], chain[n])));
    assert.equal((await store.latest('shard-1'))?.last, chain[6]);
    const after = async (position: string, limit = 10) =>
      (await store.after('shard-1', position, limit)).map(({ previous }) => previous);
    assert.deepEqual(await after('0'), chain.slice(0, 6));
    assert.deepEqual(await after('10'), chain.slice(2, 6));
    assert.deepEqual(await after('11'), chain.slice(3, 6));
    assert.deepEqual(await after('9', 2), ['9', '10']);
    assert.deepEqual(await after(long(2)), []);
  });

  test(`${name}: each shard that has a row is listed once`, async () => {
    const store = await make();
    for (const shard of ['b', 'a', 'c'])
      for (const [previous, last] of [
        ['0', '1'],
        ['1', '2'],
      ])
        await store.commit(row(previous, last, shard));
    assert.deepEqual((await store.shards()).sort(), ['a', 'b', 'c']);
  });

  test(`${name}: folded rows are removed, and removing them again is not an error`, async () => {
    const store = await make();
    const chain = Array.from({ length: 131 }, (_, n) => row(n === 0 ? '0' : long(n), long(n + 1)));
    for (const item of chain) await store.commit(item);
    for (let round = 0; round < 2; round++) {
      await store.remove(chain.slice(0, 130));
      assert.deepEqual(await store.after('shard-1', '0', 1000), [chain[130]]);
    }
    assert.deepEqual(await store.latest('shard-1'), chain[130]);
    assert.deepEqual(await store.shards(), ['shard-1']);
  });

  test(`${name}: a shard's newest row is never removed`, async () => {
    const store = await make();
    await store.commit(row('0', long(1)));
    await store.commit(row(long(1), long(2)));
    await assert.rejects(store.remove([row(long(1), long(2))]));
    assert.deepEqual(await store.latest('shard-1'), row(long(1), long(2)));
    await store.remove([row('0', long(1))]);
    await assert.rejects(store.remove([row(long(1), long(2))]));
    assert.deepEqual(await store.after('shard-1', '0', 10), [row(long(1), long(2))]);
  });
}
