import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { classifier } from '#core/registry/classify.ts';
import { processHandler } from '#process/handler.ts';
import { notifier } from '#process/notify.ts';
import { clock, newId, openStores } from '../stores/stores.ts';
import { deliver } from './deliver.ts';
import { localLocator } from './locator.ts';
import { startPump } from './pump.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

const { folder, settings } = workerData as ThreadData;
const stores = openStores(folder, settings.opensearch);
const handler = processHandler({
  ...stores,
  locator: await localLocator(settings.networks, console.error),
  classify: classifier(settings.classRules),
  pullWindowSeconds: settings.pullWindow,
  notify: notifier({
    ...stores,
    claims: stores.alerts,
    rules: settings.rules,
    send: stores.alerts.add,
    newId,
    report: console.error,
  }),
  clock,
  newId,
});
const pump = startPump({
  stream: stores.stream,
  handler,
  batchSize: 10_000,
  windowSeconds: 0.2,
  restTimes: 2,
  wait: stores.stream.wait,
  bisect: true,
  maxRetries: -1,
  maxRecordAgeSeconds: -1,
  onFailure: join(folder, 'failures'),
  positions: join(folder, 'pump.db'),
  clock,
  report: console.error,
});
parentPort?.once('message', () => pump.stop());

const { notifyUrl: url, notifySecret: secret } = settings;
if (url && secret)
  await repeat('alerts', 1, () => deliver({ url, secret, next: stores.alerts.next, clock, report: console.error }));
