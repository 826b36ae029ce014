import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { topBuckets } from '#core/registry/top-buckets.ts';

const bucket = (from: number | undefined, key: string, pulls: number, raw = pulls) => ({
  ...(from === undefined ? {} : { from }),
  ...{ key, pulls, raw, pushes: 1, rawPushes: 2 },
});

test('the keys with the most pulls keep their buckets, and the others are summed into one per time', () => {
  const buckets = [bucket(1, 'a', 1), bucket(1, 'b', 5), bucket(1, '', 2), bucket(2, 'a', 9), bucket(2, 'c', 1)];
  assert.deepEqual(topBuckets(buckets, 2), [
    ...[bucket(1, 'a', 1), bucket(1, 'b', 5), bucket(2, 'a', 9)],
    { from: 1, others: 1, pulls: 2, raw: 2, pushes: 1, rawPushes: 2 },
    { from: 2, others: 1, pulls: 1, raw: 1, pushes: 1, rawPushes: 2 },
  ]);
  assert.deepEqual(topBuckets([bucket(undefined, 'a', 1, 9), bucket(undefined, 'b', 1, 10)], 1), [
    bucket(undefined, 'b', 1, 10),
    { others: 1, pulls: 1, raw: 9, pushes: 1, rawPushes: 2 },
  ]);
});

test('no pull is lost, and there are never more keys than asked for', () => {
  const rows = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom('', 'a', 'b', 'c', 'd'), fc.nat(9), fc.nat(9)),
  );
  fc.assert(
    fc.property(rows, fc.integer({ min: 1, max: 6 }), (rows, top) => {
      const buckets = rows.map(([from, key, pulls, raw]) => bucket(from, key, pulls, raw));
      const kept = topBuckets(buckets, top);
      const at = (all: { from?: number; pulls: number; raw: number; pushes: number }[]) =>
        Object.fromEntries(
          [0, 1, 2, 3].map((from) => [
            from,
            all.reduce((sum, row) => (row.from === from ? sum + row.pulls * 1e6 + row.raw * 1e3 + row.pushes : sum), 0),
          ]),
        );
      assert.deepEqual(at(kept), at(buckets));
      assert.ok(new Set(kept.flatMap(({ key }) => (key === undefined ? [] : [key]))).size <= top);
    }),
  );
});
