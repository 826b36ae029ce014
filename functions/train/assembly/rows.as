// Solves rows of the matrix one at a time, for ranks where a single row's equations fill the SIMD vectors. With the
// Gram matrix and lambda as B = G + lambda I = L LT, z = L^-1 y (the other side's factors, whitened once a half step)
// and u = LT x:
//
//   (B + Y W YT) x = Y c   <=>   (I + Z W ZT) u = Z c,   W = diag(alpha r), c = 1 + alpha r
//
// Short rows solve the dual on the right, which is exact too: u = P (I + PT P)^-1 d with P = Z W^1/2, d = c / w^1/2.
// Conjugate gradients iterate on the right, starting from the last u: a step costs entries x rank, without a product
// with G. A row is a part of what G sums, so its matrix is near the identity: a few steps are as exact as a
// factorization, and cheaper for long rows. If whitening costs more than the rows gain, or lambda differs by row, the
// left side is solved directly.
import { solveDouble } from './double';
import { minus, plus } from './fused';
import { ALPHA, BASE, ITEMS, STEPS, COLUMNS, FACTORS, GRAM, IDENTITY, INVERSE, LAMBDA, LOWER, RANK, SOLVER, STARTS, STRIDE, VALUES, WEIGHTED, WHITEN, WHITENED, ZEROS, word } from './parameters';
import { factorize, rankUpdate, substitute, sums, LOWER_TRIANGLE, timesMatrix } from './tiles';

/** How many entries are gathered at a time: 64 x 64 floats fill half of a 32 KiB first-level cache. */
export const BLOCK: u32 = 64;
/**
 * How many entries' rows of z are copied side by side, a multiple of eight: 256 KiB at rank 64, half of a second-level
 * cache.
 */
export const HELD: u32 = 1024;
/** The cost of complete conjugate gradients per entry and factor, in multiplications as fast as those of a tile. */
const GRADIENTS: f32 = 16;
/** The square of the relative error of u that is below single precision. */
const ENOUGH: f32 = 1e-12;
const MOST_STEPS: u32 = 12;
const MOST_STRETCH: f32 = 50;
/** A weight of 0 gets a tiny root, so that its entry's right side can be computed from the weighted row. */
const LEAST_WEIGHT: f32 = 1e-20;

/**
 * Solves the rows from..to in groups of four, so that converting between x and u is a product of matrices.
 */
export function solveRows(side: usize, other: usize, from: u32, to: u32, scratch: usize): void {
  const n: usize = word(STRIDE);
  const bytes = n << 2;
  const starts: usize = word(side + STARTS);
  const factors: usize = word(side + FACTORS);
  const whiten = word(side + WHITEN) != 0;
  const cg = word(SOLVER) == 1;
  // None of an item's many users weighs much, so its matrix is nearer to the identity than a user's.
  const steps = side == ITEMS ? max<u32>(1, word(STEPS) - 1) : word(STEPS);
  // After r, p, q and rows of z, or after a matrix, a panel and eight vectors: four u, and a row that is never read.
  const u = scratch + max<usize>(n + max<usize>(BLOCK, n) + 8, 4 + HELD) * bytes;
  const nowhere = u + 4 * bytes;
  for (let first = from; first < to; first += 4) {
    const row0: usize = first, row1: usize = min(first + 1, to - 1), row2: usize = min(first + 2, to - 1), row3: usize = min(first + 3, to - 1);
    const longest = max(max(entriesOf(starts, row0), entriesOf(starts, row1)), max(entriesOf(starts, row2), entriesOf(starts, row3)));
    if (whiten && (cg || wayOf(longest) == BY_GRADIENTS))
      timesMatrix(factors + row0 * bytes, factors + row1 * bytes, factors + row2 * bytes, factors + row3 * bytes, word(LOWER), n, LOWER_TRIANGLE, u, u + bytes, u + 2 * bytes, u + 3 * bytes);
    let x0 = nowhere, x1 = nowhere, x2 = nowhere, x3 = nowhere;
    const count = min<u32>(4, to - first);
    for (let e: u32 = 0; e < count; e++) {
      const row: usize = first + e;
      const begin = load<u32>(starts + (row << 2));
      const end = load<u32>(starts + (row << 2) + 4);
      const target = factors + row * bytes;
      const own = whiten ? u + e * bytes : target;
      const way = wayOf(end - begin);
      if (begin == end) clear(own, bytes);
      else if (whiten && cg) solveGradients(side, own, begin, end, steps, false, scratch);
      else if (!(whiten && (way == BY_GRADIENTS ? solveGradients(side, own, begin, end, 0, true, scratch) : way == BY_DUAL && solveDual(side, own, begin, end, scratch)))
        && !solvePrimal(side, other, own, begin, end, scratch)) {
        solveDouble(side, other, row, scratch);
        continue;
      }
      if (e == 0) x0 = target;
      else if (e == 1) x1 = target;
      else if (e == 2) x2 = target;
      else x3 = target;
    }
    if (whiten) timesMatrix(u, u + bytes, u + 2 * bytes, u + 3 * bytes, word(INVERSE), n, LOWER_TRIANGLE, x0, x1, x2, x3);
  }
}

