// Snapshots of the points in the object store: `points/latest.json` points at `points/SNAPSHOT/points.bin`.
import { isDue } from '#core/age.ts';
import {
  anonymousPointerKey,
  anonymousPrefix,
  type KeptDay,
  type Pointer,
  pointerKey,
  snapshotKey,
} from '#core/map/pointer.ts';
import type { Pyramid } from '#core/map/pyramid.ts';
import { BadSnapshot, openInPart } from '#core/map/snapshot.ts';
import type { ObjectStore } from '#core/stores.ts';
import { ApiError } from '#http/errors.ts';

export type LatestPoints = Omit<Pointer, 'generation'>;

/** What the tile routes need from a store of snapshots. */
export interface SnapshotSource {
  /** The newest snapshot that can be opened; undefined before the first export. */
  latest(): Promise<LatestPoints | undefined>;
  /** Undefined if there is no such snapshot. */
  open(snapshot: string): Promise<Pyramid | undefined>;
}

/** For a deployment that exports nothing. */
export const noSnapshots: SnapshotSource = { latest: async () => undefined, open: async () => undefined };

/** A 404: the snapshot never existed, or was removed, perhaps while it was open. */
export class SnapshotGone extends ApiError {
  constructor(snapshot: string) {
    super(
      404,
      'unknown_snapshot',
      `snapshot "${snapshot}" is no longer kept, or never existed: get the newest from /v1/points/latest`,
    );
  }
}

/** Snapshot names are part of a key and of a URL. */
export const SNAPSHOT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

type Reads = Pick<ObjectStore, 'get' | 'head'>;

/**
 * Keeps the newest few pyramids open, each read in blocks as tiles need them: of a new snapshot only what a tile needs
 * is read, not the whole file. See docs/decisions/0003-points-file.md. The pointer is read again once it is
 * `pointerAgeMs` old. A new snapshot is served only once it could be opened: until then the last good one is.
 */
export function objectSnapshots(
  store: Reads,
  clock: () => number,
  { keep = 3, pointerAgeMs = 1000, anonymous = false, onBad = (_snapshot: string, _error: BadSnapshot) => {} } = {},
): SnapshotSource {
  const pointer = anonymous ? anonymousPointerKey : pointerKey;
  const opened = new Map<string, Promise<Pyramid | undefined>>();
  let current: LatestPoints | undefined;
  let checkedAt = -Infinity;
  let etag = '';
  let checking: Promise<void> | undefined;

  function open(snapshot: string): Promise<Pyramid | undefined> {
    const known = opened.get(snapshot);
    if (known) {
      // Moves it to the end: the least recently used is first and is dropped first.
      opened.delete(snapshot);
      opened.set(snapshot, known);
      return known;
    }
    const pyramid = openObject(store, snapshot);
    opened.set(snapshot, pyramid);
    const forget = () => opened.get(snapshot) === pyramid && opened.delete(snapshot);
    pyramid.then((found) => found || forget(), forget);
    for (const oldest of opened.keys()) {
      if (opened.size <= keep) break;
      if (oldest !== current?.snapshot) opened.delete(oldest);
    }
    return pyramid;
  }

  async function check(): Promise<void> {
    // The first time there is nothing to compare with, which saves a round trip to the store before the first tile.
    const head = etag === '' ? undefined : await store.head(pointer);
    if (etag === '' || (head && head.etag !== etag)) {
      const found = await store.get(pointer);
      const next = found && parsePointer(found.body);
      if (found && next) {
        try {
          if (await open(next.snapshot)) current = next;
          else onBad(next.snapshot, new BadSnapshot(`${snapshotKey(next.snapshot)} does not exist`));
        } catch (error) {
          if (!(error instanceof BadSnapshot)) throw error;
          onBad(next.snapshot, error);
        }
        etag = found.etag;
      }
    }
    checkedAt = clock();
  }

  return {
    // A caller who may see only the anonymous map can't name other snapshots.
    open: async (snapshot) => (anonymous && !snapshot.startsWith(anonymousPrefix) ? undefined : open(snapshot)),
    async latest() {
      if (isDue(checkedAt, clock(), pointerAgeMs)) {
        checking ??= check().finally(() => {
          checking = undefined;
        });
        // While the store is down a good snapshot stays in service, and the store is not read more often.
        await checking.catch((error: unknown) => {
          if (!current) throw error;
          checkedAt = clock();
        });
      }
      return current;
    },
  };
}

/** Returns undefined if there is no such object; its bytes are read on demand. */
async function openObject(store: Reads, snapshot: string): Promise<Pyramid | undefined> {
  const read = async (start: number, end: number) => {
    const found = await store.get(snapshotKey(snapshot), { start, end });
    if (!found) throw new SnapshotGone(snapshot);
    return found.body;
  };
  return openInPart(read).catch((error: unknown) => {
    if (!(error instanceof SnapshotGone)) throw error;
    return undefined;
  });
}

function parsePointer(body: Uint8Array): LatestPoints | undefined {
  const value: unknown = JSON.parse(new TextDecoder().decode(body));
  if (typeof value !== 'object' || value === null) return undefined;
  const { snapshot, updatedAt, points, domains, days } = value as Record<string, unknown>;
  if (typeof snapshot !== 'string' || !SNAPSHOT_NAME.test(snapshot)) return undefined;
  const time = typeof updatedAt === 'string' ? Date.parse(updatedAt) : updatedAt;
  if (typeof time !== 'number' || !Number.isFinite(time) || typeof points !== 'number') return undefined;
  return {
    ...{ snapshot, updatedAt: time, points },
    ...(typeof domains === 'number' && { domains }),
    ...(Array.isArray(days) && { days: days.filter(isKeptDay) }),
  };
}

const isKeptDay = (value: unknown): value is KeptDay => {
  const { day, snapshot, points } = (value ?? {}) as Record<string, unknown>;
  return typeof day === 'string' && typeof snapshot === 'string' && typeof points === 'number';
};
