// What every page wears: the bar, and the states a card can be in.
import { type ComponentChildren, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type ServiceError, saveToken } from './api.ts';
import { type Loaded, turnTheme, useDark } from './load.ts';

const pages = [
  { href: '/', name: 'Map' },
  { href: '/people', name: 'People' },
  { href: '/repositories', name: 'Repositories' },
  { href: '/setup', name: 'Set up', aside: true },
  { href: '/health', name: 'Health' },
];

function Links({ here }: { here: string }) {
  return pages.map(({ href, name, aside }) => (
    <a key={href} href={href} class={aside ? 'aside' : undefined} aria-current={href === here ? 'page' : undefined}>
      {name}
    </a>
  ));
}

/** A whale's fluke over the water line. */
function Fluke() {
  return (
    <svg width="26" height="26" viewBox="0 0 24 24" aria-hidden="true" fill="currentColor">
      <path d="M12 10.2C10.6 6 7 4.2 2.8 4.4 3.2 8.6 6.3 12 10.9 12l-.6 5h3.4l-.6-5c4.6 0 7.7-3.4 8.1-7.6C17 4.2 13.4 6 12 10.2Z" />
      <path
        d="M2 19.6c1.7 0 1.7 1.4 3.4 1.4s1.7-1.4 3.3-1.4 1.7 1.4 3.3 1.4 1.7-1.4 3.3-1.4 1.7 1.4 3.3 1.4 1.7-1.4 3.4-1.4"
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
      />
    </svg>
  );
}

function Bar({ here }: { here: string }) {
  const dark = useDark();
  return (
    <header class="bar">
      <a class="brand" href="/">
        <Fluke />
        Whalewatch
      </a>
      <nav class="links" aria-label="Pages">
        <Links here={here} />
      </nav>
      <button
        type="button"
        class="icon"
        onClick={turnTheme}
        aria-label={dark ? 'Use light colours' : 'Use dark colours'}
        title={dark ? 'Use light colours' : 'Use dark colours'}
      >
        <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
          <circle cx="10" cy="10" r="7.2" fill="none" stroke="currentColor" stroke-width="1.6" />
          <path d="M10 2.8a7.2 7.2 0 0 1 0 14.4Z" fill="currentColor" />
        </svg>
      </button>
      <details
        class="menu"
        onKeyDown={(event) => event.key === 'Escape' && event.currentTarget.removeAttribute('open')}
      >
        <summary aria-label="Pages">
          <svg width="20" height="20" viewBox="0 0 20 20" aria-hidden="true">
            <path d="M3 5.5h14M3 10h14M3 14.5h14" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" />
          </svg>
        </summary>
        <nav aria-label="Pages">
          <Links here={here} />
        </nav>
      </details>
    </header>
  );
}

/** A page of cards. */
export function Page({ here, children }: { here: string; children: ComponentChildren }) {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Bar here={here} />
      <main id="main" class="page" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** The map fills its page: the skip link leads past the canvas to the list. */
export function MapPage({ embed, children }: { embed: boolean; children: ComponentChildren }) {
  return (
    <div class={embed ? 'map-page embed' : 'map-page'}>
      {!embed && (
        <>
          <a class="skip" href="#places">
            Skip the map, to the list of places
          </a>
          <Bar here="/" />
        </>
      )}
      <main class="map-stage">{children}</main>
    </div>
  );
}

export function mount(page: ComponentChildren): void {
  const root = document.getElementById('app');
  if (!root) throw new Error('the page has no #app');
  root.replaceChildren();
  render(page, root);
}

/** Lines of the final shape while data is on its way. */
export function Skeleton({ lines = 4, height = 20 }: { lines?: number; height?: number }) {
  return (
    <div aria-hidden="true">
      {Array.from({ length: lines }, (_, line) => (
        <span
          key={line}
          class="bone"
          style={{ height: `${height}px`, width: `${100 - ((line * 23) % 34)}%`, margin: '10px 0' }}
        />
      ))}
    </div>
  );
}

/** Says what failed in one sentence, and offers what may mend it. */
export function Failed({ what, error, retry }: { what: string; error: ServiceError; retry: () => void }) {
  const [token, setToken] = useState('');
  if (error.status === 401 || error.status === 403)
    return (
      <form
        class="note"
        onSubmit={(event) => {
          event.preventDefault();
          saveToken(token.trim());
          retry();
        }}
      >
        <strong>This page is private.</strong>
        <p>Give the reader's token. It is kept until you close this tab. {error.message}</p>
        <label class="hidden-text" for="token">
          Reader's token
        </label>
        <input
          id="token"
          class="field"
          type="password"
          autocomplete="off"
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
        />
        <button type="submit" class="button">
          Open
        </button>
      </form>
    );
  return (
    <div class="note failed" role="alert">
      <strong>{what} could not be loaded.</strong>
      <p>{error.message}</p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

/** A card's content by the state of its data. What was loaded stays when a reload fails. */
export function Content<T>({
  of,
  what,
  lines,
  children,
}: {
  of: Loaded<T>;
  what: string;
  lines?: number;
  children: (data: T) => ComponentChildren;
}) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Failed what={what} error={of.error} retry={of.reload} />;
  return (
    <div aria-busy="true">
      <Skeleton lines={lines} />
    </div>
  );
}

export function Segments<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  label: string;
  options: readonly (readonly [value: T, text: string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would bring its own box
    <div class="segments" role="group" aria-label={label}>
      {options.map(([option, text]) => (
        <button key={option} type="button" aria-pressed={option === value} onClick={() => onChange(option)}>
          {text}
        </button>
      ))}
    </div>
  );
}

/** A search field that speaks after a pause, not at each letter. */
export function Search({ label, value, onSearch }: { label: string; value: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(value);
  useEffect(() => {
    if (text === value) return;
    const timer = setTimeout(() => onSearch(text), 250);
    return () => clearTimeout(timer);
  }, [text, value, onSearch]);
  return (
    <search class="search">
      <input
        class="field"
        type="search"
        aria-label={label}
        placeholder={label}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
    </search>
  );
}

/** A repository's name as a link to its page; the tag stays muted behind its colon. */
export function ImageName({ repository, tag }: { repository: string; tag?: string }) {
  return (
    <span class="mono">
      <a href={`/repositories?name=${encodeURIComponent(repository)}`}>{repository}</a>
      {tag && <span class="tag">:{tag}</span>}
    </span>
  );
}

export const PersonName = ({ user }: { user: string }) => (
  <a href={`/people?user=${encodeURIComponent(user)}`}>{user}</a>
);
