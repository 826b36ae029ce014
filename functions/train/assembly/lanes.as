// For ranks up to 15. Each row's normal equations are summed in vector registers, from its entries' factors copied side
// by side. Then four rows are solved at once, each in a SIMD lane, so that their Cholesky factor and both triangular
// solves run on whole vectors.
//
// Scratch of a thread: A (stride x stride) and b (stride), in v128; the sums of four rows, each a matrix and a vector
// of floats; the entries.
import { POOR, solveDouble } from './double';
import { minus, plus } from './fused';
import { ALPHA, BASE, COLUMNS, FACTORS, GRAM, LAMBDA, RANK, STARTS, STRIDE, VALUES, WEIGHTED, word } from './parameters';

/**
 * How many entries are copied at a time. A sum of so many is added to the earlier ones, which rounds less than one by
 * one.
 */
const HELD: u32 = 64;

/** Four vectors, transposed. */
@inline function transposed(to: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
}

/** Solves the rows from..to. */
export function solveLanes(side: usize, other: usize, from: u32, to: u32, scratch: usize): void {
  // An incomplete last group is filled with its first row.
  for (let row = from; row < to; row += 4)
    four(side, other, row, row + 1 < to ? row + 1 : row, row + 2 < to ? row + 2 : row, row + 3 < to ? row + 3 : row, scratch);
}

/** The sums over a row's entries of w y yT (the lower triangle) and, behind this matrix, of (1 + w) y; w = alpha r. */
function sumRow(side: usize, other: usize, row: usize, sums: usize, held: usize): void {
  const rank: usize = word(RANK);
  const bytes: usize = <usize>word(STRIDE) << 2;
  const starts: usize = word(side + STARTS);
  const begin = load<u32>(starts + (row << 2));
  const end = load<u32>(starts + (row << 2), 4);
  const right = sums + <usize>word(STRIDE) * bytes;
  memory.fill(sums, 0, right + bytes - sums);
  for (let from = begin; from < end; from += HELD) {
    const last = hold(side, other, from, min(from + HELD, end), right, held, bytes);
    addSquare(sums, held, last, bytes);
    for (let i: usize = 8; i < rank; i += 2) {
      if (bytes == 48) addPair(false, sums + i * bytes, held, last, i << 2, 48);
      else addPair(true, sums + i * bytes, held, last, i << 2, 64);
    }
  }
}

/** Copies w y and y of each entry and adds (1 + w) y to `right`. Returns where the copies end. */
@inline function hold(side: usize, other: usize, from: u32, to: u32, right: usize, held: usize, bytes: usize): usize {
  const factors: usize = word(other + FACTORS);
  const values: usize = word(side + VALUES);
  const alpha = f32x4.splat(<f32>load<f64>(BASE + (ALPHA << 2)));
  const one = f32x4.splat(1);
  let b0 = f32x4.splat(0), b1 = b0, b2 = b0, b3 = b0;
  let at: usize = <usize>word(side + COLUMNS) + (<usize>from << 2);
  let value: usize = values + (<usize>from << 2);
  let h = held;
  for (const end = at + (<usize>(to - from) << 2); at < end; at += 4) {
    const y = factors + <usize>load<u32>(at) * bytes;
    const w = f32x4.mul(alpha, v128.load32_splat(value));
    const c = f32x4.add(one, w);
    const copy = h + bytes;
    const y0 = v128.load(y), y1 = v128.load(y, 16);
    v128.store(h, f32x4.mul(w, y0)); v128.store(h, f32x4.mul(w, y1), 16);
    v128.store(copy, y0); v128.store(copy, y1, 16);
    b0 = plus(b0, c, y0); b1 = plus(b1, c, y1);
    if (bytes > 32) {
      const y2 = v128.load(y, 32);
      v128.store(h, f32x4.mul(w, y2), 32);
      v128.store(copy, y2, 32);
      b2 = plus(b2, c, y2);
      if (bytes > 48) {
        const y3 = v128.load(y, 48);
        v128.store(h, f32x4.mul(w, y3), 48);
        v128.store(copy, y3, 48);
        b3 = plus(b3, c, y3);
      }
    }
    h = copy + bytes;
    value += 4;
  }
  v128.store(right, f32x4.add(v128.load(right), b0)); v128.store(right, f32x4.add(v128.load(right, 16), b1), 16);
  if (bytes > 32) v128.store(right, f32x4.add(v128.load(right, 32), b2), 32);
  if (bytes > 48) v128.store(right, f32x4.add(v128.load(right, 48), b3), 48);
  return h;
}

