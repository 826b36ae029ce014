// Who pulled what and how often, as a sparse matrix in compressed rows.
import type { Pair } from '../stores.ts';

/** Row r holds columns[starts[r] .. starts[r + 1]) with as many values. */
export interface Rows {
  starts: Uint32Array;
  columns: Uint32Array;
  values: Float32Array;
}

/** How a number of pulls counts: unscaled, by its logarithm, or as one. */
export type CountScale = 'linear' | 'log' | 'binary';

/** Larger counts say no more, and would exceed single precision. */
const mostCount = 1e6;

/** Returns the scaled count of a number of pulls: finite and at least 0. Anything but a positive number counts 0. */
export function scaled(scale: CountScale, pulls: number): number {
  if (!(pulls > 0)) return 0;
  const count = Math.min(pulls, mostCount);
  return scale === 'linear' ? count : scale === 'log' ? Math.log2(1 + count) : 1;
}

export interface Entry {
  user: number;
  item: number;
  value: number;
  /** Milliseconds since the epoch; missing if no entry has a time. */
  firstPull?: number;
}

/** Entries in their order: an array, or columns where there may be millions. */
export interface Entries extends Iterable<Entry> {
  readonly length: number;
  at(index: number): Entry | undefined;
  filter(keep: (entry: Entry, index: number) => boolean): Entries;
}

const blank: Entry = { user: 0, item: 0, value: 0, firstPull: 0 };

interface Columns {
  users: Uint32Array;
  items: Uint32Array;
  values: Float64Array;
  /** NaN: missing. */
  firstPulls: Float64Array;
}

/** 24 bytes an entry, where an object has 90. A part of them has their places in the columns of all. */
class EntryColumns implements Entries {
  readonly length: number;
  readonly #columns: Columns;
  readonly #places?: Uint32Array;

  constructor(columns: Columns, length: number, places?: Uint32Array) {
    this.#columns = columns;
    this.length = length;
    this.#places = places;
  }

  at(index: number): Entry | undefined {
    return index < this.length ? this.#read(index, { ...blank }) : undefined;
  }

  filter(keep: (entry: Entry, index: number) => boolean): Entries {
    const places = new Uint32Array(this.length);
    const entry = { ...blank };
    let kept = 0;
    for (let index = 0; index < this.length; index++)
      if (keep(this.#read(index, entry), index)) places[kept++] = this.#place(index);
    return new EntryColumns(this.#columns, kept, places.slice(0, kept));
  }

  *[Symbol.iterator](): IterableIterator<Entry> {
    for (let index = 0; index < this.length; index++) yield this.#read(index, { ...blank });
  }

  #place(index: number): number {
    return this.#places ? this.#places[index] : index;
  }

  #read(index: number, entry: Entry): Entry {
    const { users, items, values, firstPulls } = this.#columns;
    const place = this.#place(index);
    entry.user = users[place];
    entry.item = items[place];
    entry.value = values[place];
    entry.firstPull = Number.isNaN(firstPulls[place]) ? undefined : firstPulls[place];
    return entry;
  }
}

/** Collects entries in columns. */
export function collecting(): { add: (entry: Entry) => void; entries: () => Entries } {
  let columns: Columns = {
    users: new Uint32Array(1024),
    items: new Uint32Array(1024),
    values: new Float64Array(1024),
    firstPulls: new Float64Array(1024),
  };
  let length = 0;
  const grow = () => {
    const { users, items, values, firstPulls } = columns;
    // By `transfer` the smaller column is given back at once.
    const twice = ({ buffer, byteLength }: Uint32Array | Float64Array) =>
      (buffer as ArrayBuffer).transfer(2 * byteLength);
    columns = {
      users: new Uint32Array(twice(users)),
      items: new Uint32Array(twice(items)),
      values: new Float64Array(twice(values)),
      firstPulls: new Float64Array(twice(firstPulls)),
    };
  };
  return {
    add({ user, item, value, firstPull = Number.NaN }) {
      if (length === columns.users.length) grow();
      columns.users[length] = user;
      columns.items[length] = item;
      columns.values[length] = value;
      columns.firstPulls[length++] = firstPull;
    },
    entries: () => new EntryColumns(columns, length),
  };
}

/**
 * Names become indices in order of first occurrence; entries keep their order. A pair's value is its number of days
 * with a pull, as in a request, or its number of pulls if days are unknown.
 */
export function indexPairs(pairs: Iterable<Pair>): Indexed {
  const { add, indexed } = indexing();
  for (const pair of pairs) add(pair);
  return indexed();
}

interface Indexed {
  users: string[];
  items: string[];
  entries: Entries;
}

/** The same for pairs that come one by one, so that millions need not be in memory. */
export function indexing(): { add: (pair: Pair) => void; indexed: () => Indexed } {
  const users = new Map<string, number>();
  const items = new Map<string, number>();
  const { add, entries } = collecting();
  const index = (names: Map<string, number>, name: string) => {
    const known = names.get(name);
    if (known !== undefined) return known;
    names.set(name, names.size);
    return names.size - 1;
  };
  return {
    add({ user, repository, pulls, days, firstPull }) {
      add({ user: index(users, user), item: index(items, repository), value: days ?? pulls, firstPull });
    },
    indexed: () => ({ users: [...users.keys()], items: [...items.keys()], entries: entries() }),
  };
}

/** The entries as compressed rows, by each entry's `row`. */
export function compress(
  entries: Entries,
  rows: number,
  row: (entry: Entry) => number,
  column: (entry: Entry) => number,
): Rows {
  const starts = new Uint32Array(rows + 1);
  for (const entry of entries) starts[row(entry) + 1]++;
  for (let r = 0; r < rows; r++) starts[r + 1] += starts[r];
  const next = starts.slice(0, rows);
  const columns = new Uint32Array(entries.length);
  const values = new Float32Array(entries.length);
  for (const entry of entries) {
    const at = next[row(entry)]++;
    columns[at] = column(entry);
    values[at] = entry.value;
  }
  return { starts, columns, values };
}

/** Compressed rows of users. */
export const rowsOf = (entries: Entries, users: number): Rows =>
  compress(
    entries,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );

const blankRows = (rows: number, entries: number): Rows => ({
  ...{ starts: new Uint32Array(rows + 1), columns: new Uint32Array(entries), values: new Float32Array(entries) },
});

/** Transposes: columns become rows, in which the former rows ascend. `turned`: where to, all zeros. */
export function transposed(
  { starts, columns, values }: Rows,
  count: number,
  turned = blankRows(count, columns.length),
): Rows {
  const ends = turned.starts;
  for (let at = 0; at < columns.length; at++) ends[columns[at] + 1]++;
  for (let row = 0; row < count; row++) ends[row + 1] += ends[row];
  const next = Uint32Array.from(ends.subarray(0, count));
  for (let row = 0; row + 1 < starts.length; row++)
    for (let at = starts[row]; at < starts[row + 1]; at++) {
      const to = next[columns[at]]++;
      turned.columns[to] = row;
      turned.values[to] = values[at];
    }
  return turned;
}

/** A seeded split: each entry goes to the test part with probability `share`. */
export function split(entries: Entry[], share: number, random: () => number): { train: Entry[]; test: Entry[] } {
  const train: Entry[] = [];
  const test: Entry[] = [];
  for (const entry of entries) (random() < share ? test : train).push(entry);
  return { train, test };
}
