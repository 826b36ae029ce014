import { S3Client } from '@aws-sdk/client-s3';
import { openCheckpoints } from '#aws/checkpoints.ts';
import { dynamoClient } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { number } from '#aws/env.ts';
import { counter } from '#aws/log.ts';
import { openObjects } from '#aws/objects.ts';
import { cardInService, readModels } from '#core/recommender/model-list.ts';
import { readExportVariables } from './env.ts';
import { exportPoints } from './export.ts';

const { CHECKPOINTS_TABLE, BUCKET, KEEP_DAYS, METRICS } = readExportVariables();
const checkpoints = openCheckpoints({ client: dynamoClient(), table: CHECKPOINTS_TABLE });
const objects = openObjects({ client: new S3Client({}), bucket: BUCKET });
const count = counter(METRICS, clock);
const keepDays = number('KEEP_DAYS', KEEP_DAYS);

/** Called by the schedule, or by the queue that stands in for one under a minute. */
export async function handler(): Promise<{ folded: number }> {
  const { folded } = await exportPoints({ checkpoints, objects, keepDays, clock, newId });
  const model = cardInService((await readModels(objects)).list);
  count({ Exported: 1, Folded: folded, ...(model && { ModelAgeHours: (clock() - model.trainedAt) / 3_600_000 }) });
  return { folded };
}
