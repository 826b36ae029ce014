// The state that export goes on from: the manifest, or where that or a segment of it is damaged or gone, the one before it, which is
// kept beside. Rows and deltas are kept from there on (expire.ts), so that folding them again comes to the same sums.
import { type Manifest, manifestKey, previousManifestKey, readManifest } from '#core/hits/manifest.ts';
import { type CheckpointStore, Damaged, type ObjectStore } from '#core/stores.ts';

interface Stores {
  checkpoints: Pick<CheckpointStore, 'latest'>;
  objects: ObjectStore;
}

export interface State {
  manifest: Manifest;
  /** Of the stored manifest, which the next replaces. */
  etag?: string;
  /** The manifest before this one, where it is known. */
  previous?: Manifest;
  previousEtag?: string;
  /** Why the manifest before it took its place. */
  healed?: string;
}

/** Stores whose state this process has found whole. */
const found = new WeakSet<ObjectStore>();

/** After a failure all is looked at again. */
export const doubtState = (objects: ObjectStore): boolean => found.delete(objects);

/** Throws Damaged, which says what is and what to do, where the state before is not whole either. */
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
      // The damaged state had this generation: the next must be newer.
      manifest: { ...before, generation: before.generation + 1 },
      etag: (await objects.head(manifestKey))?.etag,
      healed: cause.message,
    };
  }
}

/** Looks for every object that the manifest names, and for the newest row of each of its shards, which never expires. */
async function assertWhole(manifest: Manifest, { checkpoints, objects }: Stores): Promise<void> {
  // A part of it: the store looks at the whole when it opens it.
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
