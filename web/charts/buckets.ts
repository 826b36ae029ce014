import type { Pulls } from '../api.ts';

export type Interval = 'day' | 'week' | 'month';

/** Buckets without gaps up to today: the service leaves out those in which nothing happened. */
export function withoutGaps(
  buckets: Pulls['buckets'],
  interval: Interval,
  now: number,
  from?: string,
): Pulls['buckets'] {
  const known = new Map(buckets.map((bucket) => [Date.parse(bucket.from ?? ''), bucket]));
  const next = (time: number) => {
    const date = new Date(time);
    if (interval === 'month') return date.setUTCMonth(date.getUTCMonth() + 1);
    return time + (interval === 'week' ? 7 : 1) * 86_400_000;
  };
  const first = Math.min(...known.keys(), ...(from ? [Date.parse(from)] : []));
  const whole: Pulls['buckets'] = [];
  for (let time = first; time <= now; time = next(time))
    whole.push(known.get(time) ?? { from: new Date(time).toISOString(), pulls: 0, raw: 0, pushes: 0, rawPushes: 0 });
  return whole;
}