@inline function addTo(at: usize, sum: v128): void {
  v128.store(at, f32x4.add(v128.load(at), sum));
}

/** The first eight rows: four times one vector, four times two. */
@inline function addSquare(a: usize, held: usize, last: usize, bytes: usize): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, a6 = a0, a7 = a0, b4 = a0, b5 = a0, b6 = a0, b7 = a0;
  let x: v128;
  for (let h = held; h < last; h += bytes << 1) {
    const y = h + bytes;
    const w0 = v128.load(h), w1 = v128.load(h, 16);
    a0 = plus(a0, v128.load32_splat(y), w0); a1 = plus(a1, v128.load32_splat(y, 4), w0);
    a2 = plus(a2, v128.load32_splat(y, 8), w0); a3 = plus(a3, v128.load32_splat(y, 12), w0);
    x = v128.load32_splat(y, 16); a4 = plus(a4, x, w0); b4 = plus(b4, x, w1);
    x = v128.load32_splat(y, 20); a5 = plus(a5, x, w0); b5 = plus(b5, x, w1);
    x = v128.load32_splat(y, 24); a6 = plus(a6, x, w0); b6 = plus(b6, x, w1);
    x = v128.load32_splat(y, 28); a7 = plus(a7, x, w0); b7 = plus(b7, x, w1);
  }
  addTo(a, a0); a += bytes;
  addTo(a, a1); a += bytes;
  addTo(a, a2); a += bytes;
  addTo(a, a3); a += bytes;
  addTo(a, a4); addTo(a + 16, b4); a += bytes;
  addTo(a, a5); addTo(a + 16, b5); a += bytes;
  addTo(a, a6); addTo(a + 16, b6); a += bytes;
  addTo(a, a7); addTo(a + 16, b7);
}

/** Two more rows, three or four vectors each; the first one's factor is at `x` of an entry. */
@inline function addPair(wide: bool, a: usize, held: usize, last: usize, x: usize, bytes: usize): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  for (let h = held; h < last; h += bytes << 1) {
    const own = h + bytes + x;
    const u = v128.load32_splat(own), v = v128.load32_splat(own, 4);
    let w = v128.load(h); a0 = plus(a0, u, w); b0 = plus(b0, v, w);
    w = v128.load(h, 16); a1 = plus(a1, u, w); b1 = plus(b1, v, w);
    w = v128.load(h, 32); a2 = plus(a2, u, w); b2 = plus(b2, v, w);
    if (wide) {
      w = v128.load(h, 48); a3 = plus(a3, u, w); b3 = plus(b3, v, w);
    }
  }
  addTo(a, a0); addTo(a + 16, a1); addTo(a + 32, a2);
  if (wide) addTo(a + 48, a3);
  a += bytes;
  addTo(a, b0); addTo(a + 16, b1); addTo(a + 32, b2);
  if (wide) addTo(a + 48, b3);
}

