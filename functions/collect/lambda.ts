import { clock } from '#aws/clock.ts';
import { gatewayHandler, peerOf } from '#aws/gateway.ts';
import { counter } from '#aws/log.ts';
import { collectApp } from './app.ts';
import { readVariables } from './env.ts';
import { optionsOf } from './options.ts';

const variables = readVariables();
const app = collectApp({ ...optionsOf(variables), peer: peerOf });
export const handler = gatewayHandler(app, counter(variables.METRICS, clock), 'Collect5xx');
