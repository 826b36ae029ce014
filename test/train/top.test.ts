import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { rowsOf } from '#core/recommender/ratings.ts';
import { scoresOf, topN } from '#core/recommender/recommend.ts';
import { topLists } from '#train/top.ts';

const shape = fc.record({
  users: fc.integer({ min: 1, max: 9 }),
  /** Sometimes more than the first blocks. */
  items: fc.oneof({ weight: 9, arbitrary: fc.integer({ min: 1, max: 40 }) }, fc.integer({ min: 1000, max: 3000 })),
  rank: fc.integer({ min: 1, max: 65 }),
  n: fc.integer({ min: 1, max: 12 }),
  /** Few different values, for many ties. */
  values: fc.constantFrom(2, 3, 1000),
  seed: fc.nat(),
});

test("every user's list equals that of scoring and sorting every image, ties included", () => {
  fc.assert(
    fc.property(shape, ({ users, items, rank, n, values, seed }) => {
      const random = seeded(seed);
      const drawn = (length: number) =>
        Float32Array.from({ length }, () => Math.floor(random() * values) / values - 0.4);
      const factors = { rank, users: drawn(users * rank), items: drawn(items * rank) };
      // Images with vectors of very different lengths, so that the search ends early; also a user or image of length
      // zero.
      for (let item = 0; item < items; item++)
        for (let k = 0; k < rank; k++) factors.items[item * rank + k] *= item % 7 === 3 ? 0 : 2 ** -(item % 5);
      if (seed % 3 === 0) factors.users.fill(0, 0, rank);
      // Values so small that their squares underflow.
      if (seed % 5 === 0) for (let k = 0; k < rank; k++) factors.users[(users - 1) * rank + k] *= 1e-30;
      const entries: Entry[] = [];
      for (let user = 0; user < users; user++)
        for (let item = 0; item < items; item++)
          if (random() < 0.3 || user === 5) entries.push({ user, item, value: 1 });
      const byUser = rowsOf(entries, users);
      const lists = topLists(factors, byUser, n, 1 + (seed % 2));
      for (let user = 0; user < users; user++) {
        const own = new Set(byUser.columns.subarray(byUser.starts[user], byUser.starts[user + 1]));
        const scores = scoresOf(factors, factors.users.subarray(user * rank, (user + 1) * rank));
        assert.deepEqual(
          Array.from({ length: lists.counts[user] }, (_, at) => ({
            item: lists.items[user * n + at],
            score: lists.scores[user * n + at] + 0,
          })),
          topN(scores, n, (item) => own.has(item)).map(({ item, score }) => ({ item, score: score + 0 })),
        );
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});

test('images whose scores differ by less than single precision are ordered in double precision', () => {
  const rank = 24;
  const random = seeded(1);
  const one = Float32Array.from({ length: rank }, () => random() - 0.5);
  const items = new Float32Array(500 * rank);
  for (let item = 0; item < 500; item++) {
    items.set(one, item * rank);
    // Changes the last bit of one factor.
    items[item * rank + (item % rank)] *= 1 + ((item * 7) % 5) * 2 ** -23;
  }
  const factors = { rank, users: one, items };
  const empty = { starts: new Uint32Array(2), columns: new Uint32Array(), values: new Float32Array() };
  const lists = topLists(factors, empty, 40);
  assert.deepEqual(
    [...lists.items],
    topN(scoresOf(factors, one), 40, () => false).map(({ item }) => item),
  );
});

test("lists that can't be made are refused with the wrong value's name", () => {
  const factors = { rank: 2, users: new Float32Array(2), items: new Float32Array(4) };
  const rows = (column: number) => ({
    starts: Uint32Array.of(0, 1),
    columns: Uint32Array.of(column),
    values: Float32Array.of(1),
  });
  assert.throws(() => topLists(factors, rows(0), 0), /n is 0: must be an integer above 0/);
  assert.throws(() => topLists(factors, rows(2), 1), /repository 2 must be below 2/);
  assert.throws(() => topLists({ ...factors, users: new Float32Array(4) }, rows(0), 1), /1 rows of pulls for 2 users/);
});
