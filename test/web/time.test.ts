import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  daysOf,
  eachDay,
  filterOf,
  inWords,
  ofDay,
  ofSpan,
  readTime,
  snapshotOf,
  type Time,
  writeTime,
} from '../../web/map/time.ts';

const today = '2026-11-29';
const keepDays = 9;
const of = (time: Time) => ({
  ...daysOf(time, today, keepDays),
  filter: filterOf(time, today, keepDays),
  words: inWords(time, today, keepDays),
});

test('map requests, sums and the description are of the same days', () => {
  assert.deepEqual(of({ span: 'hour' }), { from: today, to: today, filter: { hours: 1 }, words: 'in the last hour' });
  assert.deepEqual(of({ span: 'day' }), { from: today, to: today, filter: { since: today }, words: 'on Nov 29' });
  assert.deepEqual(of({ span: 'day', day: '2026-11-21' }), {
    ...{ from: '2026-11-21', to: '2026-11-21' },
    ...{ filter: { since: '2026-11-21' }, words: 'on Nov 21' },
  });
  assert.deepEqual(of({ span: 'week', day: '2026-11-21' }), {
    ...{ from: '2026-11-15', to: '2026-11-21' },
    ...{ filter: { since: '2026-11-15' }, words: 'in 7 days' },
  });
  // A snapshot's whole range is the whole kept time.
  assert.deepEqual(of({ span: 'all' }), { from: '2026-11-21', to: today, filter: {}, words: 'in 9 days' });
  assert.deepEqual(eachDay({ from: '2026-02-27', to: '2026-03-01' }), ['2026-03-01', '2026-02-28', '2026-02-27']);
});

test("choices can't contradict each other: an hour means now, and a past day has no hour", () => {
  assert.deepEqual(ofSpan({ span: 'day', day: '2026-11-21' }, 'hour'), { span: 'hour' });
  assert.deepEqual(ofDay({ span: 'hour' }, '2026-11-21'), { span: 'day', day: '2026-11-21' });
  assert.deepEqual(ofDay({ span: 'week' }, '2026-11-21'), { span: 'week', day: '2026-11-21' });
  assert.deepEqual(ofDay({ span: 'week', day: '2026-11-21' }, undefined), { span: 'week' });
});

test('an address contains the chosen time and restores it; an invalid one means now', () => {
  for (const span of ['hour', 'day', 'week', 'all'] as const)
    for (const day of [undefined, '2026-11-21']) {
      const time = ofDay({ span }, day);
      assert.deepEqual(readTime(writeTime(time)), time);
    }
  assert.equal(writeTime({ span: 'all' }), '');
  assert.deepEqual(readTime('?span=year&day=yesterday'), { span: 'all' });
});

test('a day shows its own snapshot, and none once it is no longer kept', () => {
  const kept = { keepDays, items: [{ day: '2026-11-21', snapshot: 'old', points: 3 }] };
  assert.equal(snapshotOf({ span: 'day' }, 'new', kept), 'new');
  assert.equal(snapshotOf({ span: 'day', day: '2026-11-21' }, 'new', kept), 'old');
  assert.equal(snapshotOf({ span: 'day', day: '2026-11-20' }, 'new', kept), undefined);
});
