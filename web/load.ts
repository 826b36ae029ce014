// Hooks the pages share: data that loads, the clock, the address, the theme.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import type { ServiceError } from './api.ts';

export interface Loaded<T> {
  /** The last result; it stays while a newer one is requested, and if that fails. */
  data?: T;
  error?: ServiceError;
  reload: () => void;
}

/** Loads when `key` changes; an outdated response is dropped. A null key loads nothing. */
export function useLoad<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [state, setState] = useState<{ key: string | null; data?: T; error?: ServiceError }>({ key });
  const [turn, setTurn] = useState(0);
  const newest = useRef(load);
  newest.current = load;
  // a new turn repeats the request
  useEffect(() => {
    if (key === null) return;
    const controller = new AbortController();
    newest.current(controller.signal).then(
      (data) => controller.signal.aborted || setState({ key, data }),
      (error) =>
        controller.signal.aborted ||
        setState((last) => ({ key, data: last.key === key ? last.data : undefined, error })),
    );
    return () => controller.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((last) => last + 1), []);
  return state.key === key ? { data: state.data, error: state.error, reload } : { reload };
}

/** The last response stays while that of another key loads. */
export function useLast<T>(loaded: Loaded<T>): Loaded<T> {
  const last = useRef(loaded.data);
  last.current = loaded.data ?? last.current;
  return { ...loaded, data: last.current };
}

export interface Page<T> {
  items: T[];
  /** Asks for the next page, if there is one. */
  cursor?: string;
}
export interface Pages<T> extends Loaded<T[]> {
  /** Asks for the next page; undefined at the end. */
  more?: () => void;
  busy: boolean;
  /** Why the next page did not come. */
  moreError?: ServiceError;
  /** Whether later pages are loaded: they follow the first page as it was, so it must not change any more. */
  grown: boolean;
}

/** A list in pages: the first loads when `key` changes, the others by `more`. A null key loads nothing. */
export function usePages<T>(
  key: string | null,
  load: (cursor: string | undefined, signal?: AbortSignal) => Promise<Page<T>>,
): Pages<T> {
  const first = useLoad(key, (signal) => load(undefined, signal));
  const [rest, setRest] = useState<{ key: string | null; pages: Page<T>[]; busy?: boolean; error?: ServiceError }>();
  const { pages, busy = false, error } = rest?.key === key ? rest : { pages: [] };
  const { cursor } = pages[pages.length - 1] ?? first.data ?? {};
  const more = async () => {
    setRest({ key, pages, busy: true });
    const next = await load(cursor).then(
      (page) => ({ key, pages: [...pages, page] }),
      (cause: ServiceError) => ({ key, pages, error: cause }),
    );
    // Dropped if the key has changed meanwhile.
    setRest((last) => (last?.key === key ? next : last));
  };
  return {
    data: first.data && [first.data, ...pages].flatMap(({ items }) => items),
    error: first.error,
    reload: first.reload,
    more: cursor === undefined ? undefined : more,
    busy,
    moreError: error,
    grown: pages.length > 0,
  };
}

/** Repeats the request every `milliseconds` while the page is visible. */
export function useEvery(milliseconds: number, reload: () => void): void {
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds, reload]);
}

/** Milliseconds since the epoch, read again every `everyMs`. */
export function useNow(everyMs = 30_000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** Names in the query, and a way to change them that the back button undoes. */
export function useQuery(): [URLSearchParams, (changes: Record<string, string | undefined>) => void] {
  const [search, setSearch] = useState(location.search);
  useEffect(() => {
    const read = () => setSearch(location.search);
    addEventListener('popstate', read);
    return () => removeEventListener('popstate', read);
  }, []);
  const change = useCallback((changes: Record<string, string | undefined>) => {
    const query = new URLSearchParams(location.search);
    for (const [name, value] of Object.entries(changes)) value ? query.set(name, value) : query.delete(name);
    history.pushState(null, '', `${location.pathname}${query.size ? `?${query}` : ''}`);
    setSearch(location.search);
  }, []);
  return [new URLSearchParams(search), change];
}

const darkWish = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme ?? (darkWish.matches ? 'dark' : 'light')) === 'dark';

/** Switches to the other theme, and remembers the choice unless it is the system's theme. */
export function turnTheme(): void {
  const theme = isDark() ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme;
  try {
    if ((theme === 'dark') === darkWish.matches) localStorage.removeItem('whalewatch.theme');
    else localStorage.setItem('whalewatch.theme', theme);
  } catch {
    // Storage is off: the choice holds for this page.
  }
  dispatchEvent(new Event('whalewatch:theme'));
}

export function useDark(): boolean {
  const [dark, setDark] = useState(isDark);
  useEffect(() => {
    const read = () => setDark(isDark());
    darkWish.addEventListener('change', read);
    addEventListener('whalewatch:theme', read);
    return () => {
      darkWish.removeEventListener('change', read);
      removeEventListener('whalewatch:theme', read);
    };
  }, []);
  return dark;
}
