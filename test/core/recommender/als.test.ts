import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seeded } from '#core/bytes/random.ts';
import { alsDefaults, fit, rowSolver, solveSide } from '#core/recommender/als.ts';
import { auc } from '#core/recommender/auc.ts';
import type { Entry } from '#core/recommender/entries.ts';
import { decodeModel, encodeModel, type Model, plainAls } from '#core/recommender/model-file.ts';
import { compress, split } from '#core/recommender/ratings.ts';
import { folding, ranking, scoresOf, sharesOf, topN } from '#core/recommender/recommend.ts';

/** Each user pulls all images of their own parity but one. */
function checkerboard(size: number): Entry[] {
  const entries: Entry[] = [];
  for (let user = 0; user < size; user++)
    for (let item = 0; item < size; item++)
      if ((user + item) % 2 === 0 && item !== user) entries.push({ user, item, value: 1 });
  return entries;
}

const vector = (factors: Float32Array, row: number, rank: number) => factors.subarray(row * rank, (row + 1) * rank);

/** The objective of Hu, Koren and Volinsky, over every cell of the matrix. */
function loss(entries: Entry[], users: number, items: number, factors: ReturnType<typeof fit>, lambda: number) {
  const pulls = new Map(entries.map(({ user, item, value }) => [user * items + item, value]));
  let sum = 0;
  for (let user = 0; user < users; user++) {
    const scores = scoresOf(factors, vector(factors.users, user, factors.rank));
    for (let item = 0; item < items; item++) {
      const r = pulls.get(user * items + item) ?? 0;
      sum += (1 + r) * ((r > 0 ? 1 : 0) - scores[item]) ** 2;
    }
  }
  for (const x of [...factors.users, ...factors.items]) sum += lambda * x * x;
  return sum;
}

const world = fc
  .record({ users: fc.integer({ min: 1, max: 9 }), items: fc.integer({ min: 1, max: 8 }), seed: fc.nat() })
  .map(({ users, items, seed }) => {
    const random = seeded(seed);
    const entries: Entry[] = [];
    for (let user = 0; user < users; user++)
      for (let item = 0; item < items; item++)
        if (random() < 0.4) entries.push({ user, item, value: 1 + Math.floor(random() ** 4 * 1000) });
    return { users, items, entries, seed };
  });

test('on a checkerboard every user is shown the one image of their colour that they lack', () => {
  const size = 20;
  const entries = checkerboard(size);
  const factors = fit(entries, size, size, { ...alsDefaults, rank: 3 }, seeded(1));
  for (let user = 0; user < size; user++) {
    const pulled = new Set(entries.filter((entry) => entry.user === user).map(({ item }) => item));
    const scores = scoresOf(factors, vector(factors.users, user, 3));
    assert.equal(topN(scores, 1, (item) => pulled.has(item))[0].item, user);
  }
});

test('a half step solves the normal equations: no other factors have a smaller loss', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 1, max: 12 }), ({ users, items, entries, seed }, rank) => {
      const options = { rank, iterations: 1, lambda: 0.1, alpha: 1 };
      const factors = fit(entries, users, items, options, seeded(seed));
      const byUser = compress(
        entries,
        users,
        ({ user }) => user,
        ({ item }) => item,
      );
      solveSide(byUser, factors.items, factors.users, options);
      const least = loss(entries, users, items, factors, 0.1);
      const random = seeded(seed + 1);
      for (let n = 0; n < 5; n++) {
        const moved = { ...factors, users: factors.users.map((x) => x + (random() - 0.5) * 0.1) };
        assert.ok(loss(entries, users, items, moved, 0.1) >= least * (1 - 1e-5), 'moved to a smaller loss');
      }
    }),
    { seed: 6, numRuns: 60 },
  );
});

test('the same seed gives the same factors; a user without pulls has none', () => {
  const entries = checkerboard(9);
  const once = fit(entries, 10, 9, alsDefaults, seeded(7));
  assert.deepEqual(fit(entries, 10, 9, alsDefaults, seeded(7)), once);
  assert.notDeepEqual(fit(entries, 10, 9, alsDefaults, seeded(8)), once);
  assert.ok(vector(once.users, 9, once.rank).every((x) => x === 0));
});

