// Small worlds for the map's tests.
import type { Points } from '#core/map/cluster.ts';
import { packNames } from '../../bench/worlds/names.ts';

export interface Row {
  domain: string;
  lon: number;
  lat: number;
  updatedAt: number;
  country: string;
}

export function pointsOf(rows: Row[]): Points {
  const countries = ['', ...new Set(rows.map(({ country }) => country).filter((code) => code !== ''))];
  return {
    domains: packNames(rows.map(({ domain }) => domain)),
    lon: Float64Array.from(rows, ({ lon }) => lon),
    lat: Float64Array.from(rows, ({ lat }) => lat),
    updatedAt: Float64Array.from(rows, ({ updatedAt }) => updatedAt),
    country: Uint16Array.from(rows, ({ country }) => countries.indexOf(country)),
    countries,
  };
}
