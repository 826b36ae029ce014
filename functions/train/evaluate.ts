// How good a model is, beside what anybody would try first: what most people pull, and what those who pulled the same
// pulled too. Every answer is judged on the same people and held-out pulls.

import { seeded } from '#core/bytes/random.ts';
import type { AlsOptions } from '#core/recommender/als.ts';
import { auc } from '#core/recommender/auc.ts';
import type { Evaluation, Scores } from '#core/recommender/model-list.ts';
import { compress, type Entry } from '#core/recommender/ratings.ts';
import { folding, type ItemModel, scoresOf, topN } from '#core/recommender/recommend.ts';

/** Scores of every image for one person; valid until the next call. */
export type Recommender = (user: number) => ArrayLike<number>;

export interface World {
  users: number;
  items: number;
  /** What may be learned from. */
  train: Entry[];
  /** What is to be found again; no pair is in both. */
  test: Entry[];
}

/** Length of the lists that NDCG, recall and coverage look at. */
const listLength = 10;
/** People judged at most, chosen by the seed: AUC then moves by about 0.003 from one choice to the next. */
const mostPeople = 2000;
/** Of an image's people so many, spread evenly over its row, tell what else is pulled with it. */
const mostNeighbours = 200;

/** Judges a model of what may be learned from, as it is served, and both baselines. */
export function evaluate(world: World, model: ItemModel, options: AlsOptions, seed: number): Evaluation {
  const scoring = scorer(world, seed);
  return {
    als: model.items.every(Number.isFinite) ? scoring(byFolding(model, world, options)) : { people: 0 },
    similar: scoring(pulledTogether(world)),
    popular: scoring(popular(world)),
  };
}

/** Scores as they are served: a person's factors follow from their pulls and the images' factors. */
export function byFolding(model: ItemModel, { users, train }: World, options: AlsOptions): Recommender {
  const { starts, columns, values } = compress(
    train,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );
  const fold = folding(model, options);
  return (user) => {
    const [from, to] = [starts[user], starts[user + 1]];
    return scoresOf(model, fold([...columns.subarray(from, to)], [...values.subarray(from, to)]).factors);
  };
}

/** The first baseline: images by how many people pulled them. */
export function popular({ items, train }: World): Recommender {
  const people = new Float32Array(items);
  for (const { item } of train) people[item]++;
  return () => people;
}

/**
 * Scores recommenders on one world. AUC: the chance that a held-out pull ranks above a random image never pulled.
 * NDCG@10 (binary gains, ideal order as 1) and recall@10 (share of the held-out found, of at most ten) leave out what
 * was pulled in training. Means over people; those who pulled nothing in training are not judged, as no model knows
 * them: they are served what is popular. Coverage: share of the images that anybody is shown.
 */
export function scorer({ users, items, train, test }: World, seed: number): (recommender: Recommender) => Scores {
  const heldBy = Map.groupBy(test, ({ user }) => user);
  const rows = compress(
    train,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );
  const known = [...heldBy.keys()].filter((user) => rows.starts[user + 1] > rows.starts[user]);
  const people = chosen(known, mostPeople, seeded(seed)).map((user) => {
    const seen = new Set(rows.columns.subarray(rows.starts[user], rows.starts[user + 1]));
    const held = heldBy.get(user) as Entry[];
    const wanted = new Set(held.map(({ item }) => item));
    return { user, seen, held, wanted, pulled: new Set([...seen, ...wanted]) };
  });

  return (recommender) => {
    if (people.length === 0) return { people: 0 };
    const shown = new Set<number>();
    const aucs: number[] = [];
    let ndcg = 0;
    let recall = 0;
    for (const { user, seen, held, wanted, pulled } of people) {
      const scores = recommender(user);
      const own = auc(
        held,
        items,
        () => pulled,
        () => scores,
      );
      if (own !== undefined) aucs.push(own);
      let gain = 0;
      let ideal = 0;
      let hits = 0;
      topN(scores, listLength, (item) => seen.has(item)).forEach(({ item }, place) => {
        shown.add(item);
        if (!wanted.has(item)) return;
        gain += 1 / Math.log2(place + 2);
        hits++;
      });
      const most = Math.min(wanted.size, listLength);
      for (let place = 0; place < most; place++) ideal += 1 / Math.log2(place + 2);
      ndcg += gain / ideal;
      recall += hits / most;
    }
    return {
      people: people.length,
      auc: aucs.length === 0 ? undefined : aucs.reduce((sum, one) => sum + one) / aucs.length,
      ndcg: ndcg / people.length,
      recall: recall / people.length,
      coverage: shown.size / items,
    };
  };
}

/** The second: images by how often they are pulled by the same people as one's own: cosine of the columns, summed. */
export function pulledTogether({ users, items, train }: World): Recommender {
  const byUser = compress(
    train,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );
  const byItem = compress(
    train,
    items,
    ({ item }) => item,
    ({ user }) => user,
  );
  const norms = Float64Array.from({ length: items }, (_, item) =>
    Math.sqrt(Math.max(1, byItem.starts[item + 1] - byItem.starts[item])),
  );
  const scores = new Float64Array(items);
  return (user) => {
    scores.fill(0);
    for (let own = byUser.starts[user]; own < byUser.starts[user + 1]; own++) {
      const item = byUser.columns[own];
      const first = byItem.starts[item];
      const all = byItem.starts[item + 1] - first;
      const taken = Math.min(all, mostNeighbours);
      // Each stands for all / taken people, and the cosine divides by the root of all.
      const weight = Math.sqrt(all) / taken;
      for (let n = 0; n < taken; n++) {
        const neighbour = byItem.columns[first + Math.floor((n * all) / taken)];
        const end = byUser.starts[neighbour + 1];
        for (let m = byUser.starts[neighbour]; m < end; m++) scores[byUser.columns[m]] += weight;
      }
    }
    for (let item = 0; item < items; item++) scores[item] /= norms[item];
    return scores;
  };
}

/** `count` of the values, each as likely as the other, in their order. */
function chosen(values: number[], count: number, random: () => number): number[] {
  let left = count;
  return values.filter((_, at) => {
    if (random() * (values.length - at) >= left) return false;
    left--;
    return true;
  });
}
