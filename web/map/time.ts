// The chosen time, which discs, totals, list and bars share.
import type { Reply } from '../api.ts';
import { day as dayText } from '../text/format.ts';

const spans = ['hour', 'day', 'week', 'all'] as const;
export type Span = (typeof spans)[number];

export interface Time {
  span: Span;
  /** Its last UTC day; undefined: now. An hour is always the last one before now. */
  day?: string;
}

export type Kept = Reply<'/v1/points/days'>;

export const now: Time = { span: 'all' };

const dayMs = 86_400_000;
const back = (day: string, days: number) => new Date(Date.parse(day) - days * dayMs).toISOString().slice(0, 10);

/**
 * Another span, or another day. Hours of past days are not kept: choosing an hour drops the day, and choosing a day the
 * hour.
 */
export const ofSpan = (time: Time, span: Span): Time => (span === 'hour' ? { span } : { ...time, span });
export const ofDay = (time: Time, day: string | undefined): Time => ({
  span: day !== undefined && time.span === 'hour' ? 'day' : time.span,
  ...(day !== undefined && { day }),
});

/** Its first and last UTC day. `today`: the newest day with hits. */
export function daysOf({ span, day }: Time, today: string, keepDays: number): { from: string; to: string } {
  const to = day ?? today;
  const length = span === 'week' ? 7 : span === 'all' ? keepDays : 1;
  return { from: back(to, length - 1), to };
}

/** Its days one by one, newest first. */
export function eachDay({ from, to }: { from: string; to: string }): string[] {
  return Array.from({ length: (Date.parse(to) - Date.parse(from)) / dayMs + 1 }, (_, index) => back(to, index));
}

/** Which points of a snapshot to show; empty: all of them. */
export interface Filter {
  hours?: number;
  since?: string;
}
export function filterOf(time: Time, today: string, keepDays: number): Filter {
  if (time.span === 'all') return {};
  return time.span === 'hour' ? { hours: 1 } : { since: daysOf(time, today, keepDays).from };
}

/** The snapshot to show: the newest, or that of its day; undefined if that is no longer kept. */
export const snapshotOf = ({ day }: Time, newest: string | undefined, kept: Kept | undefined) =>
  day === undefined ? newest : kept?.items.find((item) => item.day === day)?.snapshot;

/** `in the last hour`, `on 21 Nov`, `in 7 days`, with the last day if that is not today. */
export function inWords(time: Time, today: string, keepDays: number): string {
  const { from, to } = daysOf(time, today, keepDays);
  if (time.span === 'hour') return 'in the last hour';
  return from === to ? `on ${dayText(to)}` : `in ${eachDay({ from, to }).length} days`;
}

/** Reads it from the page's query, and writes it back. What can't be understood means now. */
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
