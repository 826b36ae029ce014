// The thread that processes registry events and imports, expires old data, and sends alerts.
import { parentPort, workerData } from 'node:worker_threads';
import { deliver } from '#alerts/deliver.ts';
import { receiversOf } from '#alerts/receivers/receiver.ts';
import { reportWhenDue } from '#alerts/weekly.ts';
import { classifier } from '#core/registry/classify.ts';
import { eventExpiry } from '#process/expire-events.ts';
import { importShards, registryShards } from '#process/handler.ts';
import { openLog } from '../log.ts';
import { refill } from '../stores/search/refill.ts';
import type { Sums } from '../stores/search/sums.ts';
import { clock, type LocalStores, newId } from '../stores/stores.ts';
import { count } from './count.ts';
import { pumpInto } from './process-stream.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

const { settings } = workerData as ThreadData;
const log = openLog(settings.log);
const stores = await pumpInto([
  { stream: 'stream', shardPrefix: registryShards, positions: 'registry-pump.db' },
  // About 15,000 rows: the larger a batch, the more of its rows are on the same page. But the batches of both shards are
  // in memory at once, and today's events wait for one of them.
  { stream: 'imports', shardPrefix: importShards, positions: 'import-pump.db', maxBytes: 9 * 1024 * 1024 },
]);

const receivers = receiversOf(settings, clock);
const { alerts } = stores;
const { reportDay: day, alertsPerHour: perHour } = settings;
const report = (text: string) => {
  count('alerts_refused');
  log.error(text);
};
const { keepEventsDays } = settings;
const repeated: Promise<void>[] = [repeat('expiry of the quarantine', 3600, log, stores.events.expireQuarantine)];
if (stores.sums?.missing()) repeated.push(sumUp({ ...stores, sums: stores.sums }));
if (keepEventsDays !== undefined) {
  const { events, search } = stores;
  const expire = eventExpiry({ keepEventsDays, stores: [events, search], clock: events.time });
  repeated.push(repeat('expiry', 60, log, expire));
}
if (receivers.length > 0)
  repeated.push(
    repeat('alerts', 1, log, async () => {
      if (day) await reportWhenDue({ ...stores, day, clock, newId });
      await deliver({ receivers, alerts, perHour, report });
    }),
  );
await Promise.all(repeated);

/** Rebuilds a lost search store and computes missing sums, in steps, so that batches are processed in between. */
async function sumUp({ sums, ...stores }: LocalStores & { sums: Sums }): Promise<void> {
  let stopped = false;
  parentPort?.once('message', () => {
    stopped = true;
  });
  const rest = () => new Promise((resolve) => setTimeout(resolve, 20));
  if (sums.missing()?.filling) {
    log.info('search is rebuilt from events');
    const classify = classifier(settings.classRules);
    const isDone = await refill(
      { ...stores, sums, classify, pullWindowSeconds: settings.pullWindow, clock },
      () => stopped,
    );
    if (isDone) log.info('search has all events again');
  }
  while (!stopped && sums.build()) await rest();
}
