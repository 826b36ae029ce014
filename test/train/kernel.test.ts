import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { choleskySolve, type Factors, fit as reference, solveSide } from '#core/recommender/als.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { compress, type Rows, rowsOf } from '#core/recommender/ratings.ts';
import { type FitOptions, fit, foldIn } from '#train/kernel.ts';
import { endKernel } from '#train/threads.ts';
import { topLists } from '#train/top.ts';
import { compileKernel, kernels } from '../../infra/tools/kernels.ts';

const defaults = { rank: 10, iterations: 2, lambda: 0.01, alpha: 1 };
const scores = ({ rank, users, items }: Factors) => {
  const all: number[] = [];
  for (let u = 0; u < users.length; u += rank)
    for (let i = 0; i < items.length; i += rank) {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += users[u + k] * items[i + k];
      all.push(sum);
    }
  return all;
};
/** The largest difference between two models' scores, relative to the largest score. */
const furthest = (a: Factors, b: Factors) => {
  const other = scores(b);
  const largest = other.reduce((most, score) => Math.max(most, Math.abs(score)), 1);
  return scores(a).reduce((most, score, at) => Math.max(most, Math.abs(score - other[at]) / largest), 0);
};
const distinct = (entries: Entry[]) => [
  ...new Map(entries.map((entry) => [`${entry.user} ${entry.item}`, entry])).values(),
];
const world = (seed: number, users: number, items: number, count: number): Entry[] => {
  const random = seeded(seed);
  return Array.from({ length: count }, () => ({
    user: Math.floor(random() * random() * users),
    item: Math.floor(random() * random() * items),
    value: 1 + Math.floor(random() * 5),
  }));
};

test('each committed kernel is what its source compiles to', async () => {
  for (const kernel of Object.values(kernels))
    assert.ok((await compileKernel(kernel)) === readFileSync(kernel.target, 'utf8'), 'run npm run build:kernel');
});

test('at every rank from 1 to 65 all scores equal those of the reference', () => {
  for (let rank = 1; rank <= 65; rank++) {
    const entries = distinct(world(rank, 60, 40, 900));
    const options = { ...defaults, rank };
    const expected = reference(entries, 60, 40, options, seeded(rank));
    const rows = rowsOf(entries, 60);
    for (const more of [{}, { solver: 'cg', steps: 80 }] satisfies Partial<FitOptions>[]) {
      const off = furthest(fit(rows, 40, { ...options, ...more }, seeded(rank)), expected);
      // With more factors than the 40 images, only lambda makes the equations solvable: a rounding error is divided by
      // it.
      const tolerance = rank <= 15 ? 1e-5 : rank <= 37 ? 5e-4 : 2e-3;
      assert.ok(off < tolerance, `rank ${rank} ${JSON.stringify(more)}: scores are off by ${off}`);
    }
  }
});

const shape = fc.record({
  users: fc.integer({ min: 1, max: 30 }),
  items: fc.integer({ min: 1, max: 30 }),
  count: fc.integer({ min: 0, max: 200 }),
  rank: fc.integer({ min: 1, max: 65 }),
  seed: fc.nat(),
  cg: fc.boolean(),
});

test('random shapes, with empty rows, one user or one image, equal the reference', () => {
  fc.assert(
    fc.property(shape, ({ users, items, count, rank, seed, cg }) => {
      const entries = distinct(world(seed, users, items, count));
      const options = { ...defaults, rank, lambda: 0.1 };
      const more = { ...options, solver: cg ? 'cg' : 'exact', steps: 200 } as const;
      const ours = fit(rowsOf(entries, users), items, more, seeded(seed));
      const off = furthest(ours, reference(entries, users, items, options, seeded(seed)));
      // 1.2e-5 was the worst of 1,500 shapes; 1.4e-4 at the default lambda.
      assert.ok(off < 5e-5, `scores are off by ${off}`);
    }),
    { seed: 6, numRuns: 150 },
  );
});

