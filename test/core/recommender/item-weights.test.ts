// Item weights compared with brute force: every pair of items counted, every equation solved in double precision.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { choleskySolve } from '#core/recommender/als.ts';
import { ByTarget, type ItemWeights, type KnnOptions, knn, nthGreatest } from '#core/recommender/item-weights.ts';
import { type Rows, rowsOf, scaled } from '#core/recommender/ratings.ts';
import { easeDense, easeSparse } from '#train/ease.ts';
import { referenceEase } from '../../support/reference-ease.ts';

interface Shape {
  users: number;
  items: number;
  density: number;
  seed: number;
}
const shapes = fc.record({
  users: fc.integer({ min: 0, max: 30 }),
  items: fc.integer({ min: 1, max: 24 }),
  density: fc.double({ min: 0, max: 1, noNaN: true }),
  seed: fc.nat(),
});

function matrix({ users, items, density, seed }: Shape) {
  const random = seeded(seed);
  const counts = Array.from({ length: users }, () =>
    Array.from({ length: items }, () => (random() < density ? 1 + Math.floor(random() ** 4 * 900) : 0)),
  );
  const entries = counts.flatMap((row, user) =>
    row.map((value, item) => ({ user, item, value })).filter(({ value }) => value > 0),
  );
  return { counts, rows: rowsOf(entries, users) };
}

/** A row-major matrix from item to item, zero where there is no weight. */
function dense({ starts, columns, weights }: ItemWeights, items: number): Float64Array {
  const all = new Float64Array(items * items);
  for (let i = 0; i < items; i++)
    for (let at = starts[i]; at < starts[i + 1]; at++) {
      if (at > starts[i]) assert.ok(columns[at] > columns[at - 1], 'columns rise');
      all[i * items + columns[at]] = weights[at];
    }
  return all;
}

test('the n-th greatest equals that of a sort', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 300, size: 'max' }),
      fc.nat(),
      (values, n) => {
        const at = n % values.length;
        assert.equal(nthGreatest(Float32Array.from(values), values.length, at), values.toSorted((a, b) => b - a)[at]);
      },
    ),
    { seed: 1 },
  );
});

test('the strongest weights are kept, of equal ones the first, in any order of input', () => {
  const targets = new ByTarget(6, 2);
  for (const [source, weight] of [
    [5, 1],
    [0, -3],
    [3, 1],
    [2, 1],
  ])
    targets.add(source, weight);
  targets.end();
  for (let target = 1; target < 6; target++) targets.end();
  assert.deepEqual(
    [...dense(targets.weights(), 6)].flatMap((weight, at) =>
      weight === 0 ? [] : [[Math.floor(at / 6), at % 6, weight]],
    ),
    [
      [0, 0, -3],
      [2, 0, 1],
    ],
  );
});

test('nearest neighbours equal those of counting every pair', () => {
  const options = fc.record<KnnOptions>({
    k: fc.integer({ min: 1, max: 30 }),
    shrink: fc.constantFrom(0, 2),
    sourcePower: fc.constantFrom(0.3, 0.5, 1),
    targetPower: fc.constantFrom(0, 0.5),
    userWeight: fc.constantFrom('none', 'idf', 'degree'),
    countScale: fc.constantFrom('binary', 'log'),
  });
  fc.assert(
    fc.property(shapes, options, (shape, given) => {
      const { items } = shape;
      const { counts, rows } = matrix(shape);
      const weightOf = (row: number[]) => {
        const degree = row.filter((count) => count > 0).length;
        if (given.userWeight === 'none') return 1;
        return given.userWeight === 'degree' ? 1 / degree : Math.max(0, Math.log(items / (1 + degree)));
      };
      const sum = (i: number, j: number) =>
        counts.reduce(
          (all, row) =>
            row[i] > 0 && row[j] > 0
              ? all + weightOf(row) * scaled(given.countScale, row[i]) * scaled(given.countScale, row[j])
              : all,
          0,
        );
      const found = dense(knn(rows, items, given), items);
      for (let j = 0; j < items; j++) {
        const expected = Array.from({ length: items }, (_, i) => {
          const both = i === j ? 0 : sum(i, j);
          return both > 1e-9
            ? both / (sum(i, i) ** given.sourcePower * sum(j, j) ** given.targetPower + given.shrink)
            : 0;
        });
        const bar = expected.toSorted((a, b) => b - a)[given.k - 1] ?? 0;
        for (let i = 0; i < items; i++) {
          const own = found[i * items + j];
          // At the threshold, rounding decides which are kept.
          if (Math.abs(expected[i] - bar) <= 1e-5 * bar) assert.ok(own === 0 || Math.abs(own - expected[i]) <= 1e-5);
          else
            assert.ok(
              Math.abs(own - (expected[i] > bar ? expected[i] : 0)) <= 1e-5 * (1 + expected[i]),
              `${i} to ${j}`,
            );
        }
      }
    }),
    { seed: 2, numRuns: 200 },
  );
});

