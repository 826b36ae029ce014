// Keeps the map page up to date: polls the pointer, and reads the sums only when the pointer moved.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type Latest, type Me, ServiceError } from '../api.ts';
import { has } from '../components/reader.ts';
import { utcDay } from '../text/format.ts';
import type { Kept } from './time.ts';

/** Milliseconds between two polls while the page is visible; an unchanged pointer costs a 304. */
const seenEvery = 2000;
const hiddenEvery = 60_000;
/** Milliseconds between two reads of the sums: reading them with each snapshot would be four requests a poll. */
const sumsEvery = 10_000;
/** The number of bars: at least a week, at most as many as can be distinguished. */
const [leastBars, mostBars] = [7, 60];
/** After this long without a new snapshot, either there were no hits or something is stuck: health says which. */
const quietSeconds = 120;
const healthEvery = 10_000;

export interface Sums {
  /** Hits of each day that has a bar, oldest first; the last is the newest day with hits. */
  days: { day: string; hits: number }[];
  /** Hits of those days, and of the days before them that a span can include. */
  byDay: Map<string, number>;
  /** The newest day with hits: just after midnight, UTC, that is the day before. */
  newest: string;
}

export interface Live {
  latest?: Latest;
  /** The days whose map is kept. */
  kept?: Kept;
  sums?: Sums;
  /** Whether health reports that something is stuck, so that no new snapshot is made. */
  isStuck?: boolean;
  /** Why the newest request failed; the last responses stay. */
  error?: ServiceError;
  retry: () => void;
}

async function readSums(signal: AbortSignal): Promise<{ kept: Kept; sums: Sums }> {
  const now = Date.now();
  const fresh = { signal, revalidate: true };
  const kept = await get('/v1/points/days', {}, fresh);
  const bars = Math.min(mostBars, Math.max(leastBars, kept.keepDays));
  const reach = bars + Math.max(leastBars, kept.keepDays);
  const query = { from: utcDay(now, reach), to: utcDay(now), by: 'day', limit: reach + 1 };
  const { items } = await get('/v1/hits', query, fresh);
  const hits = new Map(items.map((sum) => [sum.day, sum.hits]));
  const newest = items.findLast((sum) => sum.hits > 0)?.day ?? utcDay(now);
  const days = Array.from({ length: bars }, (_, index) => utcDay(Date.parse(newest), bars - 1 - index));
  return { kept, sums: { byDay: hits, days: days.map((day) => ({ day, hits: hits.get(day) ?? 0 })), newest } };
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

/** Requests nothing until the reader is known, and nothing if they may not see the map. */
export function useLive(reader: Me | null | undefined): Live {
  const [live, setLive] = useState<Omit<Live, 'retry'>>({});
  const again = useRef(() => {});
  const isOpen = reader !== undefined && reader?.map !== false;
  // Only the owner may see the state of the stages.
  const seesHealth = reader !== undefined && has(reader, 'owner');
  useEffect(() => {
    if (!isOpen) return;
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
          const read = await readSums(signal);
          [sumsOf, sumsAt] = [snapshot, Date.now()];
          setLive((last) => ({ ...last, ...read, error: undefined }));
        }
        if (!isQuiet(latest, Date.now())) setLive((last) => ({ ...last, isStuck: false }));
        else if (seesHealth && Date.now() - healthAt >= healthEvery) {
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
  }, [isOpen, seesHealth]);
  return { ...live, retry: () => again.current() };
}
