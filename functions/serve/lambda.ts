import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { dynamoClient, s3Client, searchStore } from '#aws/clients.ts';
import { clock } from '#aws/clock.ts';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import { openCheckpoints } from '#aws/dynamodb/checkpoints.ts';
import { openCredentials } from '#aws/dynamodb/credentials.ts';
import { openEvents } from '#aws/dynamodb/events.ts';
import { openRefusals } from '#aws/dynamodb/refusals.ts';
import { number } from '#aws/env.ts';
import { gatewayHandler, peerOf } from '#aws/gateway.ts';
import { openLag } from '#aws/kinesis/lag.ts';
import { counter, report } from '#aws/log.ts';
import { openObjects } from '#aws/s3/objects.ts';
import { openLargeObjects } from '#aws/s3/presign.ts';
import { openSecret } from '#aws/secret.ts';
import type { AccessSettings } from '#core/access.ts';
import type { Registry } from '#core/registry/name.ts';
import { serveApp } from './app.ts';
import { readVariables } from './env.ts';
import { objectSnapshots } from './map/snapshots.ts';
import { modelSource } from './recommender/models.ts';
import { openSignIn } from './sign-in.ts';

const variables = readVariables();
const client = dynamoClient();
const secrets = new SecretsManagerClient({});
const secret = (id: string) => openSecret(secrets, id, clock);
const s3 = s3Client();
const objects = openObjects({ client: s3, bucket: variables.BUCKET });
const checkpoints = openCheckpoints({ client, table: variables.CHECKPOINTS_TABLE });

const app = serveApp({
  ...{ objects, checkpoints, clock, report },
  registries: JSON.parse(variables.REGISTRIES) as Registry[],
  refusals: openRefusals({ client, table: variables.CREDENTIALS_TABLE, clock }),
  events: openEvents({ client, table: variables.EVENTS_TABLE, keyTable: variables.KEYS_TABLE, clock }),
  search: searchStore(variables.SEARCH_ENDPOINT, variables.SEARCH_SIGNED === 'true', 'serve'),
  alerts: openAlerts({ client, table: variables.ALERTS_TABLE, clock }),
  snapshots: objectSnapshots(objects, clock),
  anonymousSnapshots: objectSnapshots(objects, clock, { anonymous: true }),
  models: modelSource(objects, clock, report),
  lag: openLag({ client, table: variables.CHECKPOINTS_TABLE, clock }).read,
  ipTableBuiltAt: async () => number('IP_TABLE_BUILT_AT', variables.IP_TABLE_BUILT_AT),
  unhealthyAfterSeconds: number('UNHEALTHY_AFTER_SECONDS', variables.UNHEALTHY_AFTER_SECONDS),
  keepDays: number('KEEP_DAYS', variables.KEEP_DAYS),
  elsewhere: openLargeObjects({ client: s3, bucket: variables.BUCKET, objects }),
  access: openSignIn({
    settings: JSON.parse(variables.ACCESS) as AccessSettings,
    credentials: openCredentials({ client, table: variables.CREDENTIALS_TABLE, clock }),
    clock,
    peer: (c) => peerOf(c.req.raw, c.env),
    ownerToken: secret(variables.OWNER_TOKEN_ID),
    ...(variables.CLIENT_SECRET_ID ? { clientSecret: secret(variables.CLIENT_SECRET_ID) } : {}),
  }),
});
export const handler = gatewayHandler(app, counter(variables.METRICS, clock), 'Serve5xx');
