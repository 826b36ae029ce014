import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { HitLine } from '#core/event.ts';
import { cellOf } from '#core/hits/cells.ts';
import { DaySums } from '#core/hits/day-sums.ts';
import { type Delta, dayName, dayOf, decodeDelta } from '#core/hits/delta.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { Seen } from '#core/hits/seen.ts';
import { locationsOf } from '#process/locate.ts';
import { deltaOf, encodedDelta, locate, now, plainCells, plainSums } from '../../support/fold.ts';

const hour = 3_600_000;
const hit = (more: Partial<HitLine> = {}): HitLine => ({
  type: 'hit',
  time: now,
  address: '0',
  domain: 'a.example',
  action: 'view',
  ...more,
});

/** A hit whose id is derived from its content, so that a retry has the same id. */
const anyHit = fc
  .record({
    time: fc.constantFrom(now, now - 1, now - 13 * hour, now - 40 * 24 * hour, now + 60_000, now + 48 * hour, 0),
    address: fc.constantFrom('0', '1', '2', '3', '4', '5', '', '9'),
    domain: fc.constantFrom('a.example', 'b.example', 'c.example', 'xn--bcher-kva.example', 'bücher.example'),
    action: fc.constantFrom('view', 'log in', '"'),
    id: fc.option(fc.nat(3)),
  })
  .map(({ id, ...rest }) => hit({ ...rest, ...(id === null ? {} : { id: `${id} ${JSON.stringify(rest)}` }) }));

/** Folds deltas into a state that is encoded and decoded after each `flush`. */
function fold(deltas: Delta[], flush: boolean) {
  let points = PointsState.empty();
  let seen = Seen.empty();
  const days = new Map<string, DaySums>();
  for (const delta of deltas) {
    delta.settle(seen);
    points.merge(delta);
    for (const day of delta.days.map(dayName)) {
      const sums = days.get(day) ?? DaySums.empty(day);
      sums.merge(delta);
      days.set(day, flush ? DaySums.decode(sums.encode()) : sums);
    }
    if (flush) {
      points = PointsState.decode(points.encode());
      seen = Seen.decode(seen.encode());
    }
  }
  const sums: Record<string, number> = {};
  for (const [day, tallies] of days)
    for (const by of ['domain', 'country', 'action'] as const)
      for (const [key, hits] of tallies.top(by)) sums[`${day} ${by} ${key}`] = hits;
  const newest: Record<string, unknown> = {};
  for (const [domain, lat, lon, country, time] of points.rows()) newest[domain] = [time, lat, lon, country];
  return { sums, newest };
}

test('hits give the plain sums however they are batched, located and folded', () => {
  const batches = fc.array(fc.array(anyHit, { maxLength: 12 }), { minLength: 1, maxLength: 5 });
  const keys = fc.array(fc.nat(), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(batches, keys, fc.boolean(), fc.boolean(), (batches, keys, flush, numberedAsMet) => {
      const order = batches.map((_, index) => index).sort((a, b) => keys[a] - keys[b]);
      const deltas = order.map((index) =>
        deltaOf(batches[index], now, numberedAsMet ? locationsOf({ locate }) : undefined),
      );
      assert.deepEqual(fold(deltas, flush), plainSums(batches.flat()));
    }),
    { seed: 7, numRuns: 1000 },
  );
});

test('by location, each domain has its exact hits and newest location in each cell, and the same sums', () => {
  const batches = fc.array(fc.array(anyHit, { maxLength: 12 }), { minLength: 1, maxLength: 5 });
  const keys = fc.array(fc.nat(), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(batches, keys, fc.boolean(), (batches, keys, flush) => {
      const order = batches.map((_, index) => index).sort((a, b) => keys[a] - keys[b]);
      const encoded = order.map((index) => encodedDelta(batches[index], now, undefined, 'location'));
      // Deltas by location, folded by domain, make the same map as deltas by domain.
      assert.deepEqual(fold(encoded.map(decodeDelta), flush), plainSums(batches.flat()));
      let points = PointsState.empty('location');
      const seen = Seen.empty();
      for (const delta of encoded.map(decodeDelta)) {
        delta.settle(seen);
        points.merge(delta);
        if (flush) points = PointsState.decode(points.encode(), 'location');
      }
      const hits = points.hits();
      const { busiest } = points.columns();
      const want = plainCells(batches.flat());
      const got = points
        .rows()
        .map(([domain, lat, lon, country, time], row) => [
          `${domain} ${cellOf(lat, lon)}`,
          { newest: [time, lat, lon, country], hits: hits[row], busiest: busiest?.[row] },
        ]);
      assert.deepEqual(
        Object.fromEntries(got),
        Object.fromEntries(
          Object.entries(want).map(([key, { newest, hits, days }]) => {
            const [day] = Object.keys(days).sort().reverse();
            const before = new Date(Date.parse(day) - 24 * hour).toISOString().slice(0, 10);
            return [key, { newest, hits, busiest: Math.max(days[day], days[before] ?? 0) }];
          }),
        ),
      );
      assert.equal(got.length, Object.keys(want).length);
    }),
    { seed: 8, numRuns: 500 },
  );
});

