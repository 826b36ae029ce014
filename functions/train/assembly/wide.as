// Products of square blocks on tiles of 6 x 8 numbers: twelve sums, two vectors of the right side and one number of the
// left fill V8's 15 vector registers, and so many sums keep both multipliers busy.
//
// A block is stored in panels of 24 columns, which are four widths of the left side and three of the right, each panel
// row by row. Two panels and what their product is added to fit into a first-level cache of 32 KiB.
import { minus, plus } from './fused';

/** A block has so many rows and columns. */
export const B: usize = 144;
export const BLOCK_BYTES: usize = B * B * 4;
export const PANEL_COLUMNS: usize = 24;
export const ROW: usize = PANEL_COLUMNS * 4;
const PANEL: usize = B * ROW;

/** Where element (row, column) of a block is. */
@inline export function inBlock(block: usize, row: usize, column: usize): usize {
  return block + (column / PANEL_COLUMNS) * PANEL + row * ROW + ((column % PANEL_COLUMNS) << 2);
}

/**
 * C += Lt R, of which the first `left` and `right` columns and `depth` rows, multiples of a panel's columns, are not
 * padding.
 */
export function addProduct(c: usize, l: usize, r: usize, left: usize, right: usize, depth: usize): void {
  product(false, c, l, r, left, right, depth);
}

/** C -= Lt R. */
export function takeOffProduct(c: usize, l: usize, r: usize, left: usize, right: usize): void {
  product(true, c, l, r, left, right, B);
}

/** C += Ut R, where U is an upper triangle. */
export function addTriangleProduct(c: usize, u: usize, r: usize, left: usize, right: usize): void {
  for (let j: usize = 0; j < right; j += PANEL_COLUMNS)
    for (let i: usize = 0; i < left; i += PANEL_COLUMNS) panels(false, c, u, r, i, j, 0, i + PANEL_COLUMNS);
}

/**
 * Panels that are read for the first time are read in thirds, all tiles of each: so the processor's prefetcher has
 * time. A depth that the compiler knew would undo what tiles are unrolled for.
 */
@inline function product(less: bool, c: usize, l: usize, r: usize, left: usize, right: usize, depth: usize): void {
  for (let j: usize = 0; j < right; j += PANEL_COLUMNS)
    for (let i: usize = 0; i < left; i += PANEL_COLUMNS) {
      const step: usize = i && j ? depth : depth / 3;
      for (let from: usize = 0; from < depth; from += step) panels(less, c, l, r, i, j, from, step);
    }
}

@inline function panels(less: bool, c: usize, l: usize, r: usize, left: usize, right: usize, from: usize, depth: usize): void {
  for (let j = right; j < right + PANEL_COLUMNS; j += 8)
    for (let i = left; i < left + PANEL_COLUMNS; i += 6) tile(less, inBlock(c, i, j), inBlock(l, from, i), inBlock(r, from, j), depth);
}

@inline function sum(less: bool, a: v128, x: v128, y: v128): v128 {
  return less ? minus(a, x, y) : plus(a, x, y);
}

/** C += Lt R, or C -= Lt R if `less`, on one tile: L is depth x 6, R depth x 8. Unrolled as in tiles.as. */
@inline function tile(less: bool, c: usize, l: usize, r: usize, depth: usize): void {
  let a0 = v128.load(c), b0 = v128.load(c, 16);
  let a1 = v128.load(c, 96), b1 = v128.load(c, 112);
  let a2 = v128.load(c, 192), b2 = v128.load(c, 208);
  let a3 = v128.load(c, 288), b3 = v128.load(c, 304);
  let a4 = v128.load(c, 384), b4 = v128.load(c, 400);
  let a5 = v128.load(c, 480), b5 = v128.load(c, 496);
  let x: v128, y: v128, z: v128;
  const end = r + depth * ROW;
  while (r < end) {
    y = v128.load(r); z = v128.load(r, 16);
    x = v128.load32_splat(l); a0 = sum(less, a0, x, y); b0 = sum(less, b0, x, z);
    x = v128.load32_splat(l, 4); a1 = sum(less, a1, x, y); b1 = sum(less, b1, x, z);
    x = v128.load32_splat(l, 8); a2 = sum(less, a2, x, y); b2 = sum(less, b2, x, z);
    x = v128.load32_splat(l, 12); a3 = sum(less, a3, x, y); b3 = sum(less, b3, x, z);
    x = v128.load32_splat(l, 16); a4 = sum(less, a4, x, y); b4 = sum(less, b4, x, z);
    x = v128.load32_splat(l, 20); a5 = sum(less, a5, x, y); b5 = sum(less, b5, x, z);
    if (!depth) break;
    y = v128.load(r, 96); z = v128.load(r, 112);
    x = v128.load32_splat(l, 96); a0 = sum(less, a0, x, y); b0 = sum(less, b0, x, z);
    x = v128.load32_splat(l, 100); a1 = sum(less, a1, x, y); b1 = sum(less, b1, x, z);
    x = v128.load32_splat(l, 104); a2 = sum(less, a2, x, y); b2 = sum(less, b2, x, z);
    x = v128.load32_splat(l, 108); a3 = sum(less, a3, x, y); b3 = sum(less, b3, x, z);
    x = v128.load32_splat(l, 112); a4 = sum(less, a4, x, y); b4 = sum(less, b4, x, z);
    x = v128.load32_splat(l, 116); a5 = sum(less, a5, x, y); b5 = sum(less, b5, x, z);
    if (!depth) break;
    y = v128.load(r, 192); z = v128.load(r, 208);
    x = v128.load32_splat(l, 192); a0 = sum(less, a0, x, y); b0 = sum(less, b0, x, z);
    x = v128.load32_splat(l, 196); a1 = sum(less, a1, x, y); b1 = sum(less, b1, x, z);
    x = v128.load32_splat(l, 200); a2 = sum(less, a2, x, y); b2 = sum(less, b2, x, z);
    x = v128.load32_splat(l, 204); a3 = sum(less, a3, x, y); b3 = sum(less, b3, x, z);
    x = v128.load32_splat(l, 208); a4 = sum(less, a4, x, y); b4 = sum(less, b4, x, z);
    x = v128.load32_splat(l, 212); a5 = sum(less, a5, x, y); b5 = sum(less, b5, x, z);
    if (!depth) break;
    y = v128.load(r, 288); z = v128.load(r, 304);
    x = v128.load32_splat(l, 288); a0 = sum(less, a0, x, y); b0 = sum(less, b0, x, z);
    x = v128.load32_splat(l, 292); a1 = sum(less, a1, x, y); b1 = sum(less, b1, x, z);
    x = v128.load32_splat(l, 296); a2 = sum(less, a2, x, y); b2 = sum(less, b2, x, z);
    x = v128.load32_splat(l, 300); a3 = sum(less, a3, x, y); b3 = sum(less, b3, x, z);
    x = v128.load32_splat(l, 304); a4 = sum(less, a4, x, y); b4 = sum(less, b4, x, z);
    x = v128.load32_splat(l, 308); a5 = sum(less, a5, x, y); b5 = sum(less, b5, x, z);
    l += 4 * ROW;
    r += 4 * ROW;
  }
  v128.store(c, a0); v128.store(c, b0, 16);
  v128.store(c, a1, 96); v128.store(c, b1, 112);
  v128.store(c, a2, 192); v128.store(c, b2, 208);
  v128.store(c, a3, 288); v128.store(c, b3, 304);
  v128.store(c, a4, 384); v128.store(c, b4, 400);
  v128.store(c, a5, 480); v128.store(c, b5, 496);
}
