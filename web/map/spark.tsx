// The 30-day line of one domain: a few lines of SVG, because a chart library would be larger than the map page's own
// script.
import { count, day, plural } from '../text/format.ts';

const [width, height] = [280, 48];

export function Spark({ days }: { days: { day: string; hits: number }[] }) {
  const most = Math.max(1, ...days.map(({ hits }) => hits));
  const total = days.reduce((sum, { hits }) => sum + hits, 0);
  const busiest = days.reduce((best, next) => (next.hits > best.hits ? next : best), days[0]);
  const at = (index: number) => (index / Math.max(1, days.length - 1)) * width;
  const line = days.map(
    ({ hits }, index) => `${at(index).toFixed(1)} ${(height - 4 - (hits / most) * (height - 10)).toFixed(1)}`,
  );
  return (
    <div class="spark-line">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${plural(total, 'hit')} in ${days.length} days; most on ${day(busiest.day)} with ${count(busiest.hits)}.`}
      >
        <path d={`M0 ${height} L${line.join(' L')} L${width} ${height} Z`} fill="var(--accent-soft)" />
        <path
          d={`M${line.join(' L')}`}
          fill="none"
          stroke="var(--accent)"
          stroke-width="1.75"
          stroke-linejoin="round"
          vector-effect="non-scaling-stroke"
        />
      </svg>
      <div class="spark-ends">
        <span>{day(days[0].day)}</span>
        <span>{day(days[days.length - 1].day)}</span>
      </div>
    </div>
  );
}
