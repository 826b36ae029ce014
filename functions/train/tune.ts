// A bounded, seeded search for better settings of training. It prints; it changes nothing.

import { seeded } from '#core/bytes/random.ts';
import { type AlsOptions, alsDefaults, type fit } from '#core/recommender/als.ts';
import type { Scores } from '#core/recommender/model-list.ts';
import { type Entry, indexPairs, split } from '#core/recommender/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { byFolding, popular, pulledTogether, type Recommender, scorer, type World } from './evaluate.ts';

/** One setting, or a baseline. */
export interface Trial {
  /** None: a baseline, which has no settings. */
  options?: AlsOptions;
  name: string;
  scores: Scores;
  /** Means over other splits and starts: of the best only, as the best of many owes something to luck. */
  again?: Scores;
  seconds: number;
}

export interface TuneOptions {
  pairs: Pair[];
  trials: number;
  /** No fit begins later than this. */
  seconds: number;
  seed: number;
  /**
   * What is held out: a tenth by chance, or the tenth that was pulled last. The best are tried again on other tenths:
   * by chance, or such as end 5, 10 and 15 % of the pairs earlier. Default chance.
   */
  by?: 'chance' | 'time';
  clock: () => number;
  fit: typeof fit;
  log: (line: string) => void;
}

/** What can be chosen from: lambda and alpha by their logarithm. */
const ranks = [4, 6, 8, 10, 12, 16, 24, 32, 48, 64];
const iterations = [3, 5, 8, 12];
const lambda = { least: 1e-3, most: 30 };
const alpha = { least: 0.1, most: 40 };

const heldOut = 0.1;
/** The best so many, and the defaults, are tried again on as many other splits. */
const finalists = 3;
const otherSeeds = 3;

/**
 * Tries the defaults first, then `trials - 1` others; every trial has the same split and start. Then the best and the
 * defaults are tried again on other splits and starts. Answers all with both baselines: those tried again first, by
 * the NDCG@10 of that; then the rest by theirs.
 */
export function tune({ pairs, trials, seconds, seed, by = 'chance', clock, fit, log }: TuneOptions): Trial[] {
  const { users, items, entries } = indexPairs(pairs);
  const began = clock();
  const timeLeft = () => clock() - began < seconds * 1000;
  const worldOf = (seed: number, round: number): World => ({
    ...{ users: users.length, items: items.length },
    ...(by === 'time' ? newest(pairs, entries, round) : split(entries, heldOut, seeded(seed))),
  });
  const attempt = (world: World, score: (recommender: Recommender) => Scores, options: AlsOptions, seed: number) => {
    const factors = fit(world.train, users.length, items.length, options, seeded(seed));
    // More factors than images, with hardly any lambda, can be past single precision: such a setting has no score.
    return factors.items.every(Number.isFinite) ? score(byFolding(factors, world, options)) : { people: 0 };
  };

  log(`${entries.length} pairs of ${users.length} people and ${items.length} images; a tenth held out by ${by}`);
  log(`seed ${seed}, at most ${trials} trials or ${seconds} s`);
  const random = seeded(seed + 1);
  const world = worldOf(seed, 0);
  const score = scorer(world, seed);
  const tried: Trial[] = [];
  const baselines: Trial[] = [];
  for (const [name, recommender] of Object.entries({ popular: popular(world), similar: pulledTogether(world) }))
    if (timeLeft()) baselines.push({ name, scores: score(recommender), seconds: 0 });
  log(`${' '.repeat(10)}${head}`);
  for (const baseline of baselines) log(`${' '.repeat(10)}${line(baseline)}`);
  for (let at = 0; at < trials && timeLeft(); at++) {
    const options = at === 0 ? alsDefaults : drawn(random);
    const start = clock();
    const scores = attempt(world, score, options, seed);
    tried.push({ options, name: named(options), scores, seconds: (clock() - start) / 1000 });
    log(`${`${at + 1} of ${trials}`.padEnd(10)}${line(tried[at])}`);
  }

  const byNdcg = (a: Trial, b: Trial) => ((b.again ?? b.scores).ndcg ?? 0) - ((a.again ?? a.scores).ndcg ?? 0);
  const best = tried.toSorted(byNdcg).slice(0, finalists);
  const finals = tried.filter((trial) => best.includes(trial) || trial.options === alsDefaults);
  const rounds: Map<Trial, Scores[]> = new Map(finals.map((trial) => [trial, []]));
  // Every finalist has a round, or none has: means over different splits say nothing. What the time cuts off is dropped.
  for (let round = 1; round <= otherSeeds && timeLeft(); round++) {
    log(`the best again, ${round} of ${otherSeeds}`);
    const other = seed + 1000 * round;
    const world = worldOf(other, round);
    const score = scorer(world, other);
    const done: Scores[] = [];
    for (const { options } of finals) if (options && timeLeft()) done.push(attempt(world, score, options, other));
    if (done.length === finals.length) for (const [at, trial] of finals.entries()) rounds.get(trial)?.push(done[at]);
  }
  for (const [trial, scores] of rounds) if (scores.length > 0) trial.again = meanOf(scores);
  const rest = [...tried.filter((trial) => !finals.includes(trial)), ...baselines];
  return [...finals.toSorted(byNdcg), ...rest.toSorted(byNdcg)];
}

