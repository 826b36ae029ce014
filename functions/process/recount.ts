// Recomputes stored data by the rules of this version: classifies each event again, recomputes pulls and pushes from
// the distinct events, and writes search again. The result equals a fresh replay of the stored events. It may stop at
// any time and then continues where it was; batches may be processed meanwhile, because both replace pulls by version.
import { createHash } from 'node:crypto';
import type { PullClass, StoredEvent } from '#core/event.ts';
import { removePerson } from '#core/forget.ts';
import { type Classified, clientOf } from '#core/registry/classify.ts';
import { pullsBetween } from '#core/registry/pull.ts';
import type { AlertFeed, EventStore, ObjectStore, SearchStore } from '#core/stores.ts';
import { documents, pushDocuments } from './pulls.ts';

export interface RecountOptions {
  events: EventStore;
  search: Pick<SearchStore, 'write' | 'forget'>;
  /** Stores the progress; without it each run starts from the beginning. */
  objects?: ObjectStore;
  alerts?: Pick<AlertFeed, 'forget'>;
  classify: (event: Classified) => PullClass;
  pullWindowSeconds: number;
  clock: () => number;
  /** Called with the progress of an earlier run. */
  continues?: (done: Recounted) => void;
  /** Called after each step. */
  progress?: (done: Recounted) => void;
  /** How many events are processed in one step. */
  eventsAtOnce?: number;
}

/** The progress so far. */
export interface Recounted {
  /** Milliseconds since the epoch. */
  startedAt: number;
  /** Pairs of user and repository, and events, that were processed. */
  pairs: number;
  events: number;
  /** How many pulls were removed or put. */
  changed: number;
}

/** The progress as it is stored. It contains no names, because a user may be forgotten meanwhile. */
interface Position extends Recounted {
  /** Digest of the cursor of the current page of pairs. */
  page?: string;
  /** Digests of the page's pairs that are done. */
  done: string[];
  /** How far the next pair is done: the time of its last recounted event. */
  after?: number;
}

const progressKey = 'recount/progress.json';
const pairsAtOnce = 100;
const digestOf = (text: string) => createHash('sha256').update(text).digest('base64url');

/** Recounts everything, from where an earlier run stopped. */
export async function recount(options: RecountOptions): Promise<Recounted> {
  const { events, objects, clock, progress } = options;
  const position = (objects && (await readPosition(objects))) ?? {
    startedAt: clock(),
    pairs: 0,
    events: 0,
    changed: 0,
    done: [],
  };
  const save = () => objects?.put(progressKey, JSON.stringify(position));
  let cursor = await findPage(events, position);
  if (position.pairs > 0) options.continues?.(position);
  for (;;) {
    const page = await events.pairs({ cursor, limit: pairsAtOnce });
    for (const { user, repository } of page.items) {
      const pair = digestOf(JSON.stringify([user, repository]));
      if (position.done.includes(pair)) continue;
      for await (const { last, count, changed } of steps(user, repository, position.after, options)) {
        position.after = last;
        position.events += count;
        position.changed += changed;
        await save();
        progress?.(position);
      }
      await forgetAgain(user, repository, position.startedAt, options);
      position.after = undefined;
      position.done.push(pair);
      position.pairs++;
    }
    if (page.cursor === undefined) break;
    cursor = page.cursor;
    position.page = digestOf(cursor);
    position.done = [];
  }
  await objects?.remove([progressKey]);
  const { startedAt, pairs, events: seen, changed } = position;
  return { startedAt, pairs, events: seen, changed };
}

/** Returns the cursor whose digest was stored. If its user was forgotten meanwhile, the recount starts again. */
async function findPage(events: EventStore, position: Position): Promise<string | undefined> {
  if (position.page === undefined) return;
  for (let cursor: string | undefined; ; ) {
    ({ cursor } = await events.pairs({ cursor, limit: pairsAtOnce }));
    if (cursor !== undefined && digestOf(cursor) === position.page) return cursor;
    if (cursor !== undefined) continue;
    Object.assign(position, { pairs: 0, events: 0, page: undefined, after: undefined, done: [] });
    return;
  }
}

async function readPosition(objects: ObjectStore): Promise<Position | undefined> {
  const found = await objects.get(progressKey);
  return found && (JSON.parse(Buffer.from(found.body).toString()) as Position);
}

/** Recounts the events of one user and repository in order of time, several at a time. */
async function* steps(user: string, repository: string, start: number | undefined, options: RecountOptions) {
  const { events, search, pullWindowSeconds: windowSeconds, eventsAtOnce = 2000 } = options;
  const fresh = (event: StoredEvent): StoredEvent => ({
    ...event,
    ...{ class: options.classify(event), client: clientOf(event.userAgent) },
  });
  const reader = {
    events: async (from: number, to: number) => (await events.events(user, repository, from, to)).map(fresh),
    pulls: (from: number, to: number) => events.pulls(user, repository, from, to),
  };
  for (let after = start; ; ) {
    const some = await events.eventsAfter(user, repository, after, eventsAtOnce);
    if (some.length === 0) return;
    const [from, to] = [some[0].time, some.at(-1)!.time];
    // Also the events of the last moment that the limit cut off.
    const old = await events.events(user, repository, from, to);
    const now = old.map(fresh);
    await events.rewrite(now.filter((event, at) => event.class !== old[at].class || event.client !== old[at].client));
    const changed = await replace();
    yield { last: to, count: now.length, changed };
    after = to;

    async function replace(): Promise<number> {
      for (;;) {
        const version = await events.version(user, repository);
        const change = await pullsBetween(from, to, reader, { windowSeconds });
        const changes = change.put.length + change.remove.length;
        const { remove, put } = change;
        const replaced = changes === 0 || (await events.replacePulls([{ user, repository, version, remove, put }]))[0];
        if (!replaced) continue;
        const pulls = documents(change, changes > 0 ? version + 1 : version);
        await search.write([...pulls, ...(await pushDocuments(now, reader))]);
        return changes;
      }
    }
  }
}

/** A user who was forgotten during the recount of their events was written to search again. */
async function forgetAgain(user: string, repository: string, startedAt: number, stores: RecountOptions): Promise<void> {
  if (user === '') return;
  const mark = (await stores.events.forgotten([user])).get(user);
  if (mark !== undefined && mark >= startedAt) await removePerson(stores, user, [repository]);
}
