// What a model of each kind recommends to whom: to everybody the same by popularity alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alsDefaults } from '#core/recommender/als.ts';
import { type BlendPart, type Model, plainAls } from '#core/recommender/model-file.ts';
import { servedModel } from '#core/recommender/served.ts';

const items = ['a', 'b', 'c'];
/** Whoever pulled one pulls the next. */
const next = {
  starts: Uint32Array.of(0, 1, 2, 2),
  columns: Uint32Array.of(1, 2),
  weights: Float32Array.of(1, 1),
  countScale: 'linear' as const,
  settings: {},
};
const factors = { ...plainAls, ...alsDefaults, rank: 2, factors: Float32Array.of(1, 0, 1, 0, 0, 1) };

test('popularity is for everybody, every other kind follows from what somebody pulled', () => {
  const models: [Model, personal: boolean, nextOfA: string][] = [
    [{ kind: 'popular', items, scores: Float32Array.of(1, 2, 3) }, false, 'c'],
    [{ kind: 'knn', items, ...next }, true, 'b'],
    [{ kind: 'ease', items, ...next }, true, 'b'],
    [{ items, ...factors }, true, 'b'],
    [{ kind: 'blend', items, shares: [0.5, 0.5], models: [{ kind: 'knn', ...next }, factors] }, true, 'b'],
  ];
  for (const [model, personal, expected] of models) {
    const served = servedModel(model);
    assert.equal(served.personal, personal, model.kind);
    assert.deepEqual(
      [...served.index],
      [...items.entries()].map(([at, item]) => [item, at]),
    );
    const [best] = served.taste({ items: [0], counts: [1] }).best(1, (item) => item === 0);
    assert.equal(items[best.item], expected, model.kind);
    if (!model.neighbours && model.kind !== 'als')
      assert.deepEqual(
        served.similar(0, 3, () => false),
        [],
      );
  }
});

test('similar are the neighbours of the file, nearest first, but those that are skipped', () => {
  const neighbours = {
    starts: Uint32Array.of(0, 2, 2, 3),
    columns: Uint32Array.of(2, 1, 0),
    similarities: Float32Array.of(0.75, 0.5, 0.25),
    shared: Uint32Array.of(9, 8, 7),
  };
  for (const model of [
    { kind: 'knn' as const, items, ...next, neighbours },
    { items, ...factors, neighbours },
    { kind: 'popular' as const, items, scores: Float32Array.of(1, 2, 3), neighbours },
  ]) {
    const { similar } = servedModel(model);
    const [c, b] = [
      { item: 2, score: 0.75, shared: 9 },
      { item: 1, score: 0.5, shared: 8 },
    ];
    assert.deepEqual(
      similar(0, 9, () => false),
      [c, b],
    );
    assert.deepEqual(
      similar(0, 1, () => false),
      [c],
    );
    assert.deepEqual(
      similar(0, 1, (item) => item === 2),
      [b],
    );
    assert.deepEqual(
      similar(1, 9, () => false),
      [],
    );
  }
});

const size = 5;
const cell = fc.constantFrom(0, 0, 0, 1, 2, -1, 0.5);
const square = fc.array(fc.array(cell, { minLength: size, maxLength: size }), { minLength: size, maxLength: size });
const history = fc
  .uniqueArray(fc.nat(size - 1), { minLength: 1 })
  .map((items) => ({ items, counts: items.map((item) => 1 + (item % 3)) }));

/** Rows of weights, zeros left out. */
function sparse(rows: number[][]) {
  const columns = rows.flatMap((row) => row.flatMap((weight, column) => (weight === 0 ? [] : [column])));
  const weights = Float32Array.from(rows.flatMap((row) => row.filter((weight) => weight !== 0)));
  const starts = Uint32Array.from([
    0,
    ...rows.map(
      (_, at) =>
        rows
          .slice(0, at + 1)
          .flat()
          .filter(Boolean).length,
    ),
  ]);
  return { starts, columns: Uint32Array.from(columns), weights };
}

/** The positive scores, best first, ties by index. */
const ranked = (scores: number[], n: number, skip: (item: number) => boolean) =>
  scores
    .map((score, item) => ({ item, score }))
    .filter(({ item, score }) => score > 0 && !skip(item))
    .sort((a, b) => b.score - a.score || a.item - b.item)
    .slice(0, n);

const near = (a: number[], b: number[], what: string) =>
  assert.ok(
    a.length === b.length && a.every((value, at) => Math.abs(value - b[at]) < 1e-4 * (1 + Math.abs(value))),
    `${what}: ${a} and ${b}`,
  );

