// What charts over time share: a band for each bucket, integers on the y axis, dates that don't overlap.
import { compact, day } from '../text/format.ts';
import { axisStyle, type Palette } from './chart.tsx';
import { wholeTicks } from './ticks.ts';

/** Options of a view; `most` is the highest bar, `buckets` how many there are in `width` pixels. */
export function overTime(palette: Palette, { width, buckets, most }: { width: number; buckets: number; most: number }) {
  const axis = axisStyle(palette);
  const ticks = wholeTicks(most);
  // A date is about 50 pixels wide; more of them would run into each other.
  const every = Math.ceil((buckets * 56) / Math.max(1, width - 48));
  return {
    type: 'view',
    margin: 0,
    padding: 0,
    paddingLeft: 44,
    paddingBottom: 28,
    paddingTop: 8,
    legend: false,
    // One domain for bars and labels: `nice` would round it differently for each, by their numbers of ticks.
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
        labelFilter: (_: unknown, index: number) => index % every === 0 && index <= buckets - every / 2,
        labelFormatter: (from: string) => day(from),
      },
      y: { ...axis, labelFormatter: (value: number) => compact(value) },
    },
    interaction: { tooltip: { css: tooltip(palette) } },
  };
}

/** G2's tooltip in the colours of the page. */
const tooltip = ({ surface, ink, muted, line, sans }: Palette) => ({
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
