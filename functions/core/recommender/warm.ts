// Between full trainings: the last factors are kept, and only rows whose pulls changed are solved again.
import { type AlsOptions, type Factors, rowSolver } from './als.ts';
import type { Rows } from './ratings.ts';

/**
 * Brings factors up to date with changed rows: new people and images get rows (zeros until solved), then the changed
 * people are solved against the images, and the changed images against the people, `rounds` times. The rest stays as
 * it was, so a round costs the changed rows' entries x rank^2, plus users + items x rank^2 for the Gram matrices.
 * `byUser` and `byItem` are the whole matrix as it is now; rows keep their places from one call to the next.
 */
export function warmStart(
  last: Factors,
  { byUser, byItem }: { byUser: Rows; byItem: Rows },
  changed: { users: Iterable<number>; items: Iterable<number> },
  options: Omit<AlsOptions, 'rank' | 'iterations'>,
  rounds = 1,
): Factors {
  const { rank } = last;
  const factors: Factors = {
    rank,
    users: grown(last.users, (byUser.starts.length - 1) * rank),
    items: grown(last.items, (byItem.starts.length - 1) * rank),
  };
  const sides = [
    { rows: byUser, own: factors.users, other: factors.items, changed: [...changed.users] },
    { rows: byItem, own: factors.items, other: factors.users, changed: [...changed.items] },
  ];
  for (let round = 0; round < rounds; round++)
    for (const { rows, own, other, changed } of sides) {
      const solve = rowSolver(other, { ...options, rank });
      for (const row of changed) {
        const [from, to] = [rows.starts[row], rows.starts[row + 1]];
        own.set(solve(rows.columns.subarray(from, to), rows.values.subarray(from, to)), row * rank);
      }
    }
  return factors;
}

function grown(values: Float32Array, length: number): Float32Array {
  if (values.length > length) throw new Error(`${values.length} factors are more than the ${length} of the matrix now`);
  const longer = new Float32Array(length);
  longer.set(values);
  return longer;
}
