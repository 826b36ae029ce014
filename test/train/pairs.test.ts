import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alsDefaults, fit } from '#core/als.ts';
import { decodeNpy, encodeNpy } from '#core/npy.ts';
import type { Pair } from '#core/stores.ts';
import { pairHead, pairLine, readPairs } from '#train/pairs.ts';
import { table, tune } from '#train/tune.ts';

const name = fc.string({
  minLength: 1,
  unit: fc.constantFrom('a', 'B', 'ü', '猫', ' ', ',', '"', '\n', '\r', '/', '😀'),
});
const pairs = fc
  .uniqueArray(fc.tuple(name, name), { selector: (pair) => JSON.stringify(pair) })
  .map((names) =>
    names.map(([user, repository], at): Pair => ({ user, repository, pulls: at + 1, lastPull: at * 1e9 })),
  );

test('pairs are read as they were written, whatever the names hold', () => {
  fc.assert(
    fc.property(pairs, fc.constantFrom('csv' as const, 'ndjson' as const), (written, format) => {
      const text = pairHead(format) + written.map((pair) => pairLine(pair, format)).join('');
      assert.deepEqual(readPairs(text, format), written);
    }),
    { seed: 6 },
  );
});

test('public sets are read by the names of their columns; a pair that comes again is added up', () => {
  assert.deepEqual(readPairs('\ufeffuser,item,rating\r\n1,10,4\r\n1,20,\r\n1,10,2', 'csv'), [
    { user: '1', repository: '10', pulls: 6, lastPull: 3 },
    { user: '1', repository: '20', pulls: 1, lastPull: 2 },
  ]);
});

test('a bad line is named', () => {
  for (const [text, format, reason] of [
    ['time,repository\n1,a', 'csv', /begin with "user,repository,pulls,lastPull"/],
    ['user,repository\na', 'csv', /2 cells are wanted/],
    ['user,repository\n"a,b', 'csv', /quote out of place/],
    ['user,repository,pulls\na,b,-1', 'csv', /row 1: pulls is -1/],
    ['{"user":"a","repository":"b"}\n{', 'ndjson', /line 2 is no JSON/],
    ['{"user":"a"}', 'ndjson', /name a user and a repository/],
    ['{"user":"a","repository":"b","lastPull":"soon"}', 'ndjson', /"soon" is no RFC 3339 time/],
  ] as const)
    assert.throws(() => readPairs(text, format), reason);
});

test('factors are read as they were written, and the header is what NumPy wants', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.nat(70), (rows, columns) => {
      const values = Float32Array.from({ length: rows * columns }, (_, at) => at / 3);
      const bytes = encodeNpy(values, rows, columns);
      assert.deepEqual(decodeNpy(bytes), { values, rows, columns });
      const start = 10 + bytes[8] + 256 * bytes[9];
      assert.equal(start % 64, 0);
      assert.equal(bytes[start - 1], 10);
    }),
    { seed: 6 },
  );
  assert.throws(() => decodeNpy(new Uint8Array(20)), /no \.npy file/);
  assert.throws(() => decodeNpy(encodeNpy(Float32Array.of(1, 2), 1, 2).subarray(0, -1)), /7 bytes/);
});

test('tuning tries the defaults and seeded others, repeats, and ends with its time', () => {
  const world = Array.from({ length: 60 }, (_, n) => ({
    ...{ user: `u${n % 12}`, repository: `r${(n % 3) * 10 + Math.floor(n / 12)}`, pulls: 1, lastPull: n },
  }));
  let time = 0;
  const run = (seconds: number) => {
    const lines: string[] = [];
    const clock = () => time++ * 1000;
    const trials = tune({ pairs: world, trials: 5, seconds, seed: 4, clock, fit, log: (line) => lines.push(line) });
    return { trials, lines };
  };
  const once = run(1000);
  assert.equal(once.trials.length, 5);
  assert.ok(once.trials.some(({ options }) => options === alsDefaults));
  assert.deepEqual(
    once.trials.map(({ scores }) => scores.ndcg),
    once.trials.map(({ scores }) => scores.ndcg).sort((a, b) => b! - a!),
  );
  assert.equal(table(run(1000).trials), table(once.trials));
  assert.equal(run(5).trials.length, 2);
  assert.equal(once.lines.filter((line) => /popular|similar/.test(line)).length, 2);
});
