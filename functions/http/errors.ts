// Errors over HTTP, the same in every stage: one shape, 404 and 405 distinguished, no internal text.
import type { Context, Env, Hono, Schema } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { quoted } from '#core/quoted.ts';
import { BadCursor, NotSummed, StoreUnavailable } from '#core/stores.ts';

/** A response other than 2xx. The message says what to fix and contains no personal data. */
export class ApiError extends HTTPException {
  readonly code: string;
  readonly retryAfterSeconds?: number;
  constructor(
    status: ContentfulStatusCode,
    code: string,
    message: string,
    options: { retryAfterSeconds?: number } = {},
  ) {
    super(status, { message });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export const badRequest = (message: string) => new ApiError(400, 'bad_request', message);
export const notFound = (message: string) => new ApiError(404, 'not_found', message);

/** A 400 for a parameter: its name, the given value, and what it must be. */
export const wrongParameter = (name: string, value: unknown, must: string) =>
  badRequest(`${name} is ${quoted(value)}: ${must}`);

/** After how many seconds a client should try again when a store is down. */
const unavailableSeconds = 5;

/** The response for every failure. No cache may keep it, whatever the route had set for success. */
function fail(c: Context, status: ContentfulStatusCode, code: string, message: string) {
  c.header('Cache-Control', 'no-store');
  c.header('ETag', undefined);
  return c.json({ error: { code, message } }, status);
}

/**
 * The handlers an app needs so that each failure is `{error: {code, message}}`. Unexpected failures go to `report`
 * only: their text may contain what a caller must not see.
 */
export function answerErrors<E extends Env, S extends Schema, P extends string>(
  app: Hono<E, S, P>,
  report: (cause: unknown) => void,
): void {
  app.onError((cause, c) => {
    if (cause instanceof ApiError) {
      if (cause.retryAfterSeconds !== undefined) c.header('Retry-After', String(cause.retryAfterSeconds));
      return fail(c, cause.status, cause.code, cause.message);
    }
    if (cause instanceof HTTPException) return fail(c, cause.status, 'bad_request', cause.message);
    if (cause instanceof NotSummed) {
      c.header('Retry-After', '10');
      return fail(c, 503, 'not_summed', cause.message);
    }
    if (cause instanceof BadCursor) return fail(c, 400, 'bad_request', cause.message);
    // The client has gone: not a failure of this server.
    if (isAborted(cause)) return fail(c, 400, 'aborted', 'The body ended before it was complete.');
    report(cause);
    if (cause instanceof StoreUnavailable) {
      c.header('Retry-After', String(unavailableSeconds));
      return fail(c, 503, 'unavailable', `A store is not available now: try again in ${unavailableSeconds} seconds.`);
    }
    return fail(c, 500, 'internal', 'The server failed, not your request. Try again; the log has the cause.');
  });
  app.notFound((c) => {
    const methods = methodsOf(app, c);
    if (methods.length === 0)
      return fail(c, 404, 'not_found', `There is nothing at ${c.req.path}: GET /v1/openapi.json lists every route.`);
    c.header('Allow', methods.join(', '));
    return fail(c, 405, 'method_not_allowed', `${c.req.path} takes ${methods.join(', ')}, not ${c.req.method}.`);
  });
}

const isAborted = (cause: Error & { code?: string }) => cause.code === 'ECONNRESET' || cause.name === 'AbortError';

/** The methods for which the app has a route at this path. */
function methodsOf<E extends Env, S extends Schema, P extends string>(app: Hono<E, S, P>, c: Context): string[] {
  const found = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'].filter((method) =>
    app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method && !route.path.endsWith('*')),
  );
  return found.includes('GET') ? ['HEAD', ...found] : found;
}
