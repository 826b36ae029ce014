import { S3Client } from '@aws-sdk/client-s3';
import { searchStore } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { number } from '#aws/env.ts';
import { counter, info } from '#aws/log.ts';
import { openObjects } from '#aws/objects.ts';
import { readVariables } from './env.ts';
import { train } from './train.ts';

const { BUCKET, SEARCH_ENDPOINT, SEARCH_SIGNED, SEED, METRICS } = readVariables();

/** Trains once on the stored pulls; answers the new model's id, or why it was refused. */
export async function trainOnce(): Promise<{ id: string; refused?: string }> {
  const { id, refused } = await train({
    search: searchStore(SEARCH_ENDPOINT, SEARCH_SIGNED === 'true'),
    objects: openObjects({ client: new S3Client({}), bucket: BUCKET }),
    seed: number('SEED', SEED),
    ...{ clock, newId, log: info },
  });
  counter(METRICS, clock)(refused ? { ModelRefused: 1 } : { ModelPublished: 1 });
  return { id, ...(refused ? { refused } : {}) };
}
