// The one HTTP server of the local run: the same collect and serve apps as on AWS, and the pages, at one origin.
import type { IncomingMessage } from 'node:http';
import { type ServerType, serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { Hono, type MiddlewareHandler } from 'hono';
import { collectApp } from '#collect/app.ts';
import { ApiError, answerErrors } from '#http/errors.ts';
import { serveApp } from '#serve/app.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { cacheControl, contentSecurityPolicy, openHeaders, pageFile } from '../../web/policy.ts';
import { ipDatabaseBuiltAt, keepDays } from './defaults.ts';
import { clock, type LocalStores, newId } from './stores/stores.ts';

export interface ServerOptions {
  stores: LocalStores;
  token: string;
  web: string;
  port: number;
  report: (cause: unknown) => void;
}

/** Health turns 503 when records or commits have waited this long. */
const unhealthyAfterSeconds = 60;

export function localApp({ stores, token, web, report }: Omit<ServerOptions, 'port'>): Hono {
  const app = new Hono();
  answerErrors(app, report);
  app.use(loopbackHostOnly);
  app.route(
    '/',
    collectApp({
      stream: stores.stream,
      token: async () => token,
      peer: (_request, env) => (env as { incoming?: IncomingMessage }).incoming?.socket.remoteAddress ?? '',
      trustedProxies: ['loopback'],
      clock,
      newKey: newId,
      report,
    }),
  );
  app.route(
    '/',
    serveApp({
      ...stores,
      snapshots: objectSnapshots(stores.objects, clock),
      models: modelSource(stores.objects, clock, report),
      lag: async () => stores.stream.lag(),
      ipTableBuiltAt: ipDatabaseBuiltAt,
      unhealthyAfterSeconds,
      keepDays,
      clock,
      report,
    }),
  );
  app.get('*', pageHeaders, serveStatic({ root: web, rewriteRequestPath: pageFile }));
  return app;
}

const pageHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  c.header('Content-Security-Policy', contentSecurityPolicy({ framed: c.req.path === '/embed' }));
  c.header('Cache-Control', cacheControl(c.req.path));
  c.header('X-Content-Type-Options', 'nosniff');
  for (const [name, value] of Object.entries(openHeaders(c.req.path))) c.header(name, value);
};

/**
 * People's pages carry no token on this machine, so a page of another site must not reach them by a name of its own
 * that resolves to 127.0.0.1. The ways in stay open: the webhook has its token, and hits are anybody's.
 */
const loopbackHostOnly: MiddlewareHandler = async (c, next) => {
  const host = (c.req.header('host') ?? '').replace(/:\d+$/, '');
  const wayIn = ['/v1/registry-events', '/v1/hits', '/hit.js'].includes(c.req.path);
  if (!wayIn && !['127.0.0.1', 'localhost', '[::1]', '::1'].includes(host))
    throw new ApiError(421, 'wrong_host', `This server answers to 127.0.0.1 and localhost, not to "${host}".`);
  await next();
};

/** Listens on 127.0.0.1; rejects when the port is taken. Answers the real port. */
export function listen(app: Hono, port: number): Promise<{ port: number; server: ServerType }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch as never, hostname: '127.0.0.1', port }, (info) =>
      resolve({ port: info.port, server }),
    );
    server.on('error', reject);
  });
}
