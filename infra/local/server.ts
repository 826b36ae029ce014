// The one HTTP server of the local run: the same collect and serve apps as on AWS, and the pages, at one origin.
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, Server } from 'node:http';
import { join } from 'node:path';
import { type ServerType, serve } from '@hono/node-server';
import { serveStatic } from '@hono/node-server/serve-static';
import { type Context, Hono, type MiddlewareHandler } from 'hono';
import { getPath } from 'hono/utils/url';
import { addCollectRoutes } from '#collect/app.ts';
import type { AccessSettings } from '#core/access.ts';
import { isLoopback } from '#core/address.ts';
import { needsOf } from '#http/access.ts';
import { ApiError, answerErrors } from '#http/errors.ts';
import { registryShards } from '#process/handler.ts';
import { serveApp } from '#serve/app.ts';
import type { HealthOptions } from '#serve/health.ts';
import { objectSnapshots } from '#serve/map/snapshots.ts';
import { modelSource } from '#serve/recommender/models.ts';
import { openSignIn } from '#serve/sign-in.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { cacheControl, contentSecurityPolicy, openHeaders, pageFile, yandexFile } from '../../web/policy.ts';
import { capConnections, timeouts } from './connections.ts';
import { ipTableBuiltAt } from './ip-table.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { notLocalUser } from './peer.ts';
import { clock, type LocalStores, newId } from './stores/stores.ts';

export interface ServerOptions {
  stores: LocalStores;
  settings: Pick<
    ResolvedSettings,
    | 'keepDays'
    | 'domains'
    | 'refuseHits'
    | 'trustedProxies'
    | 'yandexMapsKey'
    | 'addressHeader'
    | 'networks'
    | 'listen'
    | 'clientSecret'
    | 'registries'
    | 'openMetrics'
    | 'data'
  >;
  /** Returns the default registry's webhook token; called for each post. */
  token: () => string;
  web: string;
  log: Log;
  access: AccessSettings;
  /** Faults of the machine, for the health page. */
  faults?: HealthOptions['faults'];
  metrics: Metrics;
}

/** Health becomes 503 when records or commits have waited this long. */
export const unhealthyAfterSeconds = 60;

/** Checking the pointer only reads a file here. */
const pointerAgeMs = 25;

/** The age of the oldest waiting record in both streams. */
export const lagOf = ({ stream, hits }: Pick<LocalStores, 'stream' | 'hits'>) => [
  ...stream.lag().map(({ shard, seconds }) => ({ shard: registryShards + shard, seconds })),
  ...hits.lag(),
];

export function localApp({ stores, settings, token, web, log, access, metrics, faults }: ServerOptions): Hono {
  const { listen: host, clientSecret } = settings;
  const base = access.publicUrl ? new URL(`${access.publicUrl}/`).pathname : '/';
  const app = new Hono({ getPath: (request) => withoutBase(getPath(request), base) });
  const report = log.error;
  answerErrors(app, report);
  for (const middleware of log.middleware(clock)) app.use(middleware);
  const signIn = openSignIn({
    ...{ settings: access, credentials: stores.credentials, clock },
    peer: (c) => peerOf(c.env),
    clientSecret: clientSecret === undefined ? undefined : async () => clientSecret,
    isOwnUser: isClosed(access, host) ? async (c) => !(await notLocalUser(incomingOf(c.env))) : undefined,
  });
  // Reported at the start, not only at the first sign-in.
  signIn.openId?.reach().catch((cause: Error) => report(cause.message));
  // Runs before all checks of who may read.
  addCollectRoutes(app, {
    stream: stores.stream,
    hits: stores.hits,
    token: async () => token(),
    senders: { credentials: stores.credentials, registries: settings.registries },
    refusals: stores.refusals,
    peer: (_request, env) => peerOf(env),
    trustedProxies: settings.trustedProxies,
    addressHeader: settings.addressHeader,
    networks: settings.networks,
    domains: settings.domains,
    refuseHits: settings.refuseHits,
    clock,
    newKey: newId,
    report,
  });
  app.use(isClosed(access, host) ? localUserOnly : ownHostOnly(access.publicUrl, host));
  if (base !== '/') app.use(slashAfterBase(base));
  if (settings.openMetrics)
    app.get('/metrics', async (c) => {
      const { type, text } = await metrics.read();
      return c.body(text, 200, { 'Content-Type': type });
    });
  app.route(
    '/',
    serveApp({
      ...stores,
      registries: settings.registries,
      access: signIn,
      snapshots: objectSnapshots(stores.objects, clock, { pointerAgeMs }),
      anonymousSnapshots: objectSnapshots(stores.objects, clock, { pointerAgeMs, anonymous: true }),
      models: modelSource(stores.objects, clock, report),
      lag: async () => lagOf(stores),
      importing: () => stores.imports.pending()(),
      faults,
      ipTableBuiltAt: () => ipTableBuiltAt(settings.data),
      unhealthyAfterSeconds,
      ready: stores.ready,
      metrics: metrics.read,
      keepDays: settings.keepDays,
      clock,
      report,
    }),
  );
  const { yandexMapsKey } = settings;
  if (yandexMapsKey) app.get(yandexFile, pageHeaders(true), (c) => c.json({ key: yandexMapsKey }));
  app.get(
    '*',
    pageHeaders(yandexMapsKey !== undefined),
    serveStatic({ root: web, rewriteRequestPath: pageFile }),
    missingPage(web, base),
  );
  return app;
}

