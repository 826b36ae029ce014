// Solves one row in double precision, without vector code: for the few rows whose equations are too near singular for
// single precision (huge counts with a small lambda, a single user, the same pair many times).
import { ALPHA, BASE, COLUMNS, FACTORS, GRAM_DOUBLE, LAMBDA, RANK, STARTS, STRIDE, VALUES, WEIGHTED, word } from './parameters';

/** A pivot that keeps less than this of its diagonal has lost more than single precision can afford. */
export const POOR: f32 = 2e-4;

/** Scratch: rank + 2 rows of f64. */
export function solveDouble(side: usize, other: usize, row: usize, a: usize): void {
  const rank: usize = word(RANK);
  const bytes: usize = <usize>word(STRIDE) << 2;
  const line = bytes << 1;
  const b = a + rank * line;
  const gram: usize = word(GRAM_DOUBLE);
  const starts: usize = word(side + STARTS);
  const begin: usize = load<u32>(starts + (row << 2));
  const end: usize = load<u32>(starts + (row << 2) + 4);
  const alpha = load<f64>(BASE + (ALPHA << 2));
  let lambda = load<f64>(BASE + (LAMBDA << 2));
  if (word(WEIGHTED)) lambda *= <f64>(end - begin);
  memory.copy(a, gram, rank * line);
  memory.fill(b, 0, line);
  for (let i: usize = 0; i < rank; i++) store<f64>(a + i * line + (i << 3), load<f64>(a + i * line + (i << 3)) + lambda);
  for (let n = begin; n < end; n++) {
    const weight = alpha * <f64>load<f32>(<usize>word(side + VALUES) + (n << 2));
    const y: usize = <usize>word(other + FACTORS) + <usize>load<u32>(<usize>word(side + COLUMNS) + (n << 2)) * bytes;
    for (let i: usize = 0; i < rank; i++) {
      const yi = <f64>load<f32>(y + (i << 2));
      store<f64>(b + (i << 3), load<f64>(b + (i << 3)) + (1 + weight) * yi);
      for (let j: usize = 0; j <= i; j++) {
        const at = a + i * line + (j << 3);
        store<f64>(at, load<f64>(at) + weight * yi * <f64>load<f32>(y + (j << 2)));
      }
    }
  }
  for (let i: usize = 0; i < rank; i++) {
    for (let j: usize = 0; j <= i; j++) {
      let sum = load<f64>(a + i * line + (j << 3));
      for (let k: usize = 0; k < j; k++) sum -= load<f64>(a + i * line + (k << 3)) * load<f64>(a + j * line + (k << 3));
      store<f64>(a + i * line + (j << 3), i == j ? sqrt(max(sum, lambda)) : sum / load<f64>(a + j * line + (j << 3)));
    }
    let sum = load<f64>(b + (i << 3));
    for (let k: usize = 0; k < i; k++) sum -= load<f64>(a + i * line + (k << 3)) * load<f64>(b + (k << 3));
    store<f64>(b + (i << 3), sum / load<f64>(a + i * line + (i << 3)));
  }
  const x: usize = <usize>word(side + FACTORS) + row * bytes;
  let i = rank;
  while (i > 0) {
    i--;
    const value = load<f64>(b + (i << 3)) / load<f64>(a + i * line + (i << 3));
    for (let k: usize = 0; k < i; k++) store<f64>(b + (k << 3), load<f64>(b + (k << 3)) - value * load<f64>(a + i * line + (k << 3)));
    store<f32>(x + (i << 2), <f32>value);
  }
}
