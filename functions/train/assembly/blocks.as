// Weights between items: Gram matrices of a sparse matrix, the inverse of one (EASE: Steck, WWW 2019), and many small
// ridge regressions (its sparse form). Phases and chunks work as in index.as, so the result has the same bits for any
// number of threads.
//
// The inverse is taken in blocks (wide.as). With A = Ut U and W = U^-T, row I of blocks is, for columns J > I of U and
// J < I of W alike,
//
//   X_IJ = V_IIt (A_IJ - sum over K < I of U_KIt X_KJ),   V = U^-1, A_IJ = 0 where J < I
//
// so U fills the upper and W the lower blocks of one square, in place. Finally P_IJ = sum over K >= J of W_KIt W_KJ
// replaces U: n^3 operations in all, each a product of tiles.
import { BASE, BLOCKS, COLUMNS, DIAGONALS, ITEMS, NEAR, NEAR_COUNTS, NEAR_ITEMS, NEAR_WEIGHTS, PHASES, RIDGES, ROWS, SCALES, SCRATCH, SCRATCH_BYTES, SQUARE, STARTS, UNSOUND, USERS, VALUES, WIDTH, word } from './parameters';
import { inPanels } from './gram';
import { allDone, finish, take } from './phases';
import { factorize, substitute } from './tiles';
import { addProduct, addTriangleProduct, B, BLOCK_BYTES, inBlock, PANEL_COLUMNS, ROW, takeOffProduct } from './wide';

const ROWS_AT_ONCE: u32 = 16;

/** Column by column, as products go through them. */
@inline function block(i: usize, j: usize): usize {
  return <usize>word(SQUARE) + (j * <usize>word(BLOCKS) + i) * BLOCK_BYTES;
}

/** How many of a block's columns, or rows, are not padding: in whole panels. */
@inline function sizeOf(i: usize): usize {
  const left = <usize>word(ITEMS + ROWS) - i * B;
  return left < B ? (left + PANEL_COLUMNS - 1) / PANEL_COLUMNS * PANEL_COLUMNS : B;
}

@inline function f32At(table: usize, at: usize): f32 {
  return load<f32>(<usize>word(table) + (at << 2));
}

@inline function chunksOf(rows: u32): u32 {
  return (rows + ROWS_AT_ONCE - 1) / ROWS_AT_ONCE;
}

/** For one item and all others: the sums over users of the product of both values. Clears `row` first. */
function gramRow(item: usize, row: usize): void {
  const itemStarts: usize = word(ITEMS + STARTS);
  const userStarts: usize = word(USERS + STARTS);
  const itemColumns: usize = word(ITEMS + COLUMNS);
  const itemValues: usize = word(ITEMS + VALUES);
  const userColumns: usize = word(USERS + COLUMNS);
  const userValues: usize = word(USERS + VALUES);
  memory.fill(row, 0, <usize>word(WIDTH) << 2);
  const end = load<u32>(itemStarts + (item << 2), 4);
  for (let n: usize = load<u32>(itemStarts + (item << 2)); n < end; n++) {
    const user: usize = load<u32>(itemColumns + (n << 2));
    const value = load<f32>(itemValues + (n << 2));
    const last: usize = <usize>load<u32>(userStarts + (user << 2), 4) << 2;
    for (let m: usize = <usize>load<u32>(userStarts + (user << 2)) << 2; m < last; m += 4) {
      const at = row + (<usize>load<u32>(userColumns + m) << 2);
      store<f32>(at, load<f32>(at) + value * load<f32>(userValues + m));
    }
  }
}

/** The Gram matrix, row by row. */
export function gramRows(thread: u32): u32 {
  const counters: usize = word(PHASES);
  const items = word(ITEMS + ROWS);
  const chunks = chunksOf(items);
  for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
    const to = min(items, (chunk + 1) * ROWS_AT_ONCE);
    for (let item = chunk * ROWS_AT_ONCE; item < to; item++)
      gramRow(item, <usize>word(SQUARE) + (<usize>item * <usize>word(WIDTH) << 2));
    finish(counters, chunks);
  }
  return allDone(counters, chunks) ? 0 : 1;
}

