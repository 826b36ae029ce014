// A filtered pyramid: the matching leaves of another one, clustered again, so that the radius holds here too, and every
// count, mean and expansion zoom is of the matching points.
import { clusterKept } from './cluster.ts';
import type { Pyramid } from './pyramid.ts';

export interface Filter {
  /** Milliseconds: only points of this time or newer. */
  since?: number;
  /** Two-letter code: only points in this country. */
  country?: string;
}

/**
 * Returns which leaves the filter keeps; undefined if the filter is empty. The columns must be in memory:
 * Pyramid.holdFilterColumns.
 */
export function keeperOf(pyramid: Pyramid, { since, country }: Filter): ((leaf: number) => boolean) | undefined {
  if (since === undefined && country === undefined) return undefined;
  const { updatedAt, country: countries } = pyramid.leafColumns;
  const least = since === undefined ? -Infinity : (since - pyramid.timeBase) / pyramid.timeUnit;
  const code = country === undefined ? -1 : pyramid.countries.indexOf(country);
  // A country without points keeps no leaf.
  if (country !== undefined && code < 0) return () => false;
  return (leaf) => {
    const row = pyramid.row(leaf);
    return updatedAt[row] >= least && (code < 0 || countries[row] === code);
  };
}

/** How many filtered pyramids are cached for a pyramid of all points. */
const mostKept = 8;
/** How many points they may have together: each takes about 80 bytes. The newest pyramid is kept whatever its size. */
const mostPoints = 2_000_000;
/** How many filters may wait to be made; further ones are refused. */
const mostWaiting = 16;

/** Thrown when too many filters are requested at once. */
export class TooManyFilters extends Error {
  override name = 'TooManyFilters';
}

interface Kept {
  made: Promise<Pyramid>;
  /** Points; 0 while it is being made. */
  size: number;
}
const kept = new WeakMap<Pyramid, Map<string, Kept>>();
/** A caller's pyramids are made one at a time, so that only a caller who requests many waits. */
let last: Promise<unknown> = Promise.resolve();
let waiting = 0;

/**
 * Returns the pyramid of the matching points, or the same pyramid for an empty filter. `pause` lets other work run in
 * between.
 */
export async function filtered(pyramid: Pyramid, filter: Filter, pause: () => Promise<void>): Promise<Pyramid> {
  if (filter.since === undefined && filter.country === undefined) return pyramid;
  const known = kept.get(pyramid) ?? new Map<string, Kept>();
  kept.set(pyramid, known);
  const key = `${filter.since} ${filter.country}`;
  const held = known.get(key) ?? { made: inTurn(() => build(pyramid, filter, pause)), size: 0 };
  // Moves it to the end: the least recently used is first and is dropped first.
  known.delete(key);
  known.set(key, held);
  try {
    const made = await held.made;
    held.size = made.size;
    return made;
  } catch (cause) {
    if (known.get(key) === held) known.delete(key);
    throw cause;
  } finally {
    limit(known);
  }
}

async function build(pyramid: Pyramid, filter: Filter, pause: () => Promise<void>): Promise<Pyramid> {
  const keeps = await pyramid.load(() => {
    pyramid.holdFilterColumns();
    return keeperOf(pyramid, filter);
  });
  return keeps ? clusterKept(pyramid, keeps, pause) : pyramid;
}

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= mostWaiting) return Promise.reject(new TooManyFilters('too many filters are asked for at once'));
  waiting++;
  const made = last.then(work).finally(() => waiting--);
  last = made.catch(() => {});
  return made;
}

function limit(known: Map<string, Kept>): void {
  let [count, points] = [0, 0];
  for (const [key, { size }] of [...known].reverse()) {
    count++;
    points += size;
    if (count > 1 && (count > mostKept || points > mostPoints)) known.delete(key);
  }
}
