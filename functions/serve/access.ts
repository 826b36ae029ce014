import type { Context, MiddlewareHandler } from 'hono';
import { mapFor, type PublicMap } from '#core/access.ts';
import { may, needsOf } from '#http/access.ts';
import { ApiError } from '#http/errors.ts';
import { type Identity, isForeign } from './identify.ts';
import { closedEmbeds } from './map/embed.ts';
import { cacheControl } from './replies.ts';

export interface Access {
  identify: (c: Context) => Promise<Identity>;
  publicMap: PublicMap;
  /** The fewest hits a day that something needs to show on the anonymous map. */
  publicMapLeast: number;
  /** What browsers call this server; `unnamed` where nothing says so. */
  publicUrl: string;
}

export const unnamed = 'http://unnamed.invalid';

/**
 * Lets a call through to its route if functions/http/access.ts says so, and passes on the caller. Data about people is
 * never cached; the map is cached only by callers who may see it. A page of another origin can't change anything.
 */
export function access({ identify, publicMap, publicUrl }: Access): MiddlewareHandler {
  const own = publicUrl === unnamed ? undefined : new URL(publicUrl).origin;
  return async (c, next) => {
    c.header('X-Content-Type-Options', 'nosniff');
    const needs = needsOf(c.req.method, c.req.path);
    if (needs === undefined || needs === 'token') return next();
    if (!['GET', 'HEAD'].includes(c.req.method) && isForeign(c, own))
      throw new ApiError(403, 'cross_site', 'Another site may not change anything here.');
    const openMap = needs === 'map' && mapFor('public', publicMap) !== false;
    if (openMap) c.header('Access-Control-Allow-Origin', '*');
    // Everybody sees the same, so no store is read to identify the caller.
    if (openMap && publicMap === 'names') return next();

    const identity = await identify(c);
    c.set('identity', identity);
    if (needs !== 'map') c.header('Cache-Control', cacheControl.people);
    if (identity.wrongToken && needs !== 'map' && needs !== 'anyone')
      throw unauthorized(c, 'This token is unknown: it may have been removed, or have expired.');
    if (!may(identity, needs, c.req.queries('user') ?? [], publicMap)) {
      const error = refusal(c, identity, needs);
      const closed = closedEmbeds[c.req.path];
      if (!closed) throw error;
      c.header('Cache-Control', cacheControl.people);
      return closed(c, error.status);
    }
    await next();
    if (needs !== 'map') return;
    c.header('Vary', 'Authorization, Cookie', { append: true });
    if (mapFor(identity.role, publicMap) === publicMap) return;
    // Not what everybody sees, so only the caller's own browser may cache it.
    c.res.headers.delete('Access-Control-Allow-Origin');
    c.header('Cache-Control', c.res.headers.get('Cache-Control')?.replace('public', 'private') ?? cacheControl.people);
  };
}

function refusal(c: Context, { role, user, by }: Identity, needs: string): ApiError {
  if (by === 'nothing') return unauthorized(c, 'Sign in, or send an API token as "Authorization: Bearer TOKEN".');
  const yours = user === undefined ? 'you have no user name of the registry' : `yours is user=${user}`;
  if (needs === 'own' && role === 'user')
    return new ApiError(403, 'forbidden', `The role "user" can read only its own pulls: ${yours}.`);
  const least = needs === 'own' || needs === 'map' ? 'user' : needs;
  return new ApiError(403, 'forbidden', `This needs the role "${least}"; yours is "${role}".`);
}

function unauthorized(c: Context, message: string): ApiError {
  c.header('WWW-Authenticate', 'Bearer');
  return new ApiError(401, 'unauthorized', message);
}
