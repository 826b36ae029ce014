// What the map's routes share: headers, compression, the filter of a tile.
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { Context, MiddlewareHandler, TypedResponse } from 'hono';
import { type Filter, filtered, TooManyFilters } from '#core/map/filter.ts';
import type { Pyramid } from '#core/map/pyramid.ts';
import { ApiError } from '#http/errors.ts';

export const mapHeaders: MiddlewareHandler = async (c, next) => {
  c.header('X-Content-Type-Options', 'nosniff');
  await next();
};

export const noSnapshot = () => new ApiError(404, 'no_snapshot', 'No points were exported yet: send a hit first.');

/** What a request wants to see. */
export interface Wanted {
  /** Counted back from the snapshot's newest point, not from now. */
  hours?: number;
  /** A UTC day: points of that day or later. */
  since?: string;
  country?: string;
}

export function filterOf(pyramid: Pyramid, { hours, since, country }: Wanted): Filter {
  const least = [hours && pyramid.newestAt - hours * 3_600_000, since && Date.parse(since)].filter(
    (time) => typeof time === 'number',
  );
  return { since: least.length > 0 ? Math.max(...least) : undefined, country };
}

/** The pyramid of the points that match a request's filter. */
export async function shownOf(pyramid: Pyramid, filter: Wanted): Promise<Pyramid> {
  try {
    return await filtered(pyramid, filterOf(pyramid, filter), () => setImmediate());
  } catch (cause) {
    if (!(cause instanceof TooManyFilters)) throw cause;
    throw new ApiError(503, 'busy', 'Too many different filters are requested at once: try again in a few seconds.', {
      retryAfterSeconds: 3,
    });
  }
}

/** A response whose body no schema types: it fits every route. */
export type Untyped = Response & TypedResponse<never, never, never>;

/** The body, gzipped if the caller accepts that: the CDN in front does not compress vector tiles itself. */
export function packed(c: Context, body: string | Uint8Array<ArrayBuffer>, type: string): Untyped {
  c.header('Content-Type', type);
  c.header('Vary', 'Accept-Encoding');
  if (body.length < 200 || !/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(c.req.header('Accept-Encoding') ?? ''))
    return c.body(body, 200) as Untyped;
  c.header('Content-Encoding', 'gzip');
  return c.body(gzipSync(body, { level: 4 }), 200) as Untyped;
}
