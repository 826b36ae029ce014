// A list that changes while it is read. Rows keep their identity, and their order while the focus or pointer is in it.
import { useRef, useState } from 'preact/hooks';

/** The distance between an earlier row and a present one; Infinity if they can't be the same. */
export type Same<T> = (before: T, now: T) => number;

export interface Keyed<T> {
  key: string;
  row: T;
}

/**
 * Returns the rows of `now`, each with the key of the nearest earlier row by `distance`; rows without one get a new
 * key. `hold`: earlier rows keep their order, and new ones follow.
 */
export function steady<T>(before: Keyed<T>[], now: T[], distance: Same<T>, hold: boolean, newKey: () => string) {
  const free = new Set(before);
  const keyed = now.map((row): Keyed<T> => {
    let [best, least] = [undefined as Keyed<T> | undefined, Number.POSITIVE_INFINITY];
    for (const old of free) {
      const away = distance(old.row, row);
      if (away < least) [best, least] = [old, away];
      if (least === 0) break;
    }
    if (!best) return { key: newKey(), row };
    free.delete(best);
    return { key: best.key, row };
  });
  if (!hold) return keyed;
  const place = new Map(before.map(({ key }, index) => [key, index]));
  return keyed
    .map((one, index) => ({ one, at: place.get(one.key) ?? before.length + index }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

let keys = 0;
const newKey = () => `row ${++keys}`;

/** Keyed rows for a list, and the handlers that note whether the focus or the pointer is in it. */
export function useSteady<T>(distance: Same<T>) {
  const [isIn, setIsIn] = useState(false);
  const shown = useRef<Keyed<T>[]>([]);
  const last = useRef<T[]>(undefined);
  const inList = {
    onFocusIn: () => setIsIn(true),
    onFocusOut: () => setIsIn(false),
    onPointerEnter: () => setIsIn(true),
    onPointerLeave: () => setIsIn(false),
  };
  /** Returns the same list for the same rows while somebody is in it. */
  const rows = (now: T[]): Keyed<T>[] => {
    if (last.current !== now || !isIn) shown.current = steady(shown.current, now, distance, isIn, newKey);
    last.current = now;
    return shown.current;
  };
  return { rows, inList };
}
