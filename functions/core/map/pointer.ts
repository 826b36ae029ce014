// Which snapshot of the points is the newest: one small object, replaced with If-Match.

export const pointerKey = 'points/latest.json';
/** The same for those who may not see names, whose snapshots have names of their own. */
export const anonymousPointerKey = 'points/latest-anonymous.json';
export const anonymousPrefix = 'anonymous-';
/** Their export. */
export const anonymousDocumentKey = 'points/anonymous.json';
export const snapshotKey = (snapshot: string) => `points/${snapshot}/points.bin`;

/** What the map asks for again and again. */
export interface Pointer {
  snapshot: string;
  /** Grows with every change of the points. */
  generation: number;
  /** Milliseconds since the epoch: when the export ran. */
  updatedAt: number;
  points: number;
  /** Where points are by location: how many domains have any. */
  domains?: number;
  /** What was the newest snapshot at the end of each of the last days, oldest first. */
  days?: KeptDay[];
}

/** The last snapshot that was published on a UTC day. */
export interface KeptDay {
  /** `2026-11-21` */
  day: string;
  snapshot: string;
  points: number;
}
