import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collecting, compress, type Entry, transposed } from '#core/recommender/ratings.ts';

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

test('columns hold entries as an array does, and so do parts of parts', () => {
  const entry = fc.record(
    { user: fc.nat(9), item: fc.nat(5), value: fc.integer({ min: 1, max: 9 }), firstPull: fc.nat() },
    { requiredKeys: ['user', 'item', 'value'], noNullPrototype: true },
  );
  // More than once as many as the columns begin with.
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 20 }), fc.constantFrom(1, 300), fc.nat(9), (some, times, user) => {
      const array = Array.from({ length: times }, () => some)
        .flat()
        .map((each): Entry => ({ ...each, firstPull: each.firstPull }));
      const { add, entries } = collecting();
      for (const each of array) add(each);
      const columns = entries();
      const isOther = (each: Entry, at: number) => each.user !== user && at % 3 > 0;
      const isSmall = ({ value }: Entry, at: number) => value < 7 && at % 2 === 0;
      for (const [part, expected] of [
        [columns, array],
        [columns.filter(isOther), array.filter(isOther)],
        [columns.filter(isOther).filter(isSmall), array.filter(isOther).filter(isSmall)],
      ] as const) {
        assert.deepEqual([...part], expected);
        assert.equal(part.length, expected.length);
        assert.deepEqual(
          [0, 1, expected.length].map((at) => part.at(at)),
          [0, 1, expected.length].map((at) => expected.at(at)),
        );
      }
    }),
    { seed: 5, numRuns: 60 },
  );
});
