// A card, and the states its data can be in.
import type { ComponentChildren } from 'preact';
import type { ServiceError } from '../api.ts';
import type { Loaded, Pages } from '../load.ts';

/** Placeholder lines while data loads. */
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

/** The state, and what to do about it. */
export function Note({ title, children }: { title: ComponentChildren; children?: ComponentChildren }) {
  return (
    <div class="note">
      <strong>{title}</strong>
      <p>{children}</p>
    </div>
  );
}

/** Says what failed in one sentence, and offers what may fix it. */
export function Failed({ what, error, retry }: { what: string; error: ServiceError; retry: () => void }) {
  if (error.isPrivate) return <p class="muted">{what}: not for your role.</p>;
  return (
    <div class="note failed" role="alert">
      <strong>{what} could not be loaded.</strong>
      <p>
        {error.message}
        {error.status >= 500 && !location.pathname.endsWith('/health') && (
          <>
            {' '}
            <a href="./health">Health</a> says what is wrong.
          </>
        )}
      </p>
      <button type="button" class="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

interface ContentProps<T> {
  of: Loaded<T>;
  /** Its name in the message that it could not be loaded. */
  what: string;
  /** The number of placeholder lines. */
  lines?: number;
  children: (data: T) => ComponentChildren;
}

/** Draws data by its state. Loaded data stays when a reload fails. */
export function Content<T>({ of, what, lines, children }: ContentProps<T>) {
  if (of.data !== undefined) return <>{children(of.data)}</>;
  if (of.error) return <Failed what={what} error={of.error} retry={of.reload} />;
  return (
    <div aria-busy="true">
      <Skeleton lines={lines} />
    </div>
  );
}

interface CardProps {
  /** The id of its heading. */
  id: string;
  title: ComponentChildren;
  /** How many of the grid's twelve columns it takes. */
  span: 5 | 6 | 7 | 12;
  /** Shown at the right of the heading. */
  aside?: ComponentChildren;
}

export function Card({ id, title, span, aside, children }: CardProps & { children: ComponentChildren }) {
  return (
    <section class={span === 12 ? 'card' : `card span-${span}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

/** A card of data that loads. */
export function DataCard<T>({ of, what, lines, children, ...card }: CardProps & ContentProps<T>) {
  return (
    <Card {...card}>
      <Content of={of} what={what} lines={lines}>
        {children}
      </Content>
    </Card>
  );
}

/** The button for a list's next page. */
export function More<T>({ of, what, quiet }: { of: Pages<T>; what: string; quiet?: boolean }) {
  if (!of.more) return null;
  if (of.moreError) return <Failed what="The next page" error={of.moreError} retry={of.more} />;
  return (
    <button type="button" class={quiet ? 'quiet' : 'button more'} disabled={of.busy} onClick={of.more}>
      {of.busy ? 'Loading' : what}
    </button>
  );
}

/** Numbers that sum up the whole page. A number that is still loading keeps its place. */
export function Strip({ of }: { of: Record<string, string | undefined> }) {
  return (
    <dl class="strip">
      {Object.entries(of).map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value ?? '–'}</dd>
        </div>
      ))}
    </dl>
  );
}
