// The base map, cut from world-atlas (Natural Earth, public domain) at build time.
// world-atlas is stitched over the antimeridian; a map library would draw bands across the world, so it is cut there
// again.
import { readFileSync } from 'node:fs';
import { geoArea, geoCentroid, geoEquirectangular, geoPath } from 'd3-geo';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import { LAND_BITS } from '#core/map/coast.ts';
import { latToY, lonToX, SIZE } from '#core/map/mercator.ts';
import type { PackedPlaces } from './places.ts';

type Position = [lon: number, lat: number];
type Atlas = Topology<{ countries: GeometryCollection<{ name: string }>; land: GeometryCollection }>;

// Degrees in, degrees out: d3 clips at the antimeridian on the way. Precision 0 turns off its resampling along great
// circles.
const degrees = geoEquirectangular()
  .scale(180 / Math.PI)
  .translate([0, 0])
  .precision(0);

/** The lines of a shape once it is cut; `digits` decimals of a degree are kept. */
function cut(shape: GeoJSON.GeoJSON, digits: number): Position[][] {
  const lines: Position[][] = [];
  const round = (value: number) => Number(value.toFixed(digits));
  const add = (x: number, y: number) => {
    const line = lines[lines.length - 1];
    const position: Position = [round(x), round(-y)];
    const last = line[line.length - 1];
    if (!last || last[0] !== position[0] || last[1] !== position[1]) line.push(position);
  };
  geoPath(degrees, {
    beginPath() {},
    arc() {},
    moveTo(x, y) {
      lines.push([]);
      add(x, y);
    },
    lineTo: add,
    closePath() {
      const line = lines[lines.length - 1];
      line.push(line[0]);
    },
  })(shape);
  return lines;
}

/** Twice the signed area of a ring: positive when counter-clockwise. */
function turn(ring: Position[]): number {
  let sum = 0;
  for (let i = 1; i < ring.length; i++) sum += ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1];
  return sum;
}

function holds(ring: Position[], [x, y]: Position): boolean {
  let inside = false;
  for (let i = 1; i < ring.length; i++) {
    const [[ax, ay], [bx, by]] = [ring[i - 1], ring[i]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) inside = !inside;
  }
  return inside;
}

/** The polygons that a polygon is cut into: each outer ring with its holes. */
function polygons(polygon: GeoJSON.Polygon, digits: number): Position[][][] {
  // d3 winds outer rings clockwise on the sphere; y points down on its plane and up again here.
  const rings = cut(polygon, digits).filter((ring) => ring.length > 3 && turn(ring) !== 0);
  const outer = rings.filter((ring) => turn(ring) < 0).map((ring) => [ring]);
  for (const hole of rings.filter((ring) => turn(ring) > 0)) outer.find(([ring]) => holds(ring, hole[0]))?.push(hole);
  return outer;
}

const singles = (geometry: GeoJSON.Geometry): GeoJSON.Polygon[] =>
  geometry.type === 'Polygon'
    ? [geometry]
    : geometry.type === 'MultiPolygon'
      ? geometry.coordinates.map((coordinates) => ({ type: 'Polygon', coordinates }))
      : [];

/**
 * Leaves out points nearer than `tolerance` degrees to the line through their neighbours (Douglas and Peucker, 1973).
 */
function simplify(line: Position[], tolerance: number): Position[] {
  const kept = new Uint8Array(line.length);
  kept[0] = kept[line.length - 1] = 1;
  const open: [number, number][] = [[0, line.length - 1]];
  // A ring's ends are one point and span no line: it is split at the point farthest from them first.
  for (let next = open.pop(); next; next = open.pop()) {
    const [from, to] = next;
    const [[ax, ay], [bx, by]] = [line[from], line[to]];
    const length = Math.hypot(bx - ax, by - ay);
    let [farthest, most] = [-1, tolerance];
    for (let i = from + 1; i < to; i++) {
      const [x, y] = line[i];
      const distance =
        length === 0 ? Math.hypot(x - ax, y - ay) : Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length;
      if (distance > most) [farthest, most] = [i, distance];
    }
    if (farthest < 0) continue;
    kept[farthest] = 1;
    open.push([from, farthest], [farthest, to]);
  }
  return line.filter((_, index) => kept[index]);
}

/** Steps from point to point in units of 10^-digits degrees, the first from 0, 0: half the size of GeoJSON. */
function steps(line: Position[], digits: number): number[] {
  const unit = 10 ** digits;
  let [x, y] = [0, 0];
  return line.flatMap(([lon, lat]) => {
    const [nextX, nextY] = [Math.round(lon * unit), Math.round(lat * unit)];
    const step = [nextX - x, nextY - y];
    [x, y] = [nextX, nextY];
    return step;
  });
}

