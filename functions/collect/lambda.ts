import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clock, newId } from '#aws/clock.ts';
import { gatewayHandler, peerOf } from '#aws/gateway.ts';
import { counter, report } from '#aws/log.ts';
import { openSecret } from '#aws/secret.ts';
import { openStream, streamClient } from '#aws/stream.ts';
import { collectApp } from './app.ts';
import { readVariables } from './env.ts';

const { STREAM, WEBHOOK_TOKEN_ID, TRUSTED_PROXIES, METRICS } = readVariables();

const app = collectApp({
  stream: openStream({ client: streamClient(), stream: STREAM }),
  token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
  peer: peerOf,
  trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
  ...{ clock, newKey: newId, report },
});
export const handler = gatewayHandler(app, counter(METRICS, clock), 'Collect5xx');
