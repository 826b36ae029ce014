// Who pulled what and how often, as a sparse matrix in compressed rows.
import type { Pair } from '../stores.ts';
import { type AllEntries, collecting, type Entries, type Entry } from './entries.ts';

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
  entries: AllEntries;
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
  entries.forEach((entry) => {
    starts[row(entry) + 1]++;
  });
  for (let r = 0; r < rows; r++) starts[r + 1] += starts[r];
  const next = starts.slice(0, rows);
  const columns = new Uint32Array(entries.length);
  const values = new Float32Array(entries.length);
  entries.forEach((entry) => {
    const at = next[row(entry)]++;
    columns[at] = column(entry);
    values[at] = entry.value;
  });
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

/** Below so many entries a part saves nothing: 8 MB. */
const fewEntries = 1 << 20;

/**
 * Transposes about an eighth after the other: row r of `rows` is column `from` + r, until the next is asked for. All at
 * once would take as much memory as the rows themselves.
 */
export function* transposedInParts(
  { starts, columns, values }: Rows,
  count: number,
  most = Math.max(fewEntries, columns.length / 8),
): Generator<{ from: number; rows: Rows }> {
  const lengths = new Uint32Array(count);
  for (const column of columns) lengths[column]++;
  for (let from = 0, to = 0; from < count; from = to) {
    let entries = lengths[to++];
    while (to < count && entries + lengths[to] <= most) entries += lengths[to++];
    const part = blankRows(to - from, entries);
    const next = new Uint32Array(to - from);
    for (let row = from; row < to; row++) {
      next[row - from] = part.starts[row - from];
      part.starts[row - from + 1] = part.starts[row - from] + lengths[row];
    }
    for (let row = 0; row + 1 < starts.length; row++)
      for (let at = starts[row]; at < starts[row + 1]; at++) {
        const column = columns[at];
        if (column < from || column >= to) continue;
        const place = next[column - from]++;
        part.columns[place] = row;
        part.values[place] = values[at];
      }
    yield { from, rows: part };
    release(part.columns, part.values);
  }
}

/**
 * Gives the memory of arrays back at once, and empties them: the garbage collector lets tens of megabytes pile up while
 * a long computation allocates little.
 */
export function release(...arrays: (Uint32Array | Float32Array | Float64Array)[]): void {
  for (const { buffer } of arrays) (buffer as ArrayBuffer).transfer(0);
}

/** A seeded split: each entry goes to the test part with probability `share`. */
export function split(entries: Entry[], share: number, random: () => number): { train: Entry[]; test: Entry[] } {
  const train: Entry[] = [];
  const test: Entry[] = [];
  for (const entry of entries) (random() < share ? test : train).push(entry);
  return { train, test };
}
