import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { dynamoClient } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openCredentials } from '#aws/credentials.ts';
import { gatewayHandler, peerOf } from '#aws/gateway.ts';
import { counter, report } from '#aws/log.ts';
import { openRefusals } from '#aws/refusals.ts';
import { openSecret } from '#aws/secret.ts';
import { openStream, streamClient } from '#aws/stream.ts';
import type { Networks } from '#core/networks.ts';
import type { Registry } from '#core/registry/name.ts';
import { collectApp } from './app.ts';
import { readVariables } from './env.ts';

const {
  REGISTRY_STREAM,
  HITS_STREAM,
  WEBHOOK_TOKEN_ID,
  TRUSTED_PROXIES,
  ADDRESS_HEADER,
  NETWORKS,
  DOMAINS,
  METRICS,
  CREDENTIALS_TABLE,
  REGISTRIES,
} = readVariables();
const table = { client: dynamoClient(), table: CREDENTIALS_TABLE, clock };

const client = streamClient();
const app = collectApp({
  stream: openStream({ client, stream: REGISTRY_STREAM }),
  hits: openStream({ client, stream: HITS_STREAM }),
  token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
  senders: { credentials: openCredentials(table), registries: JSON.parse(REGISTRIES) as Registry[] },
  refusals: openRefusals(table),
  peer: peerOf,
  trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
  addressHeader: ADDRESS_HEADER,
  networks: JSON.parse(NETWORKS) as Networks,
  domains: DOMAINS.split(',').filter(Boolean),
  ...{ clock, newKey: newId, report },
});
export const handler = gatewayHandler(app, counter(METRICS, clock), 'Collect5xx');