test('folding in all users is one half step of the reference', () => {
  fc.assert(
    fc.property(shape, ({ users, items, count, rank, seed, cg }) => {
      const entries = distinct(world(seed, users, items, count));
      const options = { ...defaults, rank, lambda: 0.1 };
      const rows = rowsOf(entries, users);
      const model = reference(entries, users, items, options, seeded(seed));
      const people = foldIn(rows, model, { ...options, solver: cg ? 'cg' : 'exact', steps: 200 });
      const expected = { ...model, users: new Float32Array(users * rank) };
      solveSide(rows, model.items, expected.users, options);
      const off = furthest({ ...model, users: people }, expected);
      assert.ok(off < 5e-5, `scores are off by ${off}`);
    }),
    { seed: 7, numRuns: 150 },
  );
});

test('a repeated pair counts again', () => {
  // No more factors than users or images: otherwise a pair repeated a hundred times leaves all other directions to
  // lambda, and the last bits of single precision decide (3 people, 1 image, rank 64: scores differ by a tenth).
  fc.assert(
    fc.property(shape, ({ users, items, count, rank, seed, cg }) => {
      const entries = world(seed, users, items, count);
      const options = { ...defaults, rank: 1 + (rank % Math.min(users, items)), lambda: 0.1 };
      const more = { ...options, solver: cg ? 'cg' : 'exact', steps: 200 } as const;
      const ours = fit(rowsOf(entries, users), items, more, seeded(seed));
      const off = furthest(ours, reference(entries, users, items, options, seeded(seed)));
      assert.ok(off < 5e-4, `scores are off by ${off}`);
    }),
    { seed: 6, numRuns: 150 },
  );
});

test('rows of many lengths, long ones included, equal the reference', () => {
  // Images of 0 to 5,000 users: more than one chunk of memory.
  const entries: Entry[] = [];
  for (let user = 0; user < 5000; user++)
    for (let item = 0; item < 8; item++)
      if (user % (item * item * 7 + 1) === 0) entries.push({ user, item: item * 3, value: 1 });
  for (const rank of [3, 16]) {
    const options = { ...defaults, rank };
    const off = furthest(
      fit(rowsOf(entries, 5000), 24, options, seeded(1)),
      reference(entries, 5000, 24, options, seeded(1)),
    );
    assert.ok(off < 1e-4, `rank ${rank}: scores are off by ${off}`);
  }
});

/** A row's share of the loss, and its minimum: from x of the normal equations in double precision. */
function rowLoss(
  rows: Rows,
  row: number,
  other: Float32Array,
  x: ArrayLike<number>,
  { rank, lambda, alpha }: FitOptions,
) {
  let loss = 0;
  const counts = new Map<number, number>();
  for (let n = rows.starts[row]; n < rows.starts[row + 1]; n++) counts.set(rows.columns[n], rows.values[n]);
  for (let c = 0; c * rank < other.length; c++) {
    let score = 0;
    for (let k = 0; k < rank; k++) score += other[c * rank + k] * x[k];
    const count = counts.get(c);
    loss += count === undefined ? score ** 2 : (1 + alpha * count) * (1 - score) ** 2;
  }
  for (let k = 0; k < rank; k++) loss += lambda * x[k] ** 2;
  return loss;
}

test('the last step of conjugate gradients goes as far as the loss decreases', () => {
  for (const rank of [10, 24]) {
    const rows = rowsOf(distinct(world(rank, 60, 40, 900)), 60);
    const options: FitOptions = { ...defaults, rank, iterations: 1, solver: 'cg', steps: 1 };
    const random = seeded(3);
    const start = Float32Array.from({ length: 40 * rank }, () => (random() - 0.5) / rank);
    const { users } = fit(rows, 40, options, seeded(3));
    for (let user = 0; user < 60; user++) {
      const x = users.subarray(user * rank, (user + 1) * rank);
      if (x.every((value) => value === 0)) continue;
      const own = rowLoss(rows, user, start, x, options);
      for (const longer of [0.98, 1.02]) {
        const other = rowLoss(
          rows,
          user,
          start,
          x.map((value) => value * longer),
          options,
        );
        assert.ok(own < other, `person ${user} at rank ${rank}: ${own}, ${other} at ${longer} of the length`);
      }
    }
  }
});

