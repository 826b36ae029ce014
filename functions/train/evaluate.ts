// How good a model is: every candidate is judged on the same users and held-out pulls.

import { seeded } from '#core/bytes/random.ts';
import type { AlsOptions } from '#core/recommender/als.ts';
import type { Entries } from '#core/recommender/entries.ts';
import type { Scores } from '#core/recommender/model-list.ts';
import { type Rows, rowsOf } from '#core/recommender/ratings.ts';
import { folding, type ItemModel, scoresOf, topN } from '#core/recommender/recommend.ts';
import type { ServedModel } from '#core/recommender/served.ts';
import type { Training } from './candidates.ts';

/** Returns the scores of every repository for one user; valid until the next call. */
export type Recommender = (user: number) => ArrayLike<number>;

export interface World {
  users: number;
  items: number;
  /** The training pairs. */
  train: Entries;
  /** The held-out pairs; no pair is in both. */
  test: Entries;
}

/** The length of the lists for NDCG, recall and coverage. */
const listLength = 10;
/** The length of the lists for recall@20. */
const longList = 20;
/** The most users that are judged, chosen by the seed: AUC varies by about 0.003 with the choice. */
const mostPeople = 2000;

/** Scores as they are served: a user's factors are folded in from their pulls. */
export function byFolding(model: ItemModel, { users, train }: World, options: AlsOptions): Recommender {
  const { starts, columns, values } = rowsOf(train, users);
  const fold = folding(model, options);
  return (user) => {
    const [from, to] = [starts[user], starts[user + 1]];
    return scoresOf(model, fold([...columns.subarray(from, to)], [...values.subarray(from, to)]).factors);
  };
}

/** Repositories by how many users pulled them. */
export function popular({ items, train }: World): Recommender {
  const people = new Float32Array(items);
  train.forEach(({ item }) => {
    people[item]++;
  });
  return () => people;
}

/** The result of one recommender; `ndcgs` has a value per user, so that two can be compared on the same users. */
export interface Judged {
  scores: Scores;
  ndcgs: Float64Array;
}

/**
 * Scores recommenders on one world. AUC: the chance that a held-out pull ranks above a random repository never pulled.
 * NDCG@10 (binary gains, ideal order as 1), recall@10 and recall@20 (the found share of the held-out pulls, of which at
 * most as many count as the list is long) are of lists without the pairs pulled in training. Values are means over
 * users; users without pulls in training are not judged, because no model knows them: they are served what is popular.
 * Coverage: the share of repositories that are in at least one list of ten. If there are more than `most` users, the
 * seed chooses.
 */
function judging(items: number, byUser: Rows, test: Entries, seed: number, most = mostPeople) {
  const users = byUser.starts.length - 1;
  const held = rowsOf(test, users);
  const itemsOf = ({ starts, columns }: Rows, user: number) => columns.subarray(starts[user], starts[user + 1]);
  const known: number[] = [];
  for (let user = 0; user < users; user++)
    if (itemsOf(held, user).length > 0 && itemsOf(byUser, user).length > 0) known.push(user);
  const people = chosen(known, most, seeded(seed)).map((user) => ({ user, wanted: new Set(itemsOf(held, user)) }));
  const seen = new Uint8Array(items);

  return (recommender: Recommender, withAuc = true): Judged => {
    const ndcgs = new Float64Array(people.length);
    if (people.length === 0) return { scores: { people: 0 }, ndcgs };
    const shown = new Set<number>();
    const aucs: number[] = [];
    let recall = 0;
    let recallLong = 0;
    people.forEach(({ user, wanted }, at) => {
      const scores = recommender(user);
      seen.fill(0);
      for (const item of itemsOf(byUser, user)) seen[item] = 1;
      const own = withAuc ? aucOf(scores, items, seen, wanted) : undefined;
      if (own !== undefined) aucs.push(own);
      let gain = 0;
      let ideal = 0;
      let hits = 0;
      let hitsLong = 0;
      topN(scores, longList, (item) => seen[item] === 1).forEach(({ item }, place) => {
        if (place < listLength) shown.add(item);
        if (!wanted.has(item)) return;
        hitsLong++;
        if (place >= listLength) return;
        gain += 1 / Math.log2(place + 2);
        hits++;
      });
      const best = Math.min(wanted.size, listLength);
      for (let place = 0; place < best; place++) ideal += 1 / Math.log2(place + 2);
      ndcgs[at] = gain / ideal;
      recall += hits / best;
      recallLong += hitsLong / Math.min(wanted.size, longList);
    });
    const scores = {
      people: people.length,
      auc: aucs.length === 0 ? undefined : aucs.reduce((sum, one) => sum + one) / aucs.length,
      ndcg: ndcgs.reduce((sum, one) => sum + one) / people.length,
      recall: recall / people.length,
      recall20: recallLong / people.length,
      coverage: shown.size / items,
    };
    return { scores, ndcgs };
  };
}

