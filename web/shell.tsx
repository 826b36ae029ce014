// What every page wears: the bar, the head, and the way in for readers of private pages.
import { type ComponentChildren, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { refused, token } from './api.ts';
import { turnTheme, useDark } from './load.ts';

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

/** For those who signed in; leaves the page as others see it. */
function SignOut() {
  if (!token.get()) return null;
  return (
    <button
      type="button"
      class="quiet"
      onClick={() => {
        token.clear();
        location.reload();
      }}
    >
      Sign out
    </button>
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
      <SignOut />
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
          <SignOut />
        </nav>
      </details>
    </header>
  );
}

/** Asks for the reader's token once for the whole page. */
function SignIn({ onDone }: { onDone: () => void }) {
  const wrong = token.get() !== null;
  const [text, setText] = useState('');
  const [said, setSaid] = useState(wrong ? 'The token was not accepted. It may have been replaced since.' : '');
  return (
    <form
      class="card sign-in"
      aria-labelledby="sign-in"
      onSubmit={(event) => {
        event.preventDefault();
        try {
          token.set(text.trim());
          onDone();
        } catch {
          setSaid("This browser doesn't let pages keep anything (session storage is off), so the token can't be kept.");
        }
      }}
    >
      <h2 id="sign-in">People's pages are private</h2>
      {said && <p role="alert">{said}</p>}
      <p>Give the reader's token. It stays in this tab, and goes when you close it.</p>
      <div>
        <input
          class="field"
          type="password"
          aria-label="Reader's token"
          autocomplete="off"
          required
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="button sure">
          Sign in
        </button>
      </div>
      <p class="small">
        An API token: the owner of this server makes one. On AWS the owner's own is the secret that{' '}
        <code>cdk deploy</code> prints as <code>OwnerToken</code>.
      </p>
    </form>
  );
}

/** A page of cards under its head; what asks the service must be drawn in it, for signing in asks anew. `open` is for pages that show something to those without a token as well. */
export function Page({
  here,
  title,
  lead,
  crumb,
  aside,
  open,
  children,
}: {
  here: string;
  title: ComponentChildren;
  lead?: ComponentChildren;
  crumb?: { href: string; name: string };
  /** At the right of the title. */
  aside?: ComponentChildren;
  open?: boolean;
  children: ComponentChildren;
}) {
  const [locked, setLocked] = useState(false);
  // Signing in draws the content anew, so that everything in it asks again.
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const lock = () => setLocked(true);
    refused.addEventListener('refused', lock);
    return () => refused.removeEventListener('refused', lock);
  }, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Bar here={here} />
      <main id="main" class="page" tabIndex={-1}>
        <div class="head">
          <div>
            {crumb && (
              <p class="crumb">
                <a href={crumb.href}>{crumb.name}</a>
              </p>
            )}
            {title}
            {lead && <p>{lead}</p>}
          </div>
          {!locked && aside}
        </div>
        {(!locked || open) && <Turn key={turn}>{children}</Turn>}
        {locked && (
          <SignIn
            key={`sign-in ${turn}`}
            onDone={() => {
              setLocked(false);
              setTurn(turn + 1);
            }}
          />
        )}
      </main>
    </>
  );
}

/** Children that a new key draws anew. */
const Turn = ({ children }: { children: ComponentChildren }) => <>{children}</>;

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
