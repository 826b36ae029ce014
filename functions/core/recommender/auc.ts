import type { Entry } from './entries.ts';

/**
 * The chance that a held-out pull ranks above a random repository that its user never pulled, as a mean over users;
 * ties count half. Exact: every repository that was not pulled is compared. Undefined if no user has both.
 */
export function auc(
  test: Entry[],
  items: number,
  pulledBy: (user: number) => ReadonlySet<number>,
  scoresOf: (user: number) => ArrayLike<number>,
): number | undefined {
  const byUser = Map.groupBy(test, ({ user }) => user);
  let sum = 0;
  let users = 0;
  for (const [user, held] of byUser) {
    const pulled = pulledBy(user);
    if (pulled.size >= items) continue;
    const scores = scoresOf(user);
    const others = new Float64Array(items - pulled.size);
    let count = 0;
    for (let item = 0; item < items; item++) if (!pulled.has(item)) others[count++] = scores[item];
    others.sort();
    let ranked = 0;
    for (const { item } of held) ranked += (below(others, scores[item], false) + below(others, scores[item], true)) / 2;
    sum += ranked / (held.length * others.length);
    users++;
  }
  return users === 0 ? undefined : sum / users;
}

/** How many of the sorted values are less than `value`, or, with `orEqual`, not greater. */
function below(sorted: Float64Array, value: number, orEqual: boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value || (orEqual && sorted[middle] === value)) low = middle + 1;
    else high = middle;
  }
  return low;
}
