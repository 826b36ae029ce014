// The phases of a fit, run by every thread alike: each takes chunks of work from a shared counter until none is left, then
// waits until the last is done. A thread that starts late finds less to do, one that never starts delays nobody.
//
// What a chunk computes does not depend on who computes it, and sums are taken over chunks in order: the same bits
// whatever the number of threads.
import { solveLanes } from './lanes';
import { BASE, CHUNKS, CHUNK_STARTS, FACTORS, FAILED, GRAM, GRAM_DOUBLE, GRAM_PARTS, INVERSE, ITEMS, ITERATIONS, LAMBDA, LOWER, PHASES, RANK, ROWS, SCRATCH, SCRATCH_BYTES, STRIDE, USERS, WHITEN, WHITENED, word } from './parameters';
import { solveRows } from './rows';
import { rankUpdate, zero } from './tiles';

/** Highest rank for four rows at once. */
const LANES_RANK: u32 = 15;
const GRAM_CHUNKS: u32 = 64;
const WHITEN_ROWS: u32 = 512;
/** Rows whose products are summed in single precision before they join a double. */
const GRAM_BLOCK: u32 = 128;

/** Runs all phases; answers 1 when another thread has failed. */
export function run(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  const phases = word(ITERATIONS) * 8;
  for (let phase: u32 = 0; phase < phases; phase++) {
    const side = phase & 4 ? ITEMS : USERS;
    const other = phase & 4 ? USERS : ITEMS;
    const kind = phase & 3;
    const counters: usize = <usize>word(PHASES) + (<usize>phase << 3);
    const chunks = kind == 0 ? gramChunks(other) : kind == 1 ? 1 : kind == 2 ? whitenChunks(other) : word(side + CHUNKS);
    for (;;) {
      const chunk = atomic.add<u32>(counters, 1);
      if (chunk >= chunks) break;
      if (kind == 0) gram(other, chunk, scratch);
      else if (kind == 1) prepare(other, scratch);
      else if (kind == 2) whiten(other, chunk);
      else solve(side, other, chunk, scratch);
      if (atomic.add<u32>(counters, 1, 4) + 1 == chunks) atomic.notify(counters + 4, -1);
    }
    let spins = 0;
    for (;;) {
      const done = atomic.load<u32>(counters, 4);
      if (done >= chunks) break;
      if (atomic.load<u32>(BASE + (FAILED << 2))) return 1;
      if (++spins > 10000) atomic.wait<i32>(counters + 4, done, 10_000_000);
    }
  }
  return 0;
}

@inline function gramRows(rows: u32): u32 {
  return max<u32>(512, (rows + GRAM_CHUNKS - 1) / GRAM_CHUNKS);
}

function gramChunks(side: usize): u32 {
  const rows = word(side + ROWS);
  const each = gramRows(rows);
  return (rows + each - 1) / each;
}

function whitenChunks(side: usize): u32 {
  return word(WHITEN) ? (word(side + ROWS) + WHITEN_ROWS - 1) / WHITEN_ROWS : 0;
}

function solve(side: usize, other: usize, chunk: u32, scratch: usize): void {
  const at: usize = <usize>word(side + CHUNK_STARTS) + (<usize>chunk << 2);
  if (word(RANK) <= LANES_RANK) solveLanes(side, other, load<u32>(at), load<u32>(at, 4), scratch);
  else solveRows(side, other, load<u32>(at), load<u32>(at, 4), scratch);
}

/** YtY of a chunk of rows into its own place, f64; lower triangle up to rank 15, else upper. */
function gram(side: usize, chunk: u32, scratch: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const rows = word(side + ROWS);
  const each = gramRows(rows);
  const from = chunk * each;
  const to = min(from + each, rows);
  const part: usize = <usize>word(GRAM_PARTS) + <usize>chunk * stride * stride * 8;
  const factors: usize = word(side + FACTORS);
  memory.fill(part, 0, stride * stride * 8);
  if (<u32>rank <= LANES_RANK) {
    for (let row: usize = from; row < <usize>to; row++) {
      const y = factors + row * bytes;
      for (let i: usize = 0; i < rank; i++) {
        const yi = f64x2.splat(<f64>load<f32>(y + (i << 2)));
        const line = part + i * (stride << 3);
        for (let j: usize = 0; j <= i; j += 2) {
          const yj = f64x2.promote_low_f32x4(v128.load64_zero(y + (j << 2)));
          v128.store(line + (j << 3), f64x2.add(v128.load(line + (j << 3)), f64x2.mul(yi, yj)));
        }
      }
    }
    return;
  }
  for (let row = from; row < to; row += GRAM_BLOCK) {
    zero(scratch, stride * bytes);
    rankUpdate(scratch, factors + <usize>row * bytes, bytes, min(GRAM_BLOCK, to - row));
    for (let i: usize = 0; i < rank; i++)
      for (let j = i & ~1; j < stride; j += 2) {
        const at = part + (i * stride + j) * 8;
        v128.store(at, f64x2.add(v128.load(at), f64x2.promote_low_f32x4(v128.load64_zero(scratch + i * bytes + (j << 2)))));
      }
  }
}

