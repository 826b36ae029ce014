// The 30-day line: a few lines of SVG, for a chart library would weigh more than the map page's own script.
import { useState } from 'preact/hooks';
import { count, day } from '../text/format.ts';

export function Spark({ days }: { days: { day: string; hits: number }[] }) {
  const [asTable, setAsTable] = useState(false);
  const [width, height] = [280, 56];
  const most = Math.max(1, ...days.map(({ hits }) => hits));
  const total = days.reduce((sum, { hits }) => sum + hits, 0);
  const busiest = days.reduce((best, next) => (next.hits > best.hits ? next : best), days[0]);
  const at = (index: number) => (index / Math.max(1, days.length - 1)) * width;
  const line = days.map(
    ({ hits }, index) => `${at(index).toFixed(1)} ${(height - 4 - (hits / most) * (height - 10)).toFixed(1)}`,
  );
  const today = days[days.length - 1];
  return (
    <section class="spark" aria-label="Hits a day">
      {asTable ? (
        <div class="spark-table">
          <table>
            <caption class="hidden-text">Hits a day, UTC</caption>
            <tbody>
              {days.toReversed().map((row) => (
                <tr key={row.day}>
                  <th scope="row">{day(row.day)}</th>
                  <td class="number">{count(row.hits)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`${count(total)} hits in ${days.length} days; most on ${day(busiest.day)} with ${count(busiest.hits)}; ${count(today.hits)} so far today.`}
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
      )}
      <div class="spark-ends">
        <span>{asTable || day(days[0].day)}</span>
        <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? 'Show as a line' : 'Show as a table'}
        </button>
        <span>{count(today.hits)} today</span>
      </div>
    </section>
  );
}

/** Its place while the sums are on their way. */
export const SparkBone = () => (
  <div class="spark">
    <span class="bone" style={{ height: '56px' }} />
    <div class="spark-ends" style={{ height: '40px' }} />
  </div>
);
