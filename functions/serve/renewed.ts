// A value that is read now and then for all requests, so that none of them waits while the value is in use (stale-while-revalidate).

export interface RenewedOptions {
  clock: () => number;
  /** Called with a failed reading while an earlier one is in use. */
  report: (cause: unknown) => void;
  /** A reading serves this long, milliseconds; the next begins at half of that, beside the requests. */
  longestMs: number;
  /** A reading that takes long serves this many times as long. */
  times?: number;
}

export interface Renewed<T> {
  /** The newest reading; waits for one when there is none, or none young enough. */
  (): Promise<T>;
  /** The next call waits for a reading that begins after this; one under way counts only for those who wait for it. */
  expire(): void;
}

/**
 * One reading at a time. A failed one leaves the last in use, however old, and for as long as a good one would the next is
 * not waited for; without any the call rejects.
 */
export function renewed<T>(
  read: () => Promise<T>,
  { clock, report, longestMs, times = 0 }: RenewedOptions,
): Renewed<T> {
  /** `since`: when its reading began; or, where a later one failed, when it did. */
  let latest: { value: T; since: number; longest: number; failed: boolean } | undefined;
  let reading: Promise<T> | undefined;
  let generation = 0;

  async function readOnce(): Promise<T> {
    const [began, own] = [clock(), generation];
    try {
      const value = await read();
      if (own === generation) {
        const longest = Math.max(longestMs, times * (clock() - began));
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
    // A clock that went back: as old as can be.
    const age = now < latest.since ? latest.longest : now - latest.since;
    // After a failure the next try may hang as long as the store is down: only after a pause is it waited for.
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
