// A time to destroy things by. A clock that is set wrong by a week, and right again an hour later, must destroy nothing: a jump
// ahead counts only once its user has run for a day since.

export interface Steady {
  /** The clock when it was last read, milliseconds since the epoch. */
  clock: number;
  /** The time that counts: never later than the clock. */
  time: number;
  /** How long has been run since the clock jumped ahead; undefined: it did not. */
  ranMs?: number;
}

/** A clock that is read more often than this jumped when it moved further: or nothing ran for so long, which looks the same. */
export const jumpMs = 86_400_000;
/** How long an operator has to set a wrong clock right. */
export const holdMs = 86_400_000;
/** Between two readings while it runs no more time than this has passed for the hold. */
export const mostStepMs = 15 * 60_000;

/** What is known of a clock after it was read again. */
export function steady(before: Steady | undefined, now: number): Steady {
  if (!before) return { clock: now, time: now };
  const step = now - before.clock;
  const ran = Math.min(mostStepMs, Math.max(0, step));
  if (before.ranMs === undefined)
    return step > jumpMs ? { clock: now, time: before.time, ranMs: 0 } : { clock: now, time: now };
  // It was set right, or so nearly that it makes no difference.
  if (now - before.time <= jumpMs) return { clock: now, time: now };
  const ranMs = before.ranMs + ran;
  return ranMs >= holdMs ? { clock: now, time: now } : { clock: now, time: before.time + ran, ranMs };
}
