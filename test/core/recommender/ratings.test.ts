import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Entry } from '#core/recommender/entries.ts';
import { compress, transposed } from '#core/recommender/ratings.ts';

test('columns become rows, and rows again what they were', () => {
  const entry = fc.record({ user: fc.nat(9), item: fc.nat(5), value: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(fc.array(entry), (found) => {
      const entries: Entry[] = found.map((each) => ({ ...each, firstPull: 0 })).sort((a, b) => a.item - b.item);
      const of = ({ starts, columns, values }: ReturnType<typeof compress>) =>
        Array.from({ length: starts.length - 1 }, (_, row) =>
          Array.from(columns.subarray(starts[row], starts[row + 1]), (column, at) => [
            column,
            values[starts[row] + at],
          ]),
        );
      const byUser = compress(
        entries,
        10,
        ({ user }) => user,
        ({ item }) => item,
      );
      const expected = Array.from({ length: 10 }, (_, user) =>
        entries.filter((each) => each.user === user).map(({ item, value }) => [item, value]),
      );
      assert.deepEqual(of(byUser), expected);
      const byItem = transposed(byUser, 6);
      assert.equal(byItem.starts.length, 7);
      for (const [item, row] of of(byItem).entries())
        assert.deepEqual(
          row,
          expected.flatMap((own, user) => own.filter(([one]) => one === item).map(([, value]) => [user, value])),
        );
      assert.deepEqual(of(transposed(byItem, 10)), expected);
    }),
    { seed: 4, numRuns: 200 },
  );
});
