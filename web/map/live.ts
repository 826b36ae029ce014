// Keeps the map page up to date: the pointer is asked often, the sums only when the pointer moved.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type Latest, ServiceError } from '../api.ts';
import { utcDay } from '../format.ts';

/** Milliseconds between two questions while the page is seen; an unchanged pointer costs a 304. */
const seenEvery = 2000;
const hiddenEvery = 60_000;
/** Sums move by the minute; asking with each new snapshot would be four questions a poll. */
const sumsEvery = 10_000;
export const sumDays = 30;
/** Without news for this long nobody may have come, or something stands: health tells which. */
export const quietSeconds = 120;
const healthEvery = 10_000;

export interface Sums {
  days: { day: string; hits: number }[];
  /** The newest day with hits, and its places, most visited first. */
  newest: string;
  places: { domain: string; hits: number }[];
}

export interface Live {
  latest?: Latest;
  sums?: Sums;
  /** There is no news because something stands, by the service's own word. */
  stands?: boolean;
  /** Why the newest question failed; the last answers stay. */
  error?: ServiceError;
  retry: () => void;
}

const mostPlaces = 50;

async function readSums(signal: AbortSignal): Promise<Sums> {
  const now = Date.now();
  const fresh = { signal, revalidate: true };
  const [from, to] = [utcDay(now, sumDays - 1), utcDay(now)];
  const byDay = await get('/v1/hits', { from, to, by: 'day', limit: sumDays }, fresh);
  const hits = new Map(byDay.items.map((sum) => [sum.day, sum.hits]));
  // Just after midnight, UTC, today has none yet: the day before says more.
  const newest = byDay.items.findLast((sum) => sum.hits > 0)?.day ?? to;
  const byDomain = await get('/v1/hits', { from: newest, to: newest, by: 'domain', limit: mostPlaces }, fresh);
  return {
    days: Array.from({ length: sumDays }, (_, index) => utcDay(now, sumDays - 1 - index)).map((day) => ({
      day,
      hits: hits.get(day) ?? 0,
    })),
    newest,
    places: byDomain.items.map(({ key, hits }) => ({ domain: key, hits })).sort((a, b) => b.hits - a.hits),
  };
}

/** Before the first export there is no pointer: 404 is then the right answer. */
async function readLatest(signal: AbortSignal): Promise<Latest> {
  try {
    return await get('/v1/points/latest', {}, { signal, revalidate: true });
  } catch (cause) {
    if (cause instanceof ServiceError && cause.status === 404)
      return { snapshot: '', updatedAt: null, points: 0, staleSeconds: null };
    throw cause;
  }
}

export const isQuiet = ({ updatedAt }: Latest, now: number): boolean =>
  updatedAt !== null && (now - Date.parse(updatedAt)) / 1000 > quietSeconds;

async function readStands(signal: AbortSignal): Promise<boolean> {
  const health = await get('/v1/health', {}, { signal, revalidate: true, accept: [503] });
  return health.status !== 'ok';
}

export function useLive(): Live {
  const [live, setLive] = useState<Omit<Live, 'retry'>>({});
  const again = useRef(() => {});
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let [snapshot, sumsOf, sumsAt] = [undefined as string | undefined, undefined as string | undefined, 0];
    let healthAt = 0;
    const ask = async () => {
      clearTimeout(timer);
      try {
        const latest = await readLatest(signal);
        snapshot = latest.snapshot;
        setLive((last) => ({ ...last, latest, error: undefined }));
        if (snapshot !== sumsOf && Date.now() - sumsAt >= sumsEvery) {
          const sums = await readSums(signal);
          [sumsOf, sumsAt] = [snapshot, Date.now()];
          setLive((last) => ({ ...last, sums, error: undefined }));
        }
        if (!isQuiet(latest, Date.now())) setLive((last) => ({ ...last, stands: false }));
        else if (Date.now() - healthAt >= healthEvery) {
          const stands = await readStands(signal);
          healthAt = Date.now();
          setLive((last) => ({ ...last, stands }));
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
