import type { Counts } from '../stores.ts';

interface Bucket extends Counts {
  /** Milliseconds since the epoch. */
  from?: number;
  key?: string;
}

/**
 * The buckets of the `top` keys with the most pulls. All other keys are summed into one bucket per time, with how many
 * keys it sums.
 */
export function topBuckets(buckets: Bucket[], top: number): (Bucket & { others?: number })[] {
  const sums = new Map<string, { pulls: number; raw: number }>();
  for (const { key = '', pulls, raw } of buckets) {
    const sum = sums.get(key) ?? { pulls: 0, raw: 0 };
    sums.set(key, { pulls: sum.pulls + pulls, raw: sum.raw + raw });
  }
  const ranked = [...sums].sort(([a, x], [b, y]) => y.pulls - x.pulls || y.raw - x.raw || (a < b ? -1 : 1));
  const kept = new Set(ranked.slice(0, top).map(([key]) => key));
  const others = new Map<number | undefined, Bucket & { others: number }>();
  for (const { from, key = '', pulls, raw, pushes, rawPushes } of buckets) {
    if (kept.has(key)) continue;
    const sum = others.get(from) ?? { ...(from === undefined ? {} : { from }), ...none, others: 0 };
    others.set(from, {
      ...sum,
      ...{ others: sum.others + 1, pulls: sum.pulls + pulls, raw: sum.raw + raw },
      ...{ pushes: sum.pushes + pushes, rawPushes: sum.rawPushes + rawPushes },
    });
  }
  return [...buckets.filter(({ key = '' }) => kept.has(key)), ...others.values()];
}

const none = { pulls: 0, raw: 0, pushes: 0, rawPushes: 0 };
