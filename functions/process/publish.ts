import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { createGzip } from 'node:zlib';
import { DaySums } from '#core/hits/day-sums.ts';
import type { Manifest } from '#core/hits/manifest.ts';
import type { PointsState } from '#core/hits/points-state.ts';
import { anonymousPoints } from '#core/map/anonymous.ts';
import { buildPyramid, type Points } from '#core/map/cluster.ts';
import {
  anonymousDocumentKey,
  anonymousPointerKey,
  anonymousPrefix,
  type KeptDay,
  type Pointer,
  pointerKey,
  snapshotKey,
} from '#core/map/pointer.ts';
import { pointsDocument } from '#core/map/points-json.ts';
import { withoutPrivateHosts } from '#core/map/private-hosts.ts';
import { encodePyramid } from '#core/map/snapshot.ts';
import { Damaged, type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { graceMs } from './expire.ts';

interface PublishOptions {
  objects: ObjectStore;
  keepDays: number;
  clock: () => number;
  /** The hits within a day that a domain needs to be on the anonymous map; undefined if there is no such map. */
  anonymousLeast?: number;
  /** Which maps show hosts of private networks (functions/core/map/private-hosts.ts). */
  privateHostsOn: MapName[];
}

export type MapName = 'names' | 'anonymous';

/** One of the two maps: the keys of its pointer and export, and the prefix of its snapshots' names. */
interface Kind {
  pointerKey: string;
  documentKey: string;
  prefix: string;
  points: () => Promise<Points>;
  /** Further fields of its pointer. */
  more: Pick<Pointer, 'domains'>;
}

/**
 * Step 5 of export: the snapshot (`points.bin`, which tiles are served from, and the public `points.json`), then the
 * pointer; and, if the owner shows it, the same for the anonymous map. Does nothing if the pointer has this generation
 * already, and never sets it back to an older one.
 */
export async function publish(manifest: Manifest, points: PointsState, options: PublishOptions): Promise<void> {
  const { objects, anonymousLeast, privateHostsOn } = options;
  const all = once(() => points.columns());
  const columns = (map: MapName) => (privateHostsOn.includes(map) ? all() : withoutPrivateHosts(all()));
  const more = points.by === 'location' ? { domains: points.domainCount } : {};
  const kinds: Kind[] = [
    { pointerKey, documentKey: 'points.json', prefix: '', points: async () => columns('names'), more },
  ];
  if (anonymousLeast !== undefined)
    kinds.push({
      ...{ pointerKey: anonymousPointerKey, documentKey: anonymousDocumentKey, prefix: anonymousPrefix, more },
      async points() {
        const shown = columns('anonymous');
        const { busiest } = shown;
        const isBusy = busiest
          ? (row: number) => busiest[row] >= anonymousLeast
          : await busyEnough(objects, manifest, shown, anonymousLeast);
        return anonymousPoints(shown, isBusy, anonymousLeast);
      },
    });
  const published = [];
  for (const kind of kinds) published.push(await publishKind(kind, manifest, options));
  if (published.some(({ fresh }) => fresh))
    await expireSnapshots(objects, new Set(published.flatMap(({ kept }) => kept)), options.clock());
}

/** Returns the snapshots to keep (the current one and those of earlier days), and whether the current one is new. */
async function publishKind(kind: Kind, manifest: Manifest, { objects, keepDays }: PublishOptions) {
  const { current, etag } = await readPointer(objects, kind.pointerKey);
  const generation = manifest.pointsGeneration;
  if (generation === 0 || (current && current.generation >= generation && (await isWhole(objects, current.snapshot))))
    return { kept: current ? named(current) : [], fresh: false };

  const { updatedAt } = manifest;
  // The time makes a snapshot's name unique even if the data folder is recreated: browsers cache its tiles forever.
  const snapshot = `${kind.prefix}${updatedAt.toString(36)}-${generation}`;
  const columns = await kind.points();
  const pyramid = buildPyramid(columns);
  await objects.put(snapshotKey(snapshot), encodePyramid(pyramid), {
    contentType: 'application/octet-stream',
  });
  wholeOf(objects).add(snapshot);

  await objects.put(kind.documentKey, await zipped(pointsDocument(columns, { updatedAt, keepDays })), {
    contentType: 'application/json',
    contentEncoding: 'gzip',
    cacheControl: 'public, max-age=10',
  });

  const days = daysKept(current, updatedAt, keepDays);
  const pointer: Pointer = { snapshot, generation, updatedAt, points: columns.lat.length, ...kind.more, days };
  try {
    await objects.put(kind.pointerKey, JSON.stringify(pointer), {
      ...(etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag }),
      contentType: 'application/json',
    });
  } catch (cause) {
    // Another export was quicker. If it published an older generation, the next export corrects that.
    if (!(cause instanceof PreconditionFailed)) throw cause;
  }
  return { kept: [...named(pointer), ...(current ? named(current) : [])], fresh: true };
}

