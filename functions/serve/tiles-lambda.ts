import { Hono } from 'hono';
import { clock } from '#aws/clock.ts';
import { ownAccess } from '#aws/env.ts';
import { gatewayHandler } from '#aws/gateway.ts';
import { counter, report } from '#aws/log.ts';
import { openReads } from '#aws/s3/reads.ts';
import { openSigner } from '#aws/signed.ts';
import { answerErrors } from '#http/errors.ts';
import { readTileVariables } from './env.ts';
import { objectSnapshots } from './map/snapshots.ts';
import { tileRoutes } from './map/tiles.ts';

const sign = openSigner({ service: 's3', ...ownAccess() });
const { BUCKET_URL, METRICS } = readTileVariables();
const reads = openReads({ bucketUrl: BUCKET_URL, sign });

const app = new Hono();
answerErrors(app, report);
// It is used only if everyone may see the map with its names (infra/api.ts), so any site may read it.
app.use(async (c, next) => {
  await next();
  c.header('Access-Control-Allow-Origin', '*');
});
const snapshots = objectSnapshots(reads, clock);
app.route(
  '/',
  tileRoutes(() => snapshots, clock),
);
export const handler = gatewayHandler(app, counter(METRICS, clock), 'Tiles5xx');
