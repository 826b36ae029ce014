// What one document adds to the sums, and how a table of sums is changed.
import type { StatementSync } from 'node:sqlite';
import type { Doc } from './doc.ts';

export const dayMs = 86_400_000;
/**
 * How much a change of a repository's image facts adds to its `stamp`. A fact whose time only moves within the day of
 * the repository's newest pull adds 1, because few results depend on it (unused-read.ts).
 */
export const stampChange = 2 ** 20;
/** The changes in a stamp, without the moves of facts within a day. */
export const changesOf = (stamp: number) => Math.floor(stamp / stampChange);
export type Prepare = (sql: string) => StatementSync;
/** pulls, uncertain, raw, pushes, rawPushes */
export type Numbers = [number, number, number, number, number];
/** What one document adds, negative if it is removed. */
export interface Counted {
  /** It was a pull, and is removed: times that may be its are read again. */
  isLess: boolean;
  doc: Doc;
  day: number;
  add: Numbers;
  /** What changes of its repository. */
  own: RepositoryChange;
}
export interface RepositoryChange {
  registry: string;
  pulls: number;
  raw: number;
  manifests: number;
  pulledBy: number;
  last: number;
  less: boolean;
  stamp: number;
  days: Map<number, Counted[]>;
  facts: Map<string, FactChange>;
}
export interface FactChange {
  key: [string, string, string, string, string, number];
  last: number;
  /** Documents added with this time, minus those removed. */
  came: number;
  /** The greatest removed time. */
  less: number;
}

export const never = Number.NEGATIVE_INFINITY;
export const sumNames = ['pulls', 'uncertain', 'raw', 'pushes', 'rawPushes'];
/** In SQL: what an insert adds to the row that it meets. */
export const growing = sumNames.map((name) => `${name} = ${name} + excluded.${name}`).join();
const isEmpty = 'pulls = 0 AND raw = 0 AND pushes = 0 AND rawPushes = 0';

/** Returns a map's value for a key; if the key is missing, the value is made and kept first. */
export function within<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) {
    found = make();
    map.set(key, found);
  }
  return found;
}

export const zeros = (): Numbers => [0, 0, 0, 0, 0];

export function increase(numbers: Numbers, add: Numbers): void {
  for (let index = 0; index < 5; index++) numbers[index] += add[index];
}

/** Parts of a sorted list whose items are the same. */
export function* runs<T>(items: T[], isSame: (a: T, b: T) => boolean): Iterable<T[]> {
  for (let start = 0, end = 0; start < items.length; start = end) {
    while (end < items.length && isSame(items[start], items[end])) end++;
    yield items.slice(start, end);
  }
}

/** Adds the changes to a table of sums. */
export function adder(
  prepare: Prepare,
  table: string,
  keys: string[],
): (key: (string | number)[], add: Numbers) => void {
  const marks = Array.from({ length: keys.length + sumNames.length }, () => '?').join();
  const add = prepare(`INSERT INTO ${table} VALUES (${marks}) ON CONFLICT DO UPDATE SET ${growing}`);
  const remove = `DELETE FROM ${table} WHERE ${keys.map((name) => `${name} = ?`).join(' AND ')}`;
  const clear = prepare(`${remove} AND ${isEmpty}`);
  const clearAll = prepare(`${remove} AND ${sumNames.map((name) => `${name} = ?`).join(' AND ')}`);
  return (key, numbers) => {
    if (numbers.every((value) => value === 0)) return;
    const isLess = numbers.every((value) => value <= 0);
    // Mostly nothing remains, and then the row is written once.
    if (isLess && clearAll.run(...key, ...numbers.map((value) => 0 - value)).changes === 1) return;
    add.run(...key, ...numbers);
    if (numbers.some((value) => value < 0)) clear.run(...key);
  };
}