const incomingOf = (env: unknown) => (env as { incoming: IncomingMessage }).incoming;
const peerOf = (env: unknown) => (env as { incoming?: IncomingMessage }).incoming?.socket.remoteAddress ?? '';

const pageHeaders =
  (hasYandex: boolean): MiddlewareHandler =>
  async (c, next) => {
    await next();
    const { path } = c.req;
    const policy = contentSecurityPolicy({ framed: path === '/embed', withYandex: hasYandex && path === '/yandex' });
    c.header('Content-Security-Policy', policy);
    c.header('Cache-Control', cacheControl(path));
    c.header('X-Content-Type-Options', 'nosniff');
    for (const [name, value] of Object.entries(openHeaders(path))) c.header(name, value);
  };

/** Responds to unknown paths: to a browser with a page, to any other client with the API's error. */
const missingPage =
  (web: string, base: string): MiddlewareHandler =>
  async (c, next) => {
    const isPage = !c.req.path.startsWith('/v1/') && c.req.header('accept')?.includes('text/html');
    const html = isPage && (await readFile(join(web, 'missing.html'), 'utf8').catch(() => undefined));
    // The page's files are at the base, however deep the address is.
    return html ? c.html(html.replaceAll('="./', `="${base}`), 404) : next();
  };

/** Allows only this machine's own user, without sign-in. */
const isClosed = ({ publicUrl, signIn }: AccessSettings, host: string) =>
  !publicUrl && !signIn && (host === 'localhost' || isLoopback(host));

const loopbackNames = ['127.0.0.1', 'localhost', '[::1]'];
const hostNameOf = (c: Context) => (c.req.header('host') ?? '').replace(/:\d+$/, '').toLowerCase();

/**
 * The endpoints of collect check tokens themselves, or accept from anybody, so they may be reached by any host name and
 * proxy.
 */
function isEndpoint({ req: { method, path } }: Context): boolean {
  const needs = needsOf(method === 'OPTIONS' ? 'POST' : method, path);
  return path === '/hit.js' || needs === 'token' || needs === 'anyone';
}

/** Prometheus runs as another user, and sends a token. */
const isScrape = ({ req }: Context) => req.path === '/metrics' && req.header('authorization') !== undefined;

/**
 * Without sign-in, data about people must be reachable neither by a page of another site whose host name resolves to
 * 127.0.0.1, nor by anybody behind a proxy.
 */
const localUserOnly: MiddlewareHandler = async (c, next) => {
  if (isEndpoint(c) || isScrape(c)) return next();
  const host = hostNameOf(c);
  if (!loopbackNames.includes(host))
    throw new ApiError(421, 'wrong_host', `This server responds to 127.0.0.1 and localhost, not to "${host}". ${fix}`);
  // Browsers that don't send Sec-Fetch-Site (functions/serve/identify.ts) send Origin with all requests except plain
  // reads.
  const origin = c.req.header('origin');
  if (origin !== undefined && origin !== `http://${c.req.header('host')}`)
    throw new ApiError(403, 'cross_site', 'A page of another site may neither read nor change anything here.');
  const reason = await notLocalUser(incomingOf(c.env));
  if (reason)
    throw new ApiError(
      421,
      'not_local',
      `Only the user who runs this server may read it, and this call ${reason}. ${fix}`,
    );
  await next();
};
const fix = 'To open it to others, start it with --public-url https://NAME and the setting signIn (docs/team.md).';

/** A foreign host name is a mistake of a proxy, or a page whose own name resolves to here. */
function ownHostOnly(publicUrl: string | undefined, host: string): MiddlewareHandler {
  if (!publicUrl) return (_, next) => next();
  const names = [new URL(publicUrl).hostname, ...loopbackNames, host.includes(':') ? `[${host}]` : host];
  return async (c, next) => {
    if (!isEndpoint(c) && !isScrape(c) && !names.includes(hostNameOf(c)))
      throw new ApiError(
        421,
        'wrong_host',
        `This server is ${publicUrl}, not "${hostNameOf(c)}": let the proxy pass the host on.`,
      );
    await next();
  };
}

/** A proxy may remove the base path or keep it: both are served. */
function withoutBase(path: string, base: string): string {
  return base !== '/' && path.startsWith(base) ? path.slice(base.length - 1) : path;
}

/** Pages refer to their files relatively. */
const slashAfterBase =
  (base: string): MiddlewareHandler =>
  async (c, next) =>
    c.req.path === base.slice(0, -1) ? c.redirect(base, 308) : next();

/** Listens, and returns the actual port; rejects if the port is in use. */
export function listen(app: Hono, port: number, hostname: string): Promise<{ port: number; server: ServerType }> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch: app.fetch as never, hostname, port, serverOptions: timeouts }, (info) =>
      resolve({ port: info.port, server }),
    );
    capConnections(server as Server);
    server.on('error', reject);
  });
}