/**
 * The cheapest way to solve a whitened row with so many entries. Long rows use conjugate gradients or, at low ranks,
 * the primal.
 */
const BY_PRIMAL: u32 = 0;
const BY_DUAL: u32 = 1;
const BY_GRADIENTS: u32 = 2;

@inline function wayOf(entries: u32): u32 {
  const n = <f32>entries, r = <f32>word(RANK);
  const isLong = n * n * r / 2 + n * n * n / 6 > GRADIENTS * n * r;
  if (r >= 2 * GRADIENTS && isLong) return BY_GRADIENTS;
  return n < 0.9 * r ? BY_DUAL : BY_PRIMAL;
}

/** How many of a row's multiplications whitening saves. */
export function saved(entries: u32): f64 {
  const n = <f64>entries, r = <f64>word(RANK);
  const primal = n * r * r / 2 + r * r * r / 6;
  const way = wayOf(entries);
  return way == BY_PRIMAL ? 0 : primal - (way == BY_DUAL ? n * n * r / 2 + n * n * n / 6 : GRADIENTS * n * r);
}

@inline function entriesOf(starts: usize, row: usize): u32 {
  return load<u32>(starts + (row << 2), 4) - load<u32>(starts + (row << 2));
}

@inline function alphaOf(): f32 {
  return <f32>load<f64>(BASE + (ALPHA << 2));
}

@inline function clear(to: usize, bytes: usize): void {
  for (let k: usize = 0; k < bytes; k += 16) v128.store(to + k, f32x4.splat(0));
}

/**
 * Prefetches some entries' rows by reading a word of each cache line; returns the sum of these words so that the reads
 * are not optimised away. Many cache misses overlap here, but only a few in the work itself.
 */
@inline function fetch(columns: usize, from: u32, to: u32, rows: usize, bytes: usize): f32 {
  let sum: f32 = 0;
  for (let at = columns + (<usize>from << 2), end = columns + (<usize>to << 2); at < end; at += 4) {
    const row = rows + <usize>load<u32>(at) * bytes;
    for (let k: usize = 0; k < bytes; k += 64) sum += load<f32>(row + k);
  }
  return sum;
}

