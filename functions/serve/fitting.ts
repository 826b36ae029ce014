// A page of the items that fit, from a store that lists all items.
import { page as pageOf } from '#core/cursor.ts';
import type { Page } from '#core/stores.ts';

interface Asked {
  cursor?: string;
  limit: number;
}

/** An entry of the quarantine may have 64 KiB. */
const readAtOnce = 200;
/**
 * How many pages of the store are read for one page; more fitting items may follow, so the cursor says where to
 * continue.
 */
const mostRead = 10;

/** Newest first, as in the store. A page may have fewer than `limit` items, or none, and still have a cursor. */
export async function fittingPage<T extends { time: number; id: string }>(
  read: (asked: Asked) => Promise<Page<T>>,
  fits: (item: T) => boolean,
  { cursor, limit }: Asked,
): Promise<Page<T>> {
  const found: T[] = [];
  for (let reads = 0; reads < mostRead; reads++) {
    const { items, cursor: next } = await read({ cursor, limit: readAtOnce });
    found.push(...items.filter(fits));
    if (found.length > limit || next === undefined) return pageOf(found, limit);
    cursor = next;
  }
  return { items: found, cursor };
}
