import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, fit, solveSide } from '#core/recommender/als.ts';
import { compress, type Entry } from '#core/recommender/ratings.ts';
import { scoresOf, topN } from '#core/recommender/recommend.ts';
import { warmStart } from '#core/recommender/warm.ts';

const rowsOf = (entries: Entry[], users: number, items: number) => ({
  byUser: compress(
    entries,
    users,
    ({ user }) => user,
    ({ item }) => item,
  ),
  byItem: compress(
    entries,
    items,
    ({ item }) => item,
    ({ user }) => user,
  ),
});

/** Even people pull even images, odd people odd ones. */
const parity = (users: number, items: number): Entry[] =>
  Array.from({ length: users * items }, (_, at) => ({
    user: Math.floor(at / items),
    item: at % items,
    value: 1,
  })).filter(({ user, item }) => (user + item) % 2 === 0);

test('with every row changed, one round is one iteration of training', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.nat(), (users, items, seed) => {
      const random = seeded(seed);
      const entries = parity(users, items).filter(() => random() < 0.7);
      const last = fit(entries, users, items, { ...alsDefaults, iterations: 2 }, seeded(seed));
      const rows = rowsOf(entries, users, items);
      const warm = warmStart(last, rows, { users: Array(users).keys(), items: Array(items).keys() }, alsDefaults);
      solveSide(rows.byUser, last.items, last.users, alsDefaults);
      solveSide(rows.byItem, last.users, last.items, alsDefaults);
      assert.deepEqual(warm, last);
    }),
    { seed: 6, numRuns: 50 },
  );
});

test('a new person and a new image find their place, and all else stays', () => {
  const [users, items] = [20, 12];
  const before = parity(users, items);
  const last = fit(before, users, items, { ...alsDefaults, rank: 3 }, seeded(1));
  // A new even image that half of the even people pull, and a new person who pulled two even images.
  const added = [
    ...[0, 2, 4, 6, 8].map((user) => ({ user, item: items, value: 1 })),
    ...[0, 2].map((item) => ({ user: users, item, value: 1 })),
  ];
  const rows = rowsOf([...before, ...added], users + 1, items + 1);
  const warm = warmStart(last, rows, { users: [0, 2, 4, 6, 8, users], items: [items, 0, 2] }, alsDefaults);
  const scores = scoresOf(warm, warm.users.subarray(users * 3));
  const list = topN(scores, 5, (item) => item === 0 || item === 2).map(({ item }) => item);
  assert.deepEqual(
    list.toSorted((a, b) => a - b),
    [4, 6, 8, 10, items],
  );
  assert.deepEqual(warm.users.subarray(3, 6), last.users.subarray(3, 6));
  assert.deepEqual(warm.items.subarray(3, 6), last.items.subarray(3, 6));
  assert.equal(last.items.length, items * 3, 'what was before is not written to');
  assert.throws(
    () => warmStart(warm, rowsOf(before, users, items), { users: [], items: [] }, alsDefaults),
    /more than/,
  );
});
