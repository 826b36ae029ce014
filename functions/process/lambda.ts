import { S3Client } from '@aws-sdk/client-s3';
import { dynamoClient, searchStore } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import { openCheckpoints } from '#aws/dynamodb/checkpoints.ts';
import { openEvents } from '#aws/dynamodb/events.ts';
import { number } from '#aws/env.ts';
import { counter, report } from '#aws/log.ts';
import { openObjects } from '#aws/s3/objects.ts';
import type { PointsBy } from '#core/hits/delta.ts';
import type { Networks } from '#core/networks.ts';
import { classifier, type OwnClassRule } from '#core/registry/classify.ts';
import type { Rule } from '#core/rules.ts';
import { readVariables } from './env.ts';
import { eventExpiry } from './expire-events.ts';
import { processHandler } from './handler.ts';
import { openLocator } from './locate.ts';
import { notifier } from './notify.ts';
import { unindexed } from './unindexed.ts';

const variables = readVariables();
const client = dynamoClient();
const count = counter(variables.METRICS, clock);
const keepEventsDays =
  variables.KEEP_EVENTS_DAYS === '' ? undefined : number('KEEP_EVENTS_DAYS', variables.KEEP_EVENTS_DAYS);
const tables = { table: variables.EVENTS_TABLE, keyTable: variables.KEYS_TABLE };
const stored = openEvents({ client, ...tables, keepEventsDays, clock });
const events: typeof stored = {
  ...stored,
  async quarantine(entries) {
    await stored.quarantine(entries);
    count({ Quarantined: entries.length });
  },
};

const search = searchStore(variables.SEARCH_ENDPOINT, variables.SEARCH_SIGNED === 'true', 'process', {
  quarantine: unindexed(events, clock),
});
// DynamoDB expires rows itself.
const expire = eventExpiry({ keepEventsDays, stores: [search], clock });
const alerts = openAlerts({ client, table: variables.ALERTS_TABLE, clock });

const handle = processHandler({
  checkpoints: openCheckpoints({ client, table: variables.CHECKPOINTS_TABLE }),
  events,
  alerts,
  objects: openObjects({ client: new S3Client({}), bucket: variables.BUCKET }),
  search,
  locator: await openLocator([variables.IP_TABLE], JSON.parse(variables.NETWORKS) as Networks),
  classify: classifier(JSON.parse(variables.CLASS_RULES) as OwnClassRule[]),
  points: variables.POINTS as PointsBy,
  pullWindowSeconds: number('PULL_WINDOW_SECONDS', variables.PULL_WINDOW_SECONDS),
  notify: notifier({
    rules: JSON.parse(variables.RULES) as Rule[],
    claims: alerts,
    events,
    send: alerts.add,
    newId,
    report(cause) {
      count({ AlertsLost: 1 });
      report(cause);
    },
  }),
  clock,
  newId,
  shardPrefix: variables.SHARD_PREFIX,
});

export const handler: typeof handle = async (event) => {
  const response = await handle(event);
  await expire().catch(report);
  return response;
};
