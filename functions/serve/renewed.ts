// What is read now and then for all requests, so that in use none of them waits for a reading.

export interface RenewedOptions {
  clock: () => number;
  /** Told of a failed reading while an earlier one is in use. */
  report: (cause: unknown) => void;
  /** A reading serves this long, milliseconds; the next begins at half of that, beside the requests. */
  longestMs: number;
  /** A reading that takes long serves this many times as long. */
  times?: number;
}

export interface Renewed<T> {
  /** The newest reading; waits for one when there is none, or none young enough. */
  (): Promise<T>;
  /** The next call waits for a new reading. */
  expire(): void;
}

/** One reading at a time. A failed one leaves the last in use, however old; without any the caller is told. */
export function renewed<T>(
  read: () => Promise<T>,
  { clock, report, longestMs, times = 0 }: RenewedOptions,
): Renewed<T> {
  let latest: { value: T; readAt: number; longest: number } | undefined;
  let reading: Promise<T> | undefined;
  const anew = () => {
    const began = clock();
    reading ??= read()
      .then((value) => {
        latest = { value, readAt: began, longest: Math.max(longestMs, times * (clock() - began)) };
        return value;
      })
      .catch((cause) => {
        if (!latest) throw cause;
        report(cause);
        return latest.value;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  };
  const current = async () => {
    if (!latest) return anew();
    const age = clock() - latest.readAt;
    if (age >= latest.longest) return anew();
    if (2 * age >= latest.longest) void anew();
    return latest.value;
  };
  const expire = () => {
    if (latest) latest.readAt = Number.NEGATIVE_INFINITY;
  };
  return Object.assign(current, { expire });
}
