// Points of the map, distributed as people live: for benches and tests.
import { seeded } from '#core/bytes/random.ts';
import type { Points } from '#core/map/cluster.ts';
import { packNames } from './names.ts';

/** Most points are in a few thousand towns of very different size and spread; one in twenty is anywhere. */
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
