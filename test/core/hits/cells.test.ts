import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CellRows, cellOf } from '#core/hits/cells.ts';

test('a cell is a quarter of a degree high and wide; the poles and the antimeridian have no cells of their own', () => {
  assert.equal(cellOf(-90, -180), 0);
  assert.equal(cellOf(-90, -179.76), 0);
  assert.equal(cellOf(-90, -179.75), 1);
  assert.equal(cellOf(-89.76, -180), 0);
  assert.equal(cellOf(-89.75, -180), 1440);
  assert.equal(cellOf(-90, 179.99), 1439);
  assert.equal(cellOf(0, 180), cellOf(0, -180));
  assert.equal(cellOf(90, 0), cellOf(89.8, 0));
  assert.equal(cellOf(90, 179.99), 720 * 1440 - 1);
  assert.ok(cellOf(90, 179.99) < 2 ** 20);
});

test('pairs of a domain and a cell are numbered as a map numbers them, up to the most', () => {
  const pair = fc.tuple(fc.nat(200), fc.nat(30));
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 3000, size: 'max' }), fc.nat(2000), (pairs, most) => {
      const rows = new CellRows();
      const known = new Map<string, number>();
      for (const [domain, cell] of pairs) {
        const key = `${domain} ${cell}`;
        const is = known.get(key) ?? (known.size < most ? known.size : -1);
        if (is >= 0) known.set(key, is);
        assert.equal(rows.rowOf(domain, cell, most), is, key);
        assert.equal(rows.count, known.size);
        assert.ok(rows.capacity >= rows.count);
      }
      for (const [key, row] of known) assert.equal(`${rows.domains[row]} ${rows.cells[row]}`, key);
    }),
    { seed: 8, numRuns: 60 },
  );
});

test('columns beside grow when the rows do, and not before', () => {
  const rows = new CellRows();
  for (let domain = 0; domain < 512; domain++) rows.rowOf(domain, 1, 1e6);
  assert.equal(rows.capacity, 512);
  rows.rowOf(512, 1, 1e6);
  assert.equal(rows.capacity, 1024);
});
