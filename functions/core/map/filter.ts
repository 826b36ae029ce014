// What a filter leaves of a pyramid: its leaves that match, clustered anew, so that what lies nearer than the radius is one
// cluster here too, and every number, mean and expansion zoom is that of the points that match.
import { clusterKept } from './cluster.ts';
import type { Pyramid } from './pyramid.ts';

export interface Filter {
  /** Milliseconds: only points of this time or newer. */
  since?: number;
  /** Two-letter code: only points in this country. */
  country?: string;
}

/** Which leaves the filter keeps; undefined: it asks for nothing. Their columns must be in memory: Pyramid.holdFilterColumns. */
export function keeperOf(pyramid: Pyramid, { since, country }: Filter): ((leaf: number) => boolean) | undefined {
  if (since === undefined && country === undefined) return undefined;
  const { updatedAt, country: countries } = pyramid.leafColumns;
  const least = since === undefined ? -Infinity : (since - pyramid.timeBase) / pyramid.timeUnit;
  const code = country === undefined ? -1 : pyramid.countries.indexOf(country);
  // A country that no point has keeps nothing.
  if (country !== undefined && code < 0) return () => false;
  return (leaf) => {
    const row = pyramid.row(leaf);
    return updatedAt[row] >= least && (code < 0 || countries[row] === code);
  };
}

/** Filtered pyramids that are kept for one of all points. */
const mostKept = 8;
/** Points of theirs together: each takes some 80 bytes. The newest is kept whatever its size. */
const mostPoints = 2_000_000;
/** Filters that wait to be made: with more, the next is refused. */
const mostWaiting = 16;

/** Too many filters are asked for at once. */
export class TooManyFilters extends Error {
  override name = 'TooManyFilters';
}

interface Kept {
  made: Promise<Pyramid>;
  /** Points; 0 while it is being made. */
  size: number;
}
const kept = new WeakMap<Pyramid, Map<string, Kept>>();
/** They are made one at a time: a caller who asks for many waits, and no other does. */
let last: Promise<unknown> = Promise.resolve();
let waiting = 0;

/** The pyramid of the points that match; the same one where nothing is asked for. `pause` lets others run meanwhile. */
export async function filtered(pyramid: Pyramid, filter: Filter, pause: () => Promise<void>): Promise<Pyramid> {
  if (filter.since === undefined && filter.country === undefined) return pyramid;
  const known = kept.get(pyramid) ?? new Map<string, Kept>();
  kept.set(pyramid, known);
  const key = `${filter.since} ${filter.country}`;
  const held = known.get(key) ?? { made: inTurn(() => build(pyramid, filter, pause)), size: 0 };
  // Last used goes last, first out.
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
