// How every route of the map answers: headers, errors, compression, the filter of a tile.
import { gzipSync } from 'node:zlib';
import type { Context, MiddlewareHandler, TypedResponse } from 'hono';
import type { Pyramid } from '#core/map/pyramid.ts';
import { SnapshotGone } from './snapshots.ts';

export const IMMUTABLE = 'public, max-age=31536000, immutable';
/** Pointer and `latest` tiles: seconds. */
export const SHORT_LIVED = 'public, max-age=2, stale-while-revalidate=10';

/** A snapshot that went while it was read is 404 as one that was never there. */
export const mapHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  if (c.error instanceof SnapshotGone)
    c.res = unknown(c, c.req.param('snapshot') ?? c.req.query('snapshot') ?? 'latest');
  c.header('X-Content-Type-Options', 'nosniff');
};

/** What the filter keeps of this pyramid; undefined: everything. `hours` count back from the snapshot, not from now. */
export function matching(pyramid: Pyramid, { hours, country }: { hours?: number; country?: string }) {
  return pyramid.matching({ since: hours && pyramid.newestAt - hours * 3_600_000, country });
}

/** The reply is no typed JSON of ours: it fits every route. */
export type Untyped = Response & TypedResponse<never, never, never>;

/** The body, gzipped when the caller takes that: the CDN in front does not compress vector tiles itself. */
export function packed(c: Context, body: string | Uint8Array<ArrayBuffer>, type: string): Untyped {
  c.header('Content-Type', type);
  c.header('Vary', 'Accept-Encoding');
  if (body.length < 200 || !/\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(c.req.header('Accept-Encoding') ?? ''))
    return c.body(body, 200) as Untyped;
  c.header('Content-Encoding', 'gzip');
  return c.body(gzipSync(body, { level: 4 }), 200) as Untyped;
}

export function unknown(c: Context, snapshot: string) {
  return fail(
    c,
    404,
    'unknown_snapshot',
    `snapshot "${snapshot}" is not kept any more, or never was: ask /v1/points/latest`,
  );
}

/** 400: the parameter, the value that came, what it must be. */
export function refusal(c: Context, name: string, value: string, must: string) {
  return fail(c, 400, 'bad_request', `${name} "${cut(value)}" ${must}`);
}

export function fail<Status extends 400 | 404>(c: Context, status: Status, code: string, message: string) {
  c.header('Cache-Control', 'no-store');
  return c.json({ error: { code, message } }, status);
}

function cut(value: string): string {
  return value.length > 80 ? `${value.slice(0, 80)}…` : value;
}
