import { countOutcome, options } from './options.ts';
import { type TrainOptions, train } from './train.ts';

/** Trains once on the stored pulls; returns the new model's id, or why it was refused. */
export const trainOnce = async (more: Pick<TrainOptions, 'sumSeconds'> = {}) =>
  countOutcome(await train({ ...options, ...more }));