/** Land, borders and country names at one scale; `map/land.ts` reads it. */
export function basemap(scale: '110m' | '50m'): string {
  const digits = scale === '110m' ? 1 : 2;
  const tolerance = scale === '110m' ? 0.05 : 0.012;
  const atlas: Atlas = JSON.parse(
    readFileSync(new URL(import.meta.resolve(`world-atlas/countries-${scale}.json`)), 'utf8'),
  );
  const pack = (line: Position[]) => steps(simplify(line, tolerance), digits);
  const land = feature(atlas, atlas.objects.land).features.flatMap(({ geometry }) =>
    singles(geometry).flatMap((polygon) => polygons(polygon, digits)),
  );
  const borders = cut(
    mesh(atlas, atlas.objects.countries, (a, b) => a !== b),
    digits,
  );
  const names = feature(atlas, atlas.objects.countries).features.map(({ geometry, properties }) => {
    const [largest] = singles(geometry).sort((a, b) => geoArea(b) - geoArea(a));
    const [lon, lat] = geoCentroid(largest);
    // A name is about 60 pixels wide; the world is 512 at zoom 0. The country counts as a square of its area.
    const wide = Math.sqrt(geoArea(largest)) * (180 / Math.PI);
    const rank = Math.max(2, Math.log2(60 / (wide * (512 / 360))));
    return [properties.name, ...[lon, lat, rank].map((value) => Number(value.toFixed(1)))];
  });
  return JSON.stringify({
    unit: 10 ** -digits,
    land: land.map((polygon) => polygon.map(pack).filter((ring) => ring.length > 6)).filter(([outer]) => outer),
    borders: borders.map(pack),
    names,
  });
}

/**
 * Land for pictures, as functions/core/map/land.ts holds it: rings one after another, each its number of corners, then
 * steps from corner to corner (the first from 0, 0) in units of 2^-LAND_BITS of the world's width, all as zigzag
 * varints.
 */
export function landRings(): Uint8Array {
  const atlas: Atlas = JSON.parse(
    readFileSync(new URL(import.meta.resolve('world-atlas/countries-110m.json')), 'utf8'),
  );
  const unit = (share: number) => Math.floor((share / SIZE) * 2 ** LAND_BITS);
  const bytes: number[] = [];
  const write = (value: number) => {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
    bytes.push(rest);
  };
  for (const { geometry } of feature(atlas, atlas.objects.land).features)
    for (const polygon of singles(geometry).flatMap((single) => polygons(single, 2)))
      for (const ring of polygon.map((line) => simplify(line, 0.05)).filter((line) => line.length > 3)) {
        write(ring.length - 1);
        let [x, y] = [0, 0];
        for (const [lon, lat] of ring.slice(1)) {
          const [nextX, nextY] = [unit(lonToX(lon)), unit(latToY(lat))];
          write(nextX - x);
          write(nextY - y);
          [x, y] = [nextX, nextY];
        }
      }
  return Uint8Array.from(bytes);
}

/** Cities of `places.tsv`, which comes from Natural Earth (public domain). */
export function places(): string {
  const rows = readFileSync(new URL('places.tsv', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split('\t'));
  const zooms = new Set(rows.map(([, , , zoom]) => Number(zoom)));
  const countries = [...new Set(rows.map(([, , , , country]) => country))];
  const packed: PackedPlaces = {
    countries,
    zooms: Array.from(zooms, (zoom) => {
      const some = rows.filter((row) => Number(row[3]) === zoom);
      const line = some.map(([, lon, lat]): Position => [Number(lon), Number(lat)]);
      const codes = some.map(([, , , , country]) => countries.indexOf(country));
      return [zoom, some.map(([name]) => name), steps(line, 2), codes];
    }),
  };
  return JSON.stringify(packed);
}

/** Countries as `[name, polygons]`, to tell in words where a cluster lies. */
export function countries(): string {
  const atlas: Atlas = JSON.parse(
    readFileSync(new URL(import.meta.resolve('world-atlas/countries-110m.json')), 'utf8'),
  );
  const digits = 1;
  return JSON.stringify({
    unit: 10 ** -digits,
    countries: feature(atlas, atlas.objects.countries).features.map(({ geometry, properties }) => [
      properties.name,
      singles(geometry).flatMap((polygon) => polygons(polygon, digits).map(([outer]) => steps(outer, digits))),
    ]),
  });
}