test('with counts of a million each row still has its minimal loss', () => {
  // In the last case the images' rows are long enough for conjugate gradients, which must notice that they can't solve
  // them.
  for (const [rank, people, pulls] of [
    [10, 50, 600],
    [33, 50, 600],
    [64, 120, 2400],
  ]) {
    const random = seeded(rank);
    const pairs = new Map<string, Entry>();
    for (const { user, item } of world(rank, people, 40, pulls))
      pairs.set(`${user} ${item}`, { user, item, value: random() < 0.2 ? 1e6 : 1 });
    const entries = [...pairs.values()];
    const options = { ...defaults, rank, iterations: 1 };
    const { users, items } = fit(rowsOf(entries, people), 40, options, seeded(1));
    const byItem = compress(
      entries,
      40,
      ({ item }) => item,
      ({ user }) => user,
    );
    for (let item = 0; item < 40; item++) {
      const a = new Float64Array(rank * rank);
      const b = new Float64Array(rank);
      for (let user = 0; user < people; user++) {
        const weight = pairs.get(`${user} ${item}`)?.value ?? 0;
        for (let i = 0; i < rank; i++) {
          if (weight) b[i] += (1 + weight) * users[user * rank + i];
          for (let j = 0; j <= i; j++)
            a[i * rank + j] += (1 + weight) * users[user * rank + i] * users[user * rank + j];
        }
      }
      for (let i = 0; i < rank; i++) a[i * rank + i] += options.lambda;
      const least = rowLoss(byItem, item, users, choleskySolve(a, b, rank), options);
      const ours = rowLoss(byItem, item, users, items.subarray(item * rank, (item + 1) * rank), options);
      assert.ok(ours <= least * 1.01 + 0.01, `image ${item} at rank ${rank}: ${ours}, least ${least}`);
    }
  }
});

test("one huge count among many small ones does not change the others' scores", () => {
  for (const great of [100, 1e4, 1e6, 1e7]) {
    const random = seeded(3);
    const entries: Entry[] = [];
    for (let user = 0; user < 300; user++)
      for (let item = 0; item < 60; item++)
        if (random() < 0.7) entries.push({ user, item, value: user % 60 === item ? great : 1 });
    const options = { ...defaults, rank: 48, iterations: 1 };
    const ours = fit(rowsOf(entries, 300), 60, options, seeded(1));
    const off = furthest(ours, reference(entries, 300, 60, options, seeded(1)));
    assert.ok(off < 2e-3, `a count of ${great}: scores are off by ${off}`);
  }
});

test("with more factors than images and two counts of hundreds the scores stay near the reference's", () => {
  const counts = [300, 300, 1, 1, 2, 1];
  const entries = [0, 0, 1, 2, 3, 4].map((user, at) => ({ user, item: [0, 1, 2, 0, 3, 1][at], value: counts[at] }));
  for (const rank of [10, 33, 64]) {
    const options = { ...defaults, rank, iterations: 5 };
    const off = furthest(fit(rowsOf(entries, 5), 4, options, seeded(1)), reference(entries, 5, 4, options, seeded(1)));
    assert.ok(off < 0.01, `rank ${rank}: scores are off by ${off}`);
  }
});

test('long rows equal the reference, and any number of threads gives the same bits', () => {
  const entries = distinct(world(3, 4000, 60, 90000));
  const cg = { solver: 'cg' } as const;
  // From rank 32 on `exact` also solves long rows by conjugate gradients.
  for (const more of [{ rank: 7 }, { rank: 20 }, { rank: 40 }, { rank: 7, ...cg }, { rank: 20, ...cg }]) {
    const options = { ...defaults, ...more, steps: 20 };
    const rows = rowsOf(entries, 4000);
    const alone = fit(rows, 60, { ...options, threads: 1 }, seeded(1));
    const off = furthest(alone, reference(entries, 4000, 60, options, seeded(1)));
    assert.ok(off < 1e-4, `scores are off by ${off}`);
    for (const threads of [2, 5]) assert.deepEqual(fit(rows, 60, { ...options, threads }, seeded(1)), alone);
  }
});

