// Honest pulls inside raw registry events, bucket by bucket: what a registry counts, and what people did.
import type { Pulls } from '../api.ts';
import { compact, count, day, plural } from '../format.ts';
import { type Interval, withoutGaps } from './buckets.ts';
import { axisStyle, Chart, type Palette } from './chart.tsx';
import { wholeTicks } from './ticks.ts';

export function PullsOverTime({
  buckets,
  interval,
  from,
  height = 240,
}: {
  buckets: Pulls['buckets'];
  interval: Interval;
  /** UTC day the chart begins with; its first bucket's otherwise. */
  from?: string;
  height?: number;
}) {
  const rows = withoutGaps(buckets, interval, Date.now(), from).map(({ from = '', ...counts }) => ({
    ...counts,
    from,
  }));
  const ticks = wholeTicks(Math.max(...rows.map(({ pulls, raw }) => Math.max(pulls, raw))));
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
          const axis = axisStyle(palette);
          // A date is some 50 pixels wide; more of them would run into each other.
          const every = Math.ceil((rows.length * 56) / Math.max(1, width - 48));
          const bar = { type: 'interval', animate: false };
          return {
            type: 'view',
            data: rows,
            margin: 0,
            padding: 0,
            paddingLeft: 44,
            paddingBottom: 28,
            paddingTop: 8,
            legend: false,
            // One domain for bars and labels: made nice, the axis would round it by another number of ticks than the bars.
            scale: {
              x: { type: 'band', padding: 0.24 },
              y: { domain: [0, ticks[ticks.length - 1]], tickMethod: () => ticks },
            },
            axis: {
              x: {
                ...axis,
                grid: false,
                labelAutoHide: false,
                labelAutoRotate: false,
                labelFilter: (_: unknown, index: number) => index % every === 0 && index <= rows.length - every / 2,
                labelFormatter: (from: string) => day(from),
              },
              y: { ...axis, labelFormatter: (value: number) => compact(value) },
            },
            interaction: { tooltip: { css: tooltip(palette) } },
            children: [
              {
                ...bar,
                encode: { x: 'from', y: 'raw' },
                style: { fill: palette.back, fillOpacity: 1, radiusTopLeft: 3, radiusTopRight: 3, maxWidth: 44 },
                tooltip: {
                  title: (row: { from: string }) => day(row.from),
                  items: [{ channel: 'y', name: 'Registry events', color: palette.muted }],
                },
              },
              {
                ...bar,
                encode: { x: 'from', y: 'pulls' },
                style: { fill: palette.accent, fillOpacity: 1, radiusTopLeft: 3, radiusTopRight: 3, maxWidth: 44 },
                tooltip: {
                  title: (row: { from: string }) => day(row.from),
                  items: [{ channel: 'y', name: 'Pulls', color: palette.accent }],
                },
              },
            ],
          };
        }}
      />
    </>
  );
}

/** G2's tooltip in the colours of the page. */
export const tooltip = ({ surface, ink, muted, line, sans }: Palette) => ({
  '.g2-tooltip': {
    background: surface,
    color: ink,
    'font-family': sans,
    'border-radius': '8px',
    border: `1px solid ${line}`,
    'box-shadow': 'none',
  },
  '.g2-tooltip-title': { color: muted },
  '.g2-tooltip-list-item-name-label': { color: ink },
  '.g2-tooltip-list-item-value': { color: ink },
});
