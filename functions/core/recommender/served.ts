// A model ready to serve. Every kind of model is used through this interface: by requests, for the lists that training
// saves, and by the judge, so that a model is judged exactly as it is served.
import type { BlendModel, BlendPart, Model, ModelKind } from './model-file.ts';
import { scaled } from './ratings.ts';
import { folding, ranking, type Scored, scoresOf, similarity, topN } from './recommend.ts';

/** What a user pulled: indices in the model's `items`, each once, and how often. The order does not matter. */
interface History {
  items: number[];
  counts: number[];
}

/** A user as the model sees them; valid until the model is called for another user. */
interface Taste {
  /**
   * The best `n` repositories that `skip` does not exclude, best first, ties by index; only those with a positive
   * score.
   */
  best(n: number, skip: (item: number) => boolean): Scored[];
  /** What each pull of the history adds to the score of `item`, in the given order; may be negative. */
  parts(item: number): number[];
  /** Scores of all repositories. */
  scores(): ArrayLike<number>;
}

export interface Similar extends Scored {
  /** How many users pulled both; undefined for models that did not store it (files of version 1). */
  shared?: number;
}

export interface ServedModel {
  kind: ModelKind;
  items: string[];
  /** Index of a repository in `items`. */
  index: Map<string, number>;
  /** False for popularity: the same list for everybody, without reasons. */
  personal: boolean;
  taste(history: History): Taste;
  /** The nearest repositories, nearest first; `score` is the similarity, above 0. */
  similar(item: number, n: number, skip: (item: number) => boolean): Similar[];
}

export function servedModel(model: Model): ServedModel {
  const { kind, items, neighbours } = model;
  const common = { kind, items, index: new Map(items.map((item, at) => [item, at])) };
  const near = (item: number, n: number, skip: (item: number) => boolean): Similar[] => {
    const found: Similar[] = [];
    if (!neighbours) return found;
    for (let at = neighbours.starts[item]; at < neighbours.starts[item + 1] && found.length < n; at++)
      if (!skip(neighbours.columns[at]))
        found.push({
          ...{ item: neighbours.columns[at], score: neighbours.similarities[at] },
          shared: neighbours.shared[at],
        });
    return found;
  };
  if (model.kind === 'popular') return { ...common, personal: false, taste: samePopular(model.scores), similar: near };
  if (model.kind === 'als')
    return { ...common, personal: true, taste: byFactors(model), similar: neighbours ? near : byCosine(model) };
  const taste = model.kind === 'blend' ? byBlend(model) : byWeights(model, items.length);
  return { ...common, personal: true, taste, similar: near };
}

/** The weighted sum, by share, of each model's scores divided by their spread. */
function byBlend({ items, models, shares }: BlendModel): ServedModel['taste'] {
  const tastes = models.map((model) => (model.kind === 'als' ? byFactors(model) : byWeights(model, items.length)));
  const sums = new Float64Array(items.length);
  return (history) => {
    const own = tastes.map((taste) => taste(history));
    sums.fill(0);
    const factors = own.map((taste, n) => {
      const scores = taste.scores();
      const factor = shares[n] * inSpreads(scores);
      for (let item = 0; item < sums.length; item++) sums[item] += factor * scores[item];
      return factor;
    });
    return {
      best: (n, skip) => topN(sums, n, (item) => !(sums[item] > 0) || skip(item)),
      parts(item) {
        const parts = own.map((taste) => taste.parts(item));
        return history.items.map((_, at) => parts.reduce((sum, part, n) => sum + factors[n] * part[at], 0));
      },
      scores: () => sums,
    };
  };
}

/** The factor that makes the root mean square of the scores 1; 0 if all are 0. */
function inSpreads(scores: ArrayLike<number>): number {
  let sum = 0;
  for (let item = 0; item < scores.length; item++) sum += scores[item] ** 2;
  return sum > 0 ? Math.sqrt(scores.length / sum) : 0;
}

function byFactors(model: Extract<BlendPart, { kind: 'als' }>): ServedModel['taste'] {
  const { rank, factors: items, countScale } = model;
  const fold = folding({ rank, items }, model);
  const best = ranking({ rank, items });
  return ({ items: pulled, counts }) => {
    const values = counts.map((count) => scaled(countScale, count));
    const { factors, explain } = fold(pulled, values);
    return {
      best: (n, skip) => best(factors, n, (item, score) => !(score > 0) || skip(item)),
      parts: explain,
      scores: () => scoresOf({ rank, items }, factors),
    };
  };
}

/** Recommends by factors alone, which is all that a file of version 1 has. */
function byCosine({ rank, factors: items }: Extract<BlendPart, { kind: 'als' }>): ServedModel['similar'] {
  return (item, n, skip) => {
    const cosines = similarity({ rank, items }, items.subarray(item * rank, (item + 1) * rank));
    return topN(cosines, n, (other) => other === item || !(cosines[other] > 0) || skip(other));
  };
}

function byWeights(
  { starts, columns, weights, countScale }: Exclude<BlendPart, { kind: 'als' }>,
  items: number,
): ServedModel['taste'] {
  const sums = new Float64Array(items);
  /** Index of the weight from `from` to `to`, or -1. */
  const find = (from: number, to: number) => {
    let low = starts[from];
    let high = starts[from + 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (columns[middle] < to) low = middle + 1;
      else high = middle;
    }
    return low < starts[from + 1] && columns[low] === to ? low : -1;
  };
  return ({ items: pulled, counts }) => {
    const values = counts.map((count) => scaled(countScale, count));
    sums.fill(0);
    for (let n = 0; n < pulled.length; n++)
      for (let at = starts[pulled[n]]; at < starts[pulled[n] + 1]; at++) sums[columns[at]] += values[n] * weights[at];
    return {
      best: (n, skip) => topN(sums, n, (item) => !(sums[item] > 0) || skip(item)),
      parts: (item) =>
        pulled.map((own, n) => {
          const at = find(own, item);
          return at < 0 ? 0 : values[n] * weights[at];
        }),
      scores: () => sums,
    };
  };
}

function samePopular(scores: Float32Array): ServedModel['taste'] {
  return ({ items }) => ({
    best: (n, skip) => topN(scores, n, (item) => !(scores[item] > 0) || skip(item)),
    parts: () => items.map(() => 0),
    scores: () => scores,
  });
}
