// For higher ranks: dense kernels on tiles of 4 x 8 numbers, which stay in the 16 vector registers.
//
// A matrix is stored in panels of 8 columns, each row by row: a row of a panel is 32 bytes, and the innermost loop
// walks two panels by constant steps. A panel's length is given in bytes if it can differ. Of symmetric matrices only
// the upper triangle is used; the rest of a diagonal tile is scratch. Columns are multiples of eight, rows and depths
// of four.
//
// Loops are unrolled by four steps of depth. The `if (!depth) break` between them never happens: it prevents the
// optimizers from grouping the four steps of one sum, which would wait for each other and spill registers.
import { POOR } from './double';
import { minus, plus } from './fused';

/** C = F + Pt P in the upper triangle: C and F are n x n, P is depth x n. */
export function rankUpdate(c: usize, cPanel: usize, f: usize, fPanel: usize, p: usize, pPanel: usize, n: usize, depth: usize): void {
  for (let j: usize = 0; j < n; j += 8) {
    const panel = j >> 3;
    const right = p + panel * pPanel;
    for (let i: usize = 0; i < j + 8; i += 4)
      tile(c + panel * cPanel + (i << 5), f + panel * fPanel + (i << 5), p + (i >> 3) * pPanel + ((i & 4) << 2), right, depth);
  }
}

/** C = F + Lt R on one tile: L is depth x 4, R depth x 8. */
@inline function tile(c: usize, f: usize, l: usize, r: usize, depth: usize): void {
  let a00 = v128.load(f), a01 = v128.load(f, 16), a10 = v128.load(f, 32), a11 = v128.load(f, 48);
  let a20 = v128.load(f, 64), a21 = v128.load(f, 80), a30 = v128.load(f, 96), a31 = v128.load(f, 112);
  let x: v128, y0: v128, y1: v128;
  const end = r + (depth << 5);
  while (r < end) {
    y0 = v128.load(r); y1 = v128.load(r, 16);
    x = v128.load32_splat(l); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 4); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 8); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 12); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 32); y1 = v128.load(r, 48);
    x = v128.load32_splat(l, 32); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 36); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 40); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 44); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 64); y1 = v128.load(r, 80);
    x = v128.load32_splat(l, 64); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 68); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 72); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 76); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 96); y1 = v128.load(r, 112);
    x = v128.load32_splat(l, 96); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 100); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 104); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 108); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    l += 128;
    r += 128;
  }
  v128.store(c, a00); v128.store(c, a01, 16); v128.store(c, a10, 32); v128.store(c, a11, 48);
  v128.store(c, a20, 64); v128.store(c, a21, 80); v128.store(c, a30, 96); v128.store(c, a31, 112);
}

/** C -= Lt R. */
@inline function takeOff(c: usize, l: usize, r: usize, depth: usize): void {
  let a00 = v128.load(c), a01 = v128.load(c, 16), a10 = v128.load(c, 32), a11 = v128.load(c, 48);
  let a20 = v128.load(c, 64), a21 = v128.load(c, 80), a30 = v128.load(c, 96), a31 = v128.load(c, 112);
  let x: v128, y0: v128, y1: v128;
  const end = r + (depth << 5);
  while (r < end) {
    y0 = v128.load(r); y1 = v128.load(r, 16);
    x = v128.load32_splat(l); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 4); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 8); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 12); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 32); y1 = v128.load(r, 48);
    x = v128.load32_splat(l, 32); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 36); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 40); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 44); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 64); y1 = v128.load(r, 80);
    x = v128.load32_splat(l, 64); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 68); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 72); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 76); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 96); y1 = v128.load(r, 112);
    x = v128.load32_splat(l, 96); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 100); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 104); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 108); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    l += 128;
    r += 128;
  }
  v128.store(c, a00); v128.store(c, a01, 16); v128.store(c, a10, 32); v128.store(c, a11, 48);
  v128.store(c, a20, 64); v128.store(c, a21, 80); v128.store(c, a30, 96); v128.store(c, a31, 112);
}

/** C += Lt R, all of them n x n in panels of `panel` bytes. */
export function addBlock(c: usize, l: usize, r: usize, panel: usize, n: usize): void {
  for (let j: usize = 0; j < n >> 3; j++)
    for (let i: usize = 0; i < n; i += 4) {
      const at = c + j * panel + (i << 5);
      tile(at, at, l + (i >> 3) * panel + ((i & 4) << 2), r + j * panel, n);
    }
}

