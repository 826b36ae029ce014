// The state that export continues from: the manifest or, if it or one of its segments is damaged or missing, the
// previous one, which is kept too. Rows and deltas are kept from there on (expire.ts), so that folding them again gives
// the same sums.
import { type Manifest, manifestKey, previousManifestKey, readManifest } from '#core/hits/manifest.ts';
import { type CheckpointStore, Damaged, type ObjectStore } from '#core/stores.ts';

interface Stores {
  checkpoints: Pick<CheckpointStore, 'latest'>;
  objects: ObjectStore;
}

export interface State {
  manifest: Manifest;
  /** ETag of the stored manifest, which the next one replaces. */
  etag?: string;
  /** The previous manifest, if known. */
  previous?: Manifest;
  previousEtag?: string;
  /** Why the previous manifest took its place. */
  healed?: string;
}

/** Stores whose state this process has found undamaged. */
const found = new WeakSet<ObjectStore>();

/** After a failure everything is checked again. */
export const doubtState = (objects: ObjectStore): boolean => found.delete(objects);

/** If the previous state is damaged too, throws Damaged, which says what is damaged and what to do. */
export async function readState(stores: Stores): Promise<State> {
  const { objects } = stores;
  const previous = await readManifest(objects, previousManifestKey).catch(unlessDamaged);
  const beside = {
    previous: previous?.etag === undefined ? undefined : previous.manifest,
    previousEtag: previous ? previous.etag : (await objects.head(previousManifestKey))?.etag,
  };
  let current: Awaited<ReturnType<typeof readManifest>> | undefined;
  try {
    current = await readManifest(objects);
    if (current.etag === undefined && beside.previous) throw new Damaged(manifestKey, 'it is missing');
    if (!found.has(objects)) await assertWhole(current.manifest, stores);
    found.add(objects);
    return { ...current, ...beside };
  } catch (cause) {
    const { previous: before } = beside;
    if (!(cause instanceof Damaged) || !before) throw cause;
    if (current?.etag !== undefined && current.manifest.generation !== before.generation + 1) throw cause;
    await assertWhole(before, stores).catch(() => {
      throw cause;
    });
    return {
      ...beside,
      // The damaged state's generation: the next one must be newer.
      manifest: { ...before, generation: before.generation + 1 },
      etag: (await objects.head(manifestKey))?.etag,
      healed: cause.message,
    };
  }
}

/** Checks every object that the manifest names, and the newest row of each of its shards, which never expires. */
async function assertWhole(manifest: Manifest, { checkpoints, objects }: Stores): Promise<void> {
  // Reads a part: the store checks the whole object when it opens it.
  for (const key of [manifest.points, manifest.seen, ...Object.values(manifest.hits)])
    if (key !== undefined && !(await objects.get(key, { start: 0, end: 1 }))) throw new Damaged(key, 'it is missing');
  for (const [shard, position] of Object.entries(manifest.positions)) {
    const newest = await checkpoints.latest(shard);
    if (!newest || BigInt(newest.last) < BigInt(position))
      throw new Damaged(
        `checkpoints of ${shard}`,
        `the newest row is ${newest ? `of ${newest.last}` : 'missing'}, but the map has what came until ${position}`,
      );
  }
}

function unlessDamaged(cause: unknown): undefined {
  if (!(cause instanceof Damaged)) throw cause;
}
