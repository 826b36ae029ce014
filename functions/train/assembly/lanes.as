// For ranks up to 15: solves four rows of the matrix at once, each in a SIMD lane, so that the normal equations, their
// Cholesky factor and both triangular solves all run on whole vectors. Rows are sorted by length, so the four are about
// equally long.
//
// Scratch of a thread, in v128: A (stride x stride), y of four entries (4 x stride), b and x (stride).
import { POOR, solveDouble } from './double';
import { ALPHA, BASE, COLUMNS, FACTORS, GRAM, LAMBDA, ORDER, RANK, SPLIT_AT, STARTS, STRIDE, VALUES, WEIGHTED, ZEROS, word } from './parameters';

/** Transposes four vectors. */
@inline function transposed(from: usize, to: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 0, 2));
  v128.store(to, v128.shuffle<i64>(ab0, cd0, 1, 3), 16);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
  v128.store(to, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
}

/** Four rows of floats, transposed: a v128 per factor. */
@inline function gather(to: usize, a: usize, b: usize, c: usize, d: usize, bytes: usize): void {
  for (let k: usize = 0; k < bytes; k += 16)
    transposed(0, to + (k << 2), v128.load(a + k), v128.load(b + k), v128.load(c + k), v128.load(d + k));
}

/** Solves the rows at places from..to of the order. */
export function solveLanes(side: usize, other: usize, from: u32, to: u32, scratch: usize): void {
  const order = word(side + ORDER);
  const starts = word(side + STARTS);
  const splitAt = word(SPLIT_AT);
  let place = from;
  while (place < to) {
    const row = load<u32>(order + (<usize>place << 2));
    const begin = load<u32>(starts + (<usize>row << 2));
    const end = load<u32>(starts + (<usize>row << 2) + 4);
    if (end - begin > splitAt) {
      // Each lane gets a quarter of the entries.
      const quarter = (end - begin + 3) >> 2;
      const second = begin + quarter;
      const third = second + quarter;
      const fourth = min(third + quarter, end);
      four(side, other, scratch, true, row, row, row, row, begin, second, third, fourth, second, third, fourth, end);
      place++;
      continue;
    }
    const row1 = place + 1 < to ? load<u32>(order + (<usize>place << 2) + 4) : row;
    const row2 = place + 2 < to ? load<u32>(order + (<usize>place << 2) + 8) : row;
    const row3 = place + 3 < to ? load<u32>(order + (<usize>place << 2) + 12) : row;
    four(
      side, other, scratch, false, row, row1, row2, row3,
      begin, load<u32>(starts + (<usize>row1 << 2)), load<u32>(starts + (<usize>row2 << 2)), load<u32>(starts + (<usize>row3 << 2)),
      end, load<u32>(starts + (<usize>row1 << 2) + 4), load<u32>(starts + (<usize>row2 << 2) + 4), load<u32>(starts + (<usize>row3 << 2) + 4),
    );
    place += 4;
  }
}

/** Prefetches the rows of up to 16 entries from `from` on, by reading a word of each. */
@inline function fetch(columns: usize, factors: usize, rowBytes: usize, from: u32, to: u32): f32 {
  let sum: f32 = 0;
  const last = min(from + 16, to);
  for (let n = from; n < last; n++) {
    const row = factors + <usize>load<u32>(columns + (<usize>n << 2)) * rowBytes;
    sum += load<f32>(row) + load<f32>(row + rowBytes - 4);
  }
  return sum;
}

