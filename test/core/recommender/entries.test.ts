import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collecting, type Entry } from '#core/recommender/entries.ts';

// First: garbage of other tests would be freed while it runs.
test('an entry takes 14 bytes, and a part of all an eighth of a byte', () => {
  const { add, entries } = collecting();
  const before = process.memoryUsage().arrayBuffers;
  for (let at = 0; at < 2 ** 20; at++)
    add({ user: at % 60_000, item: at % 5000, value: at % 300, firstPull: 1.7e12 + at });
  const columns = entries();
  const [half, rest] = [columns.filter((_, at) => at % 2 === 0), columns.filter((_, at) => at % 2 === 1)];
  assert.equal(half.length + rest.length, columns.length);
  const bytes = process.memoryUsage().arrayBuffers - before;
  assert.ok(bytes / 2 ** 20 < 15, `${bytes / 2 ** 20} bytes an entry`);
});

test('columns hold entries as an array does, and so do parts of parts', () => {
  // Numbers of each size that a column can have: 16 bits, 32 bits, more, and fractions.
  const number = fc.oneof(fc.nat(9), fc.nat(2 ** 16), fc.nat(2 ** 32), fc.nat(2 ** 40), fc.constantFrom(0.5, 2 ** 53));
  const entry = fc.record(
    { user: fc.nat(2 ** 17), item: fc.nat(5), value: number, firstPull: number },
    { requiredKeys: ['user', 'item', 'value'], noNullPrototype: true },
  );
  // More than once as many as a block of columns.
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 20 }), fc.constantFrom(1, 300_000), (some, length) => {
      const array = Array.from(
        { length: length === 1 ? some.length : length },
        (_, at): Entry => ({ ...some[at % some.length], firstPull: some[at % some.length].firstPull }),
      );
      const { add, entries } = collecting();
      for (const each of array) add(each);
      const columns = entries();
      for (const at of [0, 1, array.length - 1, array.length]) assert.deepEqual(columns.at(at), array.at(at));
      const isOther = (each: Entry, at: number) => each.item !== some[0].item && at % 3 > 0;
      const isSmall = ({ value }: Entry, at: number) => value < 2 ** 16 && at % 2 === 0;
      for (const [part, expected] of [
        [columns, array],
        [columns.filter(isOther), array.filter(isOther)],
        [columns.filter(isOther).filter(isSmall), array.filter(isOther).filter(isSmall)],
      ] as const) {
        assert.equal(part.length, expected.length);
        isSame(part, expected);
        const visited: Entry[] = [];
        part.forEach((each, at) => {
          visited[at] = { ...each };
        });
        isSame(visited, expected);
      }
    }),
    { seed: 5, numRuns: 20 },
  );
});

/** Of millions, deepEqual would take seconds. */
function isSame(entries: Iterable<Entry>, expected: readonly Entry[]): void {
  let at = 0;
  for (const { user, item, value, firstPull } of entries) {
    const { user: u, item: i, value: v, firstPull: time } = expected[at++];
    assert.ok(user === u && item === i && value === v && firstPull === time, `entry ${at - 1}`);
  }
  assert.equal(at, expected.length);
}
