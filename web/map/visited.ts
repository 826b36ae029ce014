// The domains with most hits of several days, from the daily sums: the service keeps no sum over days.
import { get } from '../api.ts';
import { utcDay } from '../text/format.ts';

export interface DomainHits {
  domain: string;
  hits: number;
}

/** Domains that are read of each day. */
export const listed = 200;
/** Rows that are shown. */
const mostDomains = 50;
/** Days that are asked for side by side: the service sorts a day's domains when they are first asked for. */
const atOnce = 3;
/** A past day moves by late hits only. */
const pastEveryMs = 300_000;
const todayEveryMs = 10_000;

interface Day {
  readAt: number;
  domains: DomainHits[];
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
    domains: items.map(({ key, hits }) => ({ domain: key, hits })),
    whole: cursor === undefined,
  };
}

/**
 * Most visited of these days first. What is in no day's list is missing, and what is in some days' lists only is counted from those:
 * `whole` says that no day had more domains than are read of it.
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
