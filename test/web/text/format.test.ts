import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bucketStarts, type Interval } from '../../../web/charts/buckets.ts';
import { matches } from '../../../web/charts/match.ts';
import { wholeTicks } from '../../../web/charts/ticks.ts';
import { ago, bytes, compact, percent, plural, span, utcDay } from '../../../web/text/format.ts';

test('a time is given in the largest unit that fits, and never as in the future', () => {
  const now = Date.UTC(2026, 10, 21, 12);
  const said = [0, 4, 59, 60, 3599, 3600, 86_399, 86_400, 86_400 * 59, 86_400 * 70, 86_400 * 800].map((seconds) =>
    ago(now - seconds * 1000, now),
  );
  assert.deepEqual(said, [
    ...['now', 'now', '59 s ago', '1 min ago', '59 min ago', '1 h ago', '23 h ago', '1 d ago', '59 d ago'],
    ...['2 mo ago', '2 y ago'],
  ]);
  assert.equal(ago(now + 60_000, now), 'now');
  assert.equal(span(240), '4 min');
});

test('numbers are short in headlines, and exact in rows', () => {
  assert.deepEqual([0, 999, 1200, 19_996, 3_600_000].map(compact), ['0', '999', '1.2K', '20K', '3.6M']);
  assert.deepEqual([0, 842, 99_000, 12_300_000, 4.5e9].map(bytes), ['0 kB', '0.8 kB', '99 kB', '12.3 MB', '4.5 GB']);
  assert.equal(plural(1, 'domain'), '1 domain');
  assert.equal(plural(19_996, 'domain'), '19,996 domains');
});

test('a share above zero is never shown as 0 %', () => {
  assert.deepEqual([0, 0.001, 0.014, 0.5, 1, 1.2].map(percent), ['0 %', 'under 1 %', '1 %', '50 %', '100 %', '100 %']);
});

test('days are UTC days', () => {
  const late = Date.UTC(2026, 2, 1, 23, 59);
  assert.equal(utcDay(late), '2026-03-01');
  assert.equal(utcDay(late, 1), '2026-02-28');
});

test('a chart has a bucket for every day, week or month, whether or not anything happened in it', () => {
  const bucket = (from: string) => ({ from: `${from}T00:00:00.000Z`, pulls: 1, raw: 2, pushes: 0, rawPushes: 0 });
  const to = Date.UTC(2026, 10, 21, 12);
  const starts = (interval: Interval, known: string[], from?: string) =>
    bucketStarts(known.map(bucket), interval, { to, ...(from ? { from: Date.parse(from) } : {}) }).map((start) =>
      start.slice(0, 10),
    );
  assert.deepEqual(starts('day', ['2026-11-19'], '2026-11-18'), [
    '2026-11-18',
    '2026-11-19',
    '2026-11-20',
    '2026-11-21',
  ]);
  assert.deepEqual(starts('week', ['2026-11-02', '2026-11-16']), ['2026-11-02', '2026-11-09', '2026-11-16']);
  assert.deepEqual(starts('month', ['2026-08-01', '2026-11-01']), [
    '2026-08-01',
    '2026-09-01',
    '2026-10-01',
    '2026-11-01',
  ]);
  assert.deepEqual(starts('day', []), []);
  // A typed range may begin in the year 1.
  const long = starts('day', ['2026-11-19'], '0001-01-01');
  assert.deepEqual([long.length, long[399]], [400, '2026-11-21']);
});

test('an axis of counts has two to five whole ticks at even steps, from 0 to the maximum or just above it', () => {
  assert.deepEqual([0, 1, 3, 4, 5, 14, 128, 9000].map(wholeTicks), [
    ...[
      [0, 1],
      [0, 1],
      [0, 1, 2, 3],
      [0, 1, 2, 3, 4],
      [0, 2, 4, 6],
      [0, 5, 10, 15],
      [0, 50, 100, 150],
    ],
    [0, 5000, 10_000],
  ]);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 ** 12 }), (most) => {
      const ticks = wholeTicks(most);
      const top = ticks[ticks.length - 1];
      assert.ok(ticks.length >= 2 && ticks.length <= 5, ticks.join());
      assert.ok(top >= most && top - ticks[1] < most, `${most}: ${ticks}`);
      assert.ok(ticks.every((tick, index) => Number.isInteger(tick) && tick === index * ticks[1]));
    }),
    { seed: 1 },
  );
});

test('bars of a list get shorter downwards, and rows that are only popular have none', () => {
  const of = (source: string, score: number) => ({ source, score });
  const list = [of('als', 4), of('als', 2), of('similar', 0.5), of('trending', 9), of('popular', 90)];
  assert.deepEqual(matches(list), [1, 0.5, 0.5, 0, 0]);
  assert.deepEqual(matches([of('popular', 3)]), [0]);
  assert.deepEqual(matches([of('als', 0)]), [0]);
});
