// Which snapshot of the points is the newest: one small object, replaced with If-Match.

export const pointerKey = 'points/latest.json';
/** The export for those who may not see names. */
export const anonymousDocumentKey = 'points-anonymous.json';
export const snapshotKey = (snapshot: string) => `points/${snapshot}/points.bin`;

/** What the map asks for again and again. */
export interface Pointer {
  snapshot: string;
  /** Grows with every change of the points. */
  generation: number;
  /** Milliseconds since the epoch: when the export ran. */
  updatedAt: number;
  points: number;
}
