import type { Pulls } from '../api.ts';

export type Interval = 'day' | 'week' | 'month';

/** The most buckets that a chart shows; older ones are left out. */
const mostBuckets = 400;
const dayMs = 86_400_000;

/** The start of each bucket up to `to`, RFC 3339. The service leaves out empty buckets; these are included here. */
export function bucketStarts(
  buckets: Pulls['buckets'],
  interval: Interval,
  { from = Number.POSITIVE_INFINITY, to }: { from?: number; to: number },
): string[] {
  const known = buckets.map(({ from = '' }) => Date.parse(from));
  const first = known.reduce((least, time) => Math.min(least, time), from);
  const last = known.reduce((most, time) => Math.max(most, time), to);
  const next = (time: number, steps: number) => {
    if (interval === 'month') return new Date(time).setUTCMonth(new Date(time).getUTCMonth() + steps);
    return time + steps * (interval === 'week' ? 7 : 1) * dayMs;
  };
  const least = { day: 1, week: 7, month: 28 }[interval] * dayMs;
  const tooMany = Math.max(0, Math.floor((last - first) / least) + 1 - mostBuckets);
  const starts: string[] = [];
  for (let time = Number.isFinite(first) ? next(first, tooMany) : last + 1; time <= last; time = next(time, 1))
    starts.push(new Date(time).toISOString());
  return starts;
}
