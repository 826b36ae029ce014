// The thread that runs long queries of the search store, or serve's writes to events: see reading.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { NotSummed } from '#core/stores.ts';
import { openEvents } from '../events.ts';
import { packed } from './packed.ts';
import type { Answer, Question, ReaderData } from './reading.ts';
import { openSearch } from './search.ts';

const { store, file, cacheMiB } = workerData as ReaderData;
const opened = (store === 'search'
  ? openSearch(file, cacheMiB)
  : openEvents(file, () => Date.now(), { cacheMiB })) as unknown as Record<
  Question['name'],
  (...values: unknown[]) => Promise<unknown>
>;

parentPort?.on('message', async ({ id, name, values }: Question) => {
  const answer: Answer = await opened[name](...values).then(
    (value) => ({ id, value: packed(value) }),
    (cause) =>
      cause instanceof NotSummed
        ? { id, notSummed: { done: cause.done, total: cause.total } }
        : { id, failed: cause instanceof Error ? cause.message : String(cause) },
  );
  parentPort?.postMessage(answer);
});