/** The scores alone. */
export function scorer(world: World, seed: number): (recommender: Recommender) => Scores {
  const judge = judging(world.items, rowsOf(world.train, world.users), world.test, seed);
  return (recommender) => judge(recommender).scores;
}

/**
 * One user's AUC, compared with every repository that they never pulled; ties count half. Undefined if there is none.
 */
function aucOf(
  scores: ArrayLike<number>,
  items: number,
  seen: Uint8Array,
  wanted: ReadonlySet<number>,
): number | undefined {
  let others = items;
  for (let item = 0; item < items; item++) others -= seen[item];
  others -= wanted.size;
  if (others <= 0) return undefined;
  let sum = 0;
  for (const held of wanted) {
    const own = scores[held];
    let below = 0;
    let equal = 0;
    for (let item = 0; item < items; item++) {
      if (seen[item] === 1) continue;
      if (scores[item] < own) below++;
      else if (scores[item] === own) equal++;
    }
    // Held-out repositories are not compared with each other.
    for (const item of wanted)
      if (scores[item] < own) below--;
      else if (scores[item] === own) equal--;
    sum += below + equal / 2;
  }
  return sum / (wanted.size * others);
}

/** Scores as a model serves them; repositories without weights are ranked by popularity, as the served list does. */
export function byServing(model: ServedModel, { starts, columns, values }: Rows): Recommender {
  const people = new Float64Array(model.items.length);
  if (model.personal && model.kind !== 'als') for (const column of columns) people[column]++;
  const filler = people.map((count) => (1e-12 * count) / starts.length);
  const scores = new Float64Array(model.items.length);
  return (user) => {
    const [from, to] = [starts[user], starts[user + 1]];
    const taste = model.taste({ items: [...columns.subarray(from, to)], counts: [...values.subarray(from, to)] });
    const own = taste.scores();
    for (let item = 0; item < scores.length; item++) scores[item] = own[item] + filler[item];
    return scores;
  };
}

/** A random choice of `count` values, all equally likely, in order. */
function chosen(values: number[], count: number, random: () => number): number[] {
  let left = count;
  return values.filter((_, at) => {
    if (random() * (values.length - at) >= left) return false;
    left--;
    return true;
  });
}

interface Names {
  users: string[];
  items: string[];
}

/** The training part and the held-out part. */
export interface Split {
  train: Entries;
  test: Entries;
}

export function trainingOf({ users, items }: Names, entries: Entries): Training {
  return { items, entries, byUser: rowsOf(entries, users.length) };
}

/** A split: the training part, and the judge for the held-out part. */
export interface Judge {
  training: Training;
  judge: ReturnType<typeof judging>;
}

export function judgeOf(names: Names, { train, test }: Split, seed: number, most: number): Judge {
  const training = trainingOf(names, train);
  return { training, judge: judging(names.items.length, training.byUser, test, seed, most) };
}
