/** Sources of recommendations that don't depend on the user's pulls. */
const general = ['trending', 'popular'];

/** Returns each item's score divided by the best of its source, 0 to 1, and never above that of the item before it. */
export function matches(items: { source: string; score: number }[]): number[] {
  const best = new Map<string, number>();
  for (const { source, score } of items) best.set(source, Math.max(best.get(source) ?? 0, score));
  let last = 1;
  return items.map(({ source, score }) => {
    const own = general.includes(source) ? 0 : score / (best.get(source) || 1);
    last = Math.max(0, Math.min(last, own));
    return last;
  });
}
