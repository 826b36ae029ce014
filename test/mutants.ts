// Changes that alter nothing anybody can observe, each with the reason: `npm run mutate` leaves them out.

export interface Equivalent {
  file: string;
  /** A part of the line. */
  line: string;
  /** As `npm run mutate` prints it. */
  change: string;
  why: string;
}

export const equivalents: Equivalent[] = [];
