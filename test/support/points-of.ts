// Small worlds for the map's tests.
import { type Points, packNames } from '#core/map/cluster.ts';

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

/** Numbers in [0, 1) from a seed: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Places as people live: a few thousand towns of very different weight and spread, and one point in twenty anywhere. */
export function skewedPoints(count: number, seed: number): Points {
  const random = seeded(seed);
  const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const hold = (value: number, most: number) => Math.max(-most, Math.min(most, value));
  const towns = Array.from({ length: 3000 }, () => ({
    lon: random() * 360 - 180,
    lat: hold(30 + gauss() * 25, 80),
    spread: 0.02 + 0.6 * random() ** 3,
  }));
  const lon = new Float64Array(count);
  const lat = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    if (i % 20 === 0) {
      lon[i] = random() * 360 - 180;
      lat[i] = random() * 150 - 70;
      continue;
    }
    const town = towns[Math.floor(towns.length * random() ** 3)];
    lon[i] = hold(town.lon + gauss() * town.spread, 180);
    lat[i] = hold(town.lat + gauss() * town.spread, 85);
  }
  const countries = ['', 'DE', 'US', 'FR', 'BR'];
  return {
    domains: packNames(Array.from({ length: count }, (_, i) => `site-${i}.example`)),
    lon,
    lat,
    updatedAt: Float64Array.from({ length: count }, () => 1_790_000_000_000 - Math.floor(random() * 7 * 86_400_000)),
    country: Uint16Array.from({ length: count }, () => Math.floor(random() * countries.length)),
    countries,
  };
}
