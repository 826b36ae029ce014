// Export's state: what is folded, and the keys of its segments. One object, replaced as a whole with If-Match.

import { Damaged, type ObjectStore } from '../stores.ts';
import { type Counters, noCounters } from './delta.ts';

export const manifestKey = 'state/manifest.json';
/** The manifest before it. */
export const previousManifestKey = 'state/manifest-previous.json';

export interface Manifest {
  version: 1;
  /** Incremented with every swap. */
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
  /**
   * What was added on one UTC day of our clock: new rows of domain and day, and hits counted as `other`. Limits what
   * strangers can add.
   */
  grown?: { day: string; rows: number; other: number };
  /** Our clock at the last export, milliseconds, to distinguish a jump of the clock from the passing of time. */
  clock?: number;
  /**
   * Set while the expiry of domains is held because the clock jumped or nothing ran for days: how many domains are due,
   * since when by our clock, and for how long exports have run since, milliseconds.
   */
  held?: { domains: number; since: number; ranMs: number };
  /** The last generation that changed the points, which the pointer must reach. */
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

/** Returns the stored manifest, or an empty one without an ETag. Throws Damaged. */
export async function readManifest(
  objects: ObjectStore,
  key = manifestKey,
): Promise<{ manifest: Manifest; etag?: string }> {
  const found = await objects.get(key);
  if (!found) return { manifest: emptyManifest };
  return { manifest: parsed(key, found.body), etag: found.etag };
}

function parsed(key: string, body: Uint8Array): Manifest {
  try {
    const manifest: Manifest | null = JSON.parse(new TextDecoder().decode(body));
    if (manifest?.positions && manifest.hits) return manifest;
  } catch {}
  throw new Damaged(key, 'it is not a manifest');
}
