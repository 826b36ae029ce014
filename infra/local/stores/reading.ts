// SQLite answers in the thread that asks. Queries over many rows are asked of a thread of their own, so that no answer of
// the server waits for another's aggregation.
import { Worker } from 'node:worker_threads';
import type { SearchStore } from '#core/stores.ts';
import { openSearch } from './search.ts';

const longQueries = ['users', 'repositories', 'catalogue', 'counts', 'pullers', 'unused', 'deleted'] as const;
export type LongQuery = (typeof longQueries)[number];

export interface Question {
  id: number;
  name: LongQuery;
  query: unknown;
}
export interface Answer {
  id: number;
  value?: unknown;
  failed?: string;
}

/** The search store of a file whose long queries run in a thread, which is started by the first and again should it fail. */
export function openReader(file: string): SearchStore {
  const search = openSearch(file);
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let worker: Worker | undefined;
  let asked = 0;

  const start = () => {
    const started = new Worker(new URL('./reader.ts', import.meta.url), { workerData: file, name: 'reader' });
    started.on('message', ({ id, value, failed }: Answer) => {
      const question = waiting.get(id);
      waiting.delete(id);
      if (failed === undefined) question?.resolve(value);
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
  const ask = (name: LongQuery, query: unknown): Promise<unknown> => {
    const question = Promise.withResolvers<unknown>();
    waiting.set(++asked, question);
    worker ??= start();
    // It keeps the process alive only while somebody waits.
    worker.ref();
    worker.postMessage({ id: asked, name, query } satisfies Question);
    return question.promise;
  };
  const long = Object.fromEntries(longQueries.map((name) => [name, (query: unknown) => ask(name, query)]));
  return { ...search, ...(long as unknown as Pick<SearchStore, LongQuery>) };
}
