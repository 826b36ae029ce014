// The choice of time, and hits a day as bars above the slider that goes back through the days whose map is kept.
import { useState } from 'preact/hooks';
import { Segments } from '../components/controls.tsx';
import { count, day as dayText } from '../text/format.ts';
import type { Sums } from './live.ts';
import { daysOf, type Kept, ofDay, ofSpan, type Span, type Time } from './time.ts';

const spans: [Span, string][] = [
  ['hour', 'Hour'],
  ['day', 'Day'],
  ['week', '7 days'],
  ['all', 'All kept'],
];
const [width, height] = [280, 40];

export function TimeControl({
  time,
  sums,
  kept,
  onChange,
}: {
  time: Time;
  sums: Sums;
  kept: Kept;
  onChange: (next: Time) => void;
}) {
  const [asTable, setAsTable] = useState(false);
  const { days, newest } = sums;
  const { from, to } = daysOf(time, newest, kept.keepDays);
  const isShown = (day: string) => day >= from && day <= to;
  const most = Math.max(1, ...days.map(({ hits }) => hits));
  const shown = days.filter(({ day }) => isShown(day));
  const total = shown.reduce((sum, { hits }) => sum + hits, 0);
  const busiest = days.reduce((best, next) => (next.hits > best.hits ? next : best), days[0]);
  const slot = width / days.length;

  // The slider stops at the days that have a map; the last is now.
  const last = days.length - 1;
  const held = new Set(kept.items.map(({ day }) => day));
  const stops = days.flatMap(({ day }, index) => (index === last || held.has(day) ? [index] : []));
  const at = time.day === undefined ? last : days.findIndex(({ day }) => day === time.day);
  const go = (index: number) => {
    const next =
      index < at
        ? (stops.findLast((stop) => stop <= index) ?? stops[0])
        : (stops.find((stop) => stop >= index) ?? last);
    onChange(ofDay(time, next === last ? undefined : days[next].day));
    return next;
  };
  return (
    <section class="time" aria-label="Time">
      <Segments label="Show" options={spans} value={time.span} onChange={(span) => onChange(ofSpan(time, span))} />
      {asTable ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls, with the keyboard too
        <section class="time-table" aria-label="Hits a day" tabIndex={0}>
          <table>
            <caption class="hidden-text">Hits a day, UTC</caption>
            <tbody>
              {days.toReversed().map((row) => (
                <tr key={row.day} class={isShown(row.day) ? 'shown' : undefined}>
                  <th scope="row">{dayText(row.day)}</th>
                  <td class="number">{count(row.hits)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : (
        <svg
          viewBox={`0 0 ${width} ${height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={`Hits a day: ${count(total)} in the days shown; most on ${dayText(busiest.day)} with ${count(busiest.hits)}; ${count(days[last].hits)} on ${dayText(newest)}.`}
        >
          {days.map(({ day, hits }, index) => {
            const high = hits === 0 ? 1 : Math.max(2, (hits / most) * height);
            return (
              <rect
                key={day}
                class={isShown(day) ? 'shown' : undefined}
                x={index * slot + slot * 0.2}
                y={height - high}
                width={slot * 0.6}
                rx={1}
                height={high}
              />
            );
          })}
        </svg>
      )}
      {!asTable && stops.length > 1 && (
        <input
          type="range"
          class="time-slider"
          aria-label="Day shown"
          aria-valuetext={time.day === undefined ? 'now' : dayText(time.day)}
          min={0}
          max={last}
          value={at}
          // The thumb is below its bar.
          style={{ width: `calc(100% - ${100 / days.length}% + 16px)`, marginLeft: `calc(${50 / days.length}% - 8px)` }}
          onInput={(event) => {
            event.currentTarget.value = String(go(Number(event.currentTarget.value)));
          }}
        />
      )}
      <div class="time-ends">
        <span>{asTable || dayText(days[0].day)}</span>
        <button type="button" class="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          {asTable ? 'Show as bars' : 'Show as a table'}
        </button>
        <span>{dayText(days[last].day)}</span>
      </div>
    </section>
  );
}

/** Keeps its place while the sums load. */
export const TimeBone = () => (
  <div class="time">
    <span class="bone" style={{ height: '40px' }} />
    <span class="bone" style={{ height: '40px', marginTop: '12px' }} />
    <div class="time-ends" style={{ height: '64px' }} />
  </div>
);