test('folding in a user gives the factors of a training half step, and shares that add up to each score', () => {
  fc.assert(
    fc.property(world, fc.integer({ min: 1, max: 12 }), ({ users, items, entries, seed }, rank) => {
      const options = { ...alsDefaults, rank };
      const factors = fit(entries, users, items, options, seeded(seed));
      const foldIn = folding(factors, options);
      const solve = rowSolver(factors.items, options);
      for (let user = 0; user < users; user++) {
        const own = entries.filter((entry) => entry.user === user);
        const pulled = own.map(({ item }) => item);
        const pulls = own.map(({ value }) => value);
        const person = foldIn(pulled, pulls);
        const exact = solve(pulled, pulls);
        const size = Math.hypot(...exact) + 1e-9;
        person.factors.forEach((x, k) => {
          assert.ok(Math.abs(x - exact[k]) / size < 1e-6);
        });
        const scores = scoresOf(factors, person.factors);
        scores.forEach((score, item) => {
          const sum = person.explain(item).reduce((total, share) => total + share, 0);
          assert.ok(Math.abs(sum - score) < 1e-3 * (1 + Math.abs(score)), `${sum} for ${score}`);
        });
      }
    }),
    { seed: 6, numRuns: 60 },
  );
});

test('the best n equal those of a full sort, ties by index, without the skipped ones', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -3, max: 3 }), { maxLength: 60, size: 'max' }),
      fc.integer({ min: 0, max: 12 }),
      (scores, n) => {
        const expected = scores
          .map((score, item) => ({ item, score }))
          .filter(({ item }) => item % 3 !== 0)
          .sort((a, b) => b.score - a.score || a.item - b.item)
          .slice(0, n);
        assert.deepEqual(
          topN(scores, n, (item) => item % 3 === 0),
          expected,
        );
      },
    ),
    { seed: 6 },
  );
});

test('AUC is the share of pairs (held-out image, never pulled image) in the right order; ties count half', () => {
  fc.assert(
    fc.property(world, ({ users, items, entries, seed }) => {
      const { test: held } = split(entries, 0.3, seeded(seed));
      const pulled = (user: number) => new Set(entries.filter((entry) => entry.user === user).map(({ item }) => item));
      const random = seeded(seed);
      const scores = Array.from({ length: users }, () => Array.from({ length: items }, () => Math.floor(random() * 4)));
      const people: number[] = [];
      for (let user = 0; user < users; user++) {
        const own = held.filter((entry) => entry.user === user);
        const others = Array.from({ length: items }, (_, item) => item).filter((item) => !pulled(user).has(item));
        if (own.length === 0 || others.length === 0) continue;
        let right = 0;
        for (const { item } of own)
          for (const other of others) right += (Math.sign(scores[user][item] - scores[user][other]) + 1) / 2;
        people.push(right / own.length / others.length);
      }
      const found = auc(held, items, pulled, (user) => scores[user]);
      if (people.length === 0) assert.equal(found, undefined);
      else assert.ok(Math.abs(found! - people.reduce((sum, one) => sum + one, 0) / people.length) < 1e-12);
    }),
    { seed: 6 },
  );
});

test('a model file is read back unchanged at any alignment; a truncated one is refused', () => {
  const items = ['a/ü b', '猫', ''];
  const neighbours = {
    ...{ starts: Uint32Array.of(0, 1, 1, 1), columns: Uint32Array.of(2) },
    ...{ similarities: Float32Array.of(0.5), shared: Uint32Array.of(7) },
  };
  const rows = {
    starts: Uint32Array.of(0, 2, 2, 2),
    columns: Uint32Array.of(1, 2),
    weights: Float32Array.of(-1, 1e-9),
  };
  const factors = Float32Array.of(1, 2, 3, 4, 5, -0);
  const models: Model[] = [
    { ...plainAls, ...alsDefaults, rank: 2, items, factors },
    { ...plainAls, ...alsDefaults, rank: 2, weightedLambda: true, countScale: 'log', items, factors, neighbours },
    { kind: 'ease', settings: { lambda: 100 }, countScale: 'binary', items, ...rows, neighbours },
    { kind: 'knn', settings: {}, countScale: 'log', items: [], ...rows, starts: Uint32Array.of(0) },
    {
      ...{ kind: 'blend', shares: [0.25, 0.75], items, neighbours },
      models: [
        { ...plainAls, ...alsDefaults, rank: 2, factors },
        { kind: 'knn', settings: {}, countScale: 'log', ...rows },
      ],
    },
    { kind: 'popular', days: 21, items, scores: Float32Array.of(1, 2, 3) },
  ];
  for (const model of models) {
    const bytes = encodeModel(model);
    assert.deepEqual(decodeModel(bytes), model);
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    assert.deepEqual(decodeModel(shifted.subarray(1)), model);
    assert.throws(() => decodeModel(bytes.subarray(0, -1)), /torn/);
    assert.throws(() => decodeModel(bytes.subarray(0, 17)), /torn/);
    assert.throws(() => decodeModel(bytes.subarray(0, 9)), /not a model file/);
    bytes[8] = 9;
    assert.throws(() => decodeModel(bytes), /version 9/);
  }
});

