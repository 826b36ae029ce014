// A cached value is read again when it is due, also when the clock was set back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { isDue } from '#core/age.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { renewed } from '#serve/renewed.ts';

const dayMs = 86_400_000;

test('a value is due when the clock moved either way', () => {
  assert.deepEqual(
    [999, 1000, 1001, -1].map((age) => isDue(5000, 5000 + age, 1000)),
    [false, true, true, true],
  );
});

for (const step of [-2 * dayMs, 8 * dayMs, -365 * dayMs])
  test(`a clock that steps by ${step / dayMs} days freezes neither the map nor shared readings`, async () => {
    let now = Date.parse('2026-11-28T12:00:00Z');
    let heads = 0;
    let reads = 0;
    const clock = () => now;
    const store = {
      get: async () => undefined,
      head: async () => {
        heads++;
        return undefined;
      },
    };
    const snapshots = objectSnapshots({ ...store, get: async () => void heads++ }, clock);
    const read = renewed(async () => ++reads, {
      clock,
      report: (cause) => assert.fail(String(cause)),
      longestMs: 1000,
    });
    await snapshots.latest();
    await read();
    await snapshots.latest();
    await read();
    assert.deepEqual([heads, reads], [1, 1]);
    now += step;
    await snapshots.latest();
    await read();
    assert.deepEqual([heads, reads], [2, 2]);
    now += 1000;
    await snapshots.latest();
    await read();
    assert.deepEqual([heads, reads], [3, 3]);
  });
