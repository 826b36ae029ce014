import { workerData } from 'node:worker_threads';
import { exportPoints } from '#process/export.ts';
import { openLog } from '../log.ts';
import { mapSettings } from '../map-settings.ts';
import { clock, newId, openStores } from '../stores/stores.ts';
import { count } from './count.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

const { folder, settings } = workerData as ThreadData;
const { checkpoints, objects, alerts } = openStores(folder, settings.opensearch);

await repeat('export', settings.exportEvery, openLog(settings.log), async () => {
  await exportPoints({ checkpoints, objects, alerts, ...mapSettings(settings), clock, newId });
  count('exports');
});
