import { DaySums } from '#core/hits/day-sums.ts';
import { type Counters, type Delta, dayName, dayOf, decodeDelta, noCounters, type PointsBy } from '#core/hits/delta.ts';
import type { Manifest } from '#core/hits/manifest.ts';
import { PointsState } from '#core/hits/points-state.ts';
import { Seen } from '#core/hits/seen.ts';
import { aheadMs } from '#core/steady.ts';
import { type Checkpoint, type CheckpointStore, Damaged, type ObjectStore } from '#core/stores.ts';

/** The most rows folded into one swap; the next export folds the rest. */
const mostRows = 5000;
const dayMs = 86_400_000;

export interface FoldOptions {
  checkpoints: CheckpointStore;
  objects: ObjectStore;
  keepDays: number;
  /**
   * The most domains on the map, and in a day's sums. Those with the oldest hits leave the map first; a day's further
   * domains are counted as `other`.
   */
  mostDomains?: number;
  /** What a point is. */
  points?: PointsBy;
  clock: () => number;
}

const defaultMostDomains = 500_000;
/** How many new rows of (domain, day) one day may add, in multiples of `mostDomains`: hits may be dated a year back. */
const mostGrowth = 4;
/** By how much the map may exceed its limit while rows are folded, so that it need not be sorted after each row. */
const slack = 1.25;

/** The state after the fold, in memory; nothing is written until `write`. */
export interface Fold {
  changed: boolean;
  rows: number;
  points: PointsState;
  /** Writes the changed segments under new keys; returns the manifest that names them. */
  write(objects: ObjectStore, newId: () => string): Promise<Manifest>;
}

/** Steps 1 and 2 of export: the rows after each position, in order, each with its delta. */
export async function foldRows(manifest: Manifest, options: FoldOptions): Promise<Fold> {
  const { checkpoints, objects, keepDays, mostDomains = defaultMostDomains, points: by = 'domain', clock } = options;
  const now = clock();
  const positions = { ...manifest.positions };
  // A manifest of an older version lacks some counters.
  const counters = { ...noCounters(), ...manifest.counters };
  const today = dayName(dayOf(now));
  const grown = manifest.grown?.day === today ? { ...manifest.grown } : { day: today, rows: 0, other: 0 };
  const points = await segment(
    objects,
    manifest.points,
    (bytes) => PointsState.decode(bytes, by),
    () => PointsState.empty(by),
  );
  const seen = await segment(objects, manifest.seen, Seen.decode, Seen.empty);
  const days = new Map<string, DaySums>();
  let rows = 0;
  // Done before anything is merged, so that hits that arrive now are newer than those that a fast clock stamped.
  let pointsChanged = points.notAfter(now + aheadMs, now - aheadMs) > 0 || points.converted;
  let seenChanged = false;

  for (const shard of await checkpoints.shards()) {
    for (const row of await checkpoints.after(shard, positions[shard] ?? '0', mostRows - rows)) {
      if (row.previous !== (positions[shard] ?? '0'))
        throw new Damaged(
          `checkpoints of ${shard}`,
          `the chain of ${shard} breaks after ${positions[shard] ?? '0'}: its next row starts at ${row.previous}`,
        );
      await add(await readDelta(objects, row));
      positions[shard] = row.last;
      rows++;
    }
  }
  seen.expire(now);
  const expiry = expiryOf(manifest, points, { now, keepDays });
  const dropped = (expiry.held ? 0 : points.drop(now - keepDays * dayMs)) + points.keepNewest(mostDomains);
  pointsChanged ||= dropped > 0;

  return { changed: rows > 0 || pointsChanged || expiry.changed, rows, points, write };

  async function add(delta: Delta): Promise<void> {
    seenChanged ||= delta.identified > 0;
    delta.settle(seen);
    for (const name of Object.keys(delta.counters) as (keyof Counters)[]) counters[name] += delta.counters[name];
    grown.other += delta.counters.other ?? 0;
    const othersBefore = points.others;
    pointsChanged = points.merge(delta) > 0 || pointsChanged;
    counters.other += points.others - othersBefore;
    grown.other += points.others - othersBefore;
    if (points.size > slack * mostDomains) points.keepNewest(mostDomains);
    for (const day of delta.days.map(dayName)) {
      const state =
        days.get(day) ?? (await segment(objects, manifest.hits[day], DaySums.decode, () => DaySums.empty(day)));
      const before = state.count('domain');
      const room = Math.max(0, mostGrowth * mostDomains - grown.rows);
      const others = state.merge(delta, Math.min(mostDomains, before + room));
      counters.other += others;
      grown.other += others;
      grown.rows += state.count('domain') - before;
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
      updatedAt: rows > 0 || pointsChanged ? now : manifest.updatedAt,
      grown,
      clock: now,
      held: expiry.held,
      pointsGeneration: pointsChanged ? generation : manifest.pointsGeneration,
    };
  }
}

/** Exports are minutes apart: after a longer gap, the clock jumped or nothing ran. */
const jumpMs = 86_400_000;
const notedEveryMs = 3_600_000;
/** How much time, during which exports run, an operator has to correct a wrong clock. */
const holdMs = 86_400_000;
/** At most this much of the time between two exports counts for the hold. */
const mostStepMs = 15 * 60_000;

/**
 * Decides whether the expiry of domains is held, because a clock that is a week ahead must not empty the map. After a
 * jump no domain leaves until new hits renew it, the clock is corrected, or exports have run for a day.
 */
function expiryOf(
  { clock: last = 0, held }: Manifest,
  points: PointsState,
  { now, keepDays }: { now: number; keepDays: number },
): { held?: Manifest['held']; changed: boolean } {
  const domains = points.countBefore(now - keepDays * dayMs);
  const jumped = last > 0 && now - last > jumpMs;
  if (domains === 0 || !(held || jumped)) return { changed: held !== undefined || Math.abs(now - last) > notedEveryMs };
  const ranMs = held ? held.ranMs + Math.min(mostStepMs, Math.max(0, now - last)) : 0;
  if (ranMs >= holdMs) return { changed: true };
  return { held: { domains, since: held?.since ?? now, ranMs }, changed: true };
}

async function segment<T>(
  objects: ObjectStore,
  key: string | undefined,
  decode: (bytes: Uint8Array) => T,
  empty: () => T,
) {
  if (key === undefined) return empty();
  const found = await objects.get(key);
  if (!found) throw new Damaged(key, 'the manifest names it, but it is missing');
  return decode(found.body);
}

async function readDelta(objects: ObjectStore, row: Checkpoint): Promise<Delta> {
  const found = await objects.get(row.delta);
  if (!found)
    throw new Damaged(
      row.delta,
      `row ${row.previous} of ${row.shard} names ${row.delta}, which is missing: export stops here, so that no hit is lost unnoticed`,
    );
  const delta = decodeDelta(found.body);
  if (delta.shard !== row.shard || delta.previous !== row.previous || delta.last !== row.last)
    throw new Error(`${row.delta} is not the delta of row ${row.previous} of ${row.shard}`);
  return delta;
}
