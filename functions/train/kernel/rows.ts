// Rows at ranks above 15. With the Gram matrix and lambda as B = G + lambda I = L LT and z = L^-1 y (the other side's
// factors, whitened once a half step), u = LT x:
//
//   (B + Y W YT) x = Y c   <=>   (I + Z W ZT) u = Z c,   W = diag(alpha r), c = 1 + alpha r
//
// Long rows solve the left as it stands. Rows of fewer entries than 0.9 x rank solve, exactly too, the dual on the right:
// u = P (I + PT P)^-1 d with P = Z W^1/2, d = c / w^1/2. Conjugate gradients iterate on the right from the last u: it costs
// entries x rank a step and no product with G.
import { solveDouble } from './double';
import { ALPHA, BASE, CG_STEPS, COLUMNS, FACTORS, GRAM, INVERSE, LAMBDA, LOWER, ORDER, RANK, SOLVER, STARTS, STRIDE, VALUES, WEIGHTED, WHITEN, WHITENED, ZEROS, word } from './parameters';
import { addScaled, dot, factorize, rankUpdate, substitute, zero } from './tiles';

/** Entries gathered at a time: 64 x 64 floats fill half of a 32 KiB first-level cache. */
const PANEL: u32 = 64;
/** Below this the dual's c / w^1/2 is too large to be trusted in single precision. */
const LEAST_WEIGHT: f32 = 1e-4;

/** Solves the rows at places from..to of the order. Scratch: a matrix, a panel or matrix, eight vectors. */
export function solveRows(side: usize, other: usize, from: u32, to: u32, scratch: usize): void {
  const order: usize = word(side + ORDER);
  const starts: usize = word(side + STARTS);
  const whiten = word(WHITEN) != 0;
  const gradients = whiten && word(SOLVER) == 1;
  const dualBelow = <u32>(<f32>word(RANK) * 0.9);
  for (let place = from; place < to; place++) {
    const row: usize = load<u32>(order + (<usize>place << 2));
    const begin = load<u32>(starts + (row << 2));
    const end = load<u32>(starts + (row << 2) + 4);
    if (begin == end) zero(word(side + FACTORS) + row * (<usize>word(STRIDE) << 2), <usize>word(STRIDE) << 2);
    else if (gradients) solveGradients(side, row, begin, end, scratch);
    else if (!(whiten && end - begin < dualBelow && solveDual(side, row, begin, end, scratch)))
      solvePrimal(side, other, row, begin, end, scratch);
  }
}

@inline function alphaOf(): f32 {
  return <f32>load<f64>(BASE + (ALPHA << 2));
}

function solvePrimal(side: usize, other: usize, row: usize, begin: u32, end: u32, scratch: usize): void {
  const rank: usize = word(RANK);
  const bytes: usize = <usize>word(STRIDE) << 2;
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const factors: usize = word(other + FACTORS);
  const alpha = alphaOf();
  const a = scratch;
  const panel = a + (bytes >> 2) * bytes;
  const b: usize = <usize>word(side + FACTORS) + row * bytes;
  let lambda = <f32>load<f64>(BASE + (LAMBDA << 2));
  if (word(WEIGHTED)) lambda *= <f32>(end - begin);

  zero(a, (bytes >> 2) * bytes);
  zero(b, bytes);
  for (let block = begin; block < end; block += PANEL) {
    const stop = min(block + PANEL, end);
    let line = panel;
    for (let n = block; n < stop; n++) {
      const y = factors + <usize>load<u32>(columns + (<usize>n << 2)) * bytes;
      const weight = alpha * load<f32>(values + (<usize>n << 2));
      const scale = f32x4.splat(sqrt(weight));
      const c = f32x4.splat(1 + weight);
      for (let k: usize = 0; k < bytes; k += 16) {
        const v = v128.load(y + k);
        v128.store(line + k, f32x4.mul(scale, v));
        v128.store(b + k, f32x4.add(v128.load(b + k), f32x4.mul(c, v)));
      }
      line += bytes;
    }
    rankUpdate(a, panel, bytes, stop - block);
  }
  const gram: usize = word(GRAM);
  for (let i: usize = 0; i < rank; i++) {
    const line = i * bytes;
    for (let k: usize = (i << 2) & ~15; k < bytes; k += 16) v128.store(a + line + k, f32x4.add(v128.load(a + line + k), v128.load(gram + line + k)));
    store<f32>(a + line + (i << 2), load<f32>(a + line + (i << 2)) + lambda);
  }
  for (let i = rank; i < bytes >> 2; i++) store<f32>(a + i * bytes + (i << 2), 1);
  if (factorize(a, bytes, min<f32>(lambda, 1))) substitute(a, b, bytes);
  else solveDouble(side, other, row, scratch);
}

