import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deflateSync } from 'node:zlib';
import { buildPyramid } from '#core/map/cluster.ts';
import { clear, drawLand, drawTile, encodePng, shortCount } from '#core/map/png.ts';
import { skewedPoints } from '../../../bench/worlds/points.ts';
import { decode } from '../../support/png.ts';
import { pointsOf } from '../../support/points-of.ts';

test('a picture decodes to the pixels that were encoded', () => {
  const pyramid = buildPyramid(skewedPoints(3000, 1));
  const picture = drawTile(pyramid.tile(1, 1, 0), clear(256), 'dark');
  assert.deepEqual(decode(encodePng(picture, (bytes) => deflateSync(bytes))), picture);
});

test("a lone point is a disc in the theme's colour at its location, and the rest is transparent", () => {
  const pyramid = buildPyramid(pointsOf([{ domain: 'a', lon: 0, lat: 0, updatedAt: 0, country: '' }]));
  const { pixels } = drawTile(pyramid.tile(0, 0, 0), clear(512), 'light');
  const at = (x: number, y: number) => [...pixels.subarray(4 * (512 * y + x), 4 * (512 * y + x) + 4)];
  assert.deepEqual(at(256, 256), [143, 207, 200, 255]);
  assert.deepEqual(at(240, 256), [0, 0, 0, 0]);
});

test("land is drawn under the discs in the theme's colours", () => {
  const { pixels } = drawLand(0, 0, 0, 256, 'dark');
  const at = (x: number, y: number) => [...pixels.subarray(4 * (256 * y + x), 4 * (256 * y + x) + 4)];
  assert.deepEqual(at(142, 122), [26, 43, 54, 255], 'the Congo');
  assert.deepEqual(at(10, 128), [11, 22, 29, 255], 'the Pacific');
});

test('a disc on the border of two tiles is cut exactly at the border', () => {
  const place = { domain: 'a', lat: 20, updatedAt: 0, country: '' };
  // On the border between tiles 0 and 1 of zoom 1, and once in the middle of a tile of zoom 0.
  const border = buildPyramid(pointsOf([{ ...place, lon: 0 }]));
  const left = drawTile(border.tile(1, 0, 0), clear(512), 'light');
  const right = drawTile(border.tile(1, 1, 0), clear(512), 'light');
  const joined = (x: number, y: number) => {
    const { pixels } = x < 512 ? left : right;
    return pixels[4 * (512 * y + (x % 512)) + 3];
  };
  const top = Array.from({ length: 512 }, (_, y) => y).find((y) => joined(511, y) > 0) ?? 0;
  for (let y = top; y < top + 14; y++)
    for (let d = 0; d < 10; d++) assert.ok(Math.abs(joined(511 - d, y) - joined(512 + d, y)) <= 1);
});

test('counts are written with at most four characters', () => {
  const cases: [number, string][] = [
    [2, '2'],
    [999, '999'],
    [1000, '1k'],
    [1240, '1.2k'],
    [9960, '10k'],
    [123_456, '123k'],
    [999_499, '999k'],
    [999_500, '1M'],
    [33_554_432, '34M'],
  ];
  for (const [count, text] of cases) assert.equal(shortCount(count), text);
});
