// How good a model is: every figure compared with a naive computation.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, fit } from '#core/recommender/als.ts';
import { auc } from '#core/recommender/auc.ts';
import type { Entry } from '#core/recommender/entries.ts';
import type { Scores } from '#core/recommender/model-list.ts';
import { split } from '#core/recommender/ratings.ts';
import { byFolding, popular, scorer, type World } from '#train/evaluate.ts';

type SmallWorld = World & Record<'train' | 'test', Entry[]>;

/** A small world with few different scores, so that there are many ties. */
const worlds = fc.record({
  users: fc.integer({ min: 1, max: 6 }),
  items: fc.integer({ min: 1, max: 30 }),
  density: fc.double({ min: 0.02, max: 0.98, noNaN: true }),
  levels: fc.integer({ min: 1, max: 50 }),
  seed: fc.nat(),
});

function worldOf({
  users,
  items,
  density,
  levels,
  seed,
}: Record<'users' | 'items' | 'density' | 'levels' | 'seed', number>) {
  const random = seeded(seed);
  const world: SmallWorld = { users, items, train: [], test: [] };
  for (let user = 0; user < users; user++)
    for (let item = 0; item < items; item++)
      if (random() < density) (random() < 0.3 ? world.test : world.train).push({ user, item, value: 1 });
  const scores = Array.from({ length: users }, () =>
    Float32Array.from({ length: items }, () => Math.floor(random() * levels)),
  );
  return { world, scores };
}

const itemsOf = (entries: Entry[], user: number) => entries.filter((one) => one.user === user).map(({ item }) => item);
const meanOf = (values: number[]) => (values.length === 0 ? undefined : values.reduce((a, b) => a + b) / values.length);

/** Computed pair by pair, and by sorting everything. */
function slowly({ users, items, train, test }: SmallWorld, scores: Float32Array[]): Scores {
  const aucs: number[] = [];
  const ndcgs: number[] = [];
  const recalls: number[] = [];
  const longRecalls: number[] = [];
  const shown = new Set<number>();
  for (let user = 0; user < users; user++) {
    const [learned, held] = [itemsOf(train, user), itemsOf(test, user)];
    if (learned.length === 0 || held.length === 0) continue;
    const all = Array.from({ length: items }, (_, item) => item);
    const wins: number[] = [];
    for (const item of held)
      for (const other of all)
        if (!learned.includes(other) && !held.includes(other))
          wins.push((Math.sign(scores[user][item] - scores[user][other]) + 1) / 2);
    if (wins.length > 0) aucs.push(meanOf(wins)!);
    const ranked = all
      .filter((item) => !learned.includes(item))
      .sort((a, b) => scores[user][b] - scores[user][a] || a - b);
    const list = ranked.slice(0, 10);
    longRecalls.push(ranked.slice(0, 20).filter((item) => held.includes(item)).length / Math.min(20, held.length));
    for (const item of list) shown.add(item);
    const discounts = Array.from({ length: 10 }, (_, place) => 1 / Math.log2(place + 2));
    const dcg = (gains: number[]) => gains.reduce((sum, gain, place) => sum + gain * discounts[place], 0);
    const gains = list.map((item) => Number(held.includes(item)));
    ndcgs.push(dcg(gains) / dcg(held.slice(0, 10).map(() => 1)));
    recalls.push(gains.reduce((a, b) => a + b, 0) / Math.min(10, held.length));
  }
  const people = ndcgs.length;
  if (people === 0) return { people };
  return {
    ...{ people, auc: meanOf(aucs), ndcg: meanOf(ndcgs), recall: meanOf(recalls) },
    ...{ recall20: meanOf(longRecalls), coverage: shown.size / items },
  };
}

function assertNear(actual: object, expected: object) {
  assert.deepEqual(Object.keys(actual), Object.keys(expected));
  for (const [name, value] of Object.entries(expected)) {
    const other = actual[name as keyof typeof actual] as number | undefined;
    assert.ok(value === other || Math.abs(value - other!) < 1e-12, `${name}: ${other}, slowly ${value}`);
  }
}

test('AUC, NDCG, recall and coverage equal those from comparing every pair and sorting every repository', () => {
  fc.assert(
    fc.property(worlds, (shape) => {
      const { world, scores } = worldOf(shape);
      assertNear(
        scorer(world, 1)((user) => scores[user]),
        slowly(world, scores),
      );
    }),
    { seed: 6, numRuns: 500 },
  );
});

