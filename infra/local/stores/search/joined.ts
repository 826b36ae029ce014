// Rows of `documents`. An event and the pull that it opens mostly say the same: then they are one row, of kind `both`,
// with half the index entries and sums of two.
import type { Cell } from './packed.ts';

export const columns = [
  ...['kind', 'id', 'version', 'gone', 'user', 'repository', 'time', 'action', 'manifest', 'tag', 'digest', 'class'],
  ...['country', 'client', 'apart', 'uncertain'],
];
const at = Object.fromEntries(columns.map((name, index) => [name, index]));
/** Where a row has its user. */
export const userColumn = at.user;
const shared = ['id', 'version', 'user', 'repository', 'time', 'tag', 'digest', 'class', 'country', 'client'].map(
  (name) => at[name],
);

/** Whether it may be one row with a pull. */
export const isPullEvent = (row: Cell[]) => row[at.action] === 'pull' && row[at.manifest] === 1 && !row[at.apart];

function isOne(event: Cell[], pull: Cell[]): boolean {
  return (
    event[at.kind] === 'event' &&
    pull[at.kind] === 'pull' &&
    isPullEvent(event) &&
    !event[at.gone] &&
    !pull[at.gone] &&
    shared.every((index) => event[index] === pull[index])
  );
}

function bothOf(event: Cell[], pull: Cell[]): Cell[] {
  const both = event.with(at.kind, 'both');
  both[at.uncertain] = pull[at.uncertain];
  return both;
}

/** Rows of events, each followed by the pull that it opens if it opens one: as few rows as say the same. */
export function joined(rows: Cell[][]): Cell[][] {
  const result: Cell[][] = [];
  for (const row of rows) {
    const last = result.at(-1);
    if (last && isOne(last, row)) result[result.length - 1] = bothOf(last, row);
    else result.push(row);
  }
  return result;
}

/** The rows that a row is joined from, the event first. */
export function partsOf(row: Cell[]): Cell[][] {
  if (row[at.kind] !== 'both') return [row];
  return [row.with(at.kind, 'event').with(at.uncertain, 0), row.with(at.kind, 'pull').with(at.manifest, 0)];
}
