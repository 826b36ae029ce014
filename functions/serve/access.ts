import type { MiddlewareHandler } from 'hono';
import { bearerOf, sameToken } from '#http/bearer.ts';
import { ApiError } from '#http/errors.ts';

/** What anybody may read, from any page: the map and what says that it works. */
const publicPaths = [
  '/points.json',
  '/v1/points/',
  '/v1/tiles/',
  '/v1/clusters',
  '/v1/hits',
  '/v1/embed/',
  '/v1/openapi.json',
  '/v1/health',
];
export const isPublic = (path: string) =>
  publicPaths.some((start) =>
    start.endsWith('/') ? path.startsWith(start) : path === start || path.startsWith(`${start}/`),
  );

/** Forgetting a person, going back to another model. A list asked for with a body is read. */
const changes = ({ method, path }: { method: string; path: string }) =>
  !['GET', 'HEAD'].includes(method) && path !== '/v1/recommendations';

export interface Access {
  /** The reader's token; undefined: nobody is asked for it. */
  readToken?: () => Promise<string>;
  /** May anybody read about people? */
  publicPeople?: boolean;
}

/** Is the reader's token needed for a call that is not public? */
export const asksForToken = ({ readToken, publicPeople }: Access, call: { method: string; path: string }) =>
  readToken !== undefined && (!publicPeople || changes(call));

/**
 * Everything else is about people and private images: it asks for the reader's token, as `Authorization: Bearer` or as
 * the cookie `whalewatch`. Where the owner made people public, anybody may read, and only changes ask for it. Without a
 * token (one machine, loopback) nothing asks. Changes from another site are refused in any case: a browser says so itself
 * (Sec-Fetch-Site).
 */
export function access(options: Access): MiddlewareHandler {
  const { readToken } = options;
  return async (c, next) => {
    c.header('X-Content-Type-Options', 'nosniff');
    if (isPublic(c.req.path)) {
      c.header('Access-Control-Allow-Origin', '*');
      return next();
    }
    const site = c.req.header('sec-fetch-site');
    if (c.req.method !== 'GET' && site !== undefined && site !== 'same-origin' && site !== 'none')
      throw new ApiError(403, 'cross_site', 'Another site may not change anything here.');
    if (readToken && asksForToken(options, c.req)) {
      const given =
        bearerOf(c.req.header('authorization')) ??
        c.req.header('cookie')?.match(/(?:^|; *)whalewatch=([^;]+)/)?.[1] ??
        '';
      if (!sameToken(given, await readToken()))
        throw new ApiError(401, 'unauthorized', 'Send the reader token as "Authorization: Bearer TOKEN".');
    }
    c.header('Cache-Control', 'private, no-store');
    await next();
  };
}
