// Runs hits through a delta, and computes the plain sums that they must give.

import type { HitLine } from '#core/event.ts';
import { cellOf } from '#core/hits/cells.ts';
import { type Delta, DeltaBuilder, decodeDelta, type Locations, type PointsBy } from '#core/hits/delta.ts';
import { encodeHit, readLines } from '#core/hits/hit.ts';

export const now = Date.UTC(2026, 10, 21, 12);

/** Six locations: two have the same coordinates but different countries, and of one only the country is known. */
const known = [
  { lat: 1, lon: 1, country: 'DE' },
  { lat: 1, lon: 2, country: 'FR' },
  { lat: 1, lon: 2, country: 'DE' },
  { lat: 2, lon: -1, country: '' },
  { lat: -3.5, lon: 7, country: 'BR' },
  { lat: Number.NaN, lon: Number.NaN, country: 'FR' },
];
const countries = ['FR', 'DE', 'BR', ''];

/** The same locations by an address's text. */
export const locate = (address: string) => (address === '' ? undefined : known[Number(address)]);

/** Finds location n for the address n, and none for any other address. */
export const locations: Locations = {
  countries,
  find: (bytes, start, end) =>
    end - start === 1 && bytes[start] >= 48 && bytes[start] < 48 + known.length ? bytes[start] - 48 : -1,
  hasCoordinates: (location) => !Number.isNaN(known[location].lat),
  lat: (location) => known[location].lat,
  lon: (location) => known[location].lon,
  country: (location) => countries.indexOf(known[location].country),
};

/** The delta of a batch of hits. */
export function deltaOf(hits: HitLine[], arrivedAt = now, from: Locations = locations, by?: PointsBy): Delta {
  return decodeDelta(encodedDelta(hits, arrivedAt, from, by));
}

export function encodedDelta(hits: HitLine[], arrivedAt = now, from: Locations = locations, by?: PointsBy): Uint8Array {
  const builder = new DeltaBuilder(from, by);
  readLines(new TextEncoder().encode(hits.map(encodeHit).join('\n')), {
    hit: (hit) => builder.hit(hit, arrivedAt),
    other: () => {},
    bad: (text) => {
      throw new Error(text);
    },
  });
  return builder.encode({ shard: 's', previous: '0', last: '1' });
}

/** Hits of each day by domain, country and action, and each domain's newest location: computed naively, hit by hit. */
export function plainSums(hits: HitLine[], arrivedAt = now) {
  const sums: Record<string, number> = {};
  const newest: Record<string, [number, number, number, string]> = {};
  const seen = new Set<string>();
  for (const { time: stamp, address, domain, action, id } of hits) {
    if (id !== undefined && seen.has(id)) continue;
    if (id !== undefined) seen.add(id);
    const time = Math.min(stamp, arrivedAt);
    const location = locate(address);
    const day = new Date(time).toISOString().slice(0, 10);
    for (const key of [`domain ${domain}`, `country ${location?.country ?? ''}`, `action ${action}`])
      sums[`${day} ${key}`] = (sums[`${day} ${key}`] ?? 0) + 1;
    if (!location || Number.isNaN(location.lat)) continue;
    const row: [number, number, number, string] = [time, location.lat, location.lon, location.country];
    const held = newest[domain];
    const first = held ? row.findIndex((part, index) => part !== held[index]) : 0;
    if (!held || (first >= 0 && row[first] > held[first])) newest[domain] = row;
  }
  return { sums, newest };
}

/** Each domain's hits in each cell with the newest location there: computed naively, hit by hit. */
export function plainCells(hits: HitLine[], arrivedAt = now) {
  const cells: Record<
    string,
    { newest: [number, number, number, string]; hits: number; days: Record<string, number> }
  > = {};
  const seen = new Set<string>();
  for (const { time: stamp, address, domain, id } of hits) {
    if (id !== undefined && seen.has(id)) continue;
    if (id !== undefined) seen.add(id);
    const time = Math.min(stamp, arrivedAt);
    const location = locate(address);
    if (!location || Number.isNaN(location.lat)) continue;
    const row: [number, number, number, string] = [time, location.lat, location.lon, location.country];
    const key = `${domain} ${cellOf(location.lat, location.lon)}`;
    const held = cells[key] ?? { newest: row, hits: 0, days: {} };
    cells[key] = held;
    held.hits++;
    const day = new Date(time).toISOString().slice(0, 10);
    held.days[day] = (held.days[day] ?? 0) + 1;
    const first = row.findIndex((part, index) => part !== held.newest[index]);
    if (first >= 0 && row[first] > held.newest[first]) held.newest = row;
  }
  return cells;
}
