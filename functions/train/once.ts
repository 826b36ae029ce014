import { countOutcome, options } from './options.ts';
import { train } from './train.ts';

/** Trains once on the stored pulls; returns the new model's id, or why it was refused. */
export const trainOnce = async () => countOutcome(await train(options));