function four(
  side: usize, other: usize, scratch: usize, split: bool,
  row0: u32, row1: u32, row2: u32, row3: u32,
  from0: u32, from1: u32, from2: u32, from3: u32,
  to0: u32, to1: u32, to2: u32, to3: u32,
): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const rowBytes = stride << 2;
  const vectors = stride << 4;
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const factors: usize = word(other + FACTORS);
  const zeros: usize = word(ZEROS);
  const gram: usize = word(GRAM);
  const alpha = <f32>load<f64>(BASE + (ALPHA << 2));
  const lambda = <f32>load<f64>(BASE + (LAMBDA << 2));
  const a = scratch;
  const y0 = a + stride * vectors;
  const y1 = y0 + vectors;
  const y2 = y1 + vectors;
  const y3 = y2 + vectors;
  const b = y3 + vectors;
  // Rows are processed in pairs below; with an odd rank the last is a padding row of zeros.
  const even = (rank + 1) & ~1;

  // A = 0, b = 0: Gram and lambda are added last, so that a split row has them once.
  for (let i: usize = 0; i < even; i++) {
    for (let j: usize = 0; j <= (i | 1); j++) v128.store(a + i * vectors + (j << 4), f32x4.splat(0));
    v128.store(b + (i << 4), f32x4.splat(0));
  }

  const longest = max(max(to0 - from0, to1 - from1), max(to2 - from2, to3 - from3));
  let near: f32 = 0;
  for (let n: u32 = 0; n < longest; n += 4) {
    // A += sum of alpha r y yT, b += sum of (1 + alpha r) y, four entries at a time.
    if (!(n & 15)) {
      near += fetch(columns, factors, rowBytes, from0 + n + 16, to0) + fetch(columns, factors, rowBytes, from1 + n + 16, to1)
        + fetch(columns, factors, rowBytes, from2 + n + 16, to2) + fetch(columns, factors, rowBytes, from3 + n + 16, to3);
    }
    let w0 = f32x4.splat(0), w1 = w0, w2 = w0, w3 = w0;
    let c0 = w0, c1 = w0, c2 = w0, c3 = w0;
    const one = f32x4.splat(1);
    for (let e: u32 = 0; e < 4; e++) {
      const at0 = from0 + n + e, at1 = from1 + n + e, at2 = from2 + n + e, at3 = from3 + n + e;
      let p0 = zeros, p1 = zeros, p2 = zeros, p3 = zeros;
      let w = f32x4.splat(0), c = f32x4.splat(0);
      if (at0 < to0) {
        p0 = factors + <usize>load<u32>(columns + (<usize>at0 << 2)) * rowBytes;
        w = f32x4.replace_lane(w, 0, load<f32>(values + (<usize>at0 << 2)) * alpha);
        c = f32x4.replace_lane(c, 0, 1);
      }
      if (at1 < to1) {
        p1 = factors + <usize>load<u32>(columns + (<usize>at1 << 2)) * rowBytes;
        w = f32x4.replace_lane(w, 1, load<f32>(values + (<usize>at1 << 2)) * alpha);
        c = f32x4.replace_lane(c, 1, 1);
      }
      if (at2 < to2) {
        p2 = factors + <usize>load<u32>(columns + (<usize>at2 << 2)) * rowBytes;
        w = f32x4.replace_lane(w, 2, load<f32>(values + (<usize>at2 << 2)) * alpha);
        c = f32x4.replace_lane(c, 2, 1);
      }
      if (at3 < to3) {
        p3 = factors + <usize>load<u32>(columns + (<usize>at3 << 2)) * rowBytes;
        w = f32x4.replace_lane(w, 3, load<f32>(values + (<usize>at3 << 2)) * alpha);
        c = f32x4.replace_lane(c, 3, 1);
      }
      c = f32x4.add(c, w);
      gather(y0 + e * vectors, p0, p1, p2, p3, rowBytes);
      if (e == 0) { w0 = w; c0 = c; }
      else if (e == 1) { w1 = w; c1 = c; }
      else if (e == 2) { w2 = w; c2 = c; }
      else { w3 = w; c3 = c; }
    }
    for (let i: usize = 0; i < even; i += 2) {
      const at = i << 4;
      let u0 = v128.load(y0 + at), u1 = v128.load(y1 + at), u2 = v128.load(y2 + at), u3 = v128.load(y3 + at);
      let v0 = v128.load(y0 + at, 16), v1 = v128.load(y1 + at, 16), v2 = v128.load(y2 + at, 16), v3 = v128.load(y3 + at, 16);
      v128.store(b + at, f32x4.add(v128.load(b + at),
        f32x4.add(f32x4.add(f32x4.mul(c0, u0), f32x4.mul(c1, u1)), f32x4.add(f32x4.mul(c2, u2), f32x4.mul(c3, u3)))));
      v128.store(b + at, f32x4.add(v128.load(b + at, 16),
        f32x4.add(f32x4.add(f32x4.mul(c0, v0), f32x4.mul(c1, v1)), f32x4.add(f32x4.mul(c2, v2), f32x4.mul(c3, v3)))), 16);
      u0 = f32x4.mul(u0, w0); u1 = f32x4.mul(u1, w1); u2 = f32x4.mul(u2, w2); u3 = f32x4.mul(u3, w3);
      v0 = f32x4.mul(v0, w0); v1 = f32x4.mul(v1, w1); v2 = f32x4.mul(v2, w2); v3 = f32x4.mul(v3, w3);
      const line0 = a + i * vectors;
      const line1 = line0 + vectors;
      const last = at + 16;
      for (let j: usize = 0; j <= last; j += 16) {
        const z0 = v128.load(y0 + j), z1 = v128.load(y1 + j), z2 = v128.load(y2 + j), z3 = v128.load(y3 + j);
        v128.store(line0 + j, f32x4.add(v128.load(line0 + j),
          f32x4.add(f32x4.add(f32x4.mul(u0, z0), f32x4.mul(u1, z1)), f32x4.add(f32x4.mul(u2, z2), f32x4.mul(u3, z3)))));
        v128.store(line1 + j, f32x4.add(v128.load(line1 + j),
          f32x4.add(f32x4.add(f32x4.mul(v0, z0), f32x4.mul(v1, z1)), f32x4.add(f32x4.mul(v2, z2), f32x4.mul(v3, z3)))));
      }
    }
  }

  store<f32>(y0, near);
  if (split) {
    for (let i: usize = 0; i < rank; i++) {
      for (let j: usize = 0; j <= i; j++) store<v128>(a + i * vectors + (j << 4), f32x4.splat(sumOf(v128.load(a + i * vectors + (j << 4)))));
      v128.store(b + (i << 4), f32x4.splat(sumOf(v128.load(b + (i << 4)))));
    }
  }
  let ridge = f32x4.splat(lambda);
  if (word(WEIGHTED)) {
    if (split) ridge = f32x4.splat(lambda * <f32>(to3 - from0));
    else {
      ridge = f32x4.replace_lane(ridge, 0, lambda * <f32>(to0 - from0));
      ridge = f32x4.replace_lane(ridge, 1, lambda * <f32>(to1 - from1));
      ridge = f32x4.replace_lane(ridge, 2, lambda * <f32>(to2 - from2));
      ridge = f32x4.replace_lane(ridge, 3, lambda * <f32>(to3 - from3));
    }
  }
  for (let i: usize = 0; i < rank; i++) {
    const line = a + i * vectors;
    for (let j: usize = 0; j <= i; j++) {
      const g = v128.load32_splat(gram + ((i * stride + j) << 2));
      v128.store(line + (j << 4), f32x4.add(v128.load(line + (j << 4)), g));
    }
    v128.store(line + (i << 4), f32x4.add(v128.load(line + (i << 4)), ridge));
  }
  const sound = cholesky(a, b, rank, vectors, ridge);

  // Transposes lanes back to rows. A row that filled a group of four is written again with the same values.
  for (let i = rank; i < stride; i++) v128.store(b + (i << 4), f32x4.splat(0));
  const target: usize = word(side + FACTORS);
  const x0 = target + <usize>row0 * rowBytes, x1 = target + <usize>row1 * rowBytes;
  const x2 = target + <usize>row2 * rowBytes, x3 = target + <usize>row3 * rowBytes;
  for (let k: usize = 0; k < rowBytes; k += 16) {
    const from = b + (k << 2);
    transposed(0, y0, v128.load(from), v128.load(from, 16), v128.load(from, 32), v128.load(from, 48));
    v128.store(x0 + k, v128.load(y0));
    v128.store(x1 + k, v128.load(y0, 16));
    v128.store(x2 + k, v128.load(y0, 32));
    v128.store(x3 + k, v128.load(y0, 48));
  }
  if (!sound) {
    solveDouble(side, other, row0, scratch);
    if (row1 != row0) solveDouble(side, other, row1, scratch);
    if (row2 != row0) solveDouble(side, other, row2, scratch);
    if (row3 != row0) solveDouble(side, other, row3, scratch);
  }
}

@inline function sumOf(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

/** A = L LT in the lower triangle (its diagonal inverted), then L LT x = b in place: four systems at once. False when
 * one of them is too near singular. */
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
      for (let k: usize = 0; k < j; k += 16) sum = f32x4.sub(sum, f32x4.mul(v128.load(line + k), v128.load(upper + k)));
      v128.store(line + j, f32x4.mul(sum, v128.load(upper + j)));
    }
    let pivot = v128.load(line + i);
    const enough = f32x4.mul(poor, pivot);
    let right = v128.load(b + i);
    for (let k: usize = 0; k < i; k += 16) {
      const l = v128.load(line + k);
      pivot = f32x4.sub(pivot, f32x4.mul(l, l));
      right = f32x4.sub(right, f32x4.mul(l, v128.load(b + k)));
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
    for (let k: usize = 0; k < i; k += 16) v128.store(b + k, f32x4.sub(v128.load(b + k), f32x4.mul(x, v128.load(line + k))));
  }
  return sound;
}
