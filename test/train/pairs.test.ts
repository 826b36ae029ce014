import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeNpy } from '#core/recommender/npy.ts';
import { indexPairs } from '#core/recommender/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { pairHead, pairLine, readPairs } from '#train/pairs.ts';
import { decodeNpy } from '../support/npy.ts';

const name = fc.string({
  minLength: 1,
  unit: fc.constantFrom('a', 'B', 'ü', '猫', ' ', ',', '"', '\n', '\r', '/', '😀'),
});
const pairs = fc
  .uniqueArray(fc.tuple(name, name), { selector: (pair) => JSON.stringify(pair), maxLength: 40, size: 'max' })
  .map((names) =>
    names.map(
      ([user, repository], at): Pair => ({
        ...{ user, repository, pulls: at + 1, firstPull: at * 1e8, lastPull: at * 1e9 },
        ...(at % 2 === 0 && { days: (at >> 1) + 1 }),
      }),
    ),
  );

test('pairs are read back unchanged, whatever the names contain', () => {
  fc.assert(
    fc.property(pairs, fc.constantFrom('csv' as const, 'ndjson' as const), (written, format) => {
      const text = pairHead(format) + written.map((pair) => pairLine(pair, format)).join('');
      assert.deepEqual(readPairs(text, format), written);
    }),
    { seed: 6 },
  );
});

test('public data sets are read by their column names, and repeated pairs are summed', () => {
  assert.deepEqual(readPairs('\ufeffuser,item,rating\r\n1,10,4\r\n1,20,\r\n1,10,2', 'csv'), [
    { user: '1', repository: '10', pulls: 6, firstPull: 1, lastPull: 3 },
    { user: '1', repository: '20', pulls: 1, firstPull: 2, lastPull: 2 },
  ]);
});

test('training learns from days if they are known', () => {
  const pairs = readPairs('user,repository,pulls,days\na,loop,3000,2\na,file,5,', 'csv');
  assert.deepEqual(
    Array.from(indexPairs(pairs).entries, ({ value }) => value),
    [2, 5],
  );
});

test('a file with only one time per row, as in older versions, uses it as first and last', () => {
  const [day, later] = [Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 2)];
  const of = (columns: string, ...times: number[]) =>
    readPairs(`user,repository,${columns}\na,b,${times.map((time) => new Date(time).toISOString())}`, 'csv')[0];
  const pair = { user: 'a', repository: 'b', pulls: 1 };
  assert.deepEqual(of('lastPull', day), { ...pair, firstPull: day, lastPull: day });
  assert.deepEqual(of('firstPull', day), { ...pair, firstPull: day, lastPull: day });
  assert.deepEqual(of('lastPull,firstPull', later, day), { ...pair, firstPull: day, lastPull: later });
});

test('an invalid line is named', () => {
  for (const [text, format, reason] of [
    ['time,repository\n1,a', 'csv', /must begin with "user,repository,pulls,days,firstPull,lastPull"/],
    ['user,repository\na', 'csv', /Invalid Record Length: expect 2, got 1 on line 2/],
    ['user,repository\n"a,b', 'csv', /Quote Not Closed/],
    ['user,repository,pulls\na,b,-1', 'csv', /row 1: pulls is "-1": must be above 0/],
    ['{"user":"a","repository":"b"}\n{', 'ndjson', /line 2 is not JSON/],
    ['user,repository,pulls,days\na,b,2,3', 'csv', /row 1: days is 3: must be above 0 and at most pulls \(2\)/],
    ['{"user":"a"}', 'ndjson', /name a user and a repository/],
    ['{"user":"a","repository":"b","lastPull":"soon"}', 'ndjson', /lastPull is "soon": must be an RFC 3339 time/],
    ['{"user":"a","repository":"b","firstPull":"soon"}', 'ndjson', /firstPull is "soon": must be an RFC 3339 time/],
    [
      'user,repository,firstPull,lastPull\na,b,2026-11-02T00:00:00Z,2026-11-01T00:00:00Z',
      'csv',
      /row 1: firstPull "2026-11-02T00:00:00Z" is after lastPull/,
    ],
    [
      '{"user":"a","repository":"b"}\n{"user":null,"repository":"b"}',
      'ndjson',
      /row 2: user is null: must be a text or a n/,
    ],
    ['{"user":"a","repository":"b","pulls":[7]}', 'ndjson', /row 1: pulls is \[7\]: must be a text or a number/],
    ['{"user":"a","item":{}}', 'ndjson', /row 1: item is \{\}/],
  ] as const)
    assert.throws(() => readPairs(text, format), reason);
});

test('factors are read back unchanged, and the header is what NumPy expects', () => {
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
  assert.throws(() => decodeNpy(new Uint8Array(20)), /not a \.npy file/);
  assert.throws(() => decodeNpy(encodeNpy(Float32Array.of(1, 2), 1, 2).subarray(0, -1)), /7 bytes/);
});
