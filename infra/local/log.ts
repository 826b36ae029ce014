// The server's log for its operator: on stderr, as text or JSON lines, without addresses and names.
import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { pino } from 'pino';
import { describe } from '#aws/log.ts';
import { needsOf } from '#http/access.ts';

export interface Log {
  info(text: string): void;
  /** Logs a text or an error. */
  error(cause: unknown): void;
  /** Gives requests an id and logs them; does nothing if the log is text. */
  middleware(clock: () => number): MiddlewareHandler[];
}

const requests = new AsyncLocalStorage<string>();

/** `json`: {level, time, message} per line, with the `requestId` of its request. */
export function openLog(format: 'text' | 'json'): Log {
  if (format === 'text') return { info: console.log, error: console.error, middleware: () => [] };
  const logger = pino(
    {
      base: undefined,
      messageKey: 'message',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
      mixin: () => {
        const requestId = requests.getStore();
        return requestId === undefined ? {} : { requestId };
      },
    },
    // Written synchronously: threads write too, and the last line before an exit must not be lost.
    pino.destination({ dest: 2, sync: true }),
  );
  return {
    info: (text) => logger.info(text),
    error: (cause) => {
      const { message, ...more } = describe(cause);
      logger.error(more, String(message));
    },
    middleware: (clock) => [logRequests((line) => logger.info(line, 'request'), clock)],
  };
}

/** An id of this form from the client is kept, so that the client can find it in the log. */
const givenId = /^[\w.-]{8,64}$/;

/**
 * Gives each request an id, in `X-Request-Id` too, and logs it by method and route, without the query, which may name
 * people.
 */
function logRequests(log: (line: object) => void, clock: () => number): MiddlewareHandler {
  return (c, next) => {
    const given = c.req.header('x-request-id') ?? '';
    const id = givenId.test(given) ? given : randomUUID();
    return requests.run(id, async () => {
      const began = clock();
      await next();
      c.header('X-Request-Id', id);
      const { method, path } = c.req;
      // A path that is not a route may contain anything that a stranger wrote.
      const known = needsOf(method, path) !== undefined || /^\/[a-z]*$/.test(path);
      log({ method, path: known ? path : 'other', status: c.res.status, milliseconds: clock() - began });
    });
  };
}
