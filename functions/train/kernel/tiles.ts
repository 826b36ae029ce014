// Higher ranks: one row of the matrix at a time, on tiles of 4 x 8 kept in registers. Symmetric matrices hold their upper
// triangle, row by row; what lies below is scratch. Lengths and offsets in bytes where named so.

import { POOR } from './double';

/** C += Pt P on the tile of four rows at byte offset i and eight columns at j, over `depth` rows of P. */
@inline function tile(c: usize, cBytes: usize, p: usize, pBytes: usize, i: usize, j: usize, depth: usize, subtract: bool): void {
  const c0 = c, c1 = c0 + cBytes, c2 = c1 + cBytes, c3 = c2 + cBytes;
  let a00 = v128.load(c0), a01 = v128.load(c0, 16);
  let a10 = v128.load(c1), a11 = v128.load(c1, 16);
  let a20 = v128.load(c2), a21 = v128.load(c2, 16);
  let a30 = v128.load(c3), a31 = v128.load(c3, 16);
  let left = p + i;
  let right = p + j;
  const end = right + depth * pBytes;
  while (right < end) {
    const y0 = v128.load(right), y1 = v128.load(right, 16);
    const x0 = v128.load32_splat(left), x1 = v128.load32_splat(left, 4);
    const x2 = v128.load32_splat(left, 8), x3 = v128.load32_splat(left, 12);
    if (subtract) {
      a00 = f32x4.sub(a00, f32x4.mul(x0, y0)); a01 = f32x4.sub(a01, f32x4.mul(x0, y1));
      a10 = f32x4.sub(a10, f32x4.mul(x1, y0)); a11 = f32x4.sub(a11, f32x4.mul(x1, y1));
      a20 = f32x4.sub(a20, f32x4.mul(x2, y0)); a21 = f32x4.sub(a21, f32x4.mul(x2, y1));
      a30 = f32x4.sub(a30, f32x4.mul(x3, y0)); a31 = f32x4.sub(a31, f32x4.mul(x3, y1));
    } else {
      a00 = f32x4.add(a00, f32x4.mul(x0, y0)); a01 = f32x4.add(a01, f32x4.mul(x0, y1));
      a10 = f32x4.add(a10, f32x4.mul(x1, y0)); a11 = f32x4.add(a11, f32x4.mul(x1, y1));
      a20 = f32x4.add(a20, f32x4.mul(x2, y0)); a21 = f32x4.add(a21, f32x4.mul(x2, y1));
      a30 = f32x4.add(a30, f32x4.mul(x3, y0)); a31 = f32x4.add(a31, f32x4.mul(x3, y1));
    }
    left += pBytes;
    right += pBytes;
  }
  v128.store(c0, a00); v128.store(c0, a01, 16);
  v128.store(c1, a10); v128.store(c1, a11, 16);
  v128.store(c2, a20); v128.store(c2, a21, 16);
  v128.store(c3, a30); v128.store(c3, a31, 16);
}

/** C += Pt P, upper triangle: C is n x n, P depth x n, rows of `bytes` (n a multiple of 8). */
export function rankUpdate(c: usize, p: usize, bytes: usize, depth: usize): void {
  for (let i: usize = 0; i < bytes; i += 16)
    for (let j: usize = i & ~31; j < bytes; j += 32) tile(c + (i >> 2) * bytes + j, bytes, p, bytes, i, j, depth, false);
}

/**
 * A = Ut U in the upper triangle, each diagonal element inverted. Four rows at a time: all earlier rows are taken off by
 * the tile above (left-looking), then the four among themselves. `least` is a bound below A's eigenvalues, and so below
 * its pivots: one that is less is so by rounding. False when A is
 * too near singular for single precision.
 */
export function factorize(a: usize, bytes: usize, least: f32): bool {
  let sound = true;
  for (let i: usize = 0; i < bytes; i += 16) {
    const first = i >> 2;
    const block = a + first * bytes;
    const start = i & ~31;
    const across = bytes + 4;
    const d0 = load<f32>(block + i), d1 = load<f32>(block + i + across);
    const d2 = load<f32>(block + i + 2 * across), d3 = load<f32>(block + i + 3 * across);
    if (first > 0) for (let j = start; j < bytes; j += 32) tile(block + j, bytes, a, bytes, i, j, first, true);
    for (let r: usize = 0; r < 4; r++) {
      const line = block + r * bytes;
      for (let m: usize = 0; m < r; m++) {
        const above = block + m * bytes;
        const l = v128.load32_splat(above + i + (r << 2));
        for (let j = start; j < bytes; j += 16) v128.store(line + j, f32x4.sub(v128.load(line + j), f32x4.mul(l, v128.load(above + j))));
      }
      const at = line + i + (r << 2);
      const was = r == 0 ? d0 : r == 1 ? d1 : r == 2 ? d2 : d3;
      if (!(load<f32>(at) >= POOR * was)) sound = false;
      const inverse: f32 = 1 / sqrt(max(load<f32>(at), least));
      const scale = f32x4.splat(inverse);
      for (let j = start; j < bytes; j += 16) v128.store(line + j, f32x4.mul(v128.load(line + j), scale));
      store<f32>(at, inverse);
    }
  }
  return sound;
}

/** Ut U x = b in place, U as factorize leaves it. */
export function substitute(a: usize, b: usize, bytes: usize): void {
  for (let k: usize = 0; k < bytes; k += 4) {
    const line = a + (k >> 2) * bytes;
    const y = load<f32>(b + k) * load<f32>(line + k);
    // Whole vectors from k on: what this does to b at and before k is set right below, or never read again.
    const before = k & ~15;
    const v = f32x4.splat(y);
    const kept0 = v128.load(b + before);
    for (let j = before; j < bytes; j += 16) v128.store(b + j, f32x4.sub(v128.load(b + j), f32x4.mul(v, v128.load(line + j))));
    for (let j = before; j < k; j += 4) store<f32>(b + j, lane(kept0, (j - before) >> 2));
    store<f32>(b + k, y);
  }
  let k = bytes;
  while (k > 0) {
    k -= 4;
    const line = a + (k >> 2) * bytes;
    let sum = load<f32>(b + k);
    let j = k + 4;
    for (; j < bytes && j & 15; j += 4) sum -= load<f32>(line + j) * load<f32>(b + j);
    let total = f32x4.splat(0);
    for (; j < bytes; j += 16) total = f32x4.add(total, f32x4.mul(v128.load(line + j), v128.load(b + j)));
    store<f32>(b + k, (sum - sumOf(total)) * load<f32>(line + k));
  }
}

@inline function lane(v: v128, at: usize): f32 {
  if (at == 0) return f32x4.extract_lane(v, 0);
  if (at == 1) return f32x4.extract_lane(v, 1);
  return f32x4.extract_lane(v, 2);
}

@inline export function sumOf(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

@inline export function zero(to: usize, bytes: usize): void {
  memory.fill(to, 0, bytes);
}

/** to += factor x from. */
@inline export function addScaled(to: usize, from: usize, factor: f32, bytes: usize): void {
  const v = f32x4.splat(factor);
  for (let k: usize = 0; k < bytes; k += 16) v128.store(to + k, f32x4.add(v128.load(to + k), f32x4.mul(v, v128.load(from + k))));
}

@inline export function dot(a: usize, b: usize, bytes: usize): f32 {
  let total = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) total = f32x4.add(total, f32x4.mul(v128.load(a + k), v128.load(b + k)));
  return sumOf(total);
}
