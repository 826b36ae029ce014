// What `/v1/similar` serves: each repository's nearest ones by the model that won, if enough users pulled both.
import { knn } from '#core/recommender/item-weights.ts';
import type { BlendModel, FactorModel, Model, Neighbours, WeightModel } from '#core/recommender/model-file.ts';
import { type Rows, transposedInParts } from '#core/recommender/ratings.ts';
import { topLists } from './top.ts';

/** Fewest users who pulled both: one alone says something about that user, not about the repositories. */
const leastShared = 2;
const most = 50;
/** How many are considered for each repository, before those with too few common users are left out. */
const looked = 200;

/** The nearest repositories, nearest first, ties by index, without those that have fewer than two common users. */
export function neighboursOf(model: Model, byUser: Rows): Neighbours {
  const items = model.items.length;
  const nearest = nearestOf(model.kind === 'blend' ? strongest(model) : model, byUser);
  const counts = new Uint32Array(items);
  const starts = new Uint32Array(items + 1);
  const columns: number[] = [];
  const similarities: number[] = [];
  const shared: number[] = [];
  const add = (item: number, users: Uint32Array) => {
    counts.fill(0);
    for (const user of users)
      for (let m = byUser.starts[user]; m < byUser.starts[user + 1]; m++) counts[byUser.columns[m]]++;
    let left = most;
    for (const { other, similarity } of nearest(item)) {
      if (left === 0 || !(similarity > 0)) break;
      if (other === item || counts[other] < leastShared) continue;
      columns.push(other);
      similarities.push(similarity);
      shared.push(counts[other]);
      left--;
    }
    starts[item + 1] = columns.length;
  };
  for (const { from, rows } of transposedInParts(byUser, items))
    for (let row = 0; row + 1 < rows.starts.length; row++)
      add(from + row, rows.columns.subarray(rows.starts[row], rows.starts[row + 1]));
  return {
    ...{ starts, columns: Uint32Array.from(columns) },
    ...{ similarities: Float32Array.from(similarities), shared: Uint32Array.from(shared) },
  };
}

/** The part with the greatest share. */
function strongest({ items, shares, models }: BlendModel): FactorModel | WeightModel {
  return { items, ...models[shares.indexOf(Math.max(...shares))] };
}

type Near = { other: number; similarity: number }[];

/**
 * Returns what is nearest to a repository, nearest first: by weights, by the cosine of factors or, for popularity, by
 * common users.
 */
function nearestOf(model: Exclude<Model, BlendModel>, byUser: Rows): (item: number) => Near {
  const items = model.items.length;
  if (model.kind === 'als') {
    const { rank, factors } = model;
    const unit = new Float32Array(factors.length);
    for (let item = 0; item < items; item++) {
      let sum = 0;
      for (let k = item * rank; k < (item + 1) * rank; k++) sum += factors[k] ** 2;
      const length = Math.sqrt(sum) || 1;
      for (let k = item * rank; k < (item + 1) * rank; k++) unit[k] = factors[k] / length;
    }
    const none: Rows = { starts: new Uint32Array(items + 1), columns: new Uint32Array(), values: new Float32Array() };
    const lists = topLists({ rank, users: unit, items: unit }, none, looked);
    return (item) =>
      Array.from({ length: lists.counts[item] }, (_, at) => ({
        other: lists.items[item * looked + at],
        similarity: lists.scores[item * looked + at],
      }));
  }
  const { starts, columns, weights } =
    model.kind === 'popular'
      ? knn(byUser, items, {
          ...{ k: looked, shrink: 0, sourcePower: 0.5, targetPower: 0.5 },
          ...{ userWeight: 'none', countScale: 'binary' },
        })
      : model;
  return (item) =>
    Array.from(columns.subarray(starts[item], starts[item + 1]), (other, at) => ({
      ...{ other, similarity: weights[starts[item] + at] },
    })).sort((a, b) => b.similarity - a.similarity || a.other - b.other);
}
