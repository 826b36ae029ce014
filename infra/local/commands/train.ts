// npm run train [-- --data DIR] [--als NAME=VALUE,…]: trains once on the stored pulls and publishes the model.
import { train } from '#train/train.ts';
import { trainSeed } from '../defaults.ts';
import { clock, newId } from '../stores/stores.ts';
import { runOnce } from './once.ts';

const does =
  'Trains on the stored pulls, once, and publishes the model if it is no worse than the one in service. The server may be running.\n--als rank=10,iterations=5,lambda=0.01,alpha=1 says what is fitted, this once: give it to npm start too.';

await runOnce('train', does, async ({ search, objects }, { als }) => {
  const { id, refused, people, images } = await train({
    search,
    objects,
    clock,
    newId,
    seed: trainSeed,
    als,
    log: console.log,
  });
  if (refused) throw new Error(`no model was published: ${refused}`);
  return `model ${id} of ${people} people and ${images} images is in service`;
});