/** The table as text; a star marks the defaults. */
export const table = (trials: Trial[]): string =>
  [
    `${head}   again: AUC  NDCG@10`,
    ...trials.map((trial) => {
      const again = trial.again ? `${figure(trial.again.auc, 13)}${figure(trial.again.ndcg, 9)}` : '';
      return `${line(trial)}${again}${trial.options === alsDefaults ? '  *' : ''}`;
    }),
  ].join('\n');

/** How to train with the best that was found; undefined where that is the defaults. */
export function advice([best]: Trial[]): string | undefined {
  if (!best?.options || best.options === alsDefaults) return undefined;
  const given = Object.entries(best.options);
  const flag = given.map(([name, value]) => `${name}=${value}`).join();
  const setting = given.map(([name, value]) => `${name}: ${value}`).join(', ');
  return `to train with the first: npm start -- --als ${flag}\non AWS, in whalewatch.config.ts: als: { ${setting} }`;
}

/**
 * Those first pulled in the newest tenth of the pairs are to be found by what was pulled before. Each round the tenth ends
 * a twentieth of the pairs earlier, and what was pulled after it is left out.
 */
function newest(pairs: Pair[], entries: Entry[], round: number): { train: Entry[]; test: Entry[] } {
  const times = Float64Array.from(pairs, ({ firstPull }) => firstPull).sort();
  const earlier = round * Math.floor((times.length * heldOut) / 2);
  const from = times[Math.floor(times.length * (1 - heldOut)) - earlier];
  const until = times[times.length - earlier] ?? Infinity;
  return {
    train: entries.filter((_, at) => pairs[at].firstPull < from),
    test: entries.filter((_, at) => pairs[at].firstPull >= from && pairs[at].firstPull < until),
  };
}

function meanOf(scores: Scores[]): Scores {
  const mean = (figure: (one: Scores) => number | undefined) => {
    const known = scores.map(figure).filter((value) => value !== undefined);
    return known.length === 0 ? undefined : known.reduce((sum, value) => sum + value) / known.length;
  };
  return {
    people: mean(({ people }) => people) ?? 0,
    auc: mean(({ auc }) => auc),
    ndcg: mean(({ ndcg }) => ndcg),
    recall: mean(({ recall }) => recall),
    coverage: mean(({ coverage }) => coverage),
  };
}

function drawn(random: () => number): AlsOptions {
  const oneOf = (values: number[]) => values[Math.floor(random() * values.length)];
  const between = ({ least, most }: typeof lambda) => Number((least * (most / least) ** random()).toPrecision(2));
  return { rank: oneOf(ranks), iterations: oneOf(iterations), lambda: between(lambda), alpha: between(alpha) };
}

const head = `rank iterations lambda alpha     AUC  NDCG@10  recall@10  coverage  seconds`;
const named = ({ rank, iterations, lambda, alpha }: AlsOptions) =>
  `${String(rank).padStart(4)} ${String(iterations).padStart(10)} ${String(lambda).padStart(6)} ${String(alpha).padStart(5)}`;
const line = ({ name, scores: { auc, ndcg, recall, coverage }, seconds, options }: Trial) =>
  `${name.padEnd(28)}${figure(auc, 8)}${figure(ndcg, 9)}${figure(recall, 11)}${figure(coverage, 10)}${(options ? seconds.toFixed(1) : '').padStart(9)}`;
const figure = (value: number | undefined, width: number) => (value?.toFixed(4) ?? '-').padStart(width);
