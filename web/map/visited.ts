// The domains with most hits of several days, from the daily sums: the service keeps no sum over days.
import { get } from '../api.ts';
import { utcDay } from '../text/format.ts';

export interface DomainHits {
  domain: string;
  hits: number;
}

/** The most domains read of each day. */
export const listed = 200;
/** The most rows shown. */
const mostDomains = 50;
/** Days requested at once: the service sorts a day's domains on the first request. */
const atOnce = 3;
/** Milliseconds until a day is read again. A past day changes only by late hits. */
const pastEveryMs = 300_000;
const todayEveryMs = 10_000;

interface Day {
  readAt: number;
  domains: DomainHits[];
  /** Whether these are all domains of the day. */
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
    domains: items.map(({ key, hits }) => ({ domain: key, hits })),
    whole: cursor === undefined,
  };
}

/**
 * The domains with the most hits of these days, summed from each day's list. `whole`: every list was complete, so that
 * no domain is missing or counted from only some of the days.
 */
export async function mostVisited(
  wanted: string[],
  signal?: AbortSignal,
): Promise<{ domains: DomainHits[]; whole: boolean }> {
  const now = Date.now();
  const stale = wanted.filter((day) => {
    const readAt = known.get(day)?.readAt ?? Number.NEGATIVE_INFINITY;
    return now - readAt >= (day === utcDay(now) ? todayEveryMs : pastEveryMs);
  });
  const queue = stale.values();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (const day of queue) known.set(day, await read(day, signal));
    }),
  );
  const held = wanted.flatMap((day) => known.get(day) ?? []);
  return { domains: sum(held.map(({ domains }) => domains)), whole: held.every(({ whole }) => whole) };
}

/** Sums of several days' lists, most first, ties by name. */
export function sum(days: DomainHits[][]): DomainHits[] {
  const sums = new Map<string, number>();
  for (const { domain, hits } of days.flat()) sums.set(domain, (sums.get(domain) ?? 0) + hits);
  return Array.from(sums, ([domain, hits]) => ({ domain, hits }))
    .sort((a, b) => b.hits - a.hits || (a.domain < b.domain ? -1 : 1))
    .slice(0, mostDomains);
}
