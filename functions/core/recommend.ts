// What a person will want next, from factors of images.
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

/** The best `n` items by score, most first, ties by index; what `skip` says is left out. */
export function topN(scores: ArrayLike<number>, n: number, skip: (item: number) => boolean): Scored[] {
  const found: Scored[] = [];
  for (let item = 0; item < scores.length; item++) {
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

/** A person as the model sees them. */
export interface Person {
  factors: Float64Array;
  /** The shares of their own pulls in the score of `item`, in the order given; they add up to the score. */
  explain(item: number): number[];
}

/**
 * Folds people in at request time: their factors from their pulls against fixed items, what training would give them in
 * its last half step. The Gram matrix is made once a model, so that a person costs their pulls x rank^2 + rank^3.
 * The shares are those of Hu, Koren, Volinsky, section 5: score = y^T (YtCY + lambda I)^-1 sum over pulled u of c_u y_u.
 */
export function folding({ rank, items }: ItemModel, { lambda, alpha }: { lambda: number; alpha: number }) {
  const gram = gramOf(items, rank);
  for (let i = 0; i < rank; i++) gram[i * rank + i] += lambda;
  return (pulled: number[], pulls: number[]): Person => {
    const a = gram.slice();
    const factors = new Float64Array(rank);
    pulled.forEach((own, n) => {
      const weight = alpha * pulls[n];
      const y = own * rank;
      for (let i = 0; i < rank; i++) {
        factors[i] += (1 + weight) * items[y + i];
        for (let j = 0; j <= i; j++) a[i * rank + j] += weight * items[y + i] * items[y + j];
      }
    });
    choleskyFactor(a, rank);
    return {
      factors: choleskySubstitute(a, factors, rank),
      explain(item) {
        const weights = choleskySubstitute(a, Float64Array.from(items.subarray(item * rank, (item + 1) * rank)), rank);
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
 * The `n` greatest parts of a score as shares of what speaks for it. A part below nought speaks against and has no share:
 * the positive ones alone add up to 1, so that a few of them never add up to more. Ties by index.
 */
export function sharesOf(parts: number[], n: number): { at: number; share: number }[] {
  let whole = 0;
  for (const part of parts) if (part > 0) whole += part;
  return topN(parts, n, (at) => !(parts[at] > 0)).map(({ item, score }) => ({ at: item, share: score / whole }));
}

/** Cosine of every item with one vector. */
export function similarity({ rank, items }: ItemModel, to: ArrayLike<number>): Float32Array {
  const cosines = scoresOf({ rank, items }, to);
  let length = 0;
  for (let k = 0; k < rank; k++) length += to[k] ** 2;
  for (let item = 0; item < cosines.length; item++) {
    let own = 0;
    for (let k = 0; k < rank; k++) own += items[item * rank + k] ** 2;
    cosines[item] /= Math.sqrt(own * length) || 1;
  }
  return cosines;
}
