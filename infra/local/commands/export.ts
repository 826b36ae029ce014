// npm run export [-- --data DIR]: folds committed batches and publishes the map, once.
import { exportPoints } from '#process/export.ts';
import { mapSettings } from '../map-settings.ts';
import { clock, newId } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does = 'Folds committed batches into points and sums, and publishes the map, once. The server may be running.';

await runOnce('export', does, async ({ checkpoints, objects }, settings) => {
  const { folded, manifest } = await exportPoints({ checkpoints, objects, ...mapSettings(settings), clock, newId });
  return `exported generation ${manifest.generation}: ${folded} batches folded`;
});