const named = ({ snapshot, days = [] }: Pointer) => [snapshot, ...days.map((kept) => kept.snapshot)];

/**
 * The last `keepDays` days up to that of `updatedAt`, each with its last snapshot; the current snapshot joins them once
 * a newer day begins.
 */
export function daysKept(current: Pointer | undefined, updatedAt: number, keepDays: number): KeptDay[] {
  if (!current) return [];
  const last = { day: dayOf(current.updatedAt), snapshot: current.snapshot, points: current.points };
  const [today, oldest] = [dayOf(updatedAt), dayOf(updatedAt - (keepDays - 1) * dayMs)];
  return [...(current.days ?? []).filter(({ day }) => day !== last.day), last].filter(
    ({ day }) => day >= oldest && day < today,
  );
}

/** A damaged pointer is rebuilt: it follows from the state. */
async function readPointer(objects: ObjectStore, key: string): Promise<{ current?: Pointer; etag?: string }> {
  try {
    const found = await objects.get(key);
    return found ? { current: JSON.parse(new TextDecoder().decode(found.body)), etag: found.etag } : {};
  } catch (cause) {
    if (!(cause instanceof Damaged || cause instanceof SyntaxError)) throw cause;
    return { etag: (await objects.head(key))?.etag };
  }
}

/** Snapshots that are known to exist, by store. */
const wholeOnes = new WeakMap<ObjectStore, Set<string>>();

function wholeOf(objects: ObjectStore): Set<string> {
  const whole = wholeOnes.get(objects) ?? new Set();
  wholeOnes.set(objects, whole);
  if (whole.size > 100) whole.clear();
  return whole;
}

/** Checked once per process: a missing or damaged snapshot is rebuilt from the state. */
async function isWhole(objects: ObjectStore, snapshot: string): Promise<boolean> {
  if (wholeOf(objects).has(snapshot)) return true;
  const found = await objects.get(snapshotKey(snapshot), { start: 0, end: 1 }).catch((cause) => {
    if (!(cause instanceof Damaged)) throw cause;
  });
  if (found) wholeOf(objects).add(snapshot);
  return found !== undefined;
}

const dayMs = 86_400_000;
const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

/**
 * Whether a domain had enough hits on the day of its newest hit, or on the day before: a busy domain must not vanish at
 * midnight.
 */
async function busyEnough(objects: ObjectStore, manifest: Manifest, { domains, updatedAt }: Points, least: number) {
  const days = new Set(Array.from(updatedAt, dayOf).flatMap((day) => [day, dayOf(Date.parse(day) - dayMs)]));
  const busy = new Map<string, Float64Array>();
  for (const day of days) {
    const found = manifest.hits[day] && (await objects.get(manifest.hits[day]));
    if (found) busy.set(day, DaySums.decode(found.body).hitsOf(domains));
  }
  return (row: number) => {
    const [day, before] = [dayOf(updatedAt[row]), dayOf(updatedAt[row] - dayMs)];
    return Math.max(busy.get(day)?.[row] ?? 0, busy.get(before)?.[row] ?? 0) >= least;
  };
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

const zipped = (pieces: Iterable<Uint8Array>): Promise<Buffer> =>
  buffer(Readable.from(pieces).pipe(createGzip({ level: 1 })));

/** Pages may still request an older snapshot's tiles for a while. */
async function expireSnapshots(objects: ObjectStore, snapshots: Set<string>, now: number): Promise<void> {
  const kept = new Set(Array.from(snapshots, snapshotKey));
  const old = (await objects.list('points/')).filter(
    ({ key, modified }) => key.endsWith('/points.bin') && !kept.has(key) && modified < now - graceMs,
  );
  await objects.remove(old.map(({ key }) => key));
}
