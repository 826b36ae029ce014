// Pulls compared with raw registry events, bucket by bucket: what people did, and what a registry counts.
import type { Pulls } from '../api.ts';
import { count, day, plural } from '../text/format.ts';
import type { Interval } from './buckets.ts';
import { Chart } from './chart.tsx';
import { overTime } from './time-axis.ts';

const none = { pulls: 0, raw: 0, pushes: 0 };

export function PullsInEvents({
  buckets,
  starts,
  interval,
  height,
}: {
  buckets: Pulls['buckets'];
  /** One for every bucket, also those without pulls. */
  starts: string[];
  interval: Interval;
  height: number;
}) {
  const known = new Map(buckets.map((bucket) => [bucket.from, bucket]));
  const rows = starts.map((from) => ({ ...(known.get(from) ?? none), from }));
  const sum = (of: 'pulls' | 'raw') => rows.reduce((total, row) => total + row[of], 0);
  return (
    <>
      <ul class="key">
        <li>
          <i style={{ background: 'var(--accent)' }} />
          Pulls
        </li>
        <li>
          <i style={{ background: 'var(--back)' }} />
          Registry events
        </li>
      </ul>
      <Chart
        of={buckets}
        height={height}
        sentence={`${plural(sum('pulls'), 'pull')} out of ${plural(sum('raw'), 'registry event')} in ${plural(rows.length, interval)}.`}
        table={{
          head: [`${interval[0].toUpperCase()}${interval.slice(1)} from`, 'Pulls', 'Registry events', 'Pushes'],
          rows: rows.toReversed().map((row) => [day(row.from), count(row.pulls), count(row.raw), count(row.pushes)]),
        }}
        options={(palette, width) => {
          const bar = (of: 'raw' | 'pulls', name: string, fill: string, color: string) => ({
            ...{ type: 'interval', animate: false, encode: { x: 'from', y: of } },
            style: { fill, fillOpacity: 1, radiusTopLeft: 3, radiusTopRight: 3, maxWidth: 44 },
            tooltip: {
              title: (row: { from: string }) => day(row.from),
              items: [{ channel: 'y', name, color }],
            },
          });
          return {
            ...overTime(palette, {
              ...{ width, buckets: rows.length },
              most: Math.max(...rows.map(({ pulls, raw }) => Math.max(pulls, raw))),
            }),
            data: rows,
            children: [
              bar('raw', 'Registry events', palette.back, palette.muted),
              bar('pulls', 'Pulls', palette.accent, palette.accent),
            ],
          };
        }}
      />
    </>
  );
}
