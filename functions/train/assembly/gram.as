// YtY of one side's factors: each chunk of rows is summed separately in f64, then the chunks in order.
import { FACTORS, GRAM_PARTS, LANES, RANK, ROWS, STRIDE, word } from './parameters';
import { plusDouble } from './fused';
import { BLOCK } from './rows';
import { rankUpdate } from './tiles';

const GRAM_CHUNKS: u32 = 64;
/** How many rows' products are summed in single precision before they are added to a double. */
const GRAM_BLOCK: u32 = 2 * BLOCK;

@inline function gramRows(rows: u32): u32 {
  return max<u32>(512, (rows + GRAM_CHUNKS - 1) / GRAM_CHUNKS);
}

export function gramChunks(side: usize): u32 {
  const rows = word(side + ROWS);
  const each = gramRows(rows);
  return (rows + each - 1) / each;
}

/**
 * YtY of a chunk of rows, stored separately in f64: the lower triangle row by row if rows are solved in lanes,
 * otherwise in panels. `precise`: products in double precision too, which takes four times as long; in lanes always so.
 */
export function gram(side: usize, chunk: u32, scratch: usize, precise: bool): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const rows = word(side + ROWS);
  const each = gramRows(rows);
  const from = chunk * each;
  const to = min(from + each, rows);
  const part: usize = <usize>word(GRAM_PARTS) + <usize>chunk * stride * stride * 8;
  const factors: usize = word(side + FACTORS);
  const lanes = word(LANES) != 0;
  memory.fill(part, 0, stride * stride * 8);
  if (lanes || precise) {
    // Four rows at a time, in double.
    const wide = bytes << 1;
    for (let row: usize = from; row < <usize>to; row += 4) {
      for (let e: usize = 0; e < 4; e++)
        for (let k: usize = 0; k < stride; k += 2) {
          const y = v128.load64_zero(factors + min(row + e, <usize>to - 1) * bytes + (k << 2));
          v128.store(scratch + e * wide + (k << 3), row + e < <usize>to ? f64x2.promote_low_f32x4(y) : f64x2.splat(0));
        }
      for (let i: usize = 0; i < rank; i++) {
        const own = scratch + (i << 3);
        const x0 = v128.load64_splat(own), x1 = v128.load64_splat(own + wide);
        const x2 = v128.load64_splat(own + 2 * wide), x3 = v128.load64_splat(own + 3 * wide);
        // In lanes: row i up to the diagonal; otherwise: column i of the upper triangle, in panels of eight columns.
        for (let j: usize = lanes ? 0 : i & ~7; lanes ? j <= i : j < stride; j += 2) {
          const at = part + ((lanes ? i * stride + j : inPanels(i, j, stride)) << 3);
          const y = scratch + (j << 3);
          const two = plusDouble(plusDouble(v128.load(at), x0, v128.load(y)), x1, v128.load(y + wide));
          v128.store(at, plusDouble(plusDouble(two, x2, v128.load(y + 2 * wide)), x3, v128.load(y + 3 * wide)));
        }
      }
    }
    return;
  }
  const panels = scratch + stride * bytes;
  const panel = <usize>BLOCK << 5;
  for (let row = from; row < to; row += GRAM_BLOCK) {
    memory.fill(scratch, 0, stride * bytes);
    const stop = min(row + GRAM_BLOCK, to);
    for (let block = row; block < stop; block += BLOCK) {
      const count: usize = min(BLOCK, stop - block);
      const depth = (count + 3) & ~3;
      for (let e: usize = 0; e < depth; e++)
        for (let k: usize = 0; k < stride >> 3; k++) {
          const y = factors + (<usize>block + e) * bytes + (k << 5);
          const at = panels + k * panel + (e << 5);
          v128.store(at, e < count ? v128.load(y) : f32x4.splat(0));
          v128.store(at, e < count ? v128.load(y, 16) : f32x4.splat(0), 16);
        }
      rankUpdate(scratch, stride << 5, scratch, stride << 5, panels, panel, stride, depth);
    }
    for (let k: usize = 0; k < stride * bytes; k += 16) {
      const sum = v128.load(scratch + k);
      const at = part + (k << 1);
      v128.store(at, f64x2.add(v128.load(at), f64x2.promote_low_f32x4(sum)));
      v128.store(at, f64x2.add(v128.load(at, 16), f64x2.promote_low_f32x4(v128.shuffle<i64>(sum, sum, 1, 1))), 16);
    }
  }
}

/** Where element (i, j) is in panels of matrices with `n` rows. */
@inline export function inPanels(i: usize, j: usize, n: usize): usize {
  return (j >> 3) * (n << 3) + (i << 3) + (j & 7);
}

/** Sums all parts into the first. */
export function sumParts(side: usize): void {
  const bytes = <usize>word(STRIDE) * <usize>word(STRIDE) * 8;
  const parts: usize = word(GRAM_PARTS);
  const chunks = gramChunks(side);
  if (!chunks) memory.fill(parts, 0, bytes);
  for (let chunk: u32 = 1; chunk < chunks; chunk++) {
    const part = parts + <usize>chunk * bytes;
    for (let k: usize = 0; k < bytes; k += 16) v128.store(parts + k, f64x2.add(v128.load(parts + k), v128.load(part + k)));
  }
}
