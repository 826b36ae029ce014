/** Maps items, at most `many` at a time; results are in the order of the items. Rejects after all workers settle. */
export async function inParallel<T, R>(items: T[], many: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const one = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]);
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(many, items.length) }, one));
  const failure = ends.find((end) => end.status === 'rejected');
  if (failure) throw failure.reason;
  return results;
}

/**
 * Returns a function that resolves when it is the caller's turn, in the order of the calls, with a function that ends
 * the turn; calling that again changes nothing.
 */
export function inTurn(): () => Promise<() => void> {
  let last = Promise.resolve();
  return async () => {
    const before = last;
    const turn = Promise.withResolvers<void>();
    last = turn.promise;
    await before;
    return turn.resolve;
  };
}
