// SQLite runs, and waits for the lock of a file, in the calling thread. So queries over many rows run in other threads,
// so that no response waits for another; a batch's writes run in one more thread, so that the next batch is read
// meanwhile; and forgetting runs in others, because it waits for writers and rewrites files.
import { Worker } from 'node:worker_threads';
import { NotSummed, type SearchStore, type ShownList } from '#core/stores.ts';
import type { LocalEvents } from '../events.ts';
import { batchCacheMiB, readCacheMiB } from '../sqlite/sqlite.ts';
import { unpacked } from './packed.ts';
import { type LocalSearch, openSearch, rowsOf } from './search.ts';

const longQueries = [
  'users',
  'repositories',
  'catalogue',
  'pulledDays',
  'pulled',
  'counts',
  'pullers',
  'unused',
  'images',
  'deleted',
  'imageUse',
] as const;
type LongQuery = (typeof longQueries)[number] | 'saveShown' | 'forget' | 'leave';
/** Of the writer of search. */
type SearchWrite = 'writeRows';
/** Writes of serve to events. */
type EventsWrite = 'forget' | 'markForgotten' | 'leave';
/** Threads for all long queries but `unused`, whose results are kept in memory, so that it has a thread of its own. */
const readers = 2;
/** The thread for reads by key. */
const smallCacheMiB = 4;
/** How often the lists that users were shown are written, so that no request waits for the disk. */
const saveEveryMs = 500;
/**
 * Size of a thread's young generation: V8's default is three times as much in each of a dozen threads. And V8 lets a
 * heap that may take 2 GiB or more grow to four times its live size before it collects garbage, a smaller one to less
 * than twice.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 1024 };

export interface Question {
  id: number;
  name: LongQuery | SearchWrite | EventsWrite;
  values: unknown[];
}
/** Which store a thread opens. */
export interface ReaderData {
  store: 'search' | 'events';
  file: string;
  cacheMiB: number;
}
export interface Answer {
  id: number;
  value?: unknown;
  failed?: string;
  /** NotSummed. */
  notSummed?: { done: number; total: number };
}

/**
 * The search store of a file. Long queries run in a thread, which starts with the first query, and again after a
 * failure. Another thread writes what users were shown, a moment later, and calls `report` if that fails.
 */
export function openReader(file: string, report: (cause: unknown) => void = console.error): SearchStore {
  // Every thread has its own page cache.
  const search = openSearch(file, smallCacheMiB);
  const thread = (cacheMiB = readCacheMiB) => asker({ store: 'search', file, cacheMiB });
  const unused = thread();
  const others = Array.from({ length: readers }, () => thread());
  const ask = (name: LongQuery, query: unknown) => {
    const free = others.reduce((least, next) => (next.waiting() < least.waiting() ? next : least));
    return (name === 'unused' ? unused : free).ask(name, query);
  };
  // A separate thread: it may wait long for the lock while training saves its lists, and no read must wait with it.
  const { ask: askWriter } = thread();
  if (search.isLeaving()) askWriter('leave').catch(report);
  const long = Object.fromEntries(longQueries.map((name) => [name, (query: unknown) => ask(name, query)]));
  const unsaved = new Map<string, ShownList>();
  const save = async () => {
    const lists = [...unsaved.values()];
    await askWriter('saveShown', lists).catch(report);
    for (const list of lists) if (unsaved.get(list.user) === list) unsaved.delete(list.user);
    if (unsaved.size > 0) setTimeout(save, saveEveryMs).unref();
  };
  const shown: Pick<SearchStore, 'saveShown' | 'shown' | 'forget'> = {
    async saveShown(lists) {
      if (unsaved.size === 0) setTimeout(save, saveEveryMs).unref();
      for (const list of lists) unsaved.set(list.user, list);
    },
    shown: async (user) => unsaved.get(user) ?? search.shown(user),
    async forget(user) {
      unsaved.delete(user);
      await askWriter('forget', user);
    },
  };
  return { ...search, ...shown, ...(long as unknown as Pick<SearchStore, Exclude<LongQuery, 'saveShown' | 'leave'>>) };
}

/** The search store of a file, with writes in a thread, which the first write starts, or `start` before that. */
export function openWriter(file: string): LocalSearch & { start(): void } {
  const search = openSearch(file, smallCacheMiB);
  const { ask, start } = asker({ store: 'search', file, cacheMiB: batchCacheMiB });
  return {
    ...search,
    start,
    async write(changes) {
      await ask('writeRows', rowsOf(changes));
    },
  };
}

/** The events store of a file, with forgetting in a thread. */
export function eventsOfServer(
  file: string,
  events: LocalEvents,
  report: (cause: unknown) => void = console.error,
): LocalEvents {
  const { ask } = asker({ store: 'events', file, cacheMiB: readCacheMiB });
  if (events.isLeaving()) ask('leave').catch(report);
  return {
    ...events,
    forget: async (user, repositories) => Number(await ask('forget', user, repositories)),
    async markForgotten(user, at) {
      await ask('markForgotten', user, at);
    },
  };
}

interface Asker {
  /** Starts the thread, so that the first call need not wait for that. */
  start(): void;
  ask(name: Question['name'], ...values: unknown[]): Promise<unknown>;
  /** Calls without a result yet. */
  waiting(): number;
}

/** Calls a thread, which the first call starts. */
function asker(data: ReaderData): Asker {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let worker: Worker | undefined;
  let asked = 0;

  const start = () => {
    const started = new Worker(new URL('./reader.ts', import.meta.url), {
      ...{ workerData: data, name: 'reader', resourceLimits },
      // Code that scrubs files keeps them open (checkpoint.ts).
      trackUnmanagedFds: false,
    });
    started.on('message', ({ id, value, failed, notSummed }: Answer) => {
      const question = waiting.get(id);
      waiting.delete(id);
      if (notSummed) question?.reject(new NotSummed(notSummed.done, notSummed.total));
      else if (failed === undefined) question?.resolve(unpacked(value));
      else question?.reject(new Error(failed));
      if (waiting.size === 0) started.unref();
    });
    started.on('error', (cause) => {
      worker = undefined;
      for (const { reject } of waiting.values()) reject(cause);
      waiting.clear();
    });
    return started;
  };
  const ask = (name: Question['name'], ...values: unknown[]) => {
    const question = Promise.withResolvers<unknown>();
    waiting.set(++asked, question);
    worker ??= start();
    // It keeps the process alive only while a caller waits.
    worker.ref();
    worker.postMessage({ id: asked, name, values } satisfies Question);
    return question.promise;
  };
  return {
    ask,
    start() {
      if (worker) return;
      worker = start();
      worker.unref();
    },
    waiting: () => waiting.size,
  };
}
