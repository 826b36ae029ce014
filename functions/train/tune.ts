// `npm run tune`: the competition of training, with more rounds and more time. It only prints, and changes nothing.

import { seeded } from '#core/bytes/random.ts';
import type { Candidate } from '#core/recommender/model-list.ts';
import { indexPairs } from '#core/recommender/ratings.ts';
import type { Pair } from '#core/stores.ts';
import { fitSetting, seedAls } from './candidates.ts';
import { byFirstPull, compete, foldsOf, type Outcome, roundsFor } from './compete.ts';

export interface TuneOptions {
  pairs: Pair[];
  /** The most settings tried for each family. */
  trials: number;
  /** Two fifths of this are for trying settings. */
  seconds: number;
  seed: number;
  /** The split that the table is sorted by: randomly held-out pulls, or the newest first pulls. */
  by: 'chance' | 'time';
  clock: () => number;
  log: (line: string) => void;
}

/** The fewest random rounds. */
const rounds = 3;

/** Lets all candidates compete; the table is sorted best first. */
export function tune({ pairs, trials, seconds, seed, by, clock, log }: TuneOptions): Outcome {
  const { users, items, entries } = indexPairs(pairs);
  log(`${entries.length} pairs of ${users.length} users and ${items.length} repositories; seed ${seed}`);
  const random = foldsOf(entries, Math.max(rounds, roundsFor(entries.length)), seeded(seed));
  const byTime = byFirstPull(entries);
  const outcome = compete(
    { began: clock(), readSeconds: 0, seed, users, items, entries, random, ...(byTime && { byTime }) },
    {
      ...{ als: seedAls(), budgetSeconds: seconds, memoryBytes: 2e9, mostTried: trials, clock, log },
      fit: (setting, training) => fitSetting(setting, training, seed),
    },
  );
  const ndcg = ({ random, byTime }: Candidate) => (by === 'time' ? byTime : random)?.ndcg ?? -1;
  return { ...outcome, candidates: outcome.candidates.toSorted((a, b) => ndcg(b) - ndcg(a)) };
}

/** The candidates as text, in the given order. */
export function table(candidates: Candidate[]): string {
  const figure = (value: number | undefined, width: number) => (value?.toFixed(4) ?? '-').padStart(width);
  return [
    `${''.padEnd(16)} NDCG@10  recall@20     AUC  coverage   by time  tried  seconds  settings`,
    ...candidates.map(({ name, settings, random, byTime, tried, seconds, skipped }) => {
      const given = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
      const figures = `${figure(random?.ndcg, 8)}${figure(random?.recall20, 11)}${figure(random?.auc, 8)}${figure(random?.coverage, 10)}${figure(byTime?.ndcg, 10)}`;
      return `${name.padEnd(16)}${figures}${String(tried).padStart(7)}${seconds.toFixed(1).padStart(9)}  ${skipped ?? given.join(' ')}`;
    }),
  ].join('\n');
}

/** The advice for training. */
export const advice = ({ winner, why }: Outcome): string =>
  `${why}\ntraining chooses by itself; to always serve ${winner.name}: npm start -- --model ${winner.name}\non AWS, in whalewatch.config.ts: model: '${winner.name}'`;
