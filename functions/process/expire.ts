import type { Manifest } from '#core/hits/manifest.ts';
import type { CheckpointStore, ObjectStore } from '#core/stores.ts';

/** How long a reader that began with an older manifest or pointer has to finish. */
export const graceMs = 10 * 60_000;
const rowsAtOnce = 1000;

interface ExpireOptions {
  checkpoints: CheckpointStore;
  objects: ObjectStore;
  clock: () => number;
}

/**
 * Step 6 of export, the only place where anything of the protocol is removed. Deltas are removed before the rows that
 * name them, so a row without its delta is always a folded one. Whatever was folded since the previous manifest stays:
 * if this manifest or one of its segments is damaged, the previous one takes its place, and these rows are folded
 * again.
 */
export async function expire(manifest: Manifest, before: Manifest | undefined, options: ExpireOptions): Promise<void> {
  const { checkpoints, objects, clock } = options;
  const positions = before?.positions ?? {};
  for (const [shard, position] of Object.entries(positions)) {
    const rows = await checkpoints.after(shard, '0', rowsAtOnce);
    const newest = await checkpoints.latest(shard);
    const folded = rows.filter((row) => BigInt(row.last) <= BigInt(position) && row.previous !== newest?.previous);
    await objects.remove(folded.map((row) => row.delta));
    await checkpoints.remove(folded);
  }
  const named = new Set(
    [manifest, before].flatMap((one) => (one ? [one.points, one.seen, ...Object.values(one.hits)] : [])),
  );
  const old = (await objects.list('state/')).filter(
    ({ key, modified }) => key.endsWith('.bin') && !named.has(key) && modified < clock() - graceMs,
  );
  const orphans = (await objects.list('deltas/')).filter(
    ({ key, modified }) => modified < clock() - graceMs && isFolded(key, positions),
  );
  await objects.remove([...old, ...orphans].map(({ key }) => key));
}

/** `deltas/SHARD/LAST-id`: a delta whose last record is folded, or that can never be committed any more. */
function isFolded(key: string, positions: Manifest['positions']): boolean {
  const [, shard, last] = /^deltas\/(.*)\/0*(\d+)-[^/]*$/.exec(key) ?? [];
  return shard in positions && BigInt(last) <= BigInt(positions[shard]);
}
