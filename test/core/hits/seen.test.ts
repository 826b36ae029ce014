import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Seen, seenMs } from '#core/hits/seen.ts';

test('each id counts once within an hour, in any order, also when the table grows or is encoded', () => {
  const arrivals = fc.array(fc.tuple(fc.nat(40), fc.nat(2), fc.nat(seenMs - 1)), { maxLength: 200, size: 'max' });
  fc.assert(
    fc.property(arrivals, (arrivals) => {
      let seen = Seen.empty();
      let counted = 0;
      for (const [index, [low, high, arrivedAt]] of arrivals.entries()) {
        if (seen.add(low * 1024, high, arrivedAt)) counted++;
        if (index % 50 === 0) seen = Seen.decode(seen.encode());
      }
      assert.equal(counted, new Set(arrivals.map(([low, high]) => `${low} ${high}`)).size);
    }),
    { seed: 8, numRuns: 300 },
  );
});

test('an id counts again after an hour', () => {
  const seen = Seen.empty();
  assert.equal(seen.add(1, 2, 0), true);
  assert.equal(seen.add(1, 2, seenMs - 1), false);
  assert.equal(seen.add(1, 2, seenMs), true);
  assert.equal(seen.add(1, 2, 2 * seenMs - 1), false);
});

test('ids are dropped after an hour plus an hour of lag', () => {
  const seen = Seen.empty();
  for (let id = 0; id < 5000; id++) seen.add(id, 0, id);
  assert.equal(seen.expire(2 * seenMs + 4000), 4000);
  assert.equal(seen.size, 1000);
  assert.equal(seen.add(4500, 0, 5000), false);
  assert.equal(seen.add(3999, 0, 5000), true);
});
