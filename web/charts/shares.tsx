// Rows that are their own bar chart.
import type { ComponentChildren } from 'preact';
import { count } from '../text/format.ts';

export interface ShareRow {
  key: string;
  label: ComponentChildren;
  number: number;
  /** Shown at the end instead of the number. */
  value?: ComponentChildren;
  href?: string;
}

export function Shares({ rows }: { rows: ShareRow[] }) {
  const most = Math.max(1, ...rows.map(({ number }) => number));
  return (
    <ul class="rows">
      {rows.map(({ key, label, number, value, href }) => {
        const inside = (
          <>
            <span class="label whole">
              <span class="fill" style={{ width: `${(number / most) * 100}%` }} />
              {label}
            </span>
            <span class="value">{value ?? count(number)}</span>
          </>
        );
        return (
          <li key={key}>
            {href ? (
              <a class="row" href={href}>
                {inside}
              </a>
            ) : (
              <div class="row">{inside}</div>
            )}
          </li>
        );
      })}
    </ul>
  );
}
