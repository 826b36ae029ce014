import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/random.ts';
import { compress, type Entry } from '#core/ratings.ts';
import { scoresOf, topN } from '#core/recommend.ts';
import { topOf } from '#core/top.ts';

const shape = fc.record({
  users: fc.integer({ min: 1, max: 8 }),
  items: fc.integer({ min: 1, max: 40 }),
  rank: fc.integer({ min: 1, max: 20 }),
  n: fc.integer({ min: 1, max: 12 }),
  /** Few values make many ties. */
  values: fc.constantFrom(2, 3, 1000),
  seed: fc.nat(),
});

test('everybody has the list that scoring every image and sorting gives, ties and all', () => {
  fc.assert(
    fc.property(shape, ({ users, items, rank, n, values, seed }) => {
      const random = seeded(seed);
      const drawn = (length: number) =>
        Float32Array.from({ length }, () => Math.floor(random() * values) / values - 0.4);
      const factors = { rank, users: drawn(users * rank), items: drawn(items * rank) };
      // Images of very different lengths, so that the search does end early; a person or image of no length.
      for (let item = 0; item < items; item++)
        for (let k = 0; k < rank; k++) factors.items[item * rank + k] *= item % 7 === 3 ? 0 : 2 ** -(item % 5);
      if (seed % 3 === 0) factors.users.fill(0, 0, rank);
      const entries: Entry[] = [];
      for (let user = 0; user < users; user++)
        for (let item = 0; item < items; item++)
          if (random() < 0.3 || user === 5) entries.push({ user, item, value: 1 });
      const byUser = compress(
        entries,
        users,
        (entry) => entry.user,
        (entry) => entry.item,
      );
      const of = topOf(factors, byUser, n);
      for (let user = 0; user < users; user++) {
        const own = new Set(byUser.columns.subarray(byUser.starts[user], byUser.starts[user + 1]));
        const scores = scoresOf(factors, factors.users.subarray(user * rank, (user + 1) * rank));
        const top = of(user);
        assert.deepEqual(
          Array.from({ length: top.count }, (_, at) => ({ item: top.items[at], score: top.scores[at] + 0 })),
          topN(scores, n, (item) => own.has(item)).map(({ item, score }) => ({ item, score: score + 0 })),
        );
      }
    }),
    { seed: 6, numRuns: 300 },
  );
});
