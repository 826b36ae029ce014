// What a user will want next, from the factors of repositories.
import { choleskyFactor, choleskySubstitute, gramOf } from './als.ts';

export interface Scored {
  item: number;
  score: number;
}

export interface ItemModel {
  rank: number;
  /** Row-major, items x rank. */
  items: Float32Array;
}

/** The best `n` items by score, highest first, ties by index, without those that `skip` selects. */
export function topN(scores: ArrayLike<number>, n: number, skip: (item: number) => boolean): Scored[] {
  const found: Scored[] = [];
  for (let item = 0; n > 0 && item < scores.length; item++) {
    const score = scores[item];
    if (found.length === n && score <= found[n - 1].score) continue;
    if (skip(item)) continue;
    let at = found.length;
    while (at > 0 && found[at - 1].score < score) at--;
    found.splice(at, 0, { item, score });
    if (found.length > n) found.pop();
  }
  return found;
}

/** Scores of every item for a vector of factors. */
export function scoresOf({ rank, items }: ItemModel, factors: ArrayLike<number>): Float32Array {
  const scores = new Float32Array(items.length / rank);
  for (let item = 0; item < scores.length; item++) {
    let sum = 0;
    for (let k = 0; k < rank; k++) sum += items[item * rank + k] * factors[k];
    scores[item] = sum;
  }
  return scores;
}

/** How many pulls are added to a user's system at once. */
const together = 4;
/** How many items are scored at once: four independent sums. */
const block = 4;
/**
 * Scores are rounded to float32 but the bound is not, so it may be too small by its last bits: this makes up for it.
 */
const rounding = 1 + 1e-6;

/**
 * The best items of a vector of factors, the same as topN(scoresOf(model, factors), n, skip), but usually without
 * scoring every item. By Cauchy-Schwarz no score is above |x||y|. Items are sorted by descending |y| once per model, so
 * the search ends when that bound is below the worst score in the list.
 */
export function ranking({ rank, items }: ItemModel) {
  const count = items.length / rank;
  const lengths = new Float64Array(count);
  for (let item = 0; item < count; item++) lengths[item] = lengthOf(items.subarray(item * rank, (item + 1) * rank));
  const order = Uint32Array.from(lengths.keys()).sort((a, b) => lengths[b] - lengths[a] || a - b);
  // Whole blocks: the last is padded with zero vectors, which are never returned.
  const sorted = new Float32Array(Math.ceil(count / block) * block * rank);
  order.forEach((item, at) => {
    sorted.set(items.subarray(item * rank, (item + 1) * rank), at * rank);
  });
  const scores = new Float32Array(block);

  return (factors: ArrayLike<number>, n: number, skip: (item: number, score: number) => boolean): Scored[] => {
    const found: Scored[] = [];
    const x = new Float64Array(factors);
    const bound = lengthOf(x) * rounding;
    for (let first = 0; n > 0 && first < count; first += block) {
      if (found.length === n && lengths[order[first]] * bound < found[n - 1].score) break;
      const a = first * rank;
      const [b, c, d] = [a + rank, a + 2 * rank, a + 3 * rank];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let k = 0; k < rank; k++) {
        const xk = x[k];
        s0 += sorted[a + k] * xk;
        s1 += sorted[b + k] * xk;
        s2 += sorted[c + k] * xk;
        s3 += sorted[d + k] * xk;
      }
      scores[0] = s0;
      scores[1] = s1;
      scores[2] = s2;
      scores[3] = s3;
      const last = Math.min(block, count - first);
      for (let lane = 0; lane < last; lane++) insert(found, n, order[first + lane], scores[lane], skip);
    }
    return found;
  };
}

/** Keeps the best n in `found`, ties by index, in whatever order items come. */
function insert(
  found: Scored[],
  n: number,
  item: number,
  score: number,
  skip: (item: number, score: number) => boolean,
): void {
  const before = (other: Scored) => other.score > score || (other.score === score && other.item < item);
  if (found.length === n && before(found[n - 1])) return;
  if (skip(item, score)) return;
  let at = found.length;
  while (at > 0 && !before(found[at - 1])) at--;
  found.splice(at, 0, { item, score });
  if (found.length > n) found.pop();
}

