// How fits are judged: by the code that judges training, on the held-out pairs of some users.
import { seeded } from '#core/bytes/random.ts';
import type { Factors } from '#core/recommender/als.ts';
import { scoresOf } from '#core/recommender/recommend.ts';
import { type Recommender, scorer } from '#train/evaluate.ts';
import { entriesOf, type Split, type World } from './worlds.ts';

/** How many users are judged, of those with held-out pairs. */
const judged = 1000;

/** Scores by the factors at the end of a fit. */
export function byFactors(factors: Factors): Recommender {
  return (user) => scoresOf(factors, factors.users.subarray(user * factors.rank, (user + 1) * factors.rank));
}

/** AUC, NDCG@10, recall@10 and coverage; `known`: the pulls of who is judged. */
export function judging(world: World, { rows, held }: Split, seed: number) {
  const people = new Set<number>();
  const random = seeded(seed);
  const all = [...new Set(held.map(({ user }) => user))];
  while (people.size < Math.min(judged, all.length)) people.add(all[Math.floor(random() * all.length)]);
  const test = held.filter(({ user }) => people.has(user));
  const known = { users: world.users, items: world.items, train: entriesOf(rows, people), test };
  return { known, score: scorer(known, seed) };
}
