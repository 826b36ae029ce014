import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Keyed, steady } from '../../web/map/steady.ts';

interface Row {
  at: number;
  number: number;
}
/** Rows more than 10 apart are different rows. */
const distance = (before: Row, now: Row) => {
  const away = Math.abs(before.at - now.at);
  return away < 10 ? away : Number.POSITIVE_INFINITY;
};
const rows = (...pairs: [number, number][]): Row[] => pairs.map(([at, number]) => ({ at, number }));
const newKeys = () => {
  let last = 0;
  return () => `key ${++last}`;
};
const said = (list: Keyed<Row>[]) => list.map(({ key, row }) => `${key}: ${row.number} at ${row.at}`);

test('a row that moved a little is the same row; one further away is new', () => {
  const newKey = newKeys();
  const first = steady([], rows([100, 9], [200, 5]), distance, false, newKey);
  const second = steady(first, rows([203, 12], [98, 9], [300, 1]), distance, false, newKey);
  assert.deepEqual(said(second), ['key 2: 12 at 203', 'key 1: 9 at 98', 'key 3: 1 at 300']);
});

test('while the list is in use, present rows keep their order, and new ones follow', () => {
  const newKey = newKeys();
  const first = steady([], rows([100, 9], [200, 5], [300, 4]), distance, false, newKey);
  const second = steady(first, rows([400, 20], [201, 12], [100, 9]), distance, true, newKey);
  assert.deepEqual(said(second), ['key 1: 9 at 100', 'key 2: 12 at 201', 'key 4: 20 at 400']);
  assert.deepEqual(
    said(steady(second, rows([400, 20], [201, 12], [100, 9]), distance, false, newKey)),
    ['key 4: 20 at 400', 'key 2: 12 at 201', 'key 1: 9 at 100'],
    'once it is no longer in use, the order is the current one',
  );
});

test('no row matches two rows: each takes the nearest that is still free', () => {
  const newKey = newKeys();
  const first = steady([], rows([100, 9]), distance, false, newKey);
  const second = steady(first, rows([101, 5], [102, 4]), distance, false, newKey);
  assert.deepEqual(said(second), ['key 1: 5 at 101', 'key 2: 4 at 102']);
});