/** The left side, or (I + Z W ZT) u = Z c if the side is whitened. Returns false if it is too near singular. */
function solvePrimal(side: usize, other: usize, x: usize, begin: u32, end: u32, scratch: usize): bool {
  const n: usize = word(STRIDE);
  const bytes = n << 2;
  const whiten = word(side + WHITEN) != 0;
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const factors: usize = whiten ? word(WHITENED) : word(other + FACTORS);
  const alpha = alphaOf();
  const a = scratch;
  const panels = a + n * bytes;
  const ratios = panels + max<usize>(BLOCK, n) * bytes;
  const fetched = ratios + 7 * bytes;
  const panel = <usize>BLOCK << 5;
  let base: usize = whiten ? word(IDENTITY) : word(GRAM);
  clear(x, bytes);
  for (let block = begin; block < end; block += BLOCK) {
    const count: usize = min(BLOCK, end - block);
    const depth = (count + 3) & ~3;
    store<f32>(fetched, fetch(columns, block, block + <u32>count, factors, bytes));
    for (let e: usize = 0; e < depth; e++) {
      const to = panels + (e << 5);
      if (e >= count) {
        for (let k: usize = 0; k < n >> 3; k++) {
          v128.store(to + k * panel, f32x4.splat(0));
          v128.store(to + k * panel, f32x4.splat(0), 16);
        }
        store<f32>(ratios + (e << 2), 0);
        continue;
      }
      const at = (<usize>block + e) << 2;
      let y = factors + <usize>load<u32>(columns + at) * bytes;
      const weight = alpha * load<f32>(values + at);
      const root = sqrt(max(weight, LEAST_WEIGHT));
      store<f32>(ratios + (e << 2), (1 + weight) / root);
      const scale = f32x4.splat(root);
      const stop = to + (n >> 3) * panel;
      for (let p = to; p < stop; p += panel) {
        v128.store(p, f32x4.mul(scale, v128.load(y)));
        v128.store(p, f32x4.mul(scale, v128.load(y, 16)), 16);
        y += 32;
      }
    }
    rankUpdate(a, n << 5, base, n << 5, panels, panel, n, depth);
    base = a;
    // x += P d, d = c / w^1/2.
    for (let k: usize = 0; k < n >> 3; k++) {
      let s0 = v128.load(x + (k << 5)), s1 = v128.load(x + (k << 5), 16);
      let p = panels + k * panel;
      const stop = ratios + (depth << 2);
      for (let r = ratios; r < stop; r += 4) {
        const d = v128.load32_splat(r);
        s0 = plus(s0, d, v128.load(p));
        s1 = plus(s1, d, v128.load(p, 16));
        p += 32;
      }
      v128.store(x + (k << 5), s0);
      v128.store(x + (k << 5), s1, 16);
    }
  }
  let least: f32 = 1;
  if (!whiten) {
    let lambda = <f32>load<f64>(BASE + (LAMBDA << 2));
    if (word(WEIGHTED)) {
      // The Gram matrix does not include lambda.
      lambda *= <f32>(end - begin);
      const rank: usize = word(RANK);
      for (let i: usize = 0; i < rank; i++) {
        const at = a + (i >> 3) * (n << 5) + (i << 5) + ((i & 7) << 2);
        store<f32>(at, load<f32>(at) + lambda);
      }
    }
    least = min<f32>(lambda, 1);
  }
  if (!factorize(a, n, least)) return false;
  substitute(a, x, n);
  return true;
}

