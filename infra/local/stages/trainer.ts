import { workerData } from 'node:worker_threads';
import { train } from '#train/train.ts';
import { trainSeed } from '../defaults.ts';
import { openLog } from '../log.ts';
import { clock, newId, openStores } from '../stores/stores.ts';
import { count } from './count.ts';
import { letOthersGoFirst } from './priority.ts';
import { repeat } from './repeat.ts';
import type { ThreadData } from './threads.ts';

letOthersGoFirst();

const { folder, settings } = workerData as ThreadData;
const { search, objects, sums, imports } = openStores(folder, settings.opensearch, 'train');
const log = openLog(settings.log);

/** A young store changes fast: once pulls have grown by half since the last training, the next one starts early. */
const growth = 1.5;
let trainedAt = Number.NEGATIVE_INFINITY;
let trainedOn = 0;
let wasRefused = false;

const everySeconds = settings.trainEvery * 3600;
await repeat('training', Math.min(everySeconds, 10), log, async () => {
  // Training on a part of the pulls would mislead: the rest is still being summed or imported.
  if (sums?.missing() || imports.pending()() > 0) return;
  const { total } = await search.counts({});
  const age = clock() - trainedAt;
  // If the clock was set back, training starts: otherwise it would wait until the clock has caught up.
  const due = age < 0 || age >= everySeconds * 1000;
  if (total.pulls === 0 || !(due || total.pulls >= growth * trainedOn)) return;
  trainedAt = clock();
  trainedOn = total.pulls;
  const { als, model, trainBudget: budgetSeconds } = settings;
  const { refused } = await train({ search, objects, clock, newId, seed: trainSeed, als, model, budgetSeconds });
  if (refused) count('models_refused');
  if (refused && !wasRefused) log.info(`training: the previous model stays in service, ${refused}`);
  wasRefused = refused !== undefined;
});
