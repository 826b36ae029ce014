/**
 * Whether a value that was read at `since` is due to be read again, `longestMs` later. It is also due if `since` is in
 * the future: otherwise, after the clock was set back, it would stay for as long as the clock was ahead.
 */
export const isDue = (since: number, now: number, longestMs: number): boolean =>
  now < since || now - since >= longestMs;
