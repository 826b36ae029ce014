import assert from 'node:assert/strict';
import { test } from 'node:test';
import Supercluster from 'supercluster';
import { buildPyramid } from '#core/map/cluster.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';

// At zoom 1 there are about 95 items, so one world says little: the mean of several is what a viewer can expect.
const seeds = Array.from({ length: 6 }, (_, i) => i + 5);
const zooms = Array.from({ length: 10 }, (_, i) => i + 1);

type Place = [x: number, y: number];

/** Share of items that have another one within the radius. */
function crowded(places: Place[], radius: number): number {
  const cells = new Map<number, Place[]>();
  const cellOf = (x: number, y: number) => Math.floor(x / radius) * 2 ** 20 + Math.floor(y / radius);
  for (const place of places) {
    const cell = cells.get(cellOf(...place));
    if (cell) cell.push(place);
    else cells.set(cellOf(...place), [place]);
  }
  const near = places.filter(([x, y]) => {
    for (let dx = -radius; dx <= radius; dx += radius)
      for (let dy = -radius; dy <= radius; dy += radius)
        for (const [otherX, otherY] of cells.get(cellOf(x + dx, y + dy)) ?? [])
          if ((otherX !== x || otherY !== y) && (otherX - x) ** 2 + (otherY - y) ** 2 < radius ** 2) return true;
    return false;
  });
  return near.length / places.length;
}

test("at z1-z10 clusters are no more crowded than supercluster's, and as many within 10 %", () => {
  const ours = zooms.map(() => ({ crowded: 0, items: 0 }));
  const theirs = zooms.map(() => ({ crowded: 0, items: 0 }));
  for (const seed of seeds) {
    const points = skewedPoints(20_000, seed);
    const pyramid = buildPyramid(points);
    const rival = new Supercluster({ radius: 64, extent: 512, maxZoom: 16 }).load(
      Array.from(points.lon, (lon, i) => ({
        type: 'Feature',
        geometry: { type: 'Point', coordinates: [lon, points.lat[i]] },
        properties: {},
      })),
    );
    zooms.forEach((zoom, at) => {
      const radius = (64 / 512) * (SIZE / 2 ** zoom);
      const own: Place[] = pyramid.clusters([-180, -90, 180, 90], zoom).map(({ x, y }) => [x, y]);
      const other: Place[] = rival
        .getClusters([-180, -90, 180, 90], zoom)
        .map(({ geometry: { coordinates } }) => [lonToX(coordinates[0]), latToY(coordinates[1])]);
      ours[at].crowded += crowded(own, radius) / seeds.length;
      theirs[at].crowded += crowded(other, radius) / seeds.length;
      ours[at].items += own.length;
      theirs[at].items += other.length;
    });
  }
  zooms.forEach((zoom, at) => {
    assert.ok(ours[at].crowded <= theirs[at].crowded, `z${zoom}: ${ours[at].crowded} against ${theirs[at].crowded}`);
    const items = ours[at].items / theirs[at].items;
    assert.ok(Math.abs(items - 1) <= 0.1, `z${zoom}: ${items} times as many`);
  });
});

test('neighbouring tiles agree bit for bit on items that both contain', () => {
  const pyramid = buildPyramid(skewedPoints(50_000, 3));
  const seen = (z: number, x: number, y: number) => {
    const tile = pyramid.tile(z, x, y);
    // Position on the zoom's grid, so that tiles can be compared.
    return new Map(
      Array.from({ length: tile.length }, (_, i) => [
        `${tile.leafStart(i)}/${tile.formed(i)}/${tile.count(i)}`,
        [tile.x(i) + 4096 * x, tile.y(i) + 4096 * y],
      ]),
    );
  };
  let shared = 0;
  for (const z of [2, 4, 6, 9]) {
    for (let x = 0; x + 1 < Math.min(2 ** z, 20); x++) {
      for (let y = 0; y + 1 < Math.min(2 ** z, 20); y++) {
        const [own, east, south] = [seen(z, x, y), seen(z, x + 1, y), seen(z, x, y + 1)];
        for (const [id, place] of own) {
          // A point in both tiles' margins is in both, at the same position.
          const [px, py] = [place[0] - 4096 * x, place[1] - 4096 * y];
          if (px >= 4096 - 512) assert.deepEqual(east.get(id), place);
          if (py >= 4096 - 512) assert.deepEqual(south.get(id), place);
          if (px >= 4096 - 512 || py >= 4096 - 512) shared++;
        }
      }
    }
  }
  assert.ok(shared > 1000);
});
