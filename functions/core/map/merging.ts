// What the two ways to cluster (cluster.ts and cluster-kernel.ts) have in common: how high rows are and how far items reach.
import { COORDINATE_BITS, SIZE } from './mercator.ts';
import { type Level, TILE_PIXEL_BITS } from './pyramid.ts';

/**
 * Means move, so some merged items end up nearer than the radius. Far out (to TIDY_ZOOM), where there are few and all are
 * seen at once, a second round merges what is nearer than this part of it.
 */
const TIDY_REACH = 0.95;

export interface Merging {
  /** The deepest zoom that merges. */
  maxZoom: number;
  /** log2 of a row's height at a zoom. */
  rowBitsOf(zoom: number): number;
  /** Units within which items merge at a zoom. */
  reachOf(zoom: number): number;
  /** The same of a second round. */
  tidyReachOf(zoom: number): number;
}

/** The levels, and the points' places and rows in leaf order. */
export interface Clustered {
  levels: Level[];
  x: Uint32Array;
  y: Uint32Array;
  order: Uint32Array;
}

/** radius: pixels of a 512-pixel tile. */
export function mergingOf(size: number, radius: number, maxZoom: number): Merging {
  // Rows as high as the radius, but not many more than a quarter of the points: deep, sparse zooms have taller ones.
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

/** log2 of a row's columns: one bucket for four items or more, or one a row. */
export function columnBitsOf(count: number, rowBits: number): number {
  const rows = 2 ** (COORDINATE_BITS - rowBits);
  return Math.max(0, Math.min(14, Math.floor(Math.log2(count / rows / 4))));
}
