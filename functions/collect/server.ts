// The server of a Fargate task: told to stop, it answers what it has taken and ends.
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { clock, newId } from '#aws/clock.ts';
import { number } from '#aws/env.ts';
import { info, report } from '#aws/log.ts';
import { openSecret } from '#aws/secret.ts';
import { openStream, streamClient } from '#aws/stream.ts';
import { readServerVariables } from './env.ts';
import { listen } from './listen.ts';

const { STREAM, WEBHOOK_TOKEN_ID, TRUSTED_PROXIES, PORT } = readServerVariables();

const { port, stop } = await listen({
  stream: openStream({ client: streamClient(), stream: STREAM }),
  token: openSecret(new SecretsManagerClient({}), WEBHOOK_TOKEN_ID, clock),
  trustedProxies: TRUSTED_PROXIES.split(',').filter(Boolean),
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
