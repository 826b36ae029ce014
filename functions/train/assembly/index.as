// The phases of a fit, run by every thread alike. The result of a chunk does not depend on the thread that computes it,
// and chunks are summed in order, so the result has the same bits for any number of threads.
import { arrange, count, invalid, move, PIECES, place } from './layout';
import { solveLanes } from './lanes';
import { BASE, CHUNKS, CHUNK_STARTS, FACTORS, FAILED, GRAM, GRAM_DOUBLE, GRAM_PARTS, INVERSE, ITEMS, HALF_STEPS, LAMBDA, LANES, LOWER, PHASES, PRECISE, RANK, ROWS, SCRATCH, SCRATCH_BYTES, STRIDE, USERS, WEIGHTED, WHITEN, WHITENED, WHITENER, word } from './parameters';
import { plusDouble } from './fused';
import { gram, gramChunks, inPanels, sumParts } from './gram';
import { allDone, finish, take } from './phases';
import { solveRows } from './rows';
import { LOWER_TRIANGLE, timesMatrix, UPPER_TRIANGLE } from './tiles';

export { gramRows, invert, regress } from './blocks';
export { top } from './top';

/** Sums of 128 products in single precision have an error of up to a few millionths. */
const POOR_GRAM: f64 = 1e-4;
/** Phases before the first iteration. */
const LAYOUT: u32 = 3;
const WHITEN_ROWS: u32 = 512;

/** Runs all phases; returns 1 if another thread has failed, 2 if an entry is invalid. */
export function run(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  const counted: usize = word(PHASES);
  for (let phase: u32 = 0; phase < LAYOUT; phase++) {
    const counters = counted + (<usize>phase << 3);
    const chunks: u32 = phase == 0 ? PIECES : phase == 1 ? 1 : PIECES + 2;
    for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
      if (phase == 0) count(chunk);
      else if (phase == 1) place();
      else if (chunk >= 2) move(chunk - 2);
      else arrange(chunk ? ITEMS : USERS, chunk ? USERS : ITEMS);
      finish(counters, chunks);
    }
    if (!allDone(counters, chunks)) return 1;
    if (phase == 0 && invalid()) return 2;
  }
  const phases = word(HALF_STEPS) * 6;
  for (let phase: u32 = 0; phase < phases; phase++) {
    const people = phase % 12 < 6;
    const side = people ? USERS : ITEMS;
    const other = people ? ITEMS : USERS;
    const kind = phase % 6;
    const again = kind == 2 || kind == 3;
    const precise: usize = <usize>word(PRECISE) + ((phase / 6) << 2);
    const counters = counted + (<usize>(LAYOUT + phase) << 3);
    let chunks: u32 = 0;
    if (kind == 5) chunks = word(side + CHUNKS);
    else if (kind == 4) chunks = whitenChunks(side, other);
    else if (!again || load<u32>(precise)) chunks = kind & 1 ? 1 : gramChunks(other);
    for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
      if (kind == 5) solve(side, other, chunk, scratch);
      else if (kind == 4) whiten(other, chunk);
      else if (kind & 1) prepare(side, other, scratch, again, precise);
      else gram(other, chunk, scratch, again);
      finish(counters, chunks);
    }
    if (!allDone(counters, chunks)) return 1;
  }
  return 0;
}

function whitenChunks(side: usize, other: usize): u32 {
  return word(side + WHITEN) ? (word(other + ROWS) + WHITEN_ROWS - 1) / WHITEN_ROWS : 0;
}

function solve(side: usize, other: usize, chunk: u32, scratch: usize): void {
  const at: usize = <usize>word(side + CHUNK_STARTS) + (<usize>chunk << 2);
  if (word(LANES)) solveLanes(side, other, load<u32>(at), load<u32>(at, 4), scratch);
  else solveRows(side, other, load<u32>(at), load<u32>(at, 4), scratch);
}

/**
 * Sums the parts, in f64 and f32; factorizes G + lambda I = L LT in f64 and, for whitening, inverts L. If a pivot of L
 * has lost too much of its diagonal for products in single precision, sets `precise`, so that the sum is repeated in
 * double.
 */
