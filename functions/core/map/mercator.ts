// Web Mercator on an integer grid: the world is SIZE x SIZE units, x to the east from -180, y to the south from
// 85.0511. 28 bits are exactly a pixel of a 4096-unit tile at zoom 16 (about 0.15 m at the equator), and leave room for
// a sum of 2^25 coordinates in a double.

export const COORDINATE_BITS = 28;
export const SIZE = 2 ** COORDINATE_BITS;

/** Degrees east to units, 0..SIZE-1. Values beyond +-180 are clamped to the edge. */
export function lonToX(lon: number): number {
  return hold((lon / 360 + 0.5) * SIZE);
}

/** Degrees north to units, 0..SIZE-1. The poles, which Mercator can't show, are clamped to the edge. */
export function latToY(lat: number): number {
  const sin = Math.sin((lat * Math.PI) / 180);
  return hold((0.5 - (0.25 * Math.log((1 + sin) / (1 - sin))) / Math.PI) * SIZE);
}

/** The middle of a unit, degrees. */
export function xToLon(x: number): number {
  return ((x + 0.5) / SIZE - 0.5) * 360;
}

/** The middle of a unit, degrees. */
export function yToLat(y: number): number {
  return (360 / Math.PI) * Math.atan(Math.exp((0.5 - (y + 0.5) / SIZE) * 2 * Math.PI)) - 90;
}

function hold(unit: number): number {
  return unit >= SIZE ? SIZE - 1 : unit > 0 ? Math.floor(unit) : 0;
}
