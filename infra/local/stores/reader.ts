// The thread that runs the long queries of the search store: see openReader.
import { parentPort, workerData } from 'node:worker_threads';
import { packed } from './packed.ts';
import type { Answer, LongQuery, Question } from './reading.ts';
import { openSearch } from './search.ts';

const search = openSearch(workerData as string);

parentPort?.on('message', async ({ id, name, query }: Question) => {
  const run = search[name] as (query: unknown) => ReturnType<(typeof search)[LongQuery]>;
  const answer: Answer = await run(query).then(
    (value) => ({ id, value: packed(value) }),
    (cause) => ({ id, failed: cause instanceof Error ? cause.message : String(cause) }),
  );
  parentPort?.postMessage(answer);
});
