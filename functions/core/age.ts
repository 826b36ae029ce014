/**
 * Is what was read at `since` due, `longestMs` later? Also where the clock went back: what is younger than nothing would stay
 * for as long as the clock went back.
 */
export const isDue = (since: number, now: number, longestMs: number): boolean =>
  now < since || now - since >= longestMs;