/**
 * The inverse of the scaled Gram matrix with ridges, in place: the upper blocks, with the diagonal ones stored apart.
 */
export function invert(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  const side = word(BLOCKS);
  let counters: usize = word(PHASES);
  const rows = side * <u32>B;
  let chunks: u32 = chunksOf(rows);
  for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
    const to = min(rows, (chunk + 1) * ROWS_AT_ONCE);
    for (let item = chunk * ROWS_AT_ONCE; item < to; item++) scatterRow(item, scratch);
    finish(counters, chunks);
  }
  if (!allDone(counters, chunks)) return 1;
  // Row by row. The next row's diagonal block follows the one to the left of it, so that nobody waits for it.
  for (let i: u32 = 0; i <= side; i++) {
    counters += 8;
    chunks = i == 0 ? 1 : side - 1;
    for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
      // The longest work first: above the diagonal, then what is ever nearer to it.
      const ahead = i - 1 + chunk;
      if (i > 0) eliminateBlock(i - 1, ahead < side - 1 ? ahead + 1 : ahead + 1 - side, scratch);
      if (chunk == 0 && i < side) diagonal(i, scratch);
      finish(counters, chunks);
    }
    if (!allDone(counters, chunks)) return 1;
  }
  counters += 8;
  chunks = (side * (side + 1)) >> 1;
  for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
    // Column by column: the first have the longest sums.
    let j: u32 = 0;
    let first: u32 = 0;
    while (first + j + 1 <= chunk) first += ++j;
    product(chunk - first, j);
    finish(counters, chunks);
  }
  if (!allDone(counters, chunks)) return 1;
  counters += 8;
  const items = word(ITEMS + ROWS);
  chunks = (items + <u32>PANEL_COLUMNS - 1) / <u32>PANEL_COLUMNS;
  for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
    // A panel's columns share cache lines.
    const to = min(items, (chunk + 1) * <u32>PANEL_COLUMNS);
    for (let item = chunk * <u32>PANEL_COLUMNS; item < to; item++) strongest(item, scratch);
    finish(counters, chunks);
  }
  return allDone(counters, chunks) ? 0 : 1;
}

/** Copies a row of the matrix into its upper blocks; padding is the identity. */
function scatterRow(item: usize, scratch: usize): void {
  const items: usize = word(ITEMS + ROWS);
  const i = item / B;
  const row = item % B;
  const bytes = <usize>word(BLOCKS) * B << 2;
  if (item < items) {
    gramRow(item, scratch);
    const own = f32At(SCALES, item);
    store<f32>(scratch + (item << 2), load<f32>(scratch + (item << 2)) + f32At(RIDGES, item));
    const scales: usize = word(SCALES);
    const scale = f32x4.splat(own);
    for (let k: usize = 0; k < items << 2; k += 16)
      v128.store(scratch + k, f32x4.mul(f32x4.mul(v128.load(scratch + k), scale), v128.load(scales + k)));
    memory.fill(scratch + (items << 2), 0, bytes - (items << 2));
  } else {
    memory.fill(scratch, 0, bytes);
    store<f32>(scratch + (item << 2), 1);
  }
  for (let j = i; j < <usize>word(BLOCKS); j++)
    for (let c: usize = 0; c < B; c += 4) v128.store(inBlock(block(i, j), row, c), v128.load(scratch + ((j * B + c) << 2)));
}

/**
 * Factorizes what is left of A_II into U_II; puts V_II = U_II^-1 into `DIAGONALS`, and its transpose W_II in place of
 * A_II.
 */
