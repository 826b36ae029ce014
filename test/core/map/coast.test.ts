import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { LAND_ZOOM, landCover } from '#core/map/coast.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import { landFile } from '../../../web/land.ts';

/** Share of land at a location, in the tile of a zoom that contains it. */
function landAt(lon: number, lat: number, zoom: number): number {
  const [x, y] = [lonToX(lon), latToY(lat)].map((unit) => (unit / SIZE) * 2 ** zoom);
  const cover = landCover(zoom, Math.floor(x), Math.floor(y), 256);
  return cover[Math.floor((y % 1) * 256) * 256 + Math.floor((x % 1) * 256)];
}

const places: [name: string, lon: number, lat: number, land: number][] = [
  ['Berlin', 13.4, 52.5, 1],
  ['Denver', -105, 39.7, 1],
  ['Antarctica', 0, -80, 1],
  ['Chukotka, east of the antimeridian', -175, 66.5, 1],
  ['Chukotka, west of the antimeridian', 175, 68, 1],
  ['the Atlantic', -40, 30, 0],
  ['the Caspian Sea', 50.5, 42, 0],
  ['the Mediterranean', 18, 35, 0],
  ['Fiji sea on the antimeridian', 180, -30, 0],
];

test('towns are on land and points at sea are not, at every zoom with a background', () => {
  for (const [name, lon, lat, land] of places)
    for (let zoom = 0; zoom <= LAND_ZOOM; zoom++)
      assert.equal(Math.round(landAt(lon, lat, zoom)), land, `${name} at zoom ${zoom}`);
});

test('four tiles have as much land as their parent tile, pixel for pixel', () => {
  const whole = landCover(1, 1, 0, 128);
  const parts = [0, 1].map((y) => [0, 1].map((x) => landCover(2, 2 + x, y, 128)));
  for (let y = 0; y < 128; y++)
    for (let x = 0; x < 128; x++) {
      let sum = 0;
      for (const [dx, dy] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ])
        sum += parts[y >> 6][x >> 6][((2 * y + dy) % 128) * 128 + ((2 * x + dx) % 128)];
      assert.ok(Math.abs(sum / 4 - whole[128 * y + x]) < 0.2, `${x}, ${y}: ${sum / 4} against ${whole[128 * y + x]}`);
    }
});

test('the committed coasts are what the build makes from world-atlas', () => {
  assert.equal(readFileSync(new URL('../../../functions/core/map/land.ts', import.meta.url), 'utf8'), landFile());
});
