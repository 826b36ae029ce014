import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { dynamoClient } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import { openCheckpoints } from '#aws/dynamodb/checkpoints.ts';
import { number } from '#aws/env.ts';
import { openLag, streamLag } from '#aws/kinesis/lag.ts';
import { counter, report } from '#aws/log.ts';
import { openObjects } from '#aws/s3/objects.ts';
import type { PointsBy } from '#core/hits/delta.ts';
import { cardInService, readModels } from '#core/recommender/model-list.ts';
import { readExportVariables } from './env.ts';
import { exportPoints } from './export.ts';
import { registryShards } from './handler.ts';
import type { MapName } from './publish.ts';

const {
  CHECKPOINTS_TABLE,
  BUCKET,
  REGISTRY_STREAM,
  HITS_STREAM,
  KEEP_DAYS,
  MOST_DOMAINS,
  POINTS,
  ALERTS_TABLE,
  ANONYMOUS_LEAST,
  PRIVATE_HOSTS_ON,
  METRICS,
} = readExportVariables();
const client = dynamoClient();
const checkpoints = openCheckpoints({ client, table: CHECKPOINTS_TABLE });
const kinesis = new KinesisClient({});
const lagOf = (stream: string, shardPrefix: string) =>
  streamLag({ client: kinesis, stream, shardPrefix, checkpoints, clock });
const lags = [lagOf(HITS_STREAM, ''), lagOf(REGISTRY_STREAM, registryShards)];
const measured = async () => (await Promise.all(lags.map((measure) => measure()))).flat();
const lag = openLag({ client, table: CHECKPOINTS_TABLE, clock });
const objects = openObjects({ client: new S3Client({}), bucket: BUCKET });
const count = counter(METRICS, clock);
const keepDays = number('KEEP_DAYS', KEEP_DAYS);
const privateHostsOn = PRIVATE_HOSTS_ON.split(',') as MapName[];
const mostDomains = number('MOST_DOMAINS', MOST_DOMAINS);
const alerts = openAlerts({ client, table: ALERTS_TABLE, clock });
const anonymousLeast = ANONYMOUS_LEAST === '' ? undefined : number('ANONYMOUS_LEAST', ANONYMOUS_LEAST);

/** Called by the schedule or, if `exportEvery` is under a minute, by the queue, since schedules are not that fine. */
export async function handler(): Promise<{ folded: number }> {
  // The map must not wait for a stream that is down.
  await measured().then(lag.write).catch(report);
  const { folded } = await exportPoints({
    checkpoints,
    objects,
    alerts,
    keepDays,
    mostDomains,
    points: POINTS as PointsBy,
    anonymousLeast,
    privateHostsOn,
    clock,
    newId,
  });
  const model = cardInService((await readModels(objects)).list);
  count({ Exported: 1, Folded: folded, ...(model && { ModelAgeHours: (clock() - model.trainedAt) / 3_600_000 }) });
  return { folded };
}
