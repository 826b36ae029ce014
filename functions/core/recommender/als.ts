// Alternating least squares for implicit feedback: Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback
// Datasets" (ICDM 2008). A pull count r is confidence 1 + alpha r in the preference 1; a repository that was not pulled
// has preference 0 with confidence 1. With the other side's factors Y fixed, a row's factors are
//
//   x = (YtY + Yt(C - I)Y + lambda I)^-1 Yt C p
//
// where C - I is alpha r in the few pulled columns and 0 elsewhere, so that a row costs entries x rank^2 + rank^3.
import type { Entry } from './entries.ts';
import { compress, type Rows } from './ratings.ts';

export interface AlsOptions {
  rank: number;
  iterations: number;
  lambda: number;
  alpha: number;
}

/** The parameters of this project's predecessor. */
export const alsDefaults: AlsOptions = { rank: 10, iterations: 5, lambda: 0.01, alpha: 1 };

const most = 4096;

/**
 * Returns the given options, with defaults for the rest. @throws RangeError that names the option, its value and what
 * it must be.
 */
export function checkedAls(given: Partial<AlsOptions>): AlsOptions {
  const options = { ...alsDefaults, ...given };
  for (const name of Object.keys(given))
    if (!Object.hasOwn(alsDefaults, name))
      throw new RangeError(`unknown option "${name}": must be one of ${Object.keys(alsDefaults).join(', ')}`);
  const { rank, iterations, lambda, alpha } = options;
  for (const [name, value] of Object.entries({ rank, iterations }))
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new RangeError(`${name} is ${value}: must be an integer from 1 to ${most}`);
  if (!(Number.isFinite(lambda) && lambda > 0))
    throw new RangeError(`lambda is ${lambda}: must be above 0 to keep the equations solvable`);
  if (!(Number.isFinite(alpha) && alpha >= 0)) throw new RangeError(`alpha is ${alpha}: must be 0 or more`);
  return options;
}

export interface Factors {
  rank: number;
  /** Row-major, users x rank and items x rank. */
  users: Float32Array;
  items: Float32Array;
}

/** Fits users x items entries; `random` in [0, 1) makes the items' first factors. Deterministic for a seed. */
export function fit(
  entries: Entry[],
  users: number,
  items: number,
  options: AlsOptions,
  random: () => number,
): Factors {
  const { rank, iterations } = options;
  const byUser = compress(
    entries,
    users,
    (entry) => entry.user,
    (entry) => entry.item,
  );
  const byItem = compress(
    entries,
    items,
    (entry) => entry.item,
    (entry) => entry.user,
  );
  const factors: Factors = { rank, users: new Float32Array(users * rank), items: randomStart(items, rank, random) };
  for (let iteration = 0; iteration < iterations; iteration++) {
    solveSide(byUser, factors.items, factors.users, options);
    solveSide(byItem, factors.users, factors.items, options);
  }
  return factors;
}

/** The items' first factors, row-major, items x rank. Users are solved first, from these alone, so they need none. */
export function randomStart(items: number, rank: number, random: () => number): Float32Array {
  const start = new Float32Array(items * rank);
  for (let k = 0; k < start.length; k++) start[k] = (random() - 0.5) / rank;
  return start;
}

/** Solves every row of one side against the other side's factors, in place. */
export function solveSide(rows: Rows, other: Float32Array, target: Float32Array, options: AlsOptions): void {
  const solve = rowSolver(other, options);
  const { rank } = options;
  for (let row = 0; row + 1 < rows.starts.length; row++) {
    const from = rows.starts[row];
    const to = rows.starts[row + 1];
    target.set(solve(rows.columns.subarray(from, to), rows.values.subarray(from, to)), row * rank);
  }
}

/** Returns a solver of single rows against fixed factors; its result is valid until the next call. */
export function rowSolver(other: Float32Array, { rank, lambda, alpha }: Omit<AlsOptions, 'iterations'>) {
  const gram = gramOf(other, rank);
  const a = new Float64Array(rank * rank);
  const b = new Float64Array(rank);
  return (columns: ArrayLike<number>, values: ArrayLike<number>): Float64Array => {
    a.set(gram);
    b.fill(0);
    for (let i = 0; i < rank; i++) a[i * rank + i] += lambda;
    for (let n = 0; n < columns.length; n++) {
      const weight = alpha * values[n];
      const y = columns[n] * rank;
      for (let i = 0; i < rank; i++) {
        const yi = other[y + i];
        b[i] += (1 + weight) * yi;
        for (let j = 0; j <= i; j++) a[i * rank + j] += weight * yi * other[y + j];
      }
    }
    return choleskySolve(a, b, rank);
  };
}

/** YtY, lower triangle. */
export function gramOf(factors: Float32Array, rank: number): Float64Array {
  const gram = new Float64Array(rank * rank);
  for (let row = 0; row < factors.length; row += rank)
    for (let i = 0; i < rank; i++)
      for (let j = 0; j <= i; j++) gram[i * rank + j] += factors[row + i] * factors[row + j];
  return gram;
}

/** Solves A x = b in place, for a symmetric positive definite A given as its lower triangle. */
export function choleskySolve(a: Float64Array, b: Float64Array, n: number): Float64Array {
  choleskyFactor(a, n);
  return choleskySubstitute(a, b, n);
}

/** Factorizes A = L LT in place, in the lower triangle. */
export function choleskyFactor(a: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) {
    let pivot = a[j * n + j];
    for (let k = 0; k < j; k++) pivot -= a[j * n + k] ** 2;
    pivot = Math.sqrt(pivot);
    a[j * n + j] = pivot;
    for (let i = j + 1; i < n; i++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = sum / pivot;
    }
  }
}

/** Solves L LT x = b in place. */
export function choleskySubstitute(l: Float64Array, b: Float64Array, n: number): Float64Array {
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) b[i] -= l[i * n + k] * b[k];
    b[i] /= l[i * n + i];
  }
  // Goes by rows of L, as they are in memory: each solved value is subtracted from all above it.
  for (let i = n - 1; i >= 0; i--) {
    b[i] /= l[i * n + i];
    for (let k = 0; k < i; k++) b[k] -= l[i * n + k] * b[i];
  }
  return b;
}
