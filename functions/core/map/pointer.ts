// Which snapshot of the points is the newest: one small object, replaced with If-Match.

export const pointerKey = 'points/latest.json';
/** The same for the anonymous map, whose snapshots have other names. */
export const anonymousPointerKey = 'points/latest-anonymous.json';
export const anonymousPrefix = 'anonymous-';
/** The public export of the anonymous map. */
export const anonymousDocumentKey = 'points/anonymous.json';
export const snapshotKey = (snapshot: string) => `points/${snapshot}/points.bin`;

/** The pointer to the newest snapshot, which the map requests regularly. */
export interface Pointer {
  snapshot: string;
  /** Incremented with every change of the points. */
  generation: number;
  /** Milliseconds since the epoch: when the export ran. */
  updatedAt: number;
  points: number;
  /** If points are by location: how many domains have points. */
  domains?: number;
  /** The newest snapshot at the end of each of the last days, oldest first. */
  days?: KeptDay[];
}

/** The last snapshot that was published on a UTC day. */
export interface KeptDay {
  /** `2026-11-21` */
  day: string;
  snapshot: string;
  points: number;
}