const easeOptions = fc.record({
  lambda: fc.constantFrom(0.5, 5, 200),
  denoise: fc.constantFrom(0, 0.3),
  countScale: fc.constantFrom('binary' as const, 'log' as const),
  keep: fc.constant(1000),
});

test('EASE by blocks equals the solution in double precision, with the same bits on any number of threads', () => {
  const sizes = fc.record({
    ...{ users: fc.integer({ min: 0, max: 60 }), density: fc.double({ min: 0, max: 0.5, noNaN: true }) },
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(sizes, fc.constantFrom(1, 7, 8, 143, 144, 145, 300), easeOptions, (size, items, options) => {
      const { rows } = matrix({ ...size, items });
      const expected = referenceEase(rows, items, options);
      const found = easeDense(rows, items, options, 1);
      const weights = dense(found, items);
      for (let at = 0; at < weights.length; at++)
        assert.ok(
          Math.abs(weights[at] - expected[at]) < (options.lambda < 1 ? 1e-3 : 1e-4),
          `${at}: ${weights[at]}, in double ${expected[at]}`,
        );
      if (items > 144) assert.deepEqual(easeDense(rows, items, options, 3), found);
    }),
    { seed: 3, numRuns: 15 },
  );
});

test('EASE by blocks keeps the strongest weights to each item', () => {
  const sizes = fc.record({
    users: fc.integer({ min: 0, max: 60 }),
    density: fc.constantFrom(0.02, 0.3),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(sizes, fc.constantFrom(1, 2, 9, 150), fc.constantFrom(0, 1, 5, 144), (size, items, keep) => {
      const { rows } = matrix({ ...size, items });
      const options = { lambda: 5, denoise: 0, countScale: 'log' } as const;
      const whole = dense(easeDense(rows, items, { ...options, keep: items }, 1), items);
      const expected = new ByTarget(items, keep);
      for (let j = 0; j < items; j++) {
        for (let i = 0; i < items; i++) if (i !== j) expected.add(i, whole[i * items + j]);
        expected.end();
      }
      assert.deepEqual(easeDense(rows, items, { ...options, keep }, 2), expected.weights());
    }),
    { seed: 5, numRuns: 40 },
  );
});

test('the sparse form is a ridge regression on the nearest neighbours only', () => {
  fc.assert(
    fc.property(shapes, easeOptions, fc.integer({ min: 1, max: 12 }), (shape, options, near) => {
      const { items } = shape;
      const { counts, rows } = matrix(shape);
      const values = counts.map((row) => row.map((count) => scaled(options.countScale, count)));
      const gram = (i: number, j: number) => values.reduce((sum, row) => sum + row[i] * row[j], 0);
      const found = dense(easeSparse(rows, items, near, options), items);
      const nearest = dense(
        knn(rows, items, {
          ...{ k: near, shrink: 0, sourcePower: 0.5, targetPower: 0.5, userWeight: 'none' },
          countScale: options.countScale,
        }),
        items,
      );
      for (let j = 0; j < items; j++) {
        const own = Array.from({ length: items }, (_, i) => i).filter((i) => nearest[i * items + j] > 0);
        const a = Float64Array.from(
          own.flatMap((r) =>
            own.map((c) => gram(r, c) + (r === c ? options.lambda + options.denoise * gram(r, r) : 0)),
          ),
        );
        const b = Float64Array.from(own, (i) => gram(i, j));
        const expected = choleskySolve(a, b, own.length);
        for (let i = 0; i < items; i++) {
          const at = own.indexOf(i);
          const value = at < 0 ? 0 : expected[at];
          assert.ok(
            Math.abs(found[i * items + j] - value) < 1e-4,
            `${i} to ${j}: ${found[i * items + j]}, not ${value}`,
          );
        }
      }
    }),
    { seed: 4, numRuns: 100 },
  );
});

test('counts are finite and above 0, whatever the input', () => {
  for (const scale of ['linear', 'log', 'binary'] as const) {
    for (const none of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) assert.equal(scaled(scale, none), 0);
    for (const huge of [1e30, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) assert.ok(scaled(scale, huge) <= 1e6);
    assert.equal(scaled(scale, 1), 1);
  }
});

test('lambda keeps EASE solvable, and a catalogue too large for memory is refused with a hint', () => {
  const rows: Rows = { starts: Uint32Array.of(0, 0), columns: new Uint32Array(), values: new Float32Array() };
  const options = { lambda: 1, denoise: 0, countScale: 'binary' as const, keep: 10 };
  for (const lambda of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    assert.throws(() => easeDense(rows, 3, { ...options, lambda }), /lambda is .*: must be above 0/);
  assert.throws(() => easeDense(rows, 40_000, options), /EASE of 40000 repositories need .* GiB.*use its sparse form/);
  assert.throws(() => easeSparse(rows, 40_000, 10, options), /among the most pulled repositories/);
});
