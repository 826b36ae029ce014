import { DaySums } from '#core/hits/day-sums.ts';
import { type Counters, type Delta, dayName, decodeDelta } from '#core/hits/delta.ts';
import type { Manifest } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { Seen } from '#core/hits/seen.ts';
import type { Checkpoint, CheckpointStore, ObjectStore } from '#core/stores.ts';

/** Rows folded into one swap at the most; what is left is folded by the next export. */
const mostRows = 5000;
const dayMs = 86_400_000;

export interface FoldOptions {
  checkpoints: CheckpointStore;
  objects: ObjectStore;
  keepDays: number;
  clock: () => number;
}

/** The state after the fold, in memory; nothing is written until `write`. */
export interface Fold {
  changed: boolean;
  rows: number;
  points: PointsState;
  /** Writes the changed segments under new keys; answers the manifest that names them. */
  write(objects: ObjectStore, newId: () => string): Promise<Manifest>;
}

/** Steps 1 and 2 of export: the rows after each position, in order, each with its delta. */
export async function foldRows(manifest: Manifest, options: FoldOptions): Promise<Fold> {
  const { checkpoints, objects, keepDays, clock } = options;
  const now = clock();
  const positions = { ...manifest.positions };
  const counters = { ...manifest.counters };
  const points = await segment(objects, manifest.points, PointsState.decode, PointsState.empty);
  const seen = await segment(objects, manifest.seen, Seen.decode, Seen.empty);
  const days = new Map<string, DaySums>();
  let rows = 0;
  let pointsChanged = false;
  let seenChanged = false;

  for (const shard of await checkpoints.shards()) {
    for (const row of await checkpoints.after(shard, positions[shard] ?? '0', mostRows - rows)) {
      if (row.previous !== (positions[shard] ?? '0'))
        throw new Error(
          `the chain of ${shard} breaks after ${positions[shard] ?? '0'}: its next row starts at ${row.previous}`,
        );
      await add(await readDelta(objects, row));
      positions[shard] = row.last;
      rows++;
    }
  }
  seen.expire(now);
  const dropped = points.drop(now - keepDays * dayMs);
  pointsChanged ||= dropped > 0;

  return { changed: rows > 0 || dropped > 0, rows, points, write };

  async function add(delta: Delta): Promise<void> {
    seenChanged ||= delta.identified > 0;
    delta.settle(seen);
    for (const name of Object.keys(delta.counters) as (keyof Counters)[]) counters[name] += delta.counters[name];
    pointsChanged = points.merge(delta) > 0 || pointsChanged;
    for (const day of delta.days.map(dayName)) {
      const state =
        days.get(day) ?? (await segment(objects, manifest.hits[day], DaySums.decode, () => DaySums.empty(day)));
      state.merge(delta);
      days.set(day, state);
    }
  }

  async function write(store: ObjectStore, newId: () => string): Promise<Manifest> {
    const generation = manifest.generation + 1;
    const put = async (name: string, state: { encode(): Uint8Array }) => {
      const key = `state/${name}-${generation}-${newId()}.bin`;
      await store.put(key, state.encode(), { ifNoneMatch: '*' });
      return key;
    };
    const hits = { ...manifest.hits };
    for (const [day, sums] of days) hits[day] = await put(`hits-${day}`, sums);
    return {
      ...manifest,
      generation,
      positions,
      counters,
      hits,
      points: pointsChanged ? await put('points', points) : manifest.points,
      seen: seenChanged ? await put('seen', seen) : manifest.seen,
      updatedAt: now,
      pointsGeneration: pointsChanged ? generation : manifest.pointsGeneration,
    };
  }
}

async function segment<T>(
  objects: ObjectStore,
  key: string | undefined,
  decode: (bytes: Uint8Array) => T,
  empty: () => T,
) {
  if (key === undefined) return empty();
  const found = await objects.get(key);
  if (!found) throw new Error(`the manifest names ${key}, which is missing`);
  return decode(found.body);
}

async function readDelta(objects: ObjectStore, row: Checkpoint): Promise<Delta> {
  const found = await objects.get(row.delta);
  if (!found)
    throw new Error(
      `row ${row.previous} of ${row.shard} names ${row.delta}, which is missing: nothing more is folded, so that no hit is lost unseen`,
    );
  const delta = decodeDelta(found.body);
  if (delta.shard !== row.shard || delta.previous !== row.previous || delta.last !== row.last)
    throw new Error(`${row.delta} is not the delta of row ${row.previous} of ${row.shard}`);
  return delta;
}