function four(side: usize, other: usize, row0: usize, row1: usize, row2: usize, row3: usize, scratch: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const rowBytes = stride << 2;
  const vectors = stride << 4;
  const a = scratch;
  const b = a + stride * vectors;
  const sums0 = b + vectors;
  const sumBytes = (stride + 1) * rowBytes;
  const sums1 = row1 == row0 ? sums0 : sums0 + sumBytes;
  const sums2 = row2 == row0 ? sums0 : sums0 + 2 * sumBytes;
  const sums3 = row3 == row0 ? sums0 : sums0 + 3 * sumBytes;
  const held = sums0 + 4 * sumBytes;
  sumRow(side, other, row0, sums0, held);
  if (row1 != row0) sumRow(side, other, row1, sums1, held);
  if (row2 != row0) sumRow(side, other, row2, sums2, held);
  if (row3 != row0) sumRow(side, other, row3, sums3, held);

  // Lanes of A = sums + Gram + lambda I. What is above the diagonal is never read.
  const lambda = <f32>load<f64>(BASE + (LAMBDA << 2));
  let ridge = f32x4.splat(lambda);
  if (word(WEIGHTED)) {
    ridge = f32x4.replace_lane(ridge, 0, lambda * <f32>entriesOf(side, row0));
    ridge = f32x4.replace_lane(ridge, 1, lambda * <f32>entriesOf(side, row1));
    ridge = f32x4.replace_lane(ridge, 2, lambda * <f32>entriesOf(side, row2));
    ridge = f32x4.replace_lane(ridge, 3, lambda * <f32>entriesOf(side, row3));
  }
  const gram: usize = word(GRAM);
  for (let i: usize = 0; i <= rank; i++) {
    // The right sides are behind the matrix.
    const from = (i < rank ? i : stride) * rowBytes;
    const line = a + (i < rank ? i : stride) * vectors;
    const wide = i < rank ? (i << 2) + 4 : rowBytes;
    for (let k: usize = 0; k < wide; k += 16) {
      const at = from + k;
      transposed(line + (k << 2), v128.load(sums0 + at), v128.load(sums1 + at), v128.load(sums2 + at), v128.load(sums3 + at));
    }
    if (i == rank) break;
    const g = gram + i * rowBytes;
    for (let j: usize = 0; j <= i; j++) addTo(line + (j << 4), v128.load32_splat(g + (j << 2)));
    addTo(line + (i << 4), ridge);
  }
  const sound = cholesky(a, b, rank, vectors, ridge);

  // Transposes lanes back to rows. A row that filled a group of four is written again with the same values.
  for (let i = rank; i < stride; i++) v128.store(b + (i << 4), f32x4.splat(0));
  const target: usize = word(side + FACTORS);
  const x0 = target + row0 * rowBytes, x1 = target + row1 * rowBytes;
  const x2 = target + row2 * rowBytes, x3 = target + row3 * rowBytes;
  for (let k: usize = 0; k < rowBytes; k += 16) {
    const from = b + (k << 2);
    transposed(a, v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48));
    v128.store(x0 + k, v128.load(a));
    v128.store(x1 + k, v128.load(a, 16));
    v128.store(x2 + k, v128.load(a, 32));
    v128.store(x3 + k, v128.load(a, 48));
  }
  if (!sound) {
    solveDouble(side, other, row0, scratch);
    if (row1 != row0) solveDouble(side, other, row1, scratch);
    if (row2 != row0) solveDouble(side, other, row2, scratch);
    if (row3 != row0) solveDouble(side, other, row3, scratch);
  }
}

@inline function entriesOf(side: usize, row: usize): u32 {
  const starts: usize = word(side + STARTS);
  return load<u32>(starts + (row << 2), 4) - load<u32>(starts + (row << 2));
}

/**
 * A = L LT in the lower triangle (its diagonal inverted), then L LT x = b in place: four systems at once. Returns false
 * if one of them is too near singular.
 */
function cholesky(a: usize, b: usize, rank: usize, vectors: usize, least: v128): bool {
  const one = f32x4.splat(1);
  const poor = f32x4.splat(POOR);
  let sound = true;
  const bytes = rank << 4;
  for (let i: usize = 0; i < bytes; i += 16) {
    const line = a + (i >> 4) * vectors;
    for (let j: usize = 0; j < i; j += 16) {
      const upper = a + (j >> 4) * vectors;
      let sum = v128.load(line + j);
      for (let k: usize = 0; k < j; k += 16) sum = minus(sum, v128.load(line + k), v128.load(upper + k));
      v128.store(line + j, f32x4.mul(sum, v128.load(upper + j)));
    }
    let pivot = v128.load(line + i);
    const enough = f32x4.mul(poor, pivot);
    let right = v128.load(b + i);
    for (let k: usize = 0; k < i; k += 16) {
      const l = v128.load(line + k);
      pivot = minus(pivot, l, l);
      right = minus(right, l, v128.load(b + k));
    }
    if (!i32x4.all_true(f32x4.ge(pivot, enough))) sound = false;
    // No pivot is below A's least eigenvalue, which is at least lambda: a smaller pivot is a rounding error.
    const inverse = f32x4.div(one, f32x4.sqrt(f32x4.max(pivot, least)));
    v128.store(line + i, inverse);
    v128.store(b + i, f32x4.mul(right, inverse));
  }
  let i = bytes;
  while (i > 0) {
    i -= 16;
    const line = a + (i >> 4) * vectors;
    const x = f32x4.mul(v128.load(b + i), v128.load(line + i));
    v128.store(b + i, x);
    for (let k: usize = 0; k < i; k += 16) v128.store(b + k, minus(v128.load(b + k), x, v128.load(line + k)));
  }
  return sound;
}
