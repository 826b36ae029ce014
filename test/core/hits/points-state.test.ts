import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameAt } from '#core/bytes/names.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { deltaOf, now } from '../../support/fold.ts';

const hit = (domain: string, time: number, address = '0') =>
  ({ type: 'hit', time, address, domain, action: 'view' }) as const;
const day = 86_400_000;

test('the newest hit gives the location, whatever the order', () => {
  const points = PointsState.empty();
  assert.equal(points.merge(deltaOf([hit('a.example', now - 5, '4')])), 1);
  assert.equal(points.merge(deltaOf([hit('a.example', now - 9, '0')])), 0, 'an older hit changes nothing');
  assert.deepEqual(points.rows(), [['a.example', -3.5, 7, 'BR', now - 5]]);
});

test('a hit without coordinates leaves the location unchanged', () => {
  const points = PointsState.empty();
  points.merge(deltaOf([hit('a.example', now - 5), hit('a.example', now, ''), hit('b.example', now, '')]));
  assert.deepEqual(points.rows(), [['a.example', 1, 1, 'DE', now - 5]]);
});

test('domains are dropped when their newest hit is too old, and may come back', () => {
  const points = PointsState.empty();
  const hits = Array.from({ length: 3000 }, (_, index) => hit(`d${index}.example`, now - (index % 10) * day));
  points.merge(deltaOf(hits));
  assert.equal(points.drop(now - 7 * day), 600);
  assert.equal(points.size, 2400);
  assert.equal(points.drop(now - 7 * day), 0);
  assert.equal(points.merge(deltaOf([hit('d9.example', now), hit('d0.example', now - 1)])), 1);
  const rows = new Map(
    PointsState.decode(points.encode())
      .rows()
      .map((row) => [row[0], row[4]]),
  );
  assert.equal(rows.size, 2401);
  assert.equal(rows.get('d9.example'), now);
  assert.equal(rows.get('d17.example'), now - 7 * day);
});

test('the columns have the values of the rows', () => {
  const points = PointsState.empty();
  points.merge(deltaOf([hit('a.example', now, '1'), hit('bücher.example', now - 1, '3')]));
  const { domains, lat, lon, updatedAt, country, countries } = points.columns();
  assert.deepEqual(
    Array.from(lat, (_, row) => [nameAt(domains, row), lat[row], lon[row], countries[country[row]], updatedAt[row]]),
    points.rows(),
  );
  assert.equal(countries[0], '');
});

test('a state decoded from bytes never writes to those bytes', () => {
  const points = PointsState.empty();
  points.merge(deltaOf([hit('a.example', now - 5)]));
  const bytes = points.encode();
  const before = bytes.slice();
  PointsState.decode(bytes).merge(deltaOf([hit('a.example', now, '4')]));
  assert.deepEqual(bytes, before);
});

test('unaligned bytes are read, too', () => {
  const points = PointsState.empty();
  points.merge(deltaOf([hit('a.example', now)]));
  const shifted = new Uint8Array(points.encode().length + 3);
  shifted.set(points.encode(), 3);
  assert.deepEqual(PointsState.decode(shifted.subarray(3)).rows(), points.rows());
});

test('a state kept by domain is read by location, and back: a domain is in the cell of its newest hit', () => {
  const byDomain = PointsState.empty();
  byDomain.merge(deltaOf([hit('a.example', now - 5, '4'), hit('b.example', now - 9, '0')]));
  const cells = PointsState.decode(byDomain.encode(), 'location');
  assert.ok(cells.converted);
  assert.deepEqual([cells.rows(), cells.hits()], [byDomain.rows(), [1, 1]]);
  cells.merge(
    deltaOf(
      [hit('a.example', now, '0'), hit('a.example', now - 1, '0'), hit('a.example', now - 2, '4')],
      now,
      undefined,
      'location',
    ),
  );
  assert.deepEqual(
    cells.rows().map(([domain, lat], row) => [domain, lat, cells.hits()[row]]),
    [
      ['a.example', -3.5, 2],
      ['b.example', 1, 1],
      ['a.example', 1, 2],
    ],
  );
  assert.equal(cells.domainCount, 2);
  const back = PointsState.decode(cells.encode());
  assert.ok(back.converted && back.by === 'domain');
  assert.deepEqual(back.rows(), [
    ['a.example', 1, 1, 'DE', now],
    ['b.example', 1, 1, 'DE', now - 9],
  ]);
  assert.equal(PointsState.decode(cells.encode(), 'location').converted, false);
});

test('a domain has a limited number of cells: hits in further ones are counted apart, and a dropped cell makes room', () => {
  const { cellsPerDomain } = hitLimits;
  hitLimits.cellsPerDomain = 2;
  try {
    const points = PointsState.empty('location');
    const merge = (...hits: ReturnType<typeof hit>[]) => points.merge(deltaOf(hits, now, undefined, 'location'));
    merge(hit('a.example', now - 2 * day, '0'), hit('a.example', now, '1'), hit('b.example', now, '3'));
    assert.equal(merge(hit('a.example', now, '4'), hit('a.example', now, '4'), hit('a.example', now, '1')), 1);
    assert.deepEqual([points.size, points.others], [3, 2]);
    points.drop(now - day);
    merge(hit('a.example', now, '4'));
    assert.deepEqual([points.size, points.others, points.hits()], [3, 2, [2, 1, 1]]);
    points.keepNewest(1);
    assert.deepEqual(points.rows().length, 1);
  } finally {
    hitLimits.cellsPerDomain = cellsPerDomain;
  }
});