test('a model file of version 1 is read as plain ALS', () => {
  const head = { ...alsDefaults, rank: 2, items: ['a/ü b', '猫'] };
  const header = new TextEncoder().encode(JSON.stringify(head));
  const factors = Float32Array.of(1, 2, 3, -4);
  const padding = new Uint8Array((4 - (header.length % 4)) % 4);
  const bytes = Buffer.concat([
    ...[Buffer.from('WHALEALS'), new Uint32Array([1, header.length])].map((part) =>
      Buffer.from(part.buffer, part.byteOffset, part.byteLength),
    ),
    ...[header, padding, new Uint8Array(factors.buffer)],
  ]);
  assert.deepEqual(decodeModel(bytes), { ...plainAls, ...head, factors });
});

test('ranking a vector gives the order of all its scores, with any lengths, ties and skipped images', () => {
  const value = fc.integer({ min: -3, max: 3 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.array(value, { minLength: 0, maxLength: 120, size: 'max' }),
      fc.array(value, { minLength: 9, maxLength: 9 }),
      fc.integer({ min: 0, max: 12 }),
      (rank, values, vector, n) => {
        const model = { rank, items: Float32Array.from(values.slice(0, values.length - (values.length % rank))) };
        const factors = vector.slice(0, rank);
        const skip = (item: number) => item % 3 === 2;
        assert.deepEqual(ranking(model)(factors, n, skip), topN(scoresOf(model, factors), n, skip));
      },
    ),
    { seed: 6, numRuns: 500 },
  );
});

test('the reasons equal those of the definition, computed by inverting the whole system', () => {
  const [rank, items, alpha, lambda] = [3, 12, 2, 0.1];
  const random = seeded(9);
  const y = Float32Array.from({ length: items * rank }, () => random() - 0.3);
  const of = (item: number) => Array.from(y.subarray(item * rank, (item + 1) * rank));
  const [pulled, pulls] = [
    [4, 7, 1, 9],
    [1, 5, 2, 1],
  ];
  // A = YtY + sum of alpha r y yT + lambda I, every cell; then the part of pull u in item i is y_i A^-1 (1 + alpha r) y_u.
  const cell = (i: number, j: number) => {
    let sum = i === j ? lambda : 0;
    for (let item = 0; item < items; item++) sum += of(item)[i] * of(item)[j];
    pulled.forEach((item, n) => {
      sum += alpha * pulls[n] * of(item)[i] * of(item)[j];
    });
    return sum;
  };
  const [a, b, c, d, e, f] = [cell(0, 0), cell(0, 1), cell(0, 2), cell(1, 1), cell(1, 2), cell(2, 2)];
  const determinant = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d);
  const inverse = [
    [d * f - e * e, c * e - b * f, b * e - c * d],
    [c * e - b * f, a * f - c * c, b * c - a * e],
    [b * e - c * d, b * c - a * e, a * d - b * b],
  ].map((row) => row.map((value) => value / determinant));
  const person = folding({ rank, items: y }, { alpha, lambda })(pulled, pulls);
  for (let item = 0; item < items; item++)
    person.explain(item).forEach((part, n) => {
      let expected = 0;
      for (let i = 0; i < rank; i++)
        for (let j = 0; j < rank; j++) expected += of(item)[i] * inverse[i][j] * of(pulled[n])[j];
      assert.ok(Math.abs(part - expected * (1 + alpha * pulls[n])) < 1e-9);
    });
});

test('shares are fractions of the positive contributions, greatest first, and add up to at most 1', () => {
  assert.deepEqual(sharesOf([0.1, -5, 0.3, 0, 0.6], 2), [
    { at: 4, share: 0.6 },
    { at: 2, share: 0.3 },
  ]);
  assert.deepEqual(sharesOf([-1, 0], 3), []);
  fc.assert(
    fc.property(fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { maxLength: 60, size: 'max' }), (parts) => {
      const shares = sharesOf(parts, parts.length + 1);
      const sum = shares.reduce((total, { share }) => total + share, 0);
      assert.ok(shares.length === 0 || Math.abs(sum - 1) < 1e-9);
      assert.equal(shares.length, parts.filter((part) => part > 0).length);
    }),
    { seed: 6 },
  );
});
