// Counts refused posts, so that an owner can see that a registry sends a wrong token. Anybody may post, so there is one
// row per reason, registry and day, and a flood is written in sums.
import type { RefusalReason, RefusalStore } from '#core/stores.ts';

/** This many posts are written one by one; after that there is one write a second. */
const burst = 20;
const everyMs = 1000;

/** '' if the post had no valid token of a registry. */
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
    // On Lambda the timer may fire late or never: then the next post saves.
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
    /** Counts a post. Without a reason, it only writes what was counted before to the store. */
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
