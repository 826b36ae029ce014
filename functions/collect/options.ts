import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { dynamoClient } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openCredentials } from '#aws/dynamodb/credentials.ts';
import { openRefusals } from '#aws/dynamodb/refusals.ts';
import { openStream, streamClient } from '#aws/kinesis/stream.ts';
import { report } from '#aws/log.ts';
import { openSecret } from '#aws/secret.ts';
import type { Networks } from '#core/networks.ts';
import type { Registry } from '#core/registry/name.ts';
import type { CollectOptions } from './app.ts';
import type { Variables } from './env.ts';

/** The options that the Lambda function and the Fargate server share: collect with the stores on AWS. */
export function optionsOf(variables: Omit<Variables, 'METRICS'>): Omit<CollectOptions, 'peer'> {
  const { REGISTRY_STREAM, HITS_STREAM, WEBHOOK_TOKEN_ID, CREDENTIALS_TABLE } = variables;
  const { TRUSTED_PROXIES, ADDRESS_HEADER, NETWORKS, DOMAINS, REFUSE_HITS, REGISTRIES } = variables;
  const client = streamClient();
  const table = { client: dynamoClient(), table: CREDENTIALS_TABLE, clock };
  return {
    stream: openStream({ client, stream: REGISTRY_STREAM }),
    hits: openStream({ client, stream: HITS_STREAM }),
    token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
    senders: { credentials: openCredentials(table), registries: JSON.parse(REGISTRIES) as Registry[] },
    refusals: openRefusals(table),
    trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
    addressHeader: ADDRESS_HEADER,
    networks: JSON.parse(NETWORKS) as Networks,
    domains: DOMAINS.split(',').filter(Boolean),
    refuseHits: REFUSE_HITS === 'true',
    ...{ clock, newKey: newId, report },
  };
}
