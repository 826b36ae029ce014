import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { classifier } from '#core/classify.ts';
import { processHandler } from '#process/handler.ts';
import { openLocator } from '#process/locate.ts';
import { ipDatabases } from './defaults.ts';
import { startPump } from './pump.ts';
import { clock, newId, openStores } from './stores.ts';
import type { ThreadData } from './threads.ts';

const { folder, settings } = workerData as ThreadData;
const stores = openStores(folder, settings.opensearch);
const handler = processHandler({
  ...stores,
  locator: await openLocator(ipDatabases),
  classify: classifier(),
  pullWindowSeconds: settings.pullWindowSeconds,
  clock,
  newId,
});
const pump = startPump({
  stream: stores.stream,
  handler,
  batchSize: 10_000,
  windowSeconds: 0.2,
  bisect: true,
  maxRetries: -1,
  maxRecordAgeSeconds: -1,
  onFailure: join(folder, 'failures'),
  positions: join(folder, 'pump.db'),
  clock,
  report: console.error,
});
parentPort?.once('message', () => pump.stop());
