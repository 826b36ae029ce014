// Worlds with an obvious answer, tried with the kernel and the reference.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seeded } from '#core/bytes/random.ts';
import { type AlsOptions, alsDefaults, type Factors, fit as reference } from '#core/recommender/als.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { rowsOf } from '#core/recommender/ratings.ts';
import { topN } from '#core/recommender/recommend.ts';
import { byFolding, scorer } from '#train/evaluate.ts';
import { fit } from '#train/kernel.ts';

const pull = (user: number, item: number, value = 1): Entry => ({ user, item, value });
const range = (count: number) => Array.from({ length: count }, (_, at) => at);

/** The kernel's fit with the signature of the reference implementation. */
const fitEntries: typeof reference = (entries, users, ...more) => fit(rowsOf(entries, users), ...more);
const models = { reference, kernel: fitEntries };
/**
 * As many factors as the world has dimensions: with more, the model would memorise which tenth of the hundred cells is
 * missing.
 */
const few = (rank: number) => ({ rank, iterations: 30 });

/** For each model and four seeds: every user's best images, without those they pulled. */
function forEach(
  { users, items, entries, options }: { users: number; items: number; entries: Entry[]; options?: Partial<AlsOptions> },
  see: (best: (user: number, count: number) => number[], factors: Factors, name: string) => void,
) {
  for (const [name, fit] of Object.entries(models))
    for (const seed of [1, 2, 3, 4]) {
      const all = { ...alsDefaults, ...options };
      const factors = fit(entries, users, items, all, seeded(seed));
      const scores = byFolding(factors, { users, items, train: entries, test: [] }, all);
      const own = (user: number) => new Set(entries.filter((one) => one.user === user).map(({ item }) => item));
      const best = (user: number, count: number) =>
        topN(scores(user), count, (item) => own(user).has(item)).map(({ item }) => item);
      see(best, factors, `${name}, seed ${seed}`);
    }
}

test('a checkerboard with holes: every user is shown the holes of their own colour, and AUC is 1', () => {
  const isHole = (user: number, item: number) => (user * 5 + item * 3) % 7 === 0;
  const squares = range(16).flatMap((user) =>
    range(16)
      .filter((item) => (user + item) % 2 === 0)
      .map((item) => pull(user, item)),
  );
  const train = squares.filter(({ user, item }) => !isHole(user, item));
  const held = squares.filter(({ user, item }) => isHole(user, item));
  forEach({ users: 16, items: 16, entries: train, options: { rank: 2 } }, (best, _, name) => {
    for (const user of range(16)) {
      const holes = held.filter((one) => one.user === user).map(({ item }) => item);
      assert.deepEqual(best(user, holes.length).sort(), holes.sort(), `${name}, person ${user}`);
    }
  });
  const options = { ...alsDefaults, rank: 2 };
  const model = fitEntries(train, 16, 16, options, seeded(1));
  const world = { users: 16, items: 16, train, test: held };
  const als = scorer(world, 1)(byFolding(model, world, options));
  assert.equal(als.auc, 1);
  assert.equal(als.recall, 1);
});

test("islands: every image of a user's own island comes before any other", () => {
  // Islands of five, seven and nine images; every user lacks two images of their own island.
  const island = (item: number) => Math.floor(Math.sqrt(item));
  const items = 25;
  const entries = range(60).flatMap((user) => {
    const own = range(items).filter((item) => island(item) === 2 + (user % 3));
    return own.filter((_, at) => (at + user) % own.length > 1).map((item) => pull(user, item));
  });
  forEach({ users: 60, items, entries, options: few(3) }, (best, _, name) => {
    for (const user of range(60)) {
      const own = 2 + (user % 3);
      const lacking = own * 2 + 1 - entries.filter((one) => one.user === user).length;
      assert.ok(
        best(user, lacking).every((item) => island(item) === own),
        `${name}, person ${user}`,
      );
    }
  });
});

test('a staircase: with one factor, a user who pulled the first n images is shown the next', () => {
  const entries = range(12).flatMap((user) => range(user + 1).map((item) => pull(user, item)));
  forEach({ users: 12, items: 13, entries, options: few(1) }, (best, _, name) => {
    for (const user of range(11)) assert.equal(best(user, 1)[0], user + 1, `${name}, person ${user}`);
    // Nobody pulled the last image, so nothing is known about it, and it comes last.
    assert.equal(best(0, 12).at(-1), 12, name);
  });
});

test('a ring: a user who pulled six in a row is shown those on either side', () => {
  const size = 24;
  const wrap = (item: number) => (item + size) % size;
  const entries = range(size).flatMap((user) => range(6).map((step) => pull(user, wrap(user + step))));
  forEach({ users: size, items: size, entries, options: few(3) }, (best, _, name) => {
    for (const user of range(size))
      assert.deepEqual(
        best(user, 2).sort((a, b) => a - b),
        [wrap(user - 1), wrap(user + 6)].sort((a, b) => a - b),
        `${name}, person ${user}`,
      );
  });
});

test('frequent pulls weigh more: the companions of an image pulled daily come before those of one pulled once', () => {
  // Images 0-3 go together, and 4-7; the last two people pulled one of each, one of them a hundred times.
  const groups = range(20).flatMap((user) => range(4).map((item) => pull(user, (user % 2) * 4 + item)));
  const entries = [...groups, pull(20, 0, 100), pull(20, 4), pull(21, 0), pull(21, 4, 100)];
  forEach({ users: 22, items: 8, entries, options: few(2) }, (best, _, name) => {
    assert.deepEqual(best(20, 3).sort(), [1, 2, 3], name);
    assert.deepEqual(best(21, 3).sort(), [5, 6, 7], name);
  });
});

test('twins: the same pulls make the same factors, for people and for images', () => {
  const random = seeded(5);
  const some = range(20).flatMap((user) =>
    range(15)
      .filter(() => random() < 0.4)
      .map((item) => pull(user, item, 1 + Math.floor(random() * 3))),
  );
  // Person 20 is the twin of 3, image 15 of 7.
  const people = [...some, ...some.filter(({ user }) => user === 3).map((one) => ({ ...one, user: 20 }))];
  const entries = [...people, ...people.filter(({ item }) => item === 7).map((one) => ({ ...one, item: 15 }))];
  forEach({ users: 21, items: 16, entries }, (_, { rank, users, items }, name) => {
    for (const [side, one, other] of [
      [users, 3, 20],
      [items, 7, 15],
    ] as const)
      for (const k of range(rank)) {
        const [a, b] = [side[one * rank + k], side[other * rank + k]];
        assert.ok(Math.abs(a - b) < 1e-3, `${name}: ${a} and ${b}`);
      }
  });
});
