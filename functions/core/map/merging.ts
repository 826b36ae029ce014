// What both implementations of clustering (cluster.ts and cluster-kernel.ts) share: how high rows are and how far items
// reach.
import { COORDINATE_BITS, SIZE } from './mercator.ts';
import { type Level, TILE_PIXEL_BITS } from './pyramid.ts';

/**
 * Means move, so some merged items end up within the radius of each other. At low zooms (up to TIDY_ZOOM), where the
 * few items are all seen at once, a second round merges items that are nearer than this share of the radius.
 */
const TIDY_REACH = 0.95;

export interface Merging {
  /** The deepest zoom that merges. */
  maxZoom: number;
  /** log2 of a row's height at a zoom. */
  rowBitsOf(zoom: number): number;
  /** The distance, in units, within which items merge at a zoom. */
  reachOf(zoom: number): number;
  /** The same for a second round. */
  tidyReachOf(zoom: number): number;
}

/** The levels, and the points' positions and rows in leaf order. */
export interface Clustered {
  levels: Level[];
  x: Uint32Array;
  y: Uint32Array;
  order: Uint32Array;
}

/** radius: pixels of a 512-pixel tile. */
export function mergingOf(size: number, radius: number, maxZoom: number): Merging {
  // Rows are as high as the radius, but there are not many more rows than a quarter of the points: deep, sparse zooms
  // have higher rows.
  const tallest = COORDINATE_BITS - Math.max(0, Math.ceil(Math.log2((size + 1) / 4)));
  const radiusBits = COORDINATE_BITS - TILE_PIXEL_BITS + Math.ceil(Math.log2(radius));
  const reachOf = (zoom: number) => (radius * SIZE) / 2 ** (TILE_PIXEL_BITS + zoom);
  return {
    maxZoom,
    rowBitsOf: (zoom) => Math.min(COORDINATE_BITS, Math.max(tallest, radiusBits - zoom)),
    reachOf,
    tidyReachOf: (zoom) => reachOf(zoom) * TIDY_REACH,
  };
}

/** log2 of a row's columns: a bucket has at least four items on average, or there is one bucket per row. */
export function columnBitsOf(count: number, rowBits: number): number {
  const rows = 2 ** (COORDINATE_BITS - rowBits);
  return Math.max(0, Math.min(14, Math.floor(Math.log2(count / rows / 4))));
}