/** C -= Lt R. */
export function takeOffBlock(c: usize, l: usize, r: usize, panel: usize, n: usize): void {
  for (let j: usize = 0; j < n >> 3; j++)
    for (let i: usize = 0; i < n; i += 4)
      takeOff(c + j * panel + (i << 5), l + (i >> 3) * panel + ((i & 4) << 2), r + j * panel, n);
}

/**
 * C = D^-1 (C - Lt R) for a lower triangle D, whose diagonal is stored inverted. `d` has D's transpose, row by row in a
 * panel.
 */
@inline function eliminate(c: usize, l: usize, r: usize, depth: usize, d: usize): void {
  let a00 = v128.load(c), a01 = v128.load(c, 16), a10 = v128.load(c, 32), a11 = v128.load(c, 48);
  let a20 = v128.load(c, 64), a21 = v128.load(c, 80), a30 = v128.load(c, 96), a31 = v128.load(c, 112);
  let x: v128, y0: v128, y1: v128;
  const end = r + (depth << 5);
  while (r < end) {
    y0 = v128.load(r); y1 = v128.load(r, 16);
    x = v128.load32_splat(l); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 4); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 8); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 12); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 32); y1 = v128.load(r, 48);
    x = v128.load32_splat(l, 32); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 36); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 40); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 44); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 64); y1 = v128.load(r, 80);
    x = v128.load32_splat(l, 64); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 68); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 72); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 76); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    if (!depth) break;
    y0 = v128.load(r, 96); y1 = v128.load(r, 112);
    x = v128.load32_splat(l, 96); a00 = minus(a00, x, y0); a01 = minus(a01, x, y1);
    x = v128.load32_splat(l, 100); a10 = minus(a10, x, y0); a11 = minus(a11, x, y1);
    x = v128.load32_splat(l, 104); a20 = minus(a20, x, y0); a21 = minus(a21, x, y1);
    x = v128.load32_splat(l, 108); a30 = minus(a30, x, y0); a31 = minus(a31, x, y1);
    l += 128;
    r += 128;
  }
  x = v128.load32_splat(d);
  a00 = f32x4.mul(x, a00); a01 = f32x4.mul(x, a01);
  v128.store(c, a00); v128.store(c, a01, 16);
  x = v128.load32_splat(d, 4);
  a10 = minus(a10, x, a00); a11 = minus(a11, x, a01);
  x = v128.load32_splat(d, 36);
  a10 = f32x4.mul(x, a10); a11 = f32x4.mul(x, a11);
  v128.store(c, a10, 32); v128.store(c, a11, 48);
  x = v128.load32_splat(d, 8);
  a20 = minus(a20, x, a00); a21 = minus(a21, x, a01);
  x = v128.load32_splat(d, 40);
  a20 = minus(a20, x, a10); a21 = minus(a21, x, a11);
  x = v128.load32_splat(d, 72);
  a20 = f32x4.mul(x, a20); a21 = f32x4.mul(x, a21);
  v128.store(c, a20, 64); v128.store(c, a21, 80);
  x = v128.load32_splat(d, 12);
  a30 = minus(a30, x, a00); a31 = minus(a31, x, a01);
  x = v128.load32_splat(d, 44);
  a30 = minus(a30, x, a10); a31 = minus(a31, x, a11);
  x = v128.load32_splat(d, 76);
  a30 = minus(a30, x, a20); a31 = minus(a31, x, a21);
  x = v128.load32_splat(d, 108);
  v128.store(c, f32x4.mul(x, a30), 96); v128.store(c, f32x4.mul(x, a31), 112);
}

/**
 * A = Ut U in the upper triangle, each diagonal element inverted; A is n x n. Four rows at a time: all earlier rows are
 * subtracted (left-looking), then the four from each other. `least` is a lower bound of A's eigenvalues, and so of its
 * pivots: a smaller pivot is a rounding error. Returns false if A is too near singular for single precision.
 */
