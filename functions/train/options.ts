import { S3Client } from '@aws-sdk/client-s3';
import { searchStore } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { number } from '#aws/env.ts';
import { counter, info } from '#aws/log.ts';
import { openObjects } from '#aws/s3/objects.ts';
import type { Card } from '#core/recommender/model-list.ts';
import { readVariables } from './env.ts';
import type { TrainOptions } from './train.ts';

const { BUCKET, SEARCH_ENDPOINT, SEARCH_SIGNED, SEED, ALS, MODEL, TRAIN_BUDGET, METRICS } = readVariables();

/** The options of training on AWS, from the variables of its function or task. */
export const options: TrainOptions = {
  search: searchStore(SEARCH_ENDPOINT, SEARCH_SIGNED === 'true', 'train'),
  objects: openObjects({ client: new S3Client({}), bucket: BUCKET }),
  seed: number('SEED', SEED),
  als: JSON.parse(ALS),
  model: MODEL as TrainOptions['model'],
  budgetSeconds: number('TRAIN_BUDGET', TRAIN_BUDGET),
  ...{ clock, newId, log: info },
};

/**
 * Emits the metric ModelPublished or ModelRefused; an empty catalogue does not count as refused. Returns the new
 * model's id, or why it was refused.
 */
export function countOutcome({ id, refused, images }: Card): { id: string; refused?: string } {
  counter(METRICS, clock)(refused ? { ModelRefused: images > 0 ? 1 : 0 } : { ModelPublished: 1 });
  return { id, ...(refused ? { refused } : {}) };
}
