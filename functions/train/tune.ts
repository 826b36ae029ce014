// A bounded, seeded search for better settings of training. It prints; it changes nothing.
import { type AlsOptions, alsDefaults, type fit } from '#core/als.ts';
import type { Evaluation } from '#core/models.ts';
import { seeded } from '#core/random.ts';
import { indexPairs, split } from '#core/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { evaluate } from './evaluate.ts';

export interface Trial {
  options: AlsOptions;
  scores: Evaluation['als'];
  seconds: number;
}

export interface TuneOptions {
  pairs: Pair[];
  trials: number;
  /** No trial begins later than this. */
  seconds: number;
  seed: number;
  clock: () => number;
  fit: typeof fit;
  log: (line: string) => void;
}

/** What can be chosen from: lambda and alpha by their logarithm. */
const ranks = [4, 6, 8, 10, 12, 16, 24, 32, 48, 64];
const iterations = [3, 5, 8, 12];
const lambda = { least: 1e-3, most: 30 };
const alpha = { least: 0.1, most: 40 };

/** Tries the defaults first, then `trials - 1` others; every trial has the same split. Best NDCG@10 first. */
export function tune({ pairs, trials, seconds, seed, clock, fit, log }: TuneOptions): Trial[] {
  const { users, items, entries } = indexPairs(pairs);
  const world = { users: users.length, items: items.length, ...split(entries, 0.1, seeded(seed)) };
  const random = seeded(seed + 1);
  const began = clock();
  const done: Trial[] = [];
  log(`${entries.length} pairs of ${users.length} people and ${items.length} images; seed ${seed}`);
  for (let trial = 0; trial < trials && clock() - began < seconds * 1000; trial++) {
    const options = trial === 0 ? alsDefaults : drawn(random);
    const start = clock();
    const { als, similar, popular } = evaluate(world, options, seed, fit);
    if (trial === 0) {
      log(head);
      log(line('popular', popular));
      log(line('similar', similar));
    }
    done.push({ options, scores: als, seconds: (clock() - start) / 1000 });
    log(line(named(options), als, done.at(-1)?.seconds));
  }
  return done.sort((a, b) => (b.scores.ndcg ?? 0) - (a.scores.ndcg ?? 0));
}

/** The table as text, best first. */
export const table = (trials: Trial[]): string =>
  [head, ...trials.map(({ options, scores, seconds }) => line(named(options), scores, seconds))].join('\n');

function drawn(random: () => number): AlsOptions {
  const oneOf = (values: number[]) => values[Math.floor(random() * values.length)];
  const between = ({ least, most }: typeof lambda) => Number((least * (most / least) ** random()).toPrecision(2));
  return { rank: oneOf(ranks), iterations: oneOf(iterations), lambda: between(lambda), alpha: between(alpha) };
}

const head = `${'rank iterations lambda alpha'.padEnd(32)}     AUC  NDCG@10  recall@10  coverage  seconds`;
const named = ({ rank, iterations, lambda, alpha }: AlsOptions) =>
  `${String(rank).padStart(4)} ${String(iterations).padStart(10)} ${String(lambda).padStart(6)} ${String(alpha).padStart(5)}`;
const line = (name: string, { auc, ndcg, recall, coverage }: Trial['scores'], seconds?: number) =>
  `${name.padEnd(32)}${figure(auc, 8)}${figure(ndcg, 9)}${figure(recall, 11)}${figure(coverage, 10)}${seconds === undefined ? '' : seconds.toFixed(1).padStart(9)}`;
const figure = (value: number | undefined, width: number) => (value?.toFixed(4) ?? '-').padStart(width);
