// npm run train [-- --data DIR] [--model NAME]: trains once on the stored pulls and publishes the model.
import { train } from '#train/train.ts';
import { trainSeed } from '../defaults.ts';
import { clock, newId } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Trains once on the stored pulls: models compete, and the best is published if it is no worse than the one in service. The server may be running.\n--model NAME publishes this candidate instead of the best, for this training only: give it to npm start too.';

await runOnce('train', does, async ({ search, objects }, { als, model, trainBudget }) => {
  const { id, refused, people, images } = await train({
    search,
    objects,
    clock,
    newId,
    seed: trainSeed,
    ...{ als, model, budgetSeconds: trainBudget },
    log: console.log,
  });
  if (refused) throw new Error(`no model was published: ${refused}`);
  return `model ${id} of ${people} users and ${images} repositories is in service`;
});
