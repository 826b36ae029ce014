import { Hono } from 'hono';
import { handle } from 'hono/aws-lambda';
import { clock } from '#aws/clock.ts';
import { ownAccess } from '#aws/env.ts';
import { report } from '#aws/log.ts';
import { openReads } from '#aws/reads.ts';
import { openSigner } from '#aws/signed.ts';
import { answerErrors } from '#http/errors.ts';
import { readTileVariables } from './env.ts';
import { objectSnapshots } from './map/snapshots.ts';
import { tileRoutes } from './map/tiles.ts';

const sign = openSigner({ service: 's3', ...ownAccess() });
const reads = openReads({ bucketUrl: readTileVariables().BUCKET_URL, sign });

const app = new Hono();
answerErrors(app, report);
export const handler = handle(app.route('/', tileRoutes(objectSnapshots(reads, clock), clock)));
