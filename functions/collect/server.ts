// The server of a Fargate task: on a signal to stop it responds to the requests it has accepted, and ends.
import { number } from '#aws/env.ts';
import { info } from '#aws/log.ts';
import { readServerVariables } from './env.ts';
import { listen } from './listen.ts';
import { optionsOf } from './options.ts';

const { PORT, ...variables } = readServerVariables();
const { port, stop } = await listen({ ...optionsOf(variables), port: number('PORT', PORT) });
info(`listening on ${port}`);

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, async () => {
    await stop();
    info('stopped');
    process.exit();
  });
