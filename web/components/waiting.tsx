// Shows live whether the first event has arrived, beside the set-up instructions.
import { useEffect, useRef, useState } from 'preact/hooks';
import { get, type ServiceError } from '../api.ts';
import { useEvery, useLoad, useNow } from '../load.ts';
import { ago, plural, since } from '../text/format.ts';
import { type Refused, refusedText } from '../text/refused.ts';
import { has, useReader } from './reader.ts';

const everyMs = 3000;

export interface Arrivals {
  /** Undefined until the service responds. */
  counts?: { registry: number; hits: number };
  /** When this page last saw the count grow, in milliseconds. */
  grew: { registry?: number; hits?: number };
  /** What could not be understood since the page was opened, newest first. */
  quarantined: { id: string; time: string; reason: string }[];
  /** Posts that were refused since then. */
  refused: Refused[];
  /** Why the counts can't be read. */
  error?: ServiceError;
  /** Whether the reader is not the owner; only the owner may see this. */
  isPrivate: boolean;
}

/** Asks every few seconds what has come in. */
export function useArrivals(): Arrivals {
  const [opened] = useState(() => Date.now());
  const reader = useReader();
  const isOwner = reader !== undefined && has(reader, 'owner');
  const health = useLoad(isOwner ? 'arrivals' : null, async (signal) => {
    const [{ hits, registryEvents, refused = [] }, { items }] = await Promise.all([
      get('/v1/health', {}, { signal, revalidate: true, accept: [503] }),
      get('/v1/quarantine', { limit: 5 }, { signal, revalidate: true }),
    ]);
    return { counts: { registry: registryEvents, hits }, quarantined: items, refused };
  });
  useEvery(everyMs, health.reload);
  const last = useRef<Arrivals['counts']>(undefined);
  const [grew, setGrew] = useState<Arrivals['grew']>({});
  const counts = health.data?.counts;
  useEffect(() => {
    if (!counts) return;
    const before = last.current;
    last.current = counts;
    if (!before) return;
    const now = Date.now();
    if (counts.registry > before.registry) setGrew((grew) => ({ ...grew, registry: now }));
    if (counts.hits > before.hits) setGrew((grew) => ({ ...grew, hits: now }));
  }, [counts]);
  const isNew = (time: string) => Date.parse(time) >= opened - 60_000;
  const quarantined = (health.data?.quarantined ?? []).filter(({ time }) => isNew(time));
  // Posts in quarantine are shown with their own reasons.
  const refused = (health.data?.refused ?? []).filter(
    ({ lastAt, reason }) => isNew(lastAt) && reason !== 'not-understood',
  );
  return { counts, grew, quarantined, refused, error: health.error, isPrivate: reader !== undefined && !isOwner };
}

/** One line below the text to paste. `what` is the word for one event. */
export function Waiting({ of, kind, what }: { of: Arrivals; kind: 'registry' | 'hits'; what: string }) {
  const now = useNow(1000);
  const { counts, grew, quarantined, refused, error, isPrivate } = of;
  const at = grew[kind];
  const [state, text] = isPrivate
    ? ['', 'Only the owner can see here what arrives.']
    : error
      ? ['failed', `The incoming events can't be read: ${error.message}`]
      : !counts
        ? ['', 'Checking whether anything has arrived']
        : at !== undefined
          ? ['live', `Received, ${since(at, now) === 'now' ? 'just now' : ago(at, now)}. ${total(counts[kind], what)}.`]
          : counts[kind] > 0
            ? ['live', `${total(counts[kind], what)}. Waiting for the next`]
            : ['waits', `Waiting for the first ${what}`];
  const moves = state === 'waits' || text.endsWith('next') || text.endsWith('in');
  return (
    <div class="arrivals">
      <p role="status">
        <span class={`dot ${state}`} />
        {moves ? `${text} …` : text}
      </p>
      {kind === 'registry' &&
        refused.map((one) => (
          <p key={`${one.reason} ${one.registry}`} class="refused">
            <span class="dot bad" />
            Refused {ago(one.lastAt, now)}: {plural(one.posts, 'post')} {refusedText(one)}.
          </p>
        ))}
      {kind === 'registry' &&
        quarantined.map(({ id, time, reason }) => (
          <p key={id} class="refused">
            <span class="dot stale" />
            Received {ago(time, now)}, and not understood: {reason}. <a href="./health#aside">See it whole</a>
          </p>
        ))}
    </div>
  );
}

const total = (count: number, what: string) => `${plural(count, what)} so far`;
