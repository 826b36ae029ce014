// What a model of each kind recommends to whom: to everybody the same by popularity alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alsDefaults } from '#core/recommender/als.ts';
import { type Model, plainAls } from '#core/recommender/model-file.ts';
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
