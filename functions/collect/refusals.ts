// Posts that did not count are counted, so that an owner sees that a registry knocks with a wrong token. Anybody may post:
// there is one row a reason, registry and day, and a flood is written in sums.
import type { RefusalReason, RefusalStore } from '#core/stores.ts';

/** So many single writes at once; then one a second. */
const burst = 20;
const everyMs = 1000;

/** `''`: the post carried no token that says whose it is. */
const nobody = '';

export function refusalCounter(
  store: Pick<RefusalStore, 'add'> | undefined,
  clock: () => number,
  report: (cause: unknown) => void,
) {
  const unsaved = new Map<string, { reason: RefusalReason; registry: string; posts: number; lastAt: number }>();
  let allowance = burst;
  let refilledAt = Number.NEGATIVE_INFINITY;
  let isDue = false;

  const save = async () => {
    if (!store || unsaved.size === 0) return;
    const now = clock();
    allowance = Math.min(burst, allowance + Math.max(0, now - refilledAt) / everyMs);
    refilledAt = now;
    // On Lambda the timer may come late, or never: the next post saves then.
    if (allowance < 1) {
      if (!isDue)
        setTimeout(() => {
          isDue = false;
          allowance = Math.max(1, allowance);
          return save();
        }, everyMs).unref();
      isDue = true;
      return;
    }
    allowance--;
    const rows = [...unsaved.values()];
    unsaved.clear();
    for (const row of rows) await store.add(row).catch(report);
  };

  return {
    /** Counts a post; without a reason it only brings what was counted before to the store. */
    async count(reason: RefusalReason | undefined, registry = nobody): Promise<void> {
      if (reason) {
        const key = `${reason} ${registry}`;
        const held = unsaved.get(key);
        unsaved.set(key, { reason, registry, posts: (held?.posts ?? 0) + 1, lastAt: clock() });
      }
      await save();
    },
  };
}
