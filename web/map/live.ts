// Keeps the map page up to date: polls the pointer, and reads the sums only when the pointer moved.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type Latest, ServiceError } from '../api.ts';
import { utcDay } from '../text/format.ts';

/** Milliseconds between two polls while the page is visible; an unchanged pointer costs a 304. */
const seenEvery = 2000;
const hiddenEvery = 60_000;
/** Sums move by the minute; reading them with each snapshot would be four requests a poll. */
const sumsEvery = 10_000;
export const sumDays = 30;
/** Without a new snapshot for this long there were no hits, or something is stuck: health tells which. */
export const quietSeconds = 120;
const healthEvery = 10_000;

export interface Sums {
  days: { day: string; hits: number }[];
  /** The newest day with hits, and its domains, most hits first. */
  newest: string;
  domains: { domain: string; hits: number }[];
}

export interface Live {
  latest?: Latest;
  sums?: Sums;
  /** There is no new snapshot because something is stuck, as health reports it. */
  isStuck?: boolean;
  /** Why the newest request failed; the last replies stay. */
  error?: ServiceError;
  retry: () => void;
}

const mostDomains = 50;

async function readSums(signal: AbortSignal): Promise<Sums> {
  const now = Date.now();
  const fresh = { signal, revalidate: true };
  const [from, to] = [utcDay(now, sumDays - 1), utcDay(now)];
  const byDay = await get('/v1/hits', { from, to, by: 'day', limit: sumDays }, fresh);
  const hits = new Map(byDay.items.map((sum) => [sum.day, sum.hits]));
  // Just after midnight, UTC, today has none yet, so the day before is shown.
  const newest = byDay.items.findLast((sum) => sum.hits > 0)?.day ?? to;
  const byDomain = await get('/v1/hits', { from: newest, to: newest, by: 'domain', limit: mostDomains }, fresh);
  return {
    days: Array.from({ length: sumDays }, (_, index) => utcDay(now, sumDays - 1 - index)).map((day) => ({
      day,
      hits: hits.get(day) ?? 0,
    })),
    newest,
    domains: byDomain.items.map(({ key, hits }) => ({ domain: key, hits })).sort((a, b) => b.hits - a.hits),
  };
}

/** Before the first export there is no pointer: 404 is expected then. */
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

async function readIsStuck(signal: AbortSignal): Promise<boolean> {
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
        if (!isQuiet(latest, Date.now())) setLive((last) => ({ ...last, isStuck: false }));
        else if (Date.now() - healthAt >= healthEvery) {
          const isStuck = await readIsStuck(signal);
          healthAt = Date.now();
          setLive((last) => ({ ...last, isStuck }));
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
