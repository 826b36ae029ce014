// A clock for expiry. If the system clock is set a week ahead and corrected an hour later, nothing must expire: a jump
// ahead counts only after a further day of running.

/** The clocks of two machines differ by less than this. */
export const aheadMs = 5 * 60_000;

export interface Steady {
  /** The system clock when it was last read, milliseconds since the epoch. */
  clock: number;
  /** The time that counts for expiry: never later than the clock. */
  time: number;
  /** How long the process has run since the clock jumped ahead; undefined if it did not. */
  ranMs?: number;
}

/**
 * The clock is read more often than this, so a larger step is a jump, or nothing ran for that long, which looks the
 * same.
 */
const jumpMs = 86_400_000;
/** How much time an operator has to correct a wrong clock. */
const holdMs = 86_400_000;
/** At most this much of the time between two readings counts as running time. */
const mostStepMs = 15 * 60_000;

/** The state after the clock was read again. */
export function steady(before: Steady | undefined, now: number): Steady {
  if (!before) return { clock: now, time: now };
  const step = now - before.clock;
  const ran = Math.min(mostStepMs, Math.max(0, step));
  if (before.ranMs === undefined)
    return step > jumpMs ? { clock: now, time: before.time, ranMs: 0 } : { clock: now, time: now };
  // The clock was corrected, or nearly so.
  if (now - before.time <= jumpMs) return { clock: now, time: now };
  const ranMs = before.ranMs + ran;
  return ranMs >= holdMs ? { clock: now, time: now } : { clock: now, time: before.time + ran, ranMs };
}
