// The most visited places of several days, from the daily sums: the service keeps no sum over days.
import { get } from '../api.ts';
import { utcDay } from '../format.ts';

export interface Place {
  domain: string;
  hits: number;
}

/** Places that are read of each day. */
export const listed = 200;
/** Rows that are shown. */
const mostPlaces = 50;
/** Days that are asked for side by side: the service sorts a day's places when they are first asked for. */
const atOnce = 3;
/** A past day moves by late hits only. */
const pastEveryMs = 300_000;
const todayEveryMs = 10_000;

interface Day {
  readAt: number;
  places: Place[];
  /** Whether that is all of the day. */
  whole: boolean;
}
const known = new Map<string, Day>();

async function read(day: string, signal?: AbortSignal): Promise<Day> {
  const query = { from: day, to: day, by: 'domain', limit: listed };
  const { items, cursor } = await get('/v1/hits', query, {
    signal,
    revalidate: true,
  });
  return {
    readAt: Date.now(),
    places: items.map(({ key, hits }) => ({ domain: key, hits })),
    whole: cursor === undefined,
  };
}

/**
 * Most visited first. What is in no day's list is missing, and what is in some days' lists only is counted from those:
 * `whole` says that no day had more places than are read of it.
 */
export async function mostVisited(days: number, signal?: AbortSignal): Promise<{ places: Place[]; whole: boolean }> {
  const now = Date.now();
  const wanted = Array.from({ length: days }, (_, back) => utcDay(now, back));
  const stale = wanted.filter((day) => {
    const readAt = known.get(day)?.readAt ?? Number.NEGATIVE_INFINITY;
    return now - readAt >= (day === wanted[0] ? todayEveryMs : pastEveryMs);
  });
  const queue = stale.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const day of queue) known.set(day, await read(day, signal));
    }),
  );
  const held = wanted.flatMap((day) => known.get(day) ?? []);
  return { places: sum(held.map(({ places }) => places)), whole: held.every(({ whole }) => whole) };
}

/** Sums of several days' lists, most first, ties by name. */
export function sum(days: Place[][]): Place[] {
  const sums = new Map<string, number>();
  for (const { domain, hits } of days.flat()) sums.set(domain, (sums.get(domain) ?? 0) + hits);
  return Array.from(sums, ([domain, hits]) => ({ domain, hits }))
    .sort((a, b) => b.hits - a.hits || (a.domain < b.domain ? -1 : 1))
    .slice(0, mostPlaces);
}
