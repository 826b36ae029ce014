// A value that is read regularly for all requests, so that none of them waits while the value is in use
// (stale-while-revalidate).

export interface RenewedOptions {
  clock: () => number;
  /** Called with the error of a failed reading while an earlier one is in use. */
  report: (cause: unknown) => void;
  /** How long a reading is used, milliseconds; the next one begins after half of that, beside the requests. */
  longestMs: number;
  /** A slow reading is used for this many times as long as it took. */
  times?: number;
}

export interface Renewed<T> {
  /** Returns the newest reading; waits for one if there is none, or none young enough. */
  (): Promise<T>;
  /**
   * The next call waits for a reading that begins after this; a reading in progress is only for those who already wait
   * for it.
   */
  expire(): void;
}

/** If a reading seems to have taken longer, the clock was set meanwhile. */
const mostMs = 60_000;

/**
 * One reading is in progress at a time. If it fails, the last value stays in use, however old, and no caller waits for
 * another period; without any value the call rejects.
 */
export function renewed<T>(
  read: () => Promise<T>,
  { clock, report, longestMs, times = 0 }: RenewedOptions,
): Renewed<T> {
  /** `since`: when its reading began or, if a later one failed, when that failed. */
  let latest: { value: T; since: number; longest: number; failed: boolean } | undefined;
  let reading: Promise<T> | undefined;
  let generation = 0;

  async function readOnce(): Promise<T> {
    const [began, own] = [clock(), generation];
    try {
      const value = await read();
      if (own === generation) {
        const took = clock() - began;
        const longest = Math.max(longestMs, took > mostMs ? 0 : times * took);
        latest = { value, since: began, longest, failed: false };
      }
      return value;
    } catch (cause) {
      if (!latest) throw cause;
      report(cause);
      if (own === generation) latest = { ...latest, since: clock(), failed: true };
      return latest.value;
    }
  }
  const anew = () => {
    const own = generation;
    reading ??= readOnce().finally(() => {
      if (own === generation) reading = undefined;
    });
    return reading;
  };

  const current = async () => {
    if (!latest) return anew();
    const now = clock();
    // If the clock was set back, the value counts as too old.
    const age = now < latest.since ? latest.longest : now - latest.since;
    // After a failure the next attempt may hang while the store is down, so callers wait for it only after a pause.
    if (age >= latest.longest && !(latest.failed && reading)) return anew();
    if (2 * age >= latest.longest) void anew();
    return latest.value;
  };
  const expire = () => {
    generation++;
    reading = undefined;
    if (latest) latest = { ...latest, since: Number.NEGATIVE_INFINITY, failed: false };
  };
  return Object.assign(current, { expire });
}