test('AUC alone is the mean over users of the share of pairs in the right order; ties count half', () => {
  fc.assert(
    fc.property(worlds, (shape) => {
      const { world, scores } = worldOf(shape);
      const known = { ...world, train: [...world.train] };
      const own = auc(
        world.test,
        world.items,
        (user) => new Set([...itemsOf(world.train, user), ...itemsOf(world.test, user)]),
        (user) => scores[user],
      );
      // One more repository, pulled by everybody in training: then everybody is judged, and no pair is added.
      for (let user = 0; user < world.users; user++) known.train.push({ user, item: world.items, value: 1 });
      known.items++;
      const expected = slowly(
        known,
        scores.map((row) => Float32Array.of(...row, 0)),
      ).auc;
      assert.ok(own === expected || Math.abs(own! - expected!) < 1e-12, `${own}, slowly ${expected}`);
    }),
    { seed: 7, numRuns: 500 },
  );
});

test('popularity is the count of users', () => {
  fc.assert(
    fc.property(worlds, (shape) => {
      const { world } = worldOf(shape);
      const counts = popular(world)(0);
      for (let item = 0; item < world.items; item++)
        assert.equal(counts[item], world.train.filter((one) => one.item === item).length);
    }),
    { seed: 8 },
  );
});

test('of many users 2,000 are judged, the same ones for the same seed', () => {
  const users = 3000;
  const pull = (item: (user: number) => number) =>
    Array.from({ length: users }, (_, user) => ({ user, item: item(user), value: 1 }));
  const world = { users, items: 40, train: pull((user) => user % 20), test: pull((user) => 20 + (user % 20)) };
  const judgedBy = (seed: number) => {
    const people: number[] = [];
    const scores = scorer(
      world,
      seed,
    )((user) => {
      people.push(user);
      return new Float32Array(40);
    });
    assert.equal(scores.people, 2000);
    return people;
  };
  const first = judgedBy(1);
  assert.equal(new Set(first).size, 2000);
  assert.deepEqual(judgedBy(1), first);
  assert.notDeepEqual(judgedBy(2), first);
});

test('a user without pulls in training is not judged: they are served what is popular', () => {
  const entry = (user: number, item: number) => ({ user, item, value: 1 });
  const world = { users: 2, items: 3, train: [entry(0, 0)], test: [entry(0, 1), entry(1, 2)] };
  assert.deepEqual(
    scorer(world, 1)(() => [0, 1, 0]),
    { people: 1, auc: 1, ndcg: 1, recall: 1, recall20: 1, coverage: 2 / 3 },
  );
  assert.deepEqual(
    scorer({ ...world, train: [] }, 1)(() => [0, 1, 0]),
    { people: 0 },
  );
});

test('NDCG, recall and coverage of a list computed by hand', () => {
  // One user pulled 0, and 1 and 3 are held out; the list is 2, 1, 4, 3.
  const score = scorer(
    {
      ...{ users: 1, items: 5 },
      train: [{ user: 0, item: 0, value: 1 }],
      test: [1, 3].map((item) => ({ user: 0, item, value: 1 })),
    },
    1,
  )(() => [9, 3, 4, 1, 2]);
  const ideal = 1 + 1 / Math.log2(3);
  assert.ok(Math.abs(score.ndcg! - (1 / Math.log2(3) + 1 / Math.log2(5)) / ideal) < 1e-12);
  assert.deepEqual({ ...score, ndcg: 0 }, { people: 1, auc: 0.25, ndcg: 0, recall: 1, recall20: 1, coverage: 4 / 5 });
});

test('communities are learned nearly as well as if they were given', () => {
  const random = seeded(1);
  const entries = Array.from({ length: 120 * 12 }, (_, n) => {
    const user = Math.floor(n / 12);
    return { user, item: (user % 4) * 12 + (n % 12), value: 1 + Math.floor(random() * 5) };
  }).filter(() => random() < 0.7);
  const seeds = Array.from({ length: 12 }, (_, at) => at + 1);
  const lost = seeds.map((seed) => {
    const world = { users: 120, items: 48, ...split(entries, 0.1, seeded(seed)) };
    const told = scorer(
      world,
      seed,
    )((user) => Array.from({ length: 48 }, (_, item) => Number(Math.floor(item / 12) === user % 4)));
    const model = fit(world.train, 120, 48, alsDefaults, seeded(seed));
    return told.auc! - scorer(world, seed)(byFolding(model, world, alsDefaults)).auc!;
  });
  // Measured over 300 seeds of start and split: 0.010 +- 0.006, so the mean of 12 varies by 0.002.
  assert.ok(meanOf(lost)! < 0.018, `${meanOf(lost)} of AUC are lost`);
});
