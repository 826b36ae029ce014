// Keeps the map page up to date: the pointer is asked often, the sums only when the pointer moved.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type HitSum, items, type Latest, ServiceError } from '../api.ts';
import { utcDay } from '../format.ts';

/** Milliseconds between two questions while the page is seen; an unchanged pointer costs a 304. */
const seenEvery = 2000;
const hiddenEvery = 60_000;
/** Sums move by the minute; asking with each new snapshot would be four questions a poll. */
const sumsEvery = 10_000;
export const sumDays = 30;
/** Without news for this long the map is stale. */
export const staleSeconds = 120;

export interface Sums {
  days: { day: string; hits: number }[];
  places: { domain: string; hits: number }[];
}

export interface Live {
  latest?: Latest;
  sums?: Sums;
  /** Why the newest question failed; the last answers stay. */
  error?: ServiceError;
  retry: () => void;
}

async function readSums(signal: AbortSignal): Promise<Sums> {
  const now = Date.now();
  const [from, to] = [utcDay(now, sumDays - 1), utcDay(now)];
  const [byDay, byDomain] = await Promise.all([
    get<{ items: HitSum[] }>('/v1/hits', { from, to, by: 'day', limit: 100 }, { signal, revalidate: true }),
    get<{ items: HitSum[] }>('/v1/hits', { from, to, by: 'domain', limit: 1000 }, { signal, revalidate: true }),
  ]);
  const hits = new Map(items(byDay).map((sum) => [sum.day, sum.hits]));
  const places = new Map<string, number>();
  for (const { key, hits } of items(byDomain)) if (key) places.set(key, (places.get(key) ?? 0) + hits);
  return {
    days: Array.from({ length: sumDays }, (_, index) => utcDay(now, sumDays - 1 - index)).map((day) => ({
      day,
      hits: hits.get(day) ?? 0,
    })),
    places: [...places].map(([domain, hits]) => ({ domain, hits })).sort((a, b) => b.hits - a.hits),
  };
}

export function useLive(): Live {
  const [live, setLive] = useState<Omit<Live, 'retry'>>({});
  const again = useRef(() => {});
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [snapshot, sumsOf, sumsAt] = [undefined as string | undefined, undefined as string | undefined, 0];
    const ask = async () => {
      clearTimeout(timer);
      try {
        const latest = await get<Latest>('/v1/points/latest', {}, { signal, revalidate: true });
        snapshot = latest.snapshot;
        setLive((last) => ({ ...last, latest, error: undefined }));
        if (snapshot !== sumsOf && Date.now() - sumsAt >= sumsEvery) {
          const sums = await readSums(signal);
          [sumsOf, sumsAt] = [snapshot, Date.now()];
          setLive((last) => ({ ...last, sums, error: undefined }));
        }
      } catch (error) {
        if (signal.aborted) return;
        setLive((last) => ({
          ...last,
          error: error instanceof ServiceError ? error : new ServiceError(0, String(error)),
        }));
      }
      if (!signal.aborted) timer = setTimeout(ask, document.hidden ? hiddenEvery : seenEvery);
    };
    again.current = ask;
    const seen = () => document.hidden || ask();
    document.addEventListener('visibilitychange', seen);
    ask();
    return () => {
      controller.abort();
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', seen);
    };
  }, []);
  return { ...live, retry: () => again.current() };
}
