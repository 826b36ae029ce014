// Who pulled what how often, as a sparse matrix in compressed rows.
import type { Pair } from '../stores.ts';

/** Row r holds columns[starts[r] .. starts[r + 1]) with as many values. */
export interface Rows {
  starts: Uint32Array;
  columns: Uint32Array;
  values: Float32Array;
}

/** How a number of pulls counts: as it is, by its logarithm, or once however often. */
export type CountScale = 'linear' | 'log' | 'binary';

/** Past this a count says no more, and single precision would. */
const mostCount = 1e6;

/** What a number of pulls counts: finite and 0 or more, whatever was given; what is no positive number counts nothing. */
export function scaled(scale: CountScale, pulls: number): number {
  if (!(pulls > 0)) return 0;
  const count = Math.min(pulls, mostCount);
  return scale === 'linear' ? count : scale === 'log' ? Math.log2(1 + count) : 1;
}

export interface Entry {
  user: number;
  item: number;
  value: number;
}

/** Names become indices in the order they first come; entries are in the order given. */
export function indexPairs(pairs: Pair[]): { users: string[]; items: string[]; entries: Entry[] } {
  const users = new Map<string, number>();
  const items = new Map<string, number>();
  const index = (names: Map<string, number>, name: string) => {
    const known = names.get(name);
    if (known !== undefined) return known;
    names.set(name, names.size);
    return names.size - 1;
  };
  const entries = pairs.map(({ user, repository, pulls }) => ({
    user: index(users, user),
    item: index(items, repository),
    value: pulls,
  }));
  return { users: [...users.keys()], items: [...items.keys()], entries };
}

/** Compressed rows of the entries, by `row` of each. */
export function compress(
  entries: Entry[],
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

/** A seeded split: each entry goes to the test part with probability `share`. */
export function split(entries: Entry[], share: number, random: () => number): { train: Entry[]; test: Entry[] } {
  const train: Entry[] = [];
  const test: Entry[] = [];
  for (const entry of entries) (random() < share ? test : train).push(entry);
  return { train, test };
}
