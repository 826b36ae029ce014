// What the owner keeps for so many days only: events, pulls and what search knows of them.
import type { Expiring } from '#core/stores.ts';

const dayMs = 86_400_000;
/** Looked at this often; what is old is old by the day. */
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
    // A clock that was set back must not stop it.
    if (keepEventsDays === undefined || Math.abs(now - expiredAt) < everyMs) return;
    expiredAt = now;
    for (const store of stores) await store.expire(now - keepEventsDays * dayMs);
  };
}
