import { KinesisClient } from '@aws-sdk/client-kinesis';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { handle, type LambdaEvent } from 'hono/aws-lambda';
import { clock, newId } from '#aws/clock.ts';
import { report } from '#aws/log.ts';
import { openSecret } from '#aws/secret.ts';
import { openStream } from '#aws/stream.ts';
import { collectApp } from './app.ts';
import { readVariables } from './env.ts';

const { STREAM, WEBHOOK_TOKEN_ID, TRUSTED_PROXIES } = readVariables();

/** What API Gateway says of the connection (payload 2.0). */
const peer = (_request: Request, env: unknown) => {
  const { requestContext } = (env as { event: LambdaEvent }).event;
  return requestContext && 'http' in requestContext ? requestContext.http.sourceIp : '';
};

export const handler = handle(
  collectApp({
    stream: openStream({ client: new KinesisClient({ maxAttempts: 2 }), stream: STREAM }),
    token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
    peer,
    trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
    ...{ clock, newKey: newId, report },
  }),
);