function prepare(side: usize, other: usize, scratch: usize, again: bool, precise: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const lanes = word(LANES) != 0;
  const parts: usize = word(GRAM_PARTS);
  const lambda = load<f64>(BASE + (LAMBDA << 2));
  sumParts(other);
  const total: usize = word(GRAM);
  for (let k: usize = 0; k < stride * stride; k++) store<f32>(total + (k << 2), <f32>load<f64>(parts + (k << 3)));
  const whole: usize = word(GRAM_DOUBLE);
  const line = stride << 3;
  for (let i: usize = 0; i < rank; i++)
    for (let j: usize = 0; j <= i; j++)
      store<f64>(whole + i * line + (j << 3), load<f64>(parts + ((lanes ? i * stride + j : inPanels(j, i, stride)) << 3)));
  if (lanes) return;
  for (let i: usize = 0; i < stride; i++) {
    const at = inPanels(i, i, stride);
    // Padding must not be singular.
    store<f32>(total + (at << 2), i < rank ? <f32>(load<f64>(parts + (at << 3)) + (word(WEIGHTED) ? 0 : lambda)) : 1);
  }

  const a = parts;
  for (let i: usize = 0; i < rank; i++) {
    const row = a + i * line;
    for (let j: usize = 0; j <= i; j++) {
      const sum = load<f64>(whole + i * line + (j << 3)) - dotDouble(row, a + j * line, j);
      if (i == j) {
        if (!again && !(sum + lambda > POOR_GRAM * (load<f64>(whole + i * line + (j << 3)) + lambda))) {
          store<u32>(precise, 1);
          return;
        }
        store<f64>(row + (i << 3), sqrt(max(sum + lambda, lambda)));
      }
      else store<f64>(row + (j << 3), sum / load<f64>(a + j * line + (j << 3)));
    }
  }
  if (!word(side + WHITEN)) return;
  const lower: usize = word(LOWER);
  const inverse: usize = word(INVERSE);
  const whitener: usize = word(WHITENER);
  // Column c of the inverse by forward substitution; scratch is large enough for rank doubles.
  for (let c: usize = 0; c < rank; c++)
    for (let i = c; i < rank; i++) {
      const row = a + i * line;
      const sum = (i == c ? 1 : 0) - dotDouble(row + (c << 3), scratch + (c << 3), i - c);
      const x = sum / load<f64>(row + (i << 3));
      store<f64>(scratch + (i << 3), x);
      store<f32>(inverse + (inPanels(i, c, stride) << 2), <f32>x);
      store<f32>(whitener + (inPanels(c, i, stride) << 2), <f32>x);
      store<f32>(lower + (inPanels(i, c, stride) << 2), <f32>load<f64>(row + (c << 3)));
    }
}

function dotDouble(a: usize, b: usize, count: usize): f64 {
  let s = f64x2.splat(0), t = s;
  const whole = count & ~3;
  for (let k: usize = 0; k < whole << 3; k += 32) {
    s = plusDouble(s, v128.load(a + k), v128.load(b + k));
    t = plusDouble(t, v128.load(a + k, 16), v128.load(b + k, 16));
  }
  s = f64x2.add(s, t);
  let sum = f64x2.extract_lane(s, 0) + f64x2.extract_lane(s, 1);
  for (let k = whole; k < count; k++) sum += load<f64>(a + (k << 3)) * load<f64>(b + (k << 3));
  return sum;
}

/** z = L^-1 y of a chunk of rows. */
function whiten(side: usize, chunk: u32): void {
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const factors: usize = word(side + FACTORS);
  const whitened: usize = word(WHITENED);
  const from = chunk * WHITEN_ROWS;
  const to = min(from + WHITEN_ROWS, word(side + ROWS));
  for (let row = from; row < to; row += 4) {
    // An incomplete last group is filled with its last row.
    const r0 = row * <u32>bytes, r1 = min(row + 1, to - 1) * <u32>bytes, r2 = min(row + 2, to - 1) * <u32>bytes, r3 = min(row + 3, to - 1) * <u32>bytes;
    timesMatrix(factors + r0, factors + r1, factors + r2, factors + r3, word(WHITENER), stride, UPPER_TRIANGLE, whitened + r0, whitened + r1, whitened + r2, whitened + r3);
  }
}