export function factorize(a: usize, n: usize, least: f32): bool {
  const panel = n << 5;
  let sound = true;
  for (let i: usize = 0; i < n; i += 4) {
    const own = a + (i >> 3) * panel;
    const left = own + ((i & 4) << 2);
    const block = own + (i << 5);
    const d = left + (i << 5);
    const least0 = POOR * load<f32>(d), least1 = POOR * load<f32>(d, 36);
    const least2 = POOR * load<f32>(d, 72), least3 = POOR * load<f32>(d, 108);
    if (i > 0) takeOff(block, left, own, i);
    // The four by four on the diagonal; u is its row, v the inverted diagonal.
    const p0 = load<f32>(d);
    const v0: f32 = 1 / sqrt(max(p0, least));
    const u01 = load<f32>(d, 4) * v0, u02 = load<f32>(d, 8) * v0, u03 = load<f32>(d, 12) * v0;
    const p1 = load<f32>(d, 36) - u01 * u01;
    const v1: f32 = 1 / sqrt(max(p1, least));
    const u12 = (load<f32>(d, 40) - u01 * u02) * v1, u13 = (load<f32>(d, 44) - u01 * u03) * v1;
    const p2 = load<f32>(d, 72) - u02 * u02 - u12 * u12;
    const v2: f32 = 1 / sqrt(max(p2, least));
    const u23 = (load<f32>(d, 76) - u02 * u03 - u12 * u13) * v2;
    const p3 = load<f32>(d, 108) - u03 * u03 - u13 * u13 - u23 * u23;
    const v3: f32 = 1 / sqrt(max(p3, least));
    if (!(p0 >= least0) || !(p1 >= least1) || !(p2 >= least2) || !(p3 >= least3)) sound = false;
    store<f32>(d, v0); store<f32>(d, u01, 4); store<f32>(d, u02, 8); store<f32>(d, u03, 12);
    store<f32>(d, v1, 36); store<f32>(d, u12, 40); store<f32>(d, u13, 44);
    store<f32>(d, v2, 72); store<f32>(d, u23, 76);
    store<f32>(d, v3, 108);
    if (!(i & 4)) {
      // The rest of the diagonal's own panel.
      const r0 = f32x4.mul(f32x4.splat(v0), v128.load(d, 16));
      v128.store(d, r0, 16);
      const r1 = f32x4.mul(f32x4.splat(v1), minus(v128.load(d, 48), f32x4.splat(u01), r0));
      v128.store(d, r1, 48);
      const r2 = f32x4.mul(f32x4.splat(v2), minus(minus(v128.load(d, 80), f32x4.splat(u02), r0), f32x4.splat(u12), r1));
      v128.store(d, r2, 80);
      const r3 = minus(minus(v128.load(d, 112), f32x4.splat(u03), r0), f32x4.splat(u13), r1);
      v128.store(d, f32x4.mul(f32x4.splat(v3), minus(r3, f32x4.splat(u23), r2)), 112);
    }
    const end = a + (n >> 3) * panel;
    for (let right = own + panel; right < end; right += panel) eliminate(right + (i << 5), left, right, i, d);
  }
  return sound;
}

/** Ut U x = b in place, U as factorize leaves it. */
export function substitute(a: usize, b: usize, n: usize): void {
  const panel = n << 5;
  for (let i: usize = 0; i < n; i += 4) {
    const left = a + (i >> 3) * panel + ((i & 4) << 2);
    const d = left + (i << 5);
    let s0 = v128.load(b + (i << 2)), s1 = f32x4.splat(0), s2 = s1, s3 = s1;
    let y = b;
    for (let u = left; u < d; u += 128) {
      s0 = minus(s0, v128.load32_splat(y), v128.load(u));
      s1 = minus(s1, v128.load32_splat(y, 4), v128.load(u, 32));
      s2 = minus(s2, v128.load32_splat(y, 8), v128.load(u, 64));
      s3 = minus(s3, v128.load32_splat(y, 12), v128.load(u, 96));
      y += 16;
    }
    s0 = f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3));
    const y0 = f32x4.extract_lane(s0, 0) * load<f32>(d);
    const y1 = (f32x4.extract_lane(s0, 1) - load<f32>(d, 4) * y0) * load<f32>(d, 36);
    const y2 = (f32x4.extract_lane(s0, 2) - load<f32>(d, 8) * y0 - load<f32>(d, 40) * y1) * load<f32>(d, 72);
    const y3 = (f32x4.extract_lane(s0, 3) - load<f32>(d, 12) * y0 - load<f32>(d, 44) * y1 - load<f32>(d, 76) * y2) * load<f32>(d, 108);
    store<f32>(y, y0); store<f32>(y, y1, 4); store<f32>(y, y2, 8); store<f32>(y, y3, 12);
  }
  let i = n;
  while (i > 0) {
    i -= 4;
    const own = a + (i >> 3) * panel;
    const d = own + (i << 5) + ((i & 4) << 2);
    const at = b + (i << 2);
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
    let x = at + 16;
    if (!(i & 4)) {
      const v = v128.load(x);
      s0 = f32x4.mul(v, v128.load(d, 16)); s1 = f32x4.mul(v, v128.load(d, 48));
      s2 = f32x4.mul(v, v128.load(d, 80)); s3 = f32x4.mul(v, v128.load(d, 112));
      x += 16;
    }
    const end = b + (n << 2);
    for (let u = own + panel + (i << 5); x < end; u += panel) {
      const v = v128.load(x), w = v128.load(x, 16);
      s0 = plus(plus(s0, v, v128.load(u)), w, v128.load(u, 16));
      s1 = plus(plus(s1, v, v128.load(u, 32)), w, v128.load(u, 48));
      s2 = plus(plus(s2, v, v128.load(u, 64)), w, v128.load(u, 80));
      s3 = plus(plus(s3, v, v128.load(u, 96)), w, v128.load(u, 112));
      x += 32;
    }
    const s = f32x4.sub(v128.load(at), sums(s0, s1, s2, s3));
    const x3 = f32x4.extract_lane(s, 3) * load<f32>(d, 108);
    const x2 = (f32x4.extract_lane(s, 2) - load<f32>(d, 76) * x3) * load<f32>(d, 72);
    const x1 = (f32x4.extract_lane(s, 1) - load<f32>(d, 40) * x2 - load<f32>(d, 44) * x3) * load<f32>(d, 36);
    const x0 = (f32x4.extract_lane(s, 0) - load<f32>(d, 4) * x1 - load<f32>(d, 8) * x2 - load<f32>(d, 12) * x3) * load<f32>(d);
    store<f32>(at, x0); store<f32>(at, x1, 4); store<f32>(at, x2, 8); store<f32>(at, x3, 12);
  }
}

