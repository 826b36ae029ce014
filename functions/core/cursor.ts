// Pages of lists that are sorted newest first: a cursor holds the time and id of the last item returned.
import { BadCursor, type Page } from './stores.ts';

interface Dated {
  time: number;
  id: string;
}

/** Makes a page of at most `limit` rows; one further row shows that there is another page. */
export function page<T extends Dated>(rows: T[], limit: number): Page<T> {
  if (rows.length <= limit) return { items: rows };
  const items = rows.slice(0, limit);
  return { items, cursor: cursorAfter(items[limit - 1]) };
}

/**
 * Makes a page from entries as they come, newest first: at most `limit` entries, and at most `bytes` as JSON unless the
 * first alone has more.
 */
export async function shortPage<T extends Dated>(
  entries: AsyncIterable<T>,
  limit: number,
  bytes: number,
): Promise<Page<T>> {
  const items: T[] = [];
  let left = bytes;
  for await (const entry of entries) {
    left -= new TextEncoder().encode(JSON.stringify(entry)).length;
    if (items.length === limit || (left < 0 && items.length > 0))
      return { items, cursor: cursorAfter(items[items.length - 1]) };
    items.push(entry);
  }
  return { items };
}

const cursorAfter = ({ time, id }: Dated) => toBase64Url(JSON.stringify([time, id]));

/**
 * Returns the time and id that the page's rows come before; without a cursor, a time after everything. Throws
 * BadCursor.
 */
export function readCursor(cursor?: string): [number, string] {
  if (cursor === undefined) return [Number.MAX_VALUE, ''];
  try {
    const [time, id] = JSON.parse(fromBase64Url(cursor));
    if (Number.isFinite(time) && typeof id === 'string') return [time, id];
  } catch {}
  throw new BadCursor(`cursor is "${cursor}": must be one that this call returned, or left out to start at the newest`);
}

function toBase64Url(text: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): string {
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder().decode(Uint8Array.from(bytes, (character) => character.charCodeAt(0)));
}

/** Reads a page of rows with from <= time < to from a list sorted newest first. */
export async function pageWithin<T extends { time: number }>(
  read: (page: { cursor?: string; limit: number }) => Promise<Page<T>>,
  { from, to, cursor, limit }: { from?: number; to?: number; cursor?: string; limit: number },
): Promise<Page<T>> {
  const found = await read({
    cursor: cursor ?? (to === undefined ? undefined : cursorAfter({ time: to, id: '' })),
    limit,
  });
  if (from === undefined) return found;
  const items = found.items.filter(({ time }) => time >= from);
  return items.length < found.items.length ? { items } : found;
}
