import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TIME_CHARACTERS, writeTime } from '#core/bytes/rfc3339.ts';
import { pointsDocument } from '#core/map/points-json.ts';
import { packNames } from '../../../bench/worlds/names.ts';

const YEAR_9999 = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
const time = fc.integer({ min: Date.UTC(0, 0, 1), max: YEAR_9999 });
const point = fc.record({
  domain: fc.oneof(
    fc.domain(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('"', '\\', '\n', '', 'x'.repeat(70_000)),
  ),
  lat: fc.double({ min: -90, max: 90, noNaN: true }),
  lon: fc.double({ min: -180, max: 180, noNaN: true }),
  updatedAt: time,
});

test('points.json equals JSON.stringify of the points, whatever the names', () => {
  fc.assert(
    fc.property(fc.array(point, { maxLength: 60, size: 'max' }), time, fc.nat(400), (points, updatedAt, keepDays) => {
      const columns = {
        domains: packNames(points.map(({ domain }) => domain)),
        lat: Float64Array.from(points, ({ lat }) => lat),
        lon: Float64Array.from(points, ({ lon }) => lon),
        updatedAt: Float64Array.from(points, ({ updatedAt }) => updatedAt),
        country: new Uint16Array(points.length),
        countries: [''],
      };
      const text = Buffer.concat([...pointsDocument(columns, { updatedAt, keepDays })]).toString();
      const iso = (at: number) => new Date(at).toISOString();
      const expected = points.map((each) => ({
        domain: each.domain.toWellFormed(),
        lat: each.lat,
        lon: each.lon,
        updatedAt: iso(each.updatedAt),
      }));
      assert.equal(text, JSON.stringify({ version: 1, updatedAt: iso(updatedAt), keepDays, points: expected }));
    }),
    { numRuns: 100 },
  );
});

test('a time is written as Date writes it', () => {
  const bytes = new Uint8Array(TIME_CHARACTERS + 2);
  fc.assert(
    fc.property(time, (at) => {
      bytes.fill(0);
      writeTime(bytes, 1, at);
      assert.equal(new TextDecoder().decode(bytes), `\0${new Date(at).toISOString()}\0`);
    }),
    { numRuns: 2000 },
  );
});