function diagonal(i: usize, u: usize): void {
  const own = block(i, i);
  for (let k: usize = 0; k < i; k++) takeOffProduct(own, block(k, i), block(k, i), sizeOf(i), sizeOf(i));
  // In panels of eight columns, as tiles.as has them.
  for (let r: usize = 0; r < B; r++)
    for (let c: usize = 0; c < B; c += 4) v128.store(u + (inPanels(r, c, B) << 2), v128.load(inBlock(own, r, c)));
  if (!factorize(u, B, <f32>1e-7)) store<u32>(BASE + (UNSOUND << 2), 1);
  const v = <usize>word(DIAGONALS) + i * BLOCK_BYTES;
  memory.fill(v, 0, BLOCK_BYTES);
  // Column c of V by back substitution, in double; U's diagonal comes inverted.
  for (let c: usize = 0; c < B; c++)
    for (let r = c + 1; r-- > 0; ) {
      let sum: f64 = r == c ? 1 : 0;
      for (let k = r + 1; k <= c; k++) sum -= <f64>load<f32>(u + (inPanels(r, k, B) << 2)) * <f64>load<f32>(inBlock(v, k, c));
      store<f32>(inBlock(v, r, c), <f32>(sum * <f64>load<f32>(u + (inPanels(r, r, B) << 2))));
    }
  for (let r: usize = 0; r < B; r++)
    for (let c: usize = 0; c < B; c++) store<f32>(inBlock(own, r, c), load<f32>(inBlock(v, c, r)));
}

/** X_IJ. */
function eliminateBlock(i: usize, j: usize, scratch: usize): void {
  const own = block(i, j);
  if (j < i) memory.fill(own, 0, BLOCK_BYTES);
  for (let k: usize = j < i ? j : 0; k < i; k++) takeOffProduct(own, block(k, i), block(k, j), sizeOf(i), sizeOf(j));
  memory.fill(scratch, 0, BLOCK_BYTES);
  addTriangleProduct(scratch, <usize>word(DIAGONALS) + i * BLOCK_BYTES, own, sizeOf(i), sizeOf(j));
  memory.copy(own, scratch, BLOCK_BYTES);
}

/** P_IJ, I <= J. */
function product(i: usize, j: usize): void {
  const own = i == j ? <usize>word(DIAGONALS) + i * BLOCK_BYTES : block(i, j);
  memory.fill(own, 0, BLOCK_BYTES);
  for (let k = j; k < <usize>word(BLOCKS); k++) addProduct(own, block(k, i), block(k, j), sizeOf(i), sizeOf(j), sizeOf(k));
}

/** Column J of P, which is row J too. */
function readColumn(item: usize, to: usize): void {
  const own = item / B;
  const at = item % B;
  for (let i: usize = 0; i <= own; i++) {
    let from = inBlock(i == own ? <usize>word(DIAGONALS) + i * BLOCK_BYTES : block(i, own), 0, at);
    for (let r = i * B; r < (i + 1) * B; r++) {
      store<f32>(to + (r << 2), load<f32>(from));
      from += ROW;
    }
  }
  for (let j = own + 1; j < <usize>word(BLOCKS); j++)
    for (let c: usize = 0; c < B; c += 4) v128.store(to + ((j * B + c) << 2), v128.load(inBlock(block(own, j), at, c)));
}

