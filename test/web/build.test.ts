import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { buildPages, builtPages } from '../../web/build.ts';
import { basemap, countries } from '../../web/map/basemap.ts';
import { namer } from '../../web/map/countries.ts';

// Throws when a page, the map, the charts or the beacon exceeds its size budget.
const folder = await buildPages();

test('a second build with the same inputs writes nothing', async () => {
  const before = statSync(join(folder, 'index.html')).mtimeMs;
  await buildPages();
  assert.equal(await builtPages(() => assert.fail('they are built')), folder);
  assert.equal(statSync(join(folder, 'index.html')).mtimeMs, before);
});

test('the beacon is at most 1 KiB gzipped', () => {
  const bytes = gzipSync(readFileSync(join(folder, 'hit.js'))).length;
  assert.ok(bytes <= 1024, `${bytes} bytes`);
});

test('the pages contain nothing that a strict content security policy would refuse', () => {
  for (const name of readdirSync(folder).filter((name) => name.endsWith('.html'))) {
    const html = readFileSync(join(folder, name), 'utf8');
    assert.doesNotMatch(html, /<script(?![^>]* src=)|<style|\son\w+=|style=|https?:\/\//, name);
    assert.match(html, /<html lang="en"/, name);
    assert.match(html, /<title>.+ - Whalewatch<\/title>/, name);
  }
});

test('the base map is cut at the antimeridian: no line runs across the world', () => {
  for (const scale of ['110m', '50m'] as const) {
    const { unit, land, borders, names } = JSON.parse(basemap(scale));
    assert.ok(land.length > 100 && borders.length > 100 && names.length > 150, scale);
    for (const line of [...land.flat(), ...borders] as number[][]) {
      let [lon, lat] = [0, 0];
      for (let i = 0; i < line.length; i += 2) {
        lon += line[i] * unit;
        lat += line[i + 1] * unit;
        assert.ok(Math.abs(lon) <= 180.001 && Math.abs(lat) <= 90.001, `${scale}: ${lon}, ${lat}`);
        // Antarctica's lower edge follows the edge of the map: the only line that may be long.
        if (i > 0 && lat > -85)
          assert.ok(Math.abs(line[i] * unit) < 90, `${scale}: a step of ${line[i] * unit} at ${lat}`);
      }
    }
  }
});

test('land is where it belongs, and the Caspian Sea is not land', () => {
  const { unit, land } = JSON.parse(basemap('110m')) as { unit: number; land: number[][][] };
  const inside = (ring: number[], x: number, y: number) => {
    let odd = false;
    let [ax, ay] = [ring[0] * unit, ring[1] * unit];
    for (let i = 2; i < ring.length; i += 2) {
      const [bx, by] = [ax + ring[i] * unit, ay + ring[i + 1] * unit];
      if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
      [ax, ay] = [bx, by];
    }
    return odd;
  };
  const isLand = (lat: number, lon: number) =>
    land.some(([outer, ...holes]) => inside(outer, lon, lat) && !holes.some((hole) => inside(hole, lon, lat)));
  assert.ok(isLand(52.5, 13.4), 'Berlin');
  assert.ok(isLand(-25, 134), 'Australia');
  assert.ok(isLand(66, -172), 'Chukotka, beyond the antimeridian');
  assert.ok(!isLand(42, 50.5), 'the Caspian Sea');
  assert.ok(!isLand(0, -30), 'the Atlantic');
  assert.ok(!isLand(-20, -179), 'the sea east of Fiji');
});

test('a point is named by its country, near a coast by the nearest country, and at sea by degrees', () => {
  const nameOf = namer(JSON.parse(countries()));
  assert.equal(nameOf(52.5, 13.4), 'in Germany');
  assert.equal(nameOf(-1.3, 36.8), 'in Kenya');
  assert.equal(nameOf(-29.5, 28.2), 'in Lesotho');
  assert.equal(nameOf(-18.1, 178.4), 'in Fiji');
  assert.equal(nameOf(66, -172), 'in Russia');
  assert.equal(nameOf(35.9, 14.4), 'near Italy');
  assert.equal(nameOf(30, -40), 'at 30° N, 40° W');
});