/** Checks a model against scores, and parts of scores, that were computed plainly. */
function check(model: Model, pulled: { items: number[]; counts: number[] }, parts: (item: number) => number[]) {
  const taste = servedModel(model).taste(pulled);
  const scores = Array.from({ length: size }, (_, item) => parts(item).reduce((sum, part) => sum + part, 0));
  near(Array.from(taste.scores()), scores, 'scores');
  for (let item = 0; item < size; item++) near(taste.parts(item), parts(item), `parts of ${item}`);
  const exact = Array.from(taste.scores());
  for (const skip of [() => false, (item: number) => item % 2 === 0])
    for (const n of [0, 1, size])
      assert.deepEqual(
        taste.best(n, skip).map(({ item }) => item),
        ranked(exact, n, skip).map(({ item }) => item),
      );
}

const names = Array.from({ length: size }, (_, at) => `r${at}`);
const linear = { countScale: 'linear' as const, settings: {} };

test('scores of weights, and what each pull adds to them, are those of the full matrix', () => {
  fc.assert(
    fc.property(square, history, (rows, pulled) =>
      check({ kind: 'knn', items: names, ...linear, ...sparse(rows) }, pulled, (item) =>
        pulled.items.map((own, at) => pulled.counts[at] * rows[own][item]),
      ),
    ),
    { seed: 16, numRuns: 300 },
  );
});

test('a blend adds the scores of its models by share, each in units of their spread', () => {
  fc.assert(
    fc.property(square, square, history, (one, other, pulled) => {
      const shares = [0.75, 0.25];
      const parts = [one, other].map(
        (rows) => (item: number) => pulled.items.map((own, at) => pulled.counts[at] * rows[own][item]),
      );
      const factors = parts.map((of, at) => {
        const scores = names.map((_, item) => of(item).reduce((sum, part) => sum + part, 0));
        const square = scores.reduce((sum, score) => sum + score ** 2, 0) / size;
        return square === 0 ? 0 : shares[at] / Math.sqrt(square);
      });
      const models = [one, other].map((rows): BlendPart => ({ kind: 'ease', ...linear, ...sparse(rows) }));
      check({ kind: 'blend', items: names, shares, models }, pulled, (item) =>
        pulled.items.map((_, at) => factors[0] * parts[0](item)[at] + factors[1] * parts[1](item)[at]),
      );
    }),
    { seed: 16, numRuns: 300 },
  );
});

test('what each pull adds to a score by factors makes up the score; similar are the nearest by angle', () => {
  const values = fc.array(fc.constantFrom(-1, -0.5, 0, 0.5, 1, 2), { minLength: 2 * size, maxLength: 2 * size });
  fc.assert(
    fc.property(values, history, (given, pulled) => {
      const model: Model = { ...plainAls, ...alsDefaults, rank: 2, items: names, factors: Float32Array.from(given) };
      const served = servedModel(model);
      const taste = served.taste(pulled);
      const sums = names.map((_, item) => taste.parts(item).reduce((sum, part) => sum + part, 0));
      near(Array.from(taste.scores()), sums, 'scores');
      const exact = Array.from(taste.scores());
      assert.deepEqual(
        taste.best(size, (item) => item === 1).map(({ item }) => item),
        ranked(exact, size, (item) => item === 1).map(({ item }) => item),
      );
      const [x, y] = [(item: number) => given[2 * item], (item: number) => given[2 * item + 1]];
      const length = (item: number) => Math.hypot(x(item), y(item));
      for (let own = 0; own < size; own++) {
        const cosines = names.map((_, item) =>
          length(own) * length(item) === 0 ? 0 : (x(own) * x(item) + y(own) * y(item)) / (length(own) * length(item)),
        );
        for (const skip of [() => false, (item: number) => item === 2]) {
          const found = served.similar(own, size, skip);
          const nearest = cosines.map((cosine, item) => (item === own || skip(item) ? 0 : cosine));
          assert.deepEqual(
            new Set(found.map(({ item }) => item)),
            new Set(names.flatMap((_, item) => (nearest[item] > 1e-6 ? [item] : []))),
          );
          near(
            found.map(({ score }) => score),
            nearest.filter((cosine) => cosine > 1e-6).sort((a, b) => b - a),
            'similar',
          );
        }
      }
    }),
    { seed: 16, numRuns: 300 },
  );
});
