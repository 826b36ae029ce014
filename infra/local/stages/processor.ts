// The thread that processes what registries report, and posts alerts.
import { workerData } from 'node:worker_threads';
import { registryShards } from '#process/handler.ts';
import { clock } from '../stores/stores.ts';
import { deliver } from './deliver.ts';
import { pumpInto } from './process-stream.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

const { settings } = workerData as ThreadData;
const { alerts } = await pumpInto({
  stream: 'stream',
  shardPrefix: registryShards,
  positions: 'registry-pump.db',
  // A pull waits for no others: what comes meanwhile is the next batch.
  windowSeconds: 0.2,
});

const { notifyUrl: url, notifySecret: secret } = settings;
if (url && secret)
  await repeat('alerts', 1, () => deliver({ url, secret, next: alerts.next, clock, report: console.error }));
