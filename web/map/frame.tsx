// What surrounds the map: its state in words, the legend, the controls, the attribution.
import type { ComponentChildren } from 'preact';
import type { Latest } from '../api.ts';
import { ago, compact, day as dayText, plural } from '../text/format.ts';
import { isQuiet, type Live } from './live.ts';
import type { Time } from './time.ts';
import type { View } from './view.ts';

export type State = 'loading' | 'empty' | 'live' | 'stale' | 'lost' | 'failed';

export function stateOf({ latest, isStuck, error }: Live): State {
  if (error) return latest ? 'lost' : 'failed';
  if (!latest) return 'loading';
  if (!latest.updatedAt) return 'empty';
  return isStuck ? 'stale' : 'live';
}

const words: Record<State, string> = {
  loading: 'Loading',
  empty: 'Waiting for the first hit',
  live: 'Live',
  stale: 'Stale',
  lost: 'Connection lost',
  failed: 'Nothing loaded',
};

/** The state in words; screen readers announce it when it changes, not each second. */
export function Status({ state, latest, now }: { state: State; latest?: Latest; now: number }) {
  const quiet = state === 'live' && latest && isQuiet(latest, now);
  return (
    <p class="status">
      <span class={`dot ${state}`} />
      <span role="status">{words[state]}</span>
      {latest?.updatedAt && (
        <span>
          {quiet ? 'last hit' : 'updated'} {ago(latest.updatedAt, now)}
        </span>
      )}
    </p>
  );
}

/** A past day has no state, but a button back to now. */
export const Past = ({ day, onNow }: { day: string; onNow: () => void }) => (
  <p class="status">
    <span class="dot past" />
    <span role="status">The end of {dayText(day)}, UTC</span>
    <button type="button" class="quiet" onClick={onNow}>
      Back to now
    </button>
  </p>
);

const sizes = [
  ['2-9', 10, 'c1'],
  ['10-99', 14, 'c2'],
  ['100-999', 18, 'c3'],
  ['1,000+', 22, 'c4'],
] as const;

export const Legend = () => (
  <section class="legend" aria-label="Legend">
    <h2>In a cluster</h2>
    <ul>
      {sizes.map(([text, size, colour]) => (
        <li key={text}>
          <i style={{ width: `${size}px`, height: `${size}px`, background: `var(--${colour})` }} />
          {text}
        </li>
      ))}
    </ul>
  </section>
);

function Control({ label, act, children }: { label: string; act: () => void; children: ComponentChildren }) {
  return (
    <button type="button" class="icon" aria-label={label} title={label} onClick={act}>
      <svg
        width="18"
        height="18"
        viewBox="0 0 18 18"
        aria-hidden="true"
        fill="none"
        stroke="currentColor"
        stroke-width="1.7"
        stroke-linecap="round"
      >
        {children}
      </svg>
    </button>
  );
}

export const Controls = ({ view }: { view: View }) => (
  // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own box
  <div class="controls" role="group" aria-label="Map controls">
    <Control label="Zoom in" act={() => view.zoomBy(1)}>
      <path d="M9 3v12M3 9h12" />
    </Control>
    <Control label="Zoom out" act={() => view.zoomBy(-1)}>
      <path d="M3 9h12" />
    </Control>
    <Control label="Show the whole world" act={() => view.world()}>
      <circle cx="9" cy="9" r="6.5" />
      <path d="M2.5 9h13M9 2.5c4 4.3 4 8.7 0 13M9 2.5c-4 4.3-4 8.7 0 13" />
    </Control>
  </div>
);

export const Credit = ({ embed }: { embed: boolean }) => (
  <p class="credit">
    Map: Natural Earth. Locations: <a href="https://db-ip.com">IP Geolocation by DB-IP</a>
    {embed && (
      <>
        {' · '}
        <a href="./" target="_top">
          Whalewatch
        </a>
      </>
    )}
  </p>
);

/** The one number, and what it counts. */
export function Total({
  time,
  hits,
  found,
  what,
  words,
}: {
  time: Time;
  /** Hits of the days shown. */
  hits: number;
  /** Points hit in this time; undefined while they load. */
  found?: number;
  what: 'domain' | 'point';
  words: string;
}) {
  const number = found === undefined ? '…' : plural(found, what);
  if (time.span === 'hour')
    return (
      <>
        <p class="big">{number}</p>
        <p>hit {words}</p>
      </>
    );
  return (
    <>
      <p class="big">{compact(hits)} hits</p>
      <p>
        {words}, from {number}
      </p>
    </>
  );
}
