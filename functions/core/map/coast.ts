// Land in the background of pictures of low zooms: the coasts of Natural Earth 1:110 m, filled with soft edges.
import { LAND } from './land.ts';

/** The coasts are in units of 2^-LAND_BITS of the world's width. */
export const LAND_BITS = 16;
/** The deepest zoom with a background: at deeper ones, coasts of this scale would put towns into the sea. */
export const LAND_ZOOM = 5;
/** At how many lines within a row of pixels the coverage is measured. */
const LINES = 4;

/** Rings as x, y, x, y, ... in units of 2^-LAND_BITS of the world; made on first use. */
let rings: Int32Array[] | undefined;

/**
 * Returns how much of each pixel is land, 0..1, row by row; size: pixels of the tile's side. Even-odd rule, so that
 * lakes are holes. A scanline fill: every line is intersected with all edges; along a line coverage is exact.
 */
export function landCover(zoom: number, tileX: number, tileY: number, size: number): Float32Array {
  rings ??= readRings(Buffer.from(LAND, 'base64'));
  const scale = (size * 2 ** zoom) / 2 ** LAND_BITS;
  const [left, top] = [tileX * size, tileY * size];
  const cuts: number[][] = Array.from({ length: LINES * size }, () => []);
  for (const ring of rings) {
    let x0 = ring[ring.length - 2] * scale - left;
    let y0 = (ring[ring.length - 1] * scale - top) * LINES;
    for (let i = 0; i < ring.length; i += 2) {
      const [x1, y1] = [ring[i] * scale - left, (ring[i + 1] * scale - top) * LINES];
      // Lines are at half units, so that no corner is exactly on a line.
      const first = Math.max(0, Math.ceil(Math.min(y0, y1) - 0.5));
      const end = Math.min(cuts.length, Math.ceil(Math.max(y0, y1) - 0.5));
      for (let line = first; line < end; line++) cuts[line].push(x0 + ((line + 0.5 - y0) / (y1 - y0)) * (x1 - x0));
      [x0, y0] = [x1, y1];
    }
  }
  const cover = new Float32Array(size * size);
  for (let line = 0; line < cuts.length; line++) {
    const along = cuts[line].sort((a, b) => a - b);
    for (let i = 0; i + 1 < along.length; i += 2)
      addSpan(cover, Math.floor(line / LINES) * size, Math.max(0, along[i]), Math.min(size, along[i + 1]));
  }
  return cover;
}

function addSpan(cover: Float32Array, row: number, from: number, to: number): void {
  for (let x = Math.floor(from); x < to; x++) cover[row + x] += (Math.min(to, x + 1) - Math.max(from, x)) / LINES;
}

function readRings(bytes: Uint8Array): Int32Array[] {
  const found: Int32Array[] = [];
  let at = 0;
  const read = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return (value >>> 1) ^ -(value & 1);
    }
  };
  while (at < bytes.length) {
    const ring = new Int32Array(2 * read());
    for (let i = 0; i < ring.length; i++) ring[i] = read() + (i < 2 ? 0 : ring[i - 2]);
    found.push(ring);
  }
  return found;
}