/** The parts' sum as f32; for whitening also L and L^-1 of G + lambda I = L LT, taken in f64. */
function prepare(side: usize, scratch: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const parts: usize = word(GRAM_PARTS);
  const chunks = gramChunks(side);
  for (let chunk: u32 = 1; chunk < chunks; chunk++) {
    const part = parts + <usize>chunk * stride * stride * 8;
    for (let k: usize = 0; k < stride * stride * 8; k += 16) v128.store(parts + k, f64x2.add(v128.load(parts + k), v128.load(part + k)));
  }
  const total: usize = word(GRAM);
  for (let k: usize = 0; k < stride * stride; k++) store<f32>(total + (k << 2), chunks ? <f32>load<f64>(parts + (k << 3)) : 0);
  const whole: usize = word(GRAM_DOUBLE);
  const lowerHalf = <u32>rank <= LANES_RANK;
  for (let i: usize = 0; i < rank; i++)
    for (let j: usize = 0; j <= i; j++)
      store<f64>(whole + ((i * stride + j) << 3), chunks ? load<f64>(parts + ((lowerHalf ? i * stride + j : j * stride + i) << 3)) : 0);
  if (!word(WHITEN)) return;

  // Row i of the lower triangle, in place of the upper's column i.
  const a = parts;
  const line = stride << 3;
  for (let i: usize = 0; i < rank; i++)
    for (let j: usize = 0; j <= i; j++) {
      let sum = chunks ? load<f64>(a + j * line + (i << 3)) : 0;
      if (i == j) sum += load<f64>(BASE + (LAMBDA << 2));
      for (let k: usize = 0; k < j; k++) sum -= load<f64>(a + i * line + (k << 3)) * load<f64>(a + j * line + (k << 3));
      if (i == j) store<f64>(a + i * line + (i << 3), sqrt(max(sum, load<f64>(BASE + (LAMBDA << 2)))));
      else store<f64>(a + i * line + (j << 3), sum / load<f64>(a + j * line + (j << 3)));
    }
  const lower: usize = word(LOWER);
  const inverse: usize = word(INVERSE);
  zero(lower, stride * stride * 4);
  zero(inverse, stride * stride * 4);
  for (let i: usize = 0; i < rank; i++)
    for (let j: usize = 0; j <= i; j++) store<f32>(lower + ((i * stride + j) << 2), <f32>load<f64>(a + i * line + (j << 3)));
  // Column c of the inverse by forward substitution; scratch is large enough for rank doubles.
  for (let c: usize = 0; c < rank; c++) {
    for (let i = c; i < rank; i++) {
      let sum: f64 = i == c ? 1 : 0;
      for (let k = c; k < i; k++) sum -= load<f64>(a + i * line + (k << 3)) * load<f64>(scratch + (k << 3));
      const x = sum / load<f64>(a + i * line + (i << 3));
      store<f64>(scratch + (i << 3), x);
      store<f32>(inverse + ((i * stride + c) << 2), <f32>x);
    }
  }
}

/** z = L^-1 y of a chunk of rows. */
function whiten(side: usize, chunk: u32): void {
  const rank: usize = word(RANK);
  const bytes: usize = <usize>word(STRIDE) << 2;
  const inverse: usize = word(INVERSE);
  const factors: usize = word(side + FACTORS);
  const whitened: usize = word(WHITENED);
  const from = chunk * WHITEN_ROWS;
  const to = min(from + WHITEN_ROWS, word(side + ROWS));
  for (let row: usize = from; row < <usize>to; row++) {
    const y = factors + row * bytes;
    const z = whitened + row * bytes;
    for (let i: usize = 0; i < rank; i++) {
      let total = f32x4.splat(0);
      const line = inverse + i * bytes;
      for (let k: usize = 0; k <= i << 2; k += 16) total = f32x4.add(total, f32x4.mul(v128.load(line + k), v128.load(y + k)));
      store<f32>(z + (i << 2), f32x4.extract_lane(total, 0) + f32x4.extract_lane(total, 1) + (f32x4.extract_lane(total, 2) + f32x4.extract_lane(total, 3)));
    }
    for (let i = rank; i < bytes >> 2; i++) store<f32>(z + (i << 2), 0);
  }
}
