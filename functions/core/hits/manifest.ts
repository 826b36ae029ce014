// The one state object of export: what is folded, and where it lies. Replaced as a whole with If-Match.

import type { ObjectStore } from '../stores.ts';
import { type Counters, noCounters } from './delta.ts';

export const manifestKey = 'state/manifest.json';

export interface Manifest {
  version: 1;
  /** Grows by one with every swap. */
  generation: number;
  /** Sequence number folded through, for each shard. */
  positions: Record<string, string>;
  counters: Counters;
  /** Object key of the points segment, of the seen ids, and of each UTC day's sums. */
  points?: string;
  seen?: string;
  hits: Record<string, string>;
  /** Milliseconds since the epoch of the newest fold. */
  updatedAt: number;
  /** What was added on a UTC day by our clock: rows of a domain on a day, and hits counted as `other`. Bounds what strangers add. */
  grown?: { day: string; rows: number; other: number };
  /** Our clock at an export, milliseconds: by it a jump is distinguished from the passing of time. */
  clock?: number;
  /**
   * Domains whose expiry is held, because the clock jumped, or nothing ran for days: how many, since when by our clock, and for
   * how long exports have run since, milliseconds.
   */
  held?: { domains: number; since: number; ranMs: number };
  /** Generation whose points were last changed: what the pointer must come to. */
  pointsGeneration: number;
}

export const emptyManifest: Manifest = {
  version: 1,
  generation: 0,
  positions: {},
  counters: noCounters(),
  hits: {},
  updatedAt: 0,
  pointsGeneration: 0,
};

/** What a reader of the state needs: the manifest as it stands, or an empty one. */
export async function readManifest(objects: ObjectStore): Promise<{ manifest: Manifest; etag?: string }> {
  const found = await objects.get(manifestKey);
  if (!found) return { manifest: emptyManifest };
  return { manifest: JSON.parse(new TextDecoder().decode(found.body)), etag: found.etag };
}
