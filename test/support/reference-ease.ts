import { choleskyFactor, choleskySubstitute } from '#core/recommender/als.ts';
import { type EaseOptions, scaledRows } from '#core/recommender/item-weights.ts';
import type { Rows } from '#core/recommender/ratings.ts';

/**
 * The reference implementation of EASE, in double precision, with all weights: B = I - P diag(P)^-1 with P = (XtX +
 * ridges)^-1 (Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019). Row-major, from item to item.
 * Takes items^3 operations.
 */
export function referenceEase(byUser: Rows, items: number, { lambda, denoise, countScale }: EaseOptions): Float64Array {
  const { starts, columns, values } = scaledRows(byUser, items, countScale);
  const gram = new Float64Array(items * items);
  for (let user = 0; user + 1 < starts.length; user++)
    for (let a = starts[user]; a < starts[user + 1]; a++)
      for (let b = starts[user]; b < starts[user + 1]; b++)
        gram[columns[a] * items + columns[b]] += values[a] * values[b];
  for (let i = 0; i < items; i++) gram[i * items + i] += lambda + denoise * gram[i * items + i];
  choleskyFactor(gram, items);
  const weights = new Float64Array(items * items);
  for (let j = 0; j < items; j++) {
    const column = new Float64Array(items);
    column[j] = 1;
    choleskySubstitute(gram, column, items);
    for (let i = 0; i < items; i++) if (i !== j) weights[i * items + j] = -column[i] / column[j];
  }
  return weights;
}