/** u = P (I + PT P)^-1 d. Returns false if it is too near singular. */
function solveDual(side: usize, u: usize, begin: u32, end: u32, scratch: usize): bool {
  const n: usize = word(STRIDE);
  const bytes = n << 2;
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const whitened: usize = word(WHITENED);
  const zeros: usize = word(ZEROS);
  const alpha = alphaOf();
  const count: usize = end - begin;
  const wide = (count + 7) & ~7;
  const a = scratch;
  const panels = a + n * bytes;
  const panel = n << 5;
  const d = panels + max<usize>(BLOCK, n) * bytes;
  const roots = d + bytes;
  store<f32>(roots + bytes, fetch(columns, begin, end, whitened, bytes));
  for (let e: usize = 0; e < wide; e++) {
    let root: f32 = 0;
    let ratio: f32 = 0;
    if (e < count) {
      const weight = alpha * load<f32>(values + ((<usize>begin + e) << 2));
      root = sqrt(max(weight, LEAST_WEIGHT));
      ratio = (1 + weight) / root;
    }
    store<f32>(roots + (e << 2), root);
    store<f32>(d + (e << 2), ratio);
  }
  // P with a row per factor: transposes z of four entries and four factors at a time.
  for (let e: usize = 0; e < wide; e += 4) {
    const at = columns + ((<usize>begin + e) << 2);
    let z0 = e < count ? whitened + <usize>load<u32>(at) * bytes : zeros;
    let z1 = e + 1 < count ? whitened + <usize>load<u32>(at, 4) * bytes : zeros;
    let z2 = e + 2 < count ? whitened + <usize>load<u32>(at, 8) * bytes : zeros;
    let z3 = e + 3 < count ? whitened + <usize>load<u32>(at, 12) * bytes : zeros;
    const root = v128.load(roots + (e << 2));
    const to = panels + (e >> 3) * panel + ((e & 4) << 2);
    const stop = to + panel;
    for (let p = to; p < stop; p += 128) {
      const r0 = v128.load(z0), r1 = v128.load(z1), r2 = v128.load(z2), r3 = v128.load(z3);
      const s0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), s1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const t0 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), t1 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(p, f32x4.mul(root, v128.shuffle<i64>(s0, t0, 0, 2)));
      v128.store(p, f32x4.mul(root, v128.shuffle<i64>(s0, t0, 1, 3)), 32);
      v128.store(p, f32x4.mul(root, v128.shuffle<i64>(s1, t1, 0, 2)), 64);
      v128.store(p, f32x4.mul(root, v128.shuffle<i64>(s1, t1, 1, 3)), 96);
      z0 += 16; z1 += 16; z2 += 16; z3 += 16;
    }
  }
  rankUpdate(a, wide << 5, word(IDENTITY), panel, panels, panel, wide, n);
  if (!factorize(a, wide, 1)) return false;
  substitute(a, d, wide);
  const last = d + (wide << 2);
  for (let f: usize = 0; f < n; f += 4) {
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let p = panels + (f << 5);
    for (let at = d; at < last; at += 32) {
      const v = v128.load(at), w = v128.load(at, 16);
      s0 = plus(plus(s0, v, v128.load(p)), w, v128.load(p, 16));
      s1 = plus(plus(s1, v, v128.load(p, 32)), w, v128.load(p, 48));
      s2 = plus(plus(s2, v, v128.load(p, 64)), w, v128.load(p, 80));
      s3 = plus(plus(s3, v, v128.load(p, 96)), w, v128.load(p, 112));
      p += panel;
    }
    v128.store(u + (f << 2), sums(s0, s1, s2, s3));
  }
  return true;
}

/**
 * Conjugate gradients on (I + Z W ZT) u = Z c from the u given: for the given number of steps, or until u is as exact
 * as single precision allows. No eigenvalue is below 1, so the residual bounds the error. Returns false if it takes too
 * many steps, or if the matrix stretches a vector more than single precision allows.
 */
