import { workerData } from 'node:worker_threads';
import { exportPoints } from '#process/export.ts';
import { openLog } from '../log.ts';
import { mapSettings } from '../map-settings.ts';
import { clock, newId, openStores } from '../stores/stores.ts';
import { count } from './count.ts';
import { letOthersGoFirst } from './priority.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

letOthersGoFirst();

const { folder, settings } = workerData as ThreadData;
const { checkpoints, objects, alerts } = openStores(folder, settings.opensearch);

const log = openLog(settings.log);
await repeat('export', settings.exportEvery, log, async () => {
  const { healed } = await exportPoints({ checkpoints, objects, alerts, ...mapSettings(settings), clock, newId });
  count('exports');
  if (healed) log.info(`export: ${healed}; it was rebuilt from the previous state`);
});
