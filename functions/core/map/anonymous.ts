// The anonymous map, for callers who may not see names.
import type { Points } from './cluster.ts';

/** Degrees; about 55 km, so that a dot shows a region and not a town. */
const step = 0.5;
const hourMs = 3_600_000;

/**
 * The points that `kept` selects: without names, at rounded locations, at the beginning of their hour, and in an order
 * that reveals nothing about the names' order. If a country has fewer than `least` of them, their country is left out:
 * a country such as Monaco is a town.
 */
export function anonymousPoints(points: Points, kept: (row: number) => boolean, least: number): Points {
  const shown = Array.from(points.lat.keys()).filter(kept);
  const codeOf = (row: number) => points.countries[points.country[row]];
  const inCountry = new Map<string, number>();
  for (const row of shown) inCountry.set(codeOf(row), (inCountry.get(codeOf(row)) ?? 0) + 1);
  // A separate list of countries: the original also names countries of points that are not shown.
  const countries = [
    '',
    ...[...inCountry].filter(([code, rows]) => code && rows >= least).map(([code]) => code),
  ].sort();
  const rounded = (degrees: number) => Math.round(degrees / step) * step + 0;
  const rows = shown
    .map((row) => ({
      lat: rounded(points.lat[row]),
      lon: rounded(points.lon[row]),
      updatedAt: Math.floor(points.updatedAt[row] / hourMs) * hourMs,
      country: Math.max(0, countries.indexOf(codeOf(row))),
    }))
    .sort((a, b) => a.lat - b.lat || a.lon - b.lon || a.updatedAt - b.updatedAt || a.country - b.country);
  return {
    domains: { offsets: new Uint32Array(rows.length + 1), utf8: new Uint8Array(0) },
    lat: Float64Array.from(rows, ({ lat }) => lat),
    lon: Float64Array.from(rows, ({ lon }) => lon),
    updatedAt: Float64Array.from(rows, ({ updatedAt }) => updatedAt),
    country: Uint16Array.from(rows, ({ country }) => country),
    countries,
  };
}