function solveGradients(side: usize, u: usize, begin: u32, end: u32, steps: u32, exactly: bool, scratch: usize): bool {
  const bytes: usize = <usize>word(STRIDE) << 2;
  const r = scratch;
  const p = r + bytes;
  const q = p + bytes;
  if (end - begin <= HELD) gather(side, begin, end, bytes, scratch);
  // r = Z c - (I + Z W ZT) u
  for (let k: usize = 0; k < bytes; k += 16) v128.store(r + k, f32x4.neg(v128.load(u + k)));
  product(side, begin, end, u, r, true, bytes, scratch);
  for (let k: usize = 0; k < bytes; k += 16) v128.store(p + k, v128.load(r + k));
  let size = dot(r, r, bytes);
  let rate: f32 = 1;
  for (let step: u32 = 1; size > 1e-20; step++) {
    const wanted = ENOUGH * dot(u, u, bytes);
    if (size <= wanted) return true;
    if (exactly ? step > MOST_STEPS : step > steps) return !exactly;
    if (exactly ? size * rate <= wanted : step == steps) {
      // For the last step only its length is needed.
      const length = f32x4.splat(size / (dot(p, p, bytes) + bend(side, begin, end, p, bytes, scratch)));
      for (let k: usize = 0; k < bytes; k += 16) v128.store(u + k, plus(v128.load(u + k), length, v128.load(p + k)));
      return true;
    }
    for (let k: usize = 0; k < bytes; k += 16) v128.store(q + k, v128.load(p + k));
    product(side, begin, end, p, q, false, bytes, scratch);
    const stretched = dot(p, q, bytes);
    if (exactly && !(stretched < MOST_STRETCH * dot(p, p, bytes))) return false;
    const length = f32x4.splat(size / stretched);
    let total = f32x4.splat(0);
    for (let k: usize = 0; k < bytes; k += 16) {
      v128.store(u + k, plus(v128.load(u + k), length, v128.load(p + k)));
      const left = minus(v128.load(r + k), length, v128.load(q + k));
      v128.store(r + k, left);
      total = plus(total, left, left);
    }
    const next = sumOf(total);
    rate = next / size;
    const turn = f32x4.splat(rate);
    for (let k: usize = 0; k < bytes; k += 16) v128.store(p + k, plus(v128.load(r + k), turn, v128.load(p + k)));
    size = next;
  }
  return true;
}

/** Where `gather` puts rows of z: after r, p, q and a word that is never read. */
@inline function heldAt(bytes: usize, scratch: usize): usize {
  return scratch + 4 * bytes;
}

/**
 * Copies some entries' rows of z side by side in groups of four: for each four columns one row after the other. Padded
 * with zeros to a multiple of eight.
 */
function gather(side: usize, begin: u32, end: u32, bytes: usize, scratch: usize): void {
  const columns: usize = word(side + COLUMNS);
  const whitened: usize = word(WHITENED);
  const zeros: usize = word(ZEROS);
  let to = heldAt(bytes, scratch);
  for (let n = begin; n < end; n += 8) {
    // So many cache misses overlap.
    if (!((n - begin) & (BLOCK - 1))) store<f32>(scratch + 3 * bytes, fetch(columns, n, min(n + BLOCK, end), whitened, bytes));
    for (let e = n; e < n + 8; e += 4) {
      const at = columns + (<usize>e << 2);
      let z0 = e < end ? whitened + <usize>load<u32>(at) * bytes : zeros;
      let z1 = e + 1 < end ? whitened + <usize>load<u32>(at, 4) * bytes : zeros;
      let z2 = e + 2 < end ? whitened + <usize>load<u32>(at, 8) * bytes : zeros;
      let z3 = e + 3 < end ? whitened + <usize>load<u32>(at, 12) * bytes : zeros;
      const stop = to + (bytes << 2);
      while (to < stop) {
        v128.store(to, v128.load(z0)); v128.store(to, v128.load(z1), 16);
        v128.store(to, v128.load(z2), 32); v128.store(to, v128.load(z3), 48);
        v128.store(to, v128.load(z0, 16), 64); v128.store(to, v128.load(z1, 16), 80);
        v128.store(to, v128.load(z2, 16), 96); v128.store(to, v128.load(z3, 16), 112);
        z0 += 32; z1 += 32; z2 += 32; z3 += 32;
        to += 128;
      }
    }
  }
}

/** Products of a vector with four rows from `gather`, one in each lane. */
@inline function dots(v: usize, z: usize, bytes: usize): v128 {
  let d0 = f32x4.splat(0), d1 = d0, d2 = d0, d3 = d0, e0 = d0, e1 = d0, e2 = d0, e3 = d0;
  const stop = v + bytes;
  while (v < stop) {
    const x = v128.load(v), y = v128.load(v, 16);
    d0 = plus(d0, x, v128.load(z)); d1 = plus(d1, x, v128.load(z, 16));
    d2 = plus(d2, x, v128.load(z, 32)); d3 = plus(d3, x, v128.load(z, 48));
    e0 = plus(e0, y, v128.load(z, 64)); e1 = plus(e1, y, v128.load(z, 80));
    e2 = plus(e2, y, v128.load(z, 96)); e3 = plus(e3, y, v128.load(z, 112));
    v += 32;
    z += 128;
  }
  return sums(f32x4.add(d0, e0), f32x4.add(d1, e1), f32x4.add(d2, e2), f32x4.add(d3, e3));
}

