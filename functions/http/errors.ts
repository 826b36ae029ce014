// Errors over HTTP, the same in every stage: one shape, 404 and 405 distinguished, no internal text.
import type { Context, Env, Hono, Schema } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';

/** A response other than 2xx. The message says what to fix and holds no personal data. */
export class ApiError extends HTTPException {
  readonly code: string;
  constructor(status: ContentfulStatusCode, code: string, message: string) {
    super(status, { message });
    this.code = code;
  }
}

export const badRequest = (message: string) => new ApiError(400, 'bad_request', message);
export const notFound = (message: string) => new ApiError(404, 'not_found', message);

export const errorBody = (code: string, message: string) => ({ error: { code, message } });

/**
 * The handlers an app needs so that each failure is `{error: {code, message}}`. Unexpected failures go to
 * `report` only: their text may hold what a caller must not see.
 */
export function answerErrors<E extends Env, S extends Schema, P extends string>(
  app: Hono<E, S, P>,
  report: (cause: unknown) => void,
): void {
  app.onError((cause, c) => {
    if (cause instanceof ApiError) return c.json(errorBody(cause.code, cause.message), cause.status);
    if (cause instanceof HTTPException) return c.json(errorBody('bad_request', cause.message), cause.status);
    report(cause);
    return c.json(
      errorBody('internal', 'Something failed here, not in your request. Try again; the log has the cause.'),
      500,
    );
  });
  app.notFound((c) => {
    const methods = methodsOf(app, c);
    if (methods.length === 0)
      return c.json(
        errorBody('not_found', `There is nothing at ${c.req.path}. GET /v1/openapi.json lists what is.`),
        404,
      );
    c.header('Allow', methods.join(', '));
    return c.json(
      errorBody('method_not_allowed', `${c.req.path} takes ${methods.join(', ')}, not ${c.req.method}.`),
      405,
    );
  });
}

/** Methods that the app has a route for at this path. */
function methodsOf<E extends Env, S extends Schema, P extends string>(app: Hono<E, S, P>, c: Context): string[] {
  const found = ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS'].filter((method) =>
    app.router.match(method, c.req.path)[0].some(([[, route]]) => route.method === method && !route.path.endsWith('*')),
  );
  return found.includes('GET') ? ['HEAD', ...found] : found;
}
