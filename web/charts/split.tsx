// Pulls by tag, kind, country or client, stacked bucket by bucket; the keys with their sums are the chart's legend.
import type { ComponentChildren } from 'preact';
import type { Pulls } from '../api.ts';
import { count, day, percent, plural } from '../text/format.ts';
import type { Interval } from './buckets.ts';
import { Chart } from './chart.tsx';
import { overTime } from './time-axis.ts';

/** The number of keys: one for each colour. The last colour is for all other keys. */
export const mostKeys = 6;
/** Style tokens that differ clearly from their neighbours in both themes. */
const series = ['c3', 'c2', 'warn', 'c4', 'c1', 'muted'] as const;

export interface Split {
  buckets: Pulls['buckets'];
  starts: string[];
  interval: Interval;
  height: number;
  /** A key in words. */
  nameOf: (key: string) => string;
  /** Shows the keys in the monospaced font. */
  mono?: boolean;
}

export function SplitPulls({ buckets, starts, interval, height, nameOf, mono }: Split) {
  const sums = new Map<string | undefined, number>();
  for (const { key, pulls } of buckets) sums.set(key, (sums.get(key) ?? 0) + pulls);
  // The bucket of all others has no key: it comes last, whatever its sum.
  const keys = [...sums]
    .filter(([, pulls]) => pulls > 0)
    .sort(([a, x], [b, y]) => Number(a === undefined) - Number(b === undefined) || y - x)
    .map(([key]) => key);
  const total = [...sums.values()].reduce((sum, pulls) => sum + pulls, 0);
  const name = (key: string | undefined) => (key === undefined ? 'All others' : nameOf(key));
  const token = (at: number) => (keys[at] === undefined ? 'back' : series[at]);
  const pullsOf = new Map(buckets.map(({ from, key, pulls }) => [`${from} ${key}`, pulls]));
  const table = starts.map((from) => ({ from, pulls: keys.map((key) => pullsOf.get(`${from} ${key}`) ?? 0) }));
  const stacked = table.flatMap(({ from, pulls }) => {
    let top = 0;
    return pulls.map((count, at) => {
      top += count;
      return { from, at, start: top - count, end: top, pulls: count };
    });
  });
  const label = (key: string | undefined): ComponentChildren =>
    mono && key ? <span class="mono">{name(key)}</span> : name(key);
  return (
    <div class="split">
      <Chart
        of={buckets}
        height={height}
        sentence={`${plural(total, 'pull')} in ${plural(starts.length, interval)}: ${keys
          .map((key) => `${name(key)} ${percent((sums.get(key) ?? 0) / total)}`)
          .join(', ')}.`}
        table={{
          head: [`${interval[0].toUpperCase()}${interval.slice(1)} from`, ...keys.map(name)],
          rows: table.toReversed().map(({ from, pulls }) => [day(from), ...pulls.map(count)]),
        }}
        options={(palette, width) => ({
          ...overTime(palette, {
            ...{ width, buckets: starts.length },
            most: Math.max(...table.map(({ pulls }) => pulls.reduce((sum, count) => sum + count, 0))),
          }),
          children: keys.map((key, at) => ({
            ...{ type: 'interval', animate: false, encode: { x: 'from', y: 'end', y1: 'start' } },
            data: stacked.filter((row) => row.at === at),
            style: { fill: palette.series(token(at)), fillOpacity: 1, maxWidth: 44 },
            tooltip: {
              title: (row: { from: string }) => day(row.from),
              items: [
                (row: { pulls: number }) => ({
                  ...{ name: name(key), value: count(row.pulls), color: palette.series(token(at)) },
                }),
              ],
            },
          })),
        })}
      />
      <ul class="mix-list">
        {keys.map((key, at) => (
          <li key={key ?? '\n'}>
            <i style={{ background: `var(--${token(at)})` }} />
            <span>{label(key)}</span>
            <span class="number">{count(sums.get(key) ?? 0)}</span>
            <span class="muted small number">{percent((sums.get(key) ?? 0) / total)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
