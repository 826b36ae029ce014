// Stores in memory whose every call goes through a gate: a test can order the calls, and make one fail before it takes
// effect (throttled), fail after it took effect (timed out), or never return (the function was killed).
import type { Checkpoint, CheckpointStore, ObjectStore } from '#core/stores.ts';
import { PreconditionFailed } from '#core/stores.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';

export type Gate = <T>(name: string, effect: () => T) => Promise<T>;
export const open: Gate = async (_name, effect) => effect();

const big = (text: string) => BigInt(text);

export function memoryCheckpoints() {
  const rows = new Map<string, Checkpoint>();
  const ofShard = (shard: string) =>
    [...rows.values()]
      .filter((row) => row.shard === shard)
      .sort((a, b) => (big(a.previous) < big(b.previous) ? -1 : 1));
  const through = (gate: Gate): CheckpointStore => ({
    latest: (shard) => gate('latest', () => ofShard(shard).at(-1)),
    commit: (row) =>
      gate('commit', () => {
        const key = `${row.shard} ${row.previous}`;
        if (rows.has(key)) return false;
        rows.set(key, row);
        return true;
      }),
    shards: () => gate('shards', () => [...new Set([...rows.values()].map(({ shard }) => shard))].sort()),
    after: (shard, after, limit) =>
      gate('after', () =>
        ofShard(shard)
          .filter((row) => big(row.previous) >= big(after))
          .slice(0, limit),
      ),
    remove: (gone) =>
      gate('removeRows', () => {
        for (const { shard, previous } of gone) {
          if (ofShard(shard).at(-1)?.previous === previous) throw new Error('newest row');
          rows.delete(`${shard} ${previous}`);
        }
      }),
  });
  return { rows, through };
}

/** `clock` gives the time of each put. */
export function memoryObjects(clock: () => number) {
  const held = new Map<string, { body: Uint8Array; etag: string; modified: number }>();
  let version = 0;
  const info = (key: string) => {
    const found = held.get(key);
    return found && { key, etag: found.etag, size: found.body.length, modified: found.modified };
  };
  const through = (gate: Gate): ObjectStore => ({
    get: (key, range) =>
      gate('get', () => {
        const found = held.get(key);
        return found && { body: range ? found.body.slice(range.start, range.end) : found.body, etag: found.etag };
      }),
    head: (key) => gate('head', () => info(key)),
    put: (key, body, { ifMatch, ifNoneMatch } = {}) =>
      gate(`put ${key.split('/')[0]}`, () => {
        const found = held.get(key);
        if (ifMatch !== undefined && found?.etag !== ifMatch) throw new PreconditionFailed(key);
        if (ifNoneMatch && found) throw new PreconditionFailed(key);
        const etag = `"${++version}"`;
        held.set(key, {
          body: typeof body === 'string' ? new TextEncoder().encode(body) : body,
          etag,
          modified: clock(),
        });
        return { etag };
      }),
    list: (prefix) =>
      gate('list', () =>
        [...held.keys()]
          .filter((key) => key.startsWith(prefix))
          .sort()
          .flatMap((key) => info(key) ?? []),
      ),
    remove: (keys) =>
      gate('removeObjects', () => {
        for (const key of keys) held.delete(key);
      }),
  });
  return { held, through };
}

/** All of a stage's stores, in memory and without a gate. */
export function memoryStores(clock: () => number = Date.now) {
  return {
    checkpoints: memoryCheckpoints().through(open),
    objects: memoryObjects(clock).through(open),
    events: openEvents(':memory:', clock),
    search: openSearch(':memory:'),
  };
}
