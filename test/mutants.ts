// Changes that alter nothing anybody can observe, each with the reason: `npm run mutate` leaves them out.

export interface Equivalent {
  file: string;
  /** A part of the line. */
  line: string;
  /** As `npm run mutate` prints it. */
  change: string;
  why: string;
}

export const equivalents: Equivalent[] = [
  {
    file: 'functions/core/hits/hit.ts',
    line: 'for (let code = 0x20; code < 0x7f; code++)',
    change: '< -> <=',
    why: 'JSON writes DEL as it is: the fast path would read it as JSON.parse does',
  },
  {
    file: 'functions/core/map/private-hosts.ts',
    line: 'for (let at = offsets[row + 1] - 1; at >= offsets[row]; at--)',
    change: '+ 1 -> - 1',
    why: 'it saves a look at names that are not private; each that is looked at is told apart exactly',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'letter === a && actionStart < 0',
    change: '< -> <=',
    why: 'an action never begins with the body',
  },
  {
    file: 'functions/collect/plain-hits.ts',
    line: 'for (let code = 0x20; code < 0x7f; code++)',
    change: '< -> <=',
    why: 'JSON writes DEL as it is, and a line is the same by either path',
  },
];
