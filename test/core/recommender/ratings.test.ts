import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Entry } from '#core/recommender/entries.ts';
import { compress, release, rowsOf, transposed, transposedInParts } from '#core/recommender/ratings.ts';

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

test('columns become rows a part after the other, each until the next', () => {
  const entry = fc.record({ user: fc.nat(9), item: fc.nat(5), value: fc.integer({ min: 1, max: 9 }) });
  fc.assert(
    fc.property(fc.array(entry), fc.integer({ min: 1, max: 12 }), (entries, most) => {
      const byUser = rowsOf(entries, 10);
      const whole = transposed(byUser, 6);
      let next = 0;
      let last: Uint32Array | undefined;
      for (const { from, rows } of transposedInParts(byUser, 6, most)) {
        assert.equal(from, next);
        const count = rows.starts.length - 1;
        assert.ok(count === 1 || rows.columns.length <= most, 'a part is as long as asked for');
        assert.deepEqual(
          rows.starts,
          whole.starts.slice(from, from + count + 1).map((start) => start - whole.starts[from]),
        );
        const [start, end] = [whole.starts[from], whole.starts[from + count]];
        assert.deepEqual(rows.columns, whole.columns.slice(start, end));
        assert.deepEqual(rows.values, whole.values.slice(start, end));
        assert.equal(last?.length ?? 0, 0, 'the part before is given back');
        last = rows.columns;
        next += count;
      }
      assert.equal(next, 6);
    }),
    { seed: 6, numRuns: 200 },
  );
});

test('released arrays give their memory back at once', () => {
  const numbers = new Float64Array(2 ** 22);
  const before = process.memoryUsage().arrayBuffers;
  release(numbers);
  // Other arrays of the process come and go.
  assert.ok(before - process.memoryUsage().arrayBuffers > 2 ** 24);
  assert.equal(numbers.length, 0);
});
