// Expires what the owner keeps only for some days: events, pulls and their search documents.
import type { Expiring } from '#core/stores.ts';

const dayMs = 86_400_000;
/** How often expiry runs; ages are in days. */
const everyMs = 6 * 3_600_000;

export interface ExpiryOptions {
  /** Undefined: everything is kept. */
  keepEventsDays: number | undefined;
  stores: Expiring[];
  /** Milliseconds since the epoch. */
  clock: () => number;
}

/** Returns a function that removes what is too old; it may be called at any rate and works every six hours. */
export function eventExpiry({ keepEventsDays, stores, clock }: ExpiryOptions): () => Promise<void> {
  let expiredAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const now = clock();
    // After the clock was set back it must go on, too.
    if (keepEventsDays === undefined || Math.abs(now - expiredAt) < everyMs) return;
    expiredAt = now;
    for (const store of stores) await store.expire(now - keepEventsDays * dayMs);
  };
}
