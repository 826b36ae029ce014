import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CatalogueRow } from '#core/stores.ts';
import { catalogueSource } from '#serve/registry/catalogue.ts';
import { eventually } from '../../support/run.ts';

const row = (repository: string, pulledBy: number, weight: number, more: Partial<CatalogueRow> = {}): CatalogueRow => ({
  ...{ repository, pulledBy, weight, days: pulledBy, recent: pulledBy, ...more },
});

/** A store whose readings take as long as the test says, on the test's clock. */
function world() {
  const state = { now: 0, takes: 0, readings: 0, rows: [row('a', 1, 0)], fails: false, reports: 0 };
  const current = catalogueSource(
    {
      async catalogue() {
        state.readings++;
        const found = state.rows;
        state.now += state.takes;
        if (state.fails) throw new Error('down');
        return found;
      },
    },
    () => state.now,
    () => state.reports++,
  );
  const names = async () => [...(await current()).rows.keys()].join();
  return { state, current, names };
}

test('many concurrent requests share one reading', async () => {
  const { state, names } = world();
  assert.deepEqual(await Promise.all([names(), names(), names()]), ['a', 'a', 'a']);
  assert.equal(state.readings, 1);
});

test('no reply is more than two seconds old, and while it is in use no caller waits for a newer one', async () => {
  const { state, names } = world();
  await names();
  state.rows = [row('b', 1, 0)];
  state.now = 999;
  assert.equal(await names(), 'a');
  assert.equal(state.readings, 1);
  state.now = 1000;
  assert.equal(await names(), 'a', 'the next reading is in progress');
  assert.equal(state.readings, 2);
  await eventually(10, names, (found) => found === 'b');
  state.rows = [row('c', 1, 0)];
  state.now += 2000;
  assert.equal(await names(), 'c', 'after a pause the first request waits');
});

test('a reading is used for twenty times as long as it took', async () => {
  const { state, names } = world();
  state.takes = 500;
  await names();
  state.now = 4_999;
  await names();
  assert.equal(state.readings, 1);
  state.now = 9_999;
  await names();
  assert.equal(state.readings, 2);
});

test('while the store is down the last reading is used; without one the request fails', async () => {
  const { state, names } = world();
  state.fails = true;
  await assert.rejects(names(), /down/);
  state.fails = false;
  await names();
  state.fails = true;
  state.now += 60_000;
  assert.equal(await names(), 'a');
  assert.equal(state.reports, 1);
});

test('lists are sorted by users, days and weight, ties by name; what only one user pulled is in neither list', async () => {
  const { state, current } = world();
  state.rows = [
    ...[row('a', 2, 3), row('b', 5, 2), row('c', 5, 0.4), row('d', 2, 3)],
    // One user, every day for a year: counts no more than another user's single pull.
    row('loop', 1, 1, { days: 365 }),
    row('once', 1, 0.1),
    row('steady', 2, 0.6, { days: 9 }),
    row('lately one', 9, 2, { recent: 1 }),
  ];
  const { popular, trending, single } = await current();
  const names = (rows: CatalogueRow[]) => rows.map(({ repository }) => repository).join(' ');
  assert.equal(names(popular), 'lately one b c steady a d');
  assert.equal(
    names(trending),
    'a d b steady',
    'less than half the weight of a pull today is not a trend, nor is one user',
  );
  assert.equal(names(single), 'loop once');
});