/** False when a weight is too small for the dual, or it is too near singular. */
function solveDual(side: usize, row: usize, begin: u32, end: u32, scratch: usize): bool {
  const bytes: usize = <usize>word(STRIDE) << 2;
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const whitened: usize = word(WHITENED);
  const zeros: usize = word(ZEROS);
  const alpha = alphaOf();
  const n: usize = end - begin;
  const wide = ((n + 7) & ~7) << 2;
  const k = scratch;
  const panel = k + (bytes >> 2) * bytes;
  const d = panel + max<usize>(PANEL, bytes >> 2) * bytes;
  const roots = d + bytes;
  for (let e: usize = 0; e < wide >> 2; e++) {
    let root: f32 = 0;
    let ratio: f32 = 0;
    if (e < n) {
      const weight = alpha * load<f32>(values + ((<usize>begin + e) << 2));
      if (!(weight >= LEAST_WEIGHT)) return false;
      root = sqrt(weight);
      ratio = (1 + weight) / root;
    }
    store<f32>(roots + (e << 2), root);
    store<f32>(d + (e << 2), ratio);
  }
  // P, a row a factor: four entries' z by four factors at a time, turned round.
  for (let e: usize = 0; e < wide >> 2; e += 4) {
    const at = columns + ((<usize>begin + e) << 2);
    const p0 = e < n ? whitened + <usize>load<u32>(at) * bytes : zeros;
    const p1 = e + 1 < n ? whitened + <usize>load<u32>(at, 4) * bytes : zeros;
    const p2 = e + 2 < n ? whitened + <usize>load<u32>(at, 8) * bytes : zeros;
    const p3 = e + 3 < n ? whitened + <usize>load<u32>(at, 12) * bytes : zeros;
    const root = v128.load(roots + (e << 2));
    let to = panel + (e << 2);
    for (let f: usize = 0; f < bytes; f += 16) {
      const r0 = v128.load(p0 + f), r1 = v128.load(p1 + f), r2 = v128.load(p2 + f), r3 = v128.load(p3 + f);
      const s0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5), s1 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
      const t0 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5), t1 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
      v128.store(to, f32x4.mul(root, v128.shuffle<i64>(s0, t0, 0, 2)));
      v128.store(to + wide, f32x4.mul(root, v128.shuffle<i64>(s0, t0, 1, 3)));
      v128.store(to + 2 * wide, f32x4.mul(root, v128.shuffle<i64>(s1, t1, 0, 2)));
      v128.store(to + 3 * wide, f32x4.mul(root, v128.shuffle<i64>(s1, t1, 1, 3)));
      to += wide << 2;
    }
  }
  zero(k, (wide >> 2) * wide);
  rankUpdate(k, panel, wide, bytes >> 2);
  for (let i: usize = 0; i < wide; i += 4) {
    const at = k + (i >> 2) * wide + i;
    store<f32>(at, load<f32>(at) + 1);
  }
  if (!factorize(k, wide, 1)) return false;
  substitute(k, d, wide);
  const x: usize = <usize>word(side + FACTORS) + row * bytes;
  zero(x, bytes);
  const inverse: usize = word(INVERSE);
  for (let f: usize = 0; f < bytes >> 2; f++)
    addScaled(x, inverse + f * bytes, dot(panel + f * wide, d, wide), ((f + 4) & ~3) << 2);
  return true;
}

