import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { mapFor } from '#core/access.ts';
import type { Registry } from '#core/registry/name.ts';
import type { AlertFeed, SearchStore } from '#core/stores.ts';
import { assertRow } from '#http/access.ts';
import { readBody } from '#http/body.ts';
import { ApiError, answerErrors } from '#http/errors.ts';
import { access } from './access.ts';
import { alertRoutes } from './alerts.ts';
import { credentialRoutes } from './credentials.ts';
import { type HealthOptions, healthRoutes } from './health.ts';
import { describeIncoming } from './incoming.ts';
import { mapRoutes } from './map/clusters.ts';
import { type HitOptions, hitRoutes } from './map/hits.ts';
import { noSnapshots, type SnapshotSource } from './map/snapshots.ts';
import { describeTokens, openApiDocument } from './openapi.ts';
import { router } from './parameters.ts';
import type { ModelSource } from './recommender/models.ts';
import { recommendationRoutes } from './recommender/recommendations.ts';
import { registriesOf, registryRoutes } from './registries.ts';
import { imageRoutes } from './registry/images.ts';
import { outdatedRoutes } from './registry/outdated.ts';
import { peopleRoutes } from './registry/people.ts';
import { repositoryRoutes } from './registry/repositories.ts';
import { cookieName, sessionRoutes } from './session.ts';
import type { SignIn } from './sign-in.ts';

export interface ServeOptions extends HealthOptions {
  /** The registries with names in the settings. */
  registries?: Registry[];
  access: SignIn;
  search: SearchStore;
  /** The alerts of the rules, if they are kept for the page. */
  alerts?: AlertFeed;
  snapshots: SnapshotSource;
  /** The anonymous map, for callers who may not see names. */
  anonymousSnapshots?: SnapshotSource;
  models: ModelSource;
  /** Days after its newest hit that a domain leaves the map. */
  keepDays: number;
  /** The URL of a document that is too large for a response (hits.ts). */
  elsewhere?: HitOptions['elsewhere'];
  /** The metrics for Prometheus; omitted on AWS, which has its own. */
  metrics?: () => Promise<{ type: string; text: string }>;
  report: (cause: unknown) => void;
}

/** Twice a thousand names of a thousand characters. */
const listBytes = 2 * 1024 * 1024;

/** All routes for reading: the map, users, repositories, and the system's own health. */
export function serveApp(options: ServeOptions): OpenAPIHono {
  const { snapshots, anonymousSnapshots = noSnapshots, clock, report } = options;
  const { publicMap, publicMapLeast, credentials } = options.access;
  const registries = registriesOf(options.registries);
  const app = router();
  answerErrors(app, report);
  app.use('*', access(options.access));
  app.post('/v1/recommendations', async (c, next) => {
    const { bytes, tooLong } = await readBody(c.req.raw, listBytes);
    if (tooLong) throw new ApiError(413, 'too_large', `The body is longer than ${listBytes} bytes: send fewer names.`);
    c.req.raw = new Request(c.req.raw, { body: bytes });
    await next();
  });
  const seenBy = (c: Context) => mapFor(c.get('identity')?.role ?? 'public', publicMap);
  app.route(
    '/',
    mapRoutes((c) => (seenBy(c) === 'names' ? snapshots : anonymousSnapshots), clock, options.keepDays),
  );
  app.route('/', hitRoutes({ ...options, seenBy, least: publicMapLeast }));
  app.route('/', peopleRoutes({ ...options, credentials, registries }));
  app.route('/', repositoryRoutes({ ...options, registries }));
  app.route('/', imageRoutes({ ...options, registries }));
  app.route('/', outdatedRoutes({ ...options, registries }));
  app.route('/', recommendationRoutes({ ...options, registries }));
  app.route('/', registryRoutes({ registries, credentials, clock }));
  app.route('/', healthRoutes(options, registries));
  app.route('/', alertRoutes(options.alerts, registries));
  app.route('/', credentialRoutes({ ...options.access, clock }));
  app.route('/', sessionRoutes({ ...options.access, clock, report }));
  const { metrics } = options;
  if (metrics)
    app.get('/metrics', async (c) => {
      const { type, text } = await metrics();
      return c.body(text, 200, { 'Content-Type': type, 'Cache-Control': 'no-store' });
    });
  describeIncoming(app);
  describeTokens(app, cookieName(options.access.publicUrl, 'whalewatch'));
  app.get('/v1/openapi.json', (c) => c.json(openApiDocument(app, options.access)));
  for (const { method, path } of app.routes) if (method !== 'ALL') assertRow(method, path);
  return app;
}
