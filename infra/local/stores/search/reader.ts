// The thread that runs the long queries of the search store: see openReader.
import { parentPort, workerData } from 'node:worker_threads';
import { NotSummed } from '#core/stores.ts';
import { packed } from './packed.ts';
import type { Answer, LongQuery, Question } from './reading.ts';
import { openSearch } from './search.ts';

const search = openSearch(workerData as string);

parentPort?.on('message', async ({ id, name, query }: Question) => {
  const run = search[name] as (query: unknown) => ReturnType<(typeof search)[LongQuery]>;
  const answer: Answer = await run(query).then(
    (value) => ({ id, value: packed(value) }),
    (cause) =>
      cause instanceof NotSummed
        ? { id, notSummed: { done: cause.done, total: cause.total } }
        : { id, failed: cause instanceof Error ? cause.message : String(cause) },
  );
  parentPort?.postMessage(answer);
});