function solveGradients(side: usize, row: usize, begin: u32, end: u32, scratch: usize): void {
  const bytes: usize = <usize>word(STRIDE) << 2;
  const x: usize = <usize>word(side + FACTORS) + row * bytes;
  const u = scratch;
  const r = u + bytes;
  const p = r + bytes;
  const q = p + bytes;
  const rank = bytes >> 2;
  const lower: usize = word(LOWER);
  zero(u, bytes);
  for (let i: usize = 0; i < rank; i++) addScaled(u, lower + i * bytes, load<f32>(x + (i << 2)), ((i + 4) & ~3) << 2);

  // r = Z c - (I + Z W ZT) u
  for (let k: usize = 0; k < bytes; k += 16) v128.store(r + k, f32x4.neg(v128.load(u + k)));
  product(side, begin, end, u, r, true, bytes);
  memory.copy(p, r, bytes);
  let size = dot(r, r, bytes);
  const steps = word(CG_STEPS);
  for (let step: u32 = 0; step < steps && size > 1e-20; step++) {
    memory.copy(q, p, bytes);
    product(side, begin, end, p, q, false, bytes);
    const length = size / dot(p, q, bytes);
    addScaled(u, p, length, bytes);
    if (step + 1 == steps) break;
    addScaled(r, q, -length, bytes);
    const next = dot(r, r, bytes);
    const turn = f32x4.splat(next / size);
    for (let k: usize = 0; k < bytes; k += 16) v128.store(p + k, f32x4.add(v128.load(r + k), f32x4.mul(turn, v128.load(p + k))));
    size = next;
  }
  zero(x, bytes);
  const inverse: usize = word(INVERSE);
  for (let f: usize = 0; f < rank; f++) addScaled(x, inverse + f * bytes, load<f32>(u + (f << 2)), ((f + 4) & ~3) << 2);
}

/** to += Z W ZT v; as a residual: to += Z (c - W ZT v). Four entries at a time. */
function product(side: usize, begin: u32, end: u32, v: usize, to: usize, residual: bool, bytes: usize): void {
  const columns: usize = word(side + COLUMNS);
  const values: usize = word(side + VALUES);
  const whitened: usize = word(WHITENED);
  const zeros: usize = word(ZEROS);
  const alpha = f32x4.splat(alphaOf());
  for (let n: usize = begin; n < <usize>end; n += 4) {
    const at = columns + (n << 2);
    const left = <usize>end - n;
    const z0 = whitened + <usize>load<u32>(at) * bytes;
    const z1 = left > 1 ? whitened + <usize>load<u32>(at, 4) * bytes : zeros;
    const z2 = left > 2 ? whitened + <usize>load<u32>(at, 8) * bytes : zeros;
    const z3 = left > 3 ? whitened + <usize>load<u32>(at, 12) * bytes : zeros;
    let d0 = f32x4.splat(0), d1 = d0, d2 = d0, d3 = d0;
    for (let k: usize = 0; k < bytes; k += 16) {
      const x = v128.load(v + k);
      d0 = f32x4.add(d0, f32x4.mul(x, v128.load(z0 + k)));
      d1 = f32x4.add(d1, f32x4.mul(x, v128.load(z1 + k)));
      d2 = f32x4.add(d2, f32x4.mul(x, v128.load(z2 + k)));
      d3 = f32x4.add(d3, f32x4.mul(x, v128.load(z3 + k)));
    }
    const dots = sums(d0, d1, d2, d3);
    // Values past the row's end meet zeros only; the arrays are padded, so that they can be read, and are finite.
    const w = f32x4.mul(alpha, v128.load(values + (n << 2)));
    let f = f32x4.mul(w, dots);
    if (residual) f = f32x4.sub(f32x4.add(f32x4.splat(1), w), f);
    const f0 = f32x4.splat(f32x4.extract_lane(f, 0)), f1 = f32x4.splat(f32x4.extract_lane(f, 1));
    const f2 = f32x4.splat(f32x4.extract_lane(f, 2)), f3 = f32x4.splat(f32x4.extract_lane(f, 3));
    for (let k: usize = 0; k < bytes; k += 16)
      v128.store(to + k, f32x4.add(v128.load(to + k), f32x4.add(
        f32x4.add(f32x4.mul(f0, v128.load(z0 + k)), f32x4.mul(f1, v128.load(z1 + k))),
        f32x4.add(f32x4.mul(f2, v128.load(z2 + k)), f32x4.mul(f3, v128.load(z3 + k))))));
  }
}

/** The sums of four vectors' lanes. */
@inline function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(v128.shuffle<f32>(a, b, 0, 4, 1, 5), v128.shuffle<f32>(a, b, 2, 6, 3, 7));
  const cd = f32x4.add(v128.shuffle<f32>(c, d, 0, 4, 1, 5), v128.shuffle<f32>(c, d, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<i64>(ab, cd, 0, 2), v128.shuffle<i64>(ab, cd, 1, 3));
}
