// What every page has: the bar, the heading, and the sign-in for private pages.
import { type ComponentChildren, render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Me, refused, signInAddress, signOut, token } from '../api.ts';
import { turnTheme, useDark } from '../load.ts';
import { Bell } from './bell.tsx';
import { has, useReader } from './reader.ts';
import { RegistryChoice } from './registries.tsx';

interface PageLink {
  href: string;
  name: string;
  aside?: boolean;
  /** The role that can see something there. */
  needs: Me['role'];
}
const pages: PageLink[] = [
  { href: './', name: 'Map', needs: 'public' },
  { href: './people', name: 'People', needs: 'team' },
  { href: './repositories', name: 'Repositories', needs: 'team' },
  { href: './setup', name: 'Set up', aside: true, needs: 'team' },
  { href: './health', name: 'Health', needs: 'owner' },
];

/** What the reader can open. A reader with only a token needs a page that asks for it. */
function linksFor(reader: Me | null | undefined): PageLink[] {
  if (!reader || (reader.role === 'public' && !reader.signIn)) return pages;
  const { role, user } = reader;
  const own = pages.filter(({ needs }) => has(reader, needs));
  if (role === 'team') return [...own, { href: './models', name: 'Models', needs: 'team' }];
  if (role !== 'user' || user === undefined) return own;
  return [...own, { href: `./people?user=${encodeURIComponent(user)}`, name: 'Your pulls', needs: 'user' }];
}

interface OfReader {
  reader?: Me | null;
}

function Links({ here, reader }: { here: string } & OfReader) {
  return linksFor(reader).map(({ href, name, aside }) => (
    <a
      key={href}
      href={href}
      class={aside ? 'aside' : undefined}
      aria-current={href.split('?')[0] === here ? 'page' : undefined}
    >
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

/** "Sign out" or "Sign in", whichever the reader can do. */
function SignInOrOut({ reader }: OfReader) {
  if (token.get() || reader?.signedIn)
    return (
      <button type="button" class="quiet" title={reader?.user} onClick={signOut}>
        Sign out
      </button>
    );
  if (reader?.role !== 'public' || reader.signIn !== 'openid') return null;
  return (
    <a class="quiet" href={signInAddress()}>
      Sign in
    </a>
  );
}

function Bar({ here, reader }: { here: string } & OfReader) {
  const dark = useDark();
  return (
    <header class="bar">
      <a class="brand" href="./">
        <Fluke />
        Whalewatch
      </a>
      <nav class="links" aria-label="Pages">
        <Links here={here} reader={reader} />
      </nav>
      <SignInOrOut reader={reader} />
      <Bell reader={reader} here={here} />
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
          <Links here={here} reader={reader} />
          <SignInOrOut reader={reader} />
        </nav>
      </details>
    </header>
  );
}

/** Shown instead of `what`, which is private: says why, and how to sign in. */
export function SignIn({ what, reader, onDone }: { what: string; onDone: () => void } & OfReader) {
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
      <h2 id="sign-in">{reader?.signedIn ? 'This page is not for your role' : what}</h2>
      {said && <p role="alert">{said}</p>}
      {reader?.signedIn && (
        <p>
          You are signed in{reader.user ? ` as ${reader.user}` : ''} with the role <b>{reader.role}</b>. The owner of
          this server can give you another.
        </p>
      )}
      {reader && !reader.signedIn && reader.signIn === 'openid' && (
        <p>
          <a class="button sure" href={signInAddress()}>
            Sign in
          </a>
        </p>
      )}
      <p>{reader?.signIn ? 'Or give' : 'Give'} an API token. This tab keeps it until you close it.</p>
      <div>
        <input
          class="field"
          type="password"
          aria-label="API token"
          autocomplete="off"
          required
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit" class="button sure">
          Use token
        </button>
      </div>
      <p class="small">
        The owner of this server makes tokens. On AWS the owner's token is in the secret that the stack's output{' '}
        <code>OwnerToken</code> names.
      </p>
    </form>
  );
}

/**
 * A page of cards under a heading. Components that request data belong inside it: they are drawn only if the reader may
 * see the data, and again after signing in. `needs` is the role that sees all of it.
 */
export function Page({
  here,
  title,
  lead,
  crumb,
  aside,
  needs,
  children,
}: {
  here: string;
  title: ComponentChildren;
  lead?: ComponentChildren;
  crumb?: { href: string; name: string };
  /** At the right of the title. */
  aside?: ComponentChildren;
  needs: Me['role'];
  children: ComponentChildren;
}) {
  const [wasRefused, setRefused] = useState(false);
  const filtered = here === './people' || here === './repositories';
  // Signing in draws the content anew, so that everything in it asks again.
  const [turn, setTurn] = useState(0);
  const reader = useReader(turn);
  const isLocked = wasRefused || (reader !== undefined && !has(reader, needs));
  const isOpen = reader !== undefined && !isLocked;
  useEffect(() => {
    const lock = () => setRefused(true);
    refused.addEventListener('refused', lock);
    return () => refused.removeEventListener('refused', lock);
  }, []);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <Bar here={here} reader={reader} />
      <main id="main" class="page" tabIndex={-1} aria-busy={reader === undefined}>
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
          {isOpen && filtered ? (
            <div class="head-aside">
              <RegistryChoice />
              {aside}
            </div>
          ) : (
            isOpen && aside
          )}
        </div>
        {isOpen && <Turn key={turn}>{children}</Turn>}
        {isLocked && (
          <SignIn
            key={`sign-in ${turn}`}
            what="This page is private"
            reader={reader}
            onDone={() => {
              setRefused(false);
              setTurn(turn + 1);
            }}
          />
        )}
      </main>
    </>
  );
}

/** Redraws its children when the key changes. */
const Turn = ({ children }: { children: ComponentChildren }) => <>{children}</>;

/** The map fills its page: the skip link leads past the canvas to the list. */
export function MapPage({
  embed,
  here = './',
  reader,
  children,
}: {
  embed: boolean;
  here?: string;
  children: ComponentChildren;
} & OfReader) {
  return (
    <div class={embed ? 'map-page embed' : 'map-page'}>
      {!embed && (
        <>
          {here === './' && (
            <a class="skip" href="#domains">
              Skip the map, to the list of domains
            </a>
          )}
          <Bar here={here} reader={reader} />
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