@inline function lane(v: v128, at: u8): v128 {
  return at == 0 ? v128.shuffle<f32>(v, v, 0, 0, 0, 0) : at == 1 ? v128.shuffle<f32>(v, v, 1, 1, 1, 1)
    : at == 2 ? v128.shuffle<f32>(v, v, 2, 2, 2, 2) : v128.shuffle<f32>(v, v, 3, 3, 3, 3);
}

/** to += Z W ZT v; as a residual: to += Z (c - W ZT v). Eight entries at a time. */
function product(side: usize, begin: u32, end: u32, v: usize, to: usize, residual: bool, bytes: usize, scratch: usize): void {
  const alpha = f32x4.splat(alphaOf());
  const one = f32x4.splat(1);
  const four = bytes << 2;
  const isHeld = end - begin <= HELD;
  for (let from = begin; from < end; from += HELD) {
    const last = min(from + HELD, end);
    if (!isHeld) gather(side, from, last, bytes, scratch);
    let z = heldAt(bytes, scratch);
    let values: usize = <usize>word(side + VALUES) + (<usize>from << 2);
    // Values past the row's end are only multiplied by zeros; the arrays are padded, so that they can be read and are
    // finite.
    for (const stop = values + (<usize>(last - from) << 2); values < stop; values += 32) {
      const w = f32x4.mul(alpha, v128.load(values)), x = f32x4.mul(alpha, v128.load(values, 16));
      let f = f32x4.mul(w, dots(v, z, bytes)), g = f32x4.mul(x, dots(v, z + four, bytes));
      if (residual) {
        f = f32x4.sub(f32x4.add(one, w), f);
        g = f32x4.sub(f32x4.add(one, x), g);
      }
      const f0 = lane(f, 0), f1 = lane(f, 1), f2 = lane(f, 2), f3 = lane(f, 3);
      const g0 = lane(g, 0), g1 = lane(g, 1), g2 = lane(g, 2), g3 = lane(g, 3);
      let y = z + four;
      const end = to + bytes;
      for (let t = to; t < end; t += 16) {
        let sum = plus(plus(v128.load(t), f0, v128.load(z)), f1, v128.load(z, 16));
        sum = plus(plus(sum, f2, v128.load(z, 32)), f3, v128.load(z, 48));
        sum = plus(plus(sum, g0, v128.load(y)), g1, v128.load(y, 16));
        v128.store(t, plus(plus(sum, g2, v128.load(y, 32)), g3, v128.load(y, 48)));
        z += 64;
        y += 64;
      }
      z = y;
    }
  }
}

/** vT Z W ZT v. */
function bend(side: usize, begin: u32, end: u32, v: usize, bytes: usize, scratch: usize): f32 {
  const isHeld = end - begin <= HELD;
  let total = f32x4.splat(0);
  for (let from = begin; from < end; from += HELD) {
    const last = min(from + HELD, end);
    if (!isHeld) gather(side, from, last, bytes, scratch);
    let z = heldAt(bytes, scratch);
    let values: usize = <usize>word(side + VALUES) + (<usize>from << 2);
    for (const stop = values + (<usize>(last - from) << 2); values < stop; values += 16) {
      const s = dots(v, z, bytes);
      total = plus(total, v128.load(values), f32x4.mul(s, s));
      z += bytes << 2;
    }
  }
  return alphaOf() * sumOf(total);
}

@inline function sumOf(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

@inline function dot(a: usize, b: usize, bytes: usize): f32 {
  let total = f32x4.splat(0);
  for (let k: usize = 0; k < bytes; k += 16) total = plus(total, v128.load(a + k), v128.load(b + k));
  return sumOf(total);
}
