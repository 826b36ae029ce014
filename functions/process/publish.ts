import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import type { Manifest } from '#core/hits/manifest.ts';
import type { PointsState } from '#core/hits/points-state.ts';
import { buildPyramid } from '#core/map/cluster.ts';
import { type Pointer, pointerKey, snapshotKey } from '#core/map/pointer.ts';
import { pointsDocument } from '#core/map/points-json.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import { type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { graceMs } from './expire.ts';

interface PublishOptions {
  objects: ObjectStore;
  keepDays: number;
  clock: () => number;
}

/**
 * Step 5 of export: the snapshot (`points.bin`, which tiles are served from, and the public `points.json`), then the
 * pointer. Does nothing when the pointer is there already, and never takes it back to an older generation.
 */
export async function publish(manifest: Manifest, points: PointsState, options: PublishOptions): Promise<void> {
  const { objects, keepDays } = options;
  const found = await objects.get(pointerKey);
  const current: Pointer | undefined = found && JSON.parse(new TextDecoder().decode(found.body));
  const generation = manifest.pointsGeneration;
  if (generation === 0 || (current && current.generation >= generation)) return;

  const { updatedAt } = manifest;
  // The time makes a snapshot's name its own even if the data folder begins anew: browsers keep its tiles for ever.
  const snapshot = `${updatedAt.toString(36)}-${generation}`;
  const columns = points.columns();
  const pyramid = buildPyramid(columns);
  await objects.put(snapshotKey(snapshot), encodePyramid(pyramid), {
    contentType: 'application/octet-stream',
  });

  await objects.put('points.json', await zipped(pointsDocument(columns, { updatedAt, keepDays })), {
    contentType: 'application/json',
    contentEncoding: 'gzip',
    cacheControl: 'public, max-age=10',
  });

  const pointer: Pointer = { snapshot, generation, updatedAt, points: points.size };
  try {
    await objects.put(pointerKey, JSON.stringify(pointer), {
      ...(found ? { ifMatch: found.etag } : { ifNoneMatch: '*' }),
      contentType: 'application/json',
    });
  } catch (cause) {
    // Another export was quicker; if it published an older generation, the next export sets that right.
    if (!(cause instanceof PreconditionFailed)) throw cause;
  }
  await expireSnapshots(objects, snapshot, options.clock());
}

const zipped = (pieces: Iterable<Uint8Array>): Promise<Buffer> =>
  buffer(Readable.from(pieces).pipe(createGzip({ level: 1 })));

/** Pages may still ask for an older snapshot's tiles for a while. */
async function expireSnapshots(objects: ObjectStore, current: string, now: number): Promise<void> {
  const old = (await objects.list('points/')).filter(
    ({ key, modified }) => key.endsWith('/points.bin') && key !== snapshotKey(current) && modified < now - graceMs,
  );
  await objects.remove(old.map(({ key }) => key));
}
