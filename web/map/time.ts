// The one choice of time: what the discs, the totals, the list and the bars are of.
import type { Reply } from '../api.ts';
import { day as dayText } from '../text/format.ts';

const spans = ['hour', 'day', 'week', 'all'] as const;
export type Span = (typeof spans)[number];

export interface Time {
  span: Span;
  /** The last UTC day of it; undefined: now. The last hour is always that of now. */
  day?: string;
}

export type Kept = Reply<'/v1/points/days'>;

export const now: Time = { span: 'all' };

const dayMs = 86_400_000;
const back = (day: string, days: number) => new Date(Date.parse(day) - days * dayMs).toISOString().slice(0, 10);

/** The other span, or the other day: an hour of another day was not kept, so each gives way to what was chosen last. */
export const ofSpan = (time: Time, span: Span): Time => (span === 'hour' ? { span } : { ...time, span });
export const ofDay = (time: Time, day: string | undefined): Time => ({
  span: day !== undefined && time.span === 'hour' ? 'day' : time.span,
  ...(day !== undefined && { day }),
});

/** The UTC days it is of, both included. `today`: the newest day with hits. */
export function daysOf({ span, day }: Time, today: string, keepDays: number): { from: string; to: string } {
  const to = day ?? today;
  const length = span === 'week' ? 7 : span === 'all' ? keepDays : 1;
  return { from: back(to, length - 1), to };
}

/** Its days one by one, newest first. */
export function eachDay({ from, to }: { from: string; to: string }): string[] {
  return Array.from({ length: (Date.parse(to) - Date.parse(from)) / dayMs + 1 }, (_, index) => back(to, index));
}

/** What is asked of the map: a snapshot's own points are all that were kept, and need no filter. */
export interface Filter {
  hours?: number;
  since?: string;
}
export function filterOf(time: Time, today: string, keepDays: number): Filter {
  if (time.span === 'all') return {};
  return time.span === 'hour' ? { hours: 1 } : { since: daysOf(time, today, keepDays).from };
}

/** The snapshot to show: the newest, or that of its day; undefined where that is not kept any more. */
export const snapshotOf = ({ day }: Time, newest: string | undefined, kept: Kept | undefined) =>
  day === undefined ? newest : kept?.items.find((item) => item.day === day)?.snapshot;

/** `in the last hour`, `on 21 Nov`, `in 7 days`: the last of them is said beside it where that is not now. */
export function inWords(time: Time, today: string, keepDays: number): string {
  const { from, to } = daysOf(time, today, keepDays);
  if (time.span === 'hour') return 'in the last hour';
  return from === to ? `on ${dayText(to)}` : `in ${eachDay({ from, to }).length} days`;
}

/** Of an address, and back: what is not understood is now. */
export function readTime(search: string): Time {
  const query = new URLSearchParams(search);
  const span = spans.find((one) => one === query.get('span')) ?? now.span;
  const day = query.get('day') ?? '';
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? ofDay({ span }, day) : { span };
}
export function writeTime({ span, day }: Time): string {
  const query = new URLSearchParams();
  if (span !== now.span) query.set('span', span);
  if (day !== undefined) query.set('day', day);
  return query.size ? `?${query}` : '';
}
