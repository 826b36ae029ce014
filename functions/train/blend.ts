// The blend: a weighted sum of the scores of several kinds of model, each divided by its spread. One kind often ranks
// correctly what another ranks wrongly, so together they are at least as good as the best of them, whatever the pulls
// are like.

import { servedModel } from '#core/recommender/served.ts';
import { type BlendSetting, fitSetting, type PartSetting, type Training } from './candidates.ts';
import { byServing, type Judge } from './evaluate.ts';

/** Shares are multiples of 1 / this. */
const steps = 8;

/** The shares of at least two kinds with the best NDCG@10 on the worlds; a kind that does not help is left out. */
export function bestBlend(settings: PartSetting[], worlds: Judge[], seed: number): BlendSetting {
  const ways = sharesOf(settings.length, steps).filter((shares) => shares.filter((share) => share > 0).length > 1);
  const sums = ways.map(() => 0);
  for (const { training, judge } of worlds) {
    const parts = settings.map((setting) => scoresOfPart(setting, training, seed));
    const total = new Float64Array(training.items.length);
    for (const [at, shares] of ways.entries()) {
      const { scores } = judge((user) => {
        total.fill(0);
        for (const [n, share] of shares.entries()) {
          if (share === 0) continue;
          const own = parts[n](user);
          for (let item = 0; item < total.length; item++) total[item] += share * own[item];
        }
        return total;
      }, false);
      sums[at] += scores.ndcg ?? 0;
    }
  }
  const best = ways[sums.indexOf(Math.max(...sums))];
  const parts = settings.map((setting, n) => ({ share: best[n] / steps, setting }));
  return { kind: 'blend', parts: parts.filter(({ share }) => share > 0) };
}

/**
 * The scores of a world's users by one part, divided by their spread; cached, because every blend adds up the same
 * scores.
 */
function scoresOfPart(setting: PartSetting, training: Training, seed: number): (user: number) => Float32Array {
  const alone: BlendSetting = { kind: 'blend', parts: [{ share: 1, setting }] };
  const recommend = byServing(servedModel(fitSetting(alone, training, seed)), training.byUser);
  const kept = new Map<number, Float32Array>();
  return (user) => {
    const known = kept.get(user);
    if (known) return known;
    const scores = Float32Array.from(recommend(user));
    kept.set(user, scores);
    return scores;
  };
}

/** All ways to distribute `left` among so many parts. */
function sharesOf(parts: number, left: number): number[][] {
  if (parts === 1) return [[left]];
  return Array.from({ length: left + 1 }, (_, first) =>
    sharesOf(parts - 1, left - first).map((rest) => [first, ...rest]),
  ).flat();
}