test('in cells beyond the limit of a batch, hits are counted for their domain but not located', () => {
  const many = {
    countries: ['DE'],
    find: (_bytes: Uint8Array, start: number) => start,
    hasCoordinates: () => true,
    lat: (location: number) => (location % 170) - 85,
    lon: (location: number) => ((location * 7) % 359) - 179,
    country: () => 0,
  };
  const { cellsPerBatch } = hitLimits;
  hitLimits.cellsPerBatch = 10;
  try {
    const delta = deltaOf(
      Array.from({ length: 30 }, (_, at) => hit(at % 3 ? {} : { id: `${at}` })),
      now,
      many,
      'location',
    );
    delta.settle(Seen.empty());
    const points = PointsState.empty('location');
    points.merge(delta);
    assert.equal(points.size, 10);
    const sums = DaySums.empty(dayName(dayOf(now)));
    sums.merge(delta);
    assert.deepEqual(sums.top('domain'), [['a.example', 30]]);
    assert.deepEqual(sums.top('country'), [['DE', 30]]);
    assert.ok(delta.counters.other > 0);
  } finally {
    hitLimits.cellsPerBatch = cellsPerBatch;
  }
});

test('many domains, days and actions are kept apart', () => {
  const hits = Array.from({ length: 5000 }, (_, index) =>
    hit({
      time: now - (index % 700) * 24 * hour,
      domain: `d${index % 1777}.example`,
      action: `a${index % 333}`,
      address: `${index % 7}`,
      ...(index % 3 === 0 ? { id: `${index}` } : {}),
    }),
  );
  assert.deepEqual(fold([deltaOf(hits.slice(0, 4000)), deltaOf(hits.slice(4000))], true), plainSums(hits));
});

test('late hits count on their own day, future ones on the day of their arrival', () => {
  const delta = deltaOf([
    hit({ time: now - 25 * hour }),
    hit({ time: now - 23 * hour }),
    hit({ time: now + 4 * 60_000 }),
    hit({ time: now + 25 * hour }),
  ]);
  assert.equal(delta.counters.late, 1);
  assert.equal(delta.counters.future, 1);
  assert.deepEqual(delta.days.map(dayName).sort(), ['2026-11-20', '2026-11-21']);
  const points = PointsState.empty();
  points.merge(delta);
  assert.equal(points.rows()[0][4], now);
});

test('within an hour, a repeated id adds nothing and is counted as a duplicate', () => {
  const seen = Seen.empty();
  const settled = (arrivedAt: number) => {
    const delta = deltaOf([hit({ id: 'x' }), hit({ id: 'x', address: '' }), hit({ id: 'y', address: '' })], arrivedAt);
    delta.settle(seen);
    return [delta.counters.hits, delta.counters.duplicates, delta.counters.unlocated];
  };
  assert.deepEqual(settled(now), [2, 1, 1]);
  assert.deepEqual(settled(now + hour - 1), [0, 3, 0]);
  assert.deepEqual(settled(now + hour), [2, 1, 1]);
  assert.deepEqual(settled(now + 2 * hour - 1), [0, 3, 0]);
});

test('the same batch always gives the same bytes', () => {
  const hits = [hit(), hit({ time: now + 99 * hour }), hit({ id: 'x' })];
  assert.deepEqual(encodedDelta(hits), encodedDelta(hits));
});

test('a delta holds no address and no id', () => {
  const text = new TextDecoder('latin1').decode(encodedDelta([hit({ address: '203.0.113.7', id: 'visitor-id' })]));
  assert.doesNotMatch(text, /203|visitor-id/);
});

test('a truncated or foreign object is not read as a delta', () => {
  const bytes = encodedDelta([hit(), hit({ id: 'x' })]);
  for (let length = 0; length < bytes.length; length++)
    assert.throws(() => decodeDelta(bytes.subarray(0, length)), { name: 'Torn' });
  assert.throws(() => decodeDelta(PointsState.empty().encode()), /are a points\/1, not a delta\/1/);
  assert.throws(() => decodeDelta(new TextEncoder().encode('{"some": "other object"}')), /are not a delta/);
});
