// The server of a Fargate task: on a signal to stop it responds to what it has taken and ends.
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { dynamoClient } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openCredentials } from '#aws/credentials.ts';
import { number } from '#aws/env.ts';
import { info, report } from '#aws/log.ts';
import { openRefusals } from '#aws/refusals.ts';
import { openSecret } from '#aws/secret.ts';
import { openStream, streamClient } from '#aws/stream.ts';
import type { Networks } from '#core/networks.ts';
import type { Registry } from '#core/registry/name.ts';
import { readServerVariables } from './env.ts';
import { listen } from './listen.ts';

const {
  REGISTRY_STREAM,
  HITS_STREAM,
  WEBHOOK_TOKEN_ID,
  TRUSTED_PROXIES,
  ADDRESS_HEADER,
  NETWORKS,
  DOMAINS,
  CREDENTIALS_TABLE,
  REGISTRIES,
  PORT,
} = readServerVariables();
const table = { client: dynamoClient(), table: CREDENTIALS_TABLE, clock };

const client = streamClient();
const { port, stop } = await listen({
  stream: openStream({ client, stream: REGISTRY_STREAM }),
  hits: openStream({ client, stream: HITS_STREAM }),
  token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
  senders: { credentials: openCredentials(table), registries: JSON.parse(REGISTRIES) as Registry[] },
  refusals: openRefusals(table),
  trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
  addressHeader: ADDRESS_HEADER,
  networks: JSON.parse(NETWORKS) as Networks,
  domains: DOMAINS.split(',').filter(Boolean),
  port: number('PORT', PORT),
  ...{ clock, newKey: newId, report },
});
info(`listening on ${port}`);

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, async () => {
    await stop();
    info('stopped');
    process.exit();
  });
