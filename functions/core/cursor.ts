// Pages of what is listed newest first: a cursor is the time and id of the last item handed out.
import { BadCursor, type Page } from './stores.ts';

interface Dated {
  time: number;
  id: string;
}

/** Cuts one row too many off: its presence says there is another page. */
export function page<T extends Dated>(rows: T[], limit: number): Page<T> {
  if (rows.length <= limit) return { items: rows };
  const items = rows.slice(0, limit);
  const { time, id } = items[limit - 1];
  return { items, cursor: toBase64Url(JSON.stringify([time, id])) };
}

/** Time and id before which the page begins; without a cursor, those after everything. */
export function readCursor(cursor?: string): [number, string] {
  if (cursor === undefined) return [Number.MAX_VALUE, ''];
  try {
    const [time, id] = JSON.parse(fromBase64Url(cursor));
    if (typeof time === 'number' && typeof id === 'string') return [time, id];
  } catch {}
  throw new BadCursor(`cursor "${cursor}" is not one that this call handed out: leave it out to start at the newest`);
}

function toBase64Url(text: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(text));
  return btoa(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): string {
  const bytes = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return new TextDecoder().decode(Uint8Array.from(bytes, (letter) => letter.charCodeAt(0)));
}
