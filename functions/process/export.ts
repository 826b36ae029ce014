// Export folds committed deltas into the state and publishes the points. docs/commit-protocol.md has the argument.
//
//   1 read     the manifest: positions (what is folded, for each shard), counters, and the keys of its segments
//   2 fold     the rows after each position, in order, each with its delta, into segments: points, hits of a day, seen
//              ids
//   3 write    changed segments under new keys; nothing refers to them yet
//   4 swap     the manifest with If-Match: state and positions move together, or not at all
//   5 publish  the snapshot, then the pointer to it
//   6 expire   folded deltas, then their rows (never a shard's newest), then what no manifest names any more
//
// Two exports at once are harmless: one loses 4 and starts again at 1.
import type { PointsBy } from '#core/hits/delta.ts';
import { type Manifest, manifestKey, previousManifestKey } from '#core/hits/manifest.ts';
import { otherAlert } from '#core/rules.ts';
import type { AlertFeed, CheckpointStore, ObjectStore } from '#core/stores.ts';
import { expire, graceMs } from './expire.ts';
import { foldRows } from './fold.ts';
import { type MapName, publish } from './publish.ts';
import { doubtState, readState } from './state.ts';

export interface ExportOptions {
  checkpoints: CheckpointStore;
  objects: ObjectStore;
  /** Days after its newest hit that a domain leaves the map. */
  keepDays: number;
  /** The most domains on the map and in a day's sums. */
  mostDomains?: number;
  /** What a point is; default: `domain`. */
  points?: PointsBy;
  /** Tells the owner that hits are counted as `other`. */
  alerts?: Pick<AlertFeed, 'add'>;
  /** The hits within a day that a domain needs to be on the anonymous map; undefined if there is no such map. */
  anonymousLeast?: number;
  /** Which maps show hosts of private networks. */
  privateHostsOn: MapName[];
  clock: () => number;
  newId: () => string;
}

export interface Exported {
  manifest: Manifest;
  /** How many rows this run folded. */
  folded: number;
  /** The damage that was found; the state was rebuilt from the previous one. */
  healed?: string;
}

/**
 * Folds everything committed so far and publishes it. Throws if a row is missing in a chain, or a row's delta is
 * missing.
 */
export async function exportPoints(options: ExportOptions): Promise<Exported> {
  const { objects, newId, clock } = options;
  for (;;) {
    const began = clock();
    const { manifest, etag, previous, previousEtag, healed } = await readState(options);
    try {
      const fold = await foldRows(manifest, options);
      const changed = fold.changed || healed !== undefined;
      const next = changed ? await fold.write(objects, newId) : manifest;
      // Segments that no manifest names are removed after the grace period, so a run slower than that must not name
      // them.
      if (clock() - began > graceMs / 2) throw new Error(`export took ${clock() - began} ms, too long to swap safely`);
      if (changed) {
        await objects.put(previousManifestKey, JSON.stringify(manifest), replaces(previousEtag));
        await objects.put(manifestKey, JSON.stringify(next), replaces(etag));
      }
      await publish(next, fold.points, options);
      if (next.grown && tells(next) && !(manifest.grown?.day === next.grown.day && tells(manifest)))
        await options.alerts?.add(otherAlert(next.grown.day, clock()));
      await expire(next, changed ? manifest : previous, options);
      return { manifest: next, folded: fold.rows, healed };
    } catch (cause) {
      doubtState(objects);
      // Another export may have folded, swapped and expired meanwhile: then something missing here is not a loss.
      if ((await objects.head(manifestKey))?.etag === etag) throw cause;
    }
  }
}

const replaces = (etag: string | undefined) => ({
  ...(etag === undefined ? { ifNoneMatch: '*' as const } : { ifMatch: etag }),
  contentType: 'application/json',
});

/** Whether hits of the manifest's day were counted as `other`. */
const tells = ({ grown }: Manifest) => (grown?.other ?? 0) > 0;