function lengthOf(values: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < values.length; k++) sum += values[k] ** 2;
  return Math.sqrt(sum);
}

/** A user as the model sees them. */
export interface Person {
  factors: Float64Array;
  /** The contributions of their pulls to the score of `item`, in the given order; they add up to the score. */
  explain(item: number): number[];
}

/**
 * Folds in users at request time: computes their factors from their pulls with fixed item factors, as training would in
 * its last half step. The Gram matrix is computed once per model, so a user costs pulls x rank^2 + rank^3. The
 * contributions are those of Hu, Koren, Volinsky, section 5: score = y^T (YtCY + lambda I)^-1 sum over pulled u of c_u
 * y_u.
 */
export function folding(
  { rank, items }: ItemModel,
  { lambda, alpha, weightedLambda = false }: { lambda: number; alpha: number; weightedLambda?: boolean },
) {
  const gram = gramOf(items, rank);
  return (pulled: number[], pulls: number[]): Person => {
    const a = gram.slice();
    // As in training, but the system of a user without pulls must not be singular.
    const ridge = weightedLambda ? lambda * Math.max(1, pulled.length) : lambda;
    for (let i = 0; i < rank; i++) a[i * rank + i] += ridge;
    const factors = new Float64Array(rank);
    // Adds four pulls at a time, so that each cell of the matrix is read and written once for four products.
    const weights = new Float64Array(together);
    const rows = Array.from({ length: together }, () => new Float64Array(rank));
    const [y0, y1, y2, y3] = rows;
    for (let from = 0; from < pulled.length; from += together) {
      for (let n = 0; n < together; n++) {
        const here = from + n < pulled.length;
        weights[n] = here ? alpha * pulls[from + n] : 0;
        const y = here ? pulled[from + n] * rank : 0;
        for (let k = 0; k < rank; k++) rows[n][k] = items[y + k];
        if (here) for (let k = 0; k < rank; k++) factors[k] += (1 + weights[n]) * rows[n][k];
      }
      for (let i = 0; i < rank; i++) {
        const [w0, w1] = [weights[0] * y0[i], weights[1] * y1[i]];
        const [w2, w3] = [weights[2] * y2[i], weights[3] * y3[i]];
        const row = i * rank;
        for (let j = 0; j <= i; j++) a[row + j] += w0 * y0[j] + w1 * y1[j] + (w2 * y2[j] + w3 * y3[j]);
      }
    }
    choleskyFactor(a, rank);
    return {
      factors: choleskySubstitute(a, factors, rank),
      explain(item) {
        const weights = choleskySubstitute(a, new Float64Array(items.subarray(item * rank, (item + 1) * rank)), rank);
        return pulled.map((own, n) => {
          let share = 0;
          for (let k = 0; k < rank; k++) share += weights[k] * items[own * rank + k];
          return share * (1 + alpha * pulls[n]);
        });
      },
    };
  };
}

/**
 * The `n` greatest contributions to a score, as shares of all positive ones. Negative contributions are dropped: the
 * positive ones add up to 1, so that some of them never add up to more. Ties by index.
 */
export function sharesOf(parts: number[], n: number): { at: number; share: number }[] {
  let whole = 0;
  for (const part of parts) if (part > 0) whole += part;
  return topN(parts, n, (at) => !(parts[at] > 0)).map(({ item, score }) => ({ at: item, share: score / whole }));
}

/** The cosine of every item with a vector. */
export function similarity({ rank, items }: ItemModel, to: ArrayLike<number>): Float32Array {
  const cosines = scoresOf({ rank, items }, to);
  const length = lengthOf(to);
  for (let item = 0; item < cosines.length; item++)
    cosines[item] /= lengthOf(items.subarray(item * rank, (item + 1) * rank)) * length || 1;
  return cosines;
}
