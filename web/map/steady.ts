// A list that is read while it changes: what was there keeps its identity, and its place while somebody is in the list.
import { useRef, useState } from 'preact/hooks';

/** Rows as they were shown, and now: each with the key it had before, where it is the same thing. */
export type Same<T> = (before: T, now: T) => number;

export interface Keyed<T> {
  key: string;
  row: T;
}

/**
 * The rows of `now`, each with the key of that row before that is nearest to it by `distance` (Infinity: another thing); rows
 * without one get a new key. `hold`: those that were there stay in their order, and new ones follow.
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

/** Keyed rows for a list, and what tells whether somebody is in it: with the keyboard's focus or the pointer. */
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
  /** The same rows again are the same list. */
  const rows = (now: T[]): Keyed<T>[] => {
    if (last.current !== now || !isIn) shown.current = steady(shown.current, now, distance, isIn, newKey);
    last.current = now;
    return shown.current;
  };
  return { rows, inList };
}