test('a call does not depend on the calls before it, whose memory and threads it has', () => {
  const call = fc.record({
    users: fc.integer({ min: 1, max: 400 }),
    items: fc.integer({ min: 1, max: 60 }),
    count: fc.integer({ min: 0, max: 3000 }),
    rank: fc.integer({ min: 1, max: 40 }),
    threads: fc.integer({ min: 1, max: 4 }),
    lists: fc.boolean(),
    seed: fc.nat(),
  });
  const made = ({
    users,
    items,
    count,
    rank,
    threads,
    lists,
    seed,
  }: typeof call extends fc.Arbitrary<infer C> ? C : never) => {
    const rows = rowsOf(distinct(world(seed, users, items, count)), users);
    const factors = fit(rows, items, { ...defaults, rank, threads }, seeded(seed));
    return lists ? topLists(factors, rows, 5, threads) : factors;
  };
  fc.assert(
    fc.property(fc.array(call, { minLength: 2, maxLength: 6 }), (calls) => {
      const inTurn = calls.map(made);
      const alone = calls.map((call) => {
        endKernel();
        return made({ ...call, threads: 1 });
      });
      assert.deepEqual(inTurn, alone);
    }),
    { seed: 4, numRuns: 40 },
  );
});

test('a thread that is late for a call takes no part in the next', () => {
  const worlds = [
    [8, 5, 3],
    [300, 20, 12],
    [2000, 30, 20],
  ].map(([users, items, rank]) => {
    const rows = rowsOf(distinct(world(rank, users, items, users * 3)), users);
    const made = (threads: number) => fit(rows, items, { ...defaults, rank, threads }, seeded(1));
    return { made, alone: made(1) };
  });
  for (let call = 0; call < 600; call++) {
    const { made, alone } = worlds[call % worlds.length];
    assert.deepEqual(made(4), alone);
  }
});

test("lambda weighted by count equals lambda times a row's number of entries", () => {
  // Every user has three entries, so that for users the weighted lambda is three times the plain one.
  const users = 20;
  const entries = Array.from({ length: users * 3 }, (_, n) => ({
    user: n % users,
    item: (n * 7 + Math.floor(n / users)) % 12,
    value: 1,
  }));
  for (const rank of [4, 20]) {
    const options = { ...defaults, rank, iterations: 1 };
    const weighted = fit(rowsOf(entries, users), 12, { ...options, weightedLambda: true }, seeded(1));
    const plain = fit(rowsOf(entries, users), 12, { ...options, lambda: options.lambda * 3 }, seeded(1));
    weighted.users.forEach((x, at) => {
      assert.ok(Math.abs(x - plain.users[at]) < 1e-3 * Math.max(1, Math.abs(x)), `${x} is not ${plain.users[at]}`);
    });
  }
});

test('a checkerboard is learned: even users like even images', () => {
  const entries: Entry[] = [];
  for (let user = 0; user < 16; user++)
    for (let item = 0; item < 16; item++)
      if ((user + item) % 2 === 0 && (user * 5 + item * 3) % 7 !== 0) entries.push({ user, item, value: 1 });
  const all = scores(fit(rowsOf(entries, 16), 16, { ...defaults, rank: 2, lambda: 0.1, iterations: 10 }, seeded(2)));
  for (let user = 0; user < 16; user++)
    for (let item = 0; item < 16; item++) {
      const score = all[user * 16 + item];
      if ((user + item) % 2 === 0) assert.ok(score > 0.5, `${user} ${item}: ${score}`);
      else assert.ok(score < 0.2, `${user} ${item}: ${score}`);
    }
});

test("an input that can't be fitted is refused with its name", () => {
  const rows = rowsOf([{ user: 0, item: 0, value: 1 }], 1);
  const attempt = (more: Partial<FitOptions>, items = 1) => fit(rows, items, { ...defaults, ...more }, seeded(1));
  assert.throws(() => attempt({ rank: 0 }), /rank is 0: must be an integer/);
  assert.throws(() => attempt({ lambda: 0 }), /lambda is 0: must be above 0/);
  assert.throws(() => attempt({ alpha: -1 }), /alpha is -1: must be 0 or more/);
  assert.throws(() => attempt({ solver: 'cg', weightedLambda: true }), /weightedLambda/);
  assert.throws(() => attempt({}, 0), /entry 0: column 0 must be below 0/);
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
    const entries = Array.from({ length: 90 }, (_, user) => ({ user, item: 0, value: user === 77 ? value : 1 }));
    assert.throws(() => fit(rowsOf(entries, 90), 1, defaults, seeded(1)), /entry 77: column 0 .* finite and 0 or more/);
  }
  assert.throws(() => fit({ ...rows, starts: Uint32Array.of(0, 2, 1) }, 1, defaults, seeded(1)), /row 1 starts at 2/);
  assert.throws(() => attempt({ rank: 64 }, 20_000_000), /4 GiB.*Spark/);
});