/** Where a matrix is not zero. */
export const LOWER_TRIANGLE: u32 = 1;
export const UPPER_TRIANGLE: u32 = 2;
export const ANYWHERE: u32 = 0;

/** Four rows x of n numbers times an n x n matrix, into four rows o. */
export function timesMatrix(
  x0: usize, x1: usize, x2: usize, x3: usize, m: usize, n: usize, shape: u32, o0: usize, o1: usize, o2: usize, o3: usize,
): void {
  const panel = n << 5;
  for (let j: usize = 0; j < n; j += 8) {
    const from: usize = shape == LOWER_TRIANGLE ? j : 0;
    const to = shape == UPPER_TRIANGLE ? j + 8 : n;
    let r = m + (j >> 3) * panel + (from << 5);
    let at = from << 2;
    const end = to << 2;
    let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
    let x: v128, y0: v128, y1: v128;
    while (at < end) {
      y0 = v128.load(r); y1 = v128.load(r, 16);
      x = v128.load32_splat(x0 + at); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
      x = v128.load32_splat(x1 + at); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
      x = v128.load32_splat(x2 + at); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
      x = v128.load32_splat(x3 + at); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
      if (!panel) break;
      y0 = v128.load(r, 32); y1 = v128.load(r, 48);
      x = v128.load32_splat(x0 + at, 4); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
      x = v128.load32_splat(x1 + at, 4); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
      x = v128.load32_splat(x2 + at, 4); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
      x = v128.load32_splat(x3 + at, 4); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
      if (!panel) break;
      y0 = v128.load(r, 64); y1 = v128.load(r, 80);
      x = v128.load32_splat(x0 + at, 8); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
      x = v128.load32_splat(x1 + at, 8); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
      x = v128.load32_splat(x2 + at, 8); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
      x = v128.load32_splat(x3 + at, 8); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
      if (!panel) break;
      y0 = v128.load(r, 96); y1 = v128.load(r, 112);
      x = v128.load32_splat(x0 + at, 12); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
      x = v128.load32_splat(x1 + at, 12); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
      x = v128.load32_splat(x2 + at, 12); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
      x = v128.load32_splat(x3 + at, 12); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
      r += 128;
      at += 16;
    }
    at = j << 2;
    v128.store(o0 + at, a00); v128.store(o0 + at, a01, 16); v128.store(o1 + at, a10); v128.store(o1 + at, a11, 16);
    v128.store(o2 + at, a20); v128.store(o2 + at, a21, 16); v128.store(o3 + at, a30); v128.store(o3 + at, a31, 16);
  }
}

/** The sums of four vectors' lanes. */
@inline export function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}
