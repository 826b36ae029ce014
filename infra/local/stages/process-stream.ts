import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { inTurn } from '#core/parallel.ts';
import { classifier } from '#core/registry/classify.ts';
import type { SearchStore } from '#core/stores.ts';
import { processHandler } from '#process/handler.ts';
import type { Locator } from '#process/locate.ts';
import { notifier } from '#process/notify.ts';
import { openLog } from '../log.ts';
import { openWriter } from '../stores/search/reading.ts';
import { clock, type LocalStores, newId, openStores } from '../stores/stores.ts';
import { count } from './count.ts';
import { localLocator } from './locator.ts';
import { startPump } from './pump.ts';
import type { ThreadData } from './threads.ts';

export interface StreamOptions {
  stream: 'stream' | 'imports' | 'hits';
  /** The prefix of its shards' names in the checkpoints. */
  shardPrefix: string;
  /** Name of the file with each shard's position. */
  positions: string;
  /** The most bytes of a batch; default 6 MiB. */
  maxBytes?: number;
}

/** How long a record waits for others; records that come during a batch form the next one. */
const windowSeconds = 0.2;

/** Processes streams in this thread until the main thread stops it. Returns the stores. */
export async function pumpInto(streams: StreamOptions[]): Promise<LocalStores> {
  const { folder, settings } = workerData as ThreadData;
  let startWriter = () => {};
  const stores = openStores(folder, settings.opensearch, 'process', (file) => {
    const writer = openWriter(file);
    startWriter = writer.start;
    return writer;
  });
  const log = openLog(settings.log);
  const options = {
    ...stores,
    classify: classifier(settings.classRules),
    pullWindowSeconds: settings.pullWindow,
    points: settings.points,
    notify: notifier({
      ...stores,
      claims: stores.alerts,
      rules: settings.rules,
      send: stores.alerts.add,
      newId,
      report(cause) {
        count('alerts_lost');
        log.error(cause);
      },
    }),
    clock,
    newId,
  };
  // The IP table is read for the first hits and the first event with an address: imports, and many registries, have none.
  let opening: Promise<Locator> | undefined;
  const opened = () => {
    opening ??= localLocator({ folder, networks: settings.networks, report: log.error }).catch((cause) => {
      opening = undefined;
      throw cause;
    });
    return opening;
  };
  let located: Locator | undefined;
  const whenNeeded: Locator = {
    async open() {
      located = await opened();
    },
    locate: (address) => located?.locate(address),
  };
  // One batch at a time: two at once would both be ready late, and meanwhile search would have nothing to write.
  const turn = inTurn();
  const pumps = streams.map(({ stream, shardPrefix, positions, maxBytes }) =>
    startPump({
      stream: stores[stream],
      async handler(event) {
        const over = await turn();
        // Starts while the batch is computed. Hits don't go into search.
        if (stream !== 'hits') startWriter();
        const write: SearchStore['write'] = (changes) => {
          over();
          return stores.search.write(changes);
        };
        try {
          const locator = stream === 'hits' ? await opened() : whenNeeded;
          const own = { ...options, locator, search: { ...stores.search, write }, shardPrefix };
          return await processHandler(own)(event);
        } finally {
          over();
        }
      },
      batchSize: 10_000,
      maxBytes,
      windowSeconds,
      restTimes: 2,
      wait: stores[stream].wait,
      bisect: true,
      maxRetries: -1,
      maxRecordAgeSeconds: -1,
      onFailure: join(folder, 'failures'),
      positions: join(folder, positions),
      clock,
      report(text) {
        count('failures', 'process');
        log.error(text);
      },
    }),
  );
  parentPort?.once('message', () => {
    for (const pump of pumps) pump.stop();
  });
  return stores;
}
