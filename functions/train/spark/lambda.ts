// The two steps around the fit on Spark; between them the state machine of infra/train-spark.ts runs als.py.
import { S3Client } from '@aws-sdk/client-s3';
import { searchStore } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { number } from '#aws/env.ts';
import { counter, info } from '#aws/log.ts';
import { openObjects } from '#aws/objects.ts';
import { readVariables } from '../env.ts';
import { prepareSpark, publishSpark } from './spark.ts';

const { BUCKET, SEARCH_ENDPOINT, SEARCH_SIGNED, SEED, METRICS } = readVariables();
const options = {
  search: searchStore(SEARCH_ENDPOINT, SEARCH_SIGNED === 'true'),
  objects: openObjects({ client: new S3Client({}), bucket: BUCKET }),
  seed: number('SEED', SEED),
  ...{ clock, newId, log: info },
};

export const prepare = ({ run }: { run: string }) => prepareSpark(run, options);

export async function publish({ run }: { run: string }): Promise<{ id: string; refused?: string }> {
  const { id, refused } = await publishSpark(run, options);
  counter(METRICS, clock)(refused ? { ModelRefused: 1 } : { ModelPublished: 1 });
  return { id, ...(refused ? { refused } : {}) };
}