/** The strongest weights to an item, by ascending source; of equal ones the first. */
function strongest(item: usize, scratch: usize): void {
  const items: usize = word(ITEMS + ROWS);
  const keep: usize = word(NEAR);
  const sources: usize = <usize>word(NEAR_ITEMS) + (item * keep << 2);
  const weights: usize = <usize>word(NEAR_WEIGHTS) + (item * keep << 2);
  const own = scratch + (item << 2);
  readColumn(item, scratch);
  const scales: usize = word(SCALES);
  const pivot = f32x4.splat(-1 / (load<f32>(own) * f32At(SCALES, item)));
  for (let k: usize = 0; k < items << 2; k += 16)
    v128.store(scratch + k, f32x4.mul(f32x4.mul(v128.load(scratch + k), v128.load(scales + k)), pivot));
  // An item has no weight to itself.
  const last = scratch + ((items - 1) << 2);
  memory.copy(own, own + 4, last - own);
  const bins = scratch + (<usize>word(BLOCKS) * B << 2);
  // The k-th greatest by its bits, eleven and twice ten: without a sign, numbers are ordered as these are.
  let bar: u32 = 0;
  let known: u32 = 0;
  let equal = <u32>keep;
  for (let shift: u32 = 20; ; shift -= 10) {
    const digit: u32 = shift == 20 ? 2047 : 1023;
    memory.fill(bins, 0, 4 << 11);
    for (let at = scratch; at < last; at += 4) {
      const bits = load<u32>(at) & 0x7fffffff;
      if ((bits & known) != bar) continue;
      const bin = bins + (<usize>((bits >> shift) & digit) << 2);
      store<u32>(bin, load<u32>(bin) + 1);
    }
    let d = digit;
    for (; load<u32>(bins + (<usize>d << 2)) < equal; d--) equal -= load<u32>(bins + (<usize>d << 2));
    bar |= d << shift;
    known |= digit << shift;
    if (!shift) break;
  }
  let count: usize = 0;
  for (let at = scratch; at < last; at += 4) {
    const bits = load<u32>(at) & 0x7fffffff;
    if (bits < bar) continue;
    if (bits == bar) {
      if (!equal) continue;
      equal--;
    }
    const source = (at - scratch) >> 2;
    store<u32>(sources + count, <u32>(at < own ? source : source + 1));
    store<f32>(weights + count, load<f32>(at));
    count += 4;
  }
}

/**
 * The sparse form: each item's weights from its nearest items only, (G_NN + ridges) w = G_N,item, N being those. G is
 * the row-major square. Systems too near singular for single precision give NaN.
 */
export function regress(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  const counters: usize = word(PHASES);
  const items = word(ITEMS + ROWS);
  const chunks = chunksOf(items);
  for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
    const to = min(items, (chunk + 1) * ROWS_AT_ONCE);
    for (let item = chunk * ROWS_AT_ONCE; item < to; item++) regressItem(item, scratch);
    finish(counters, chunks);
  }
  return allDone(counters, chunks) ? 0 : 1;
}

function regressItem(item: usize, a: usize): void {
  const near: usize = word(NEAR);
  const list: usize = <usize>word(NEAR_ITEMS) + (item * near << 2);
  const weights: usize = <usize>word(NEAR_WEIGHTS) + (item * near << 2);
  const count: usize = load<u32>(<usize>word(NEAR_COUNTS) + (item << 2));
  if (!count) return;
  const n = (count + 7) & ~7;
  const panel = n << 5;
  const b = a + n * (n << 2);
  const square: usize = word(SQUARE);
  const width: usize = <usize>word(WIDTH) << 2;
  let least: f32 = 1;
  for (let r: usize = 0; r < n; r++) {
    const to = a + (r << 5);
    if (r >= count) {
      // Padding is the identity.
      for (let c = r & ~7; c < n; c++) store<f32>(to + (c >> 3) * panel + ((c & 7) << 2), c == r ? 1 : 0);
      store<f32>(b + (r << 2), 0);
      continue;
    }
    const own: usize = load<u32>(list + (r << 2));
    const row = square + own * width;
    const scale = f32At(SCALES, own);
    for (let c = r & ~7; c < n; c++) {
      let value: f32 = 0;
      if (c < count) {
        const other: usize = load<u32>(list + (c << 2));
        value = load<f32>(row + (other << 2));
        if (c == r) value += f32At(RIDGES, own);
        value *= scale * f32At(SCALES, other);
      }
      store<f32>(to + (c >> 3) * panel + ((c & 7) << 2), value);
    }
    least = min(least, f32At(RIDGES, own) * scale * scale);
    store<f32>(b + (r << 2), load<f32>(row + (item << 2)) * scale);
  }
  const sound = factorize(a, n, least);
  substitute(a, b, n);
  for (let r: usize = 0; r < count; r++)
    store<f32>(weights + (r << 2), sound ? load<f32>(b + (r << 2)) * f32At(SCALES, load<u32>(list + (r << 2))) : NaN);
}
