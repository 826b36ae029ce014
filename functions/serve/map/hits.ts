import { setImmediate as turn } from 'node:timers/promises';
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { PublicMap } from '#core/access.ts';
import { DaySums } from '#core/hits/day-sums.ts';
import { readManifest } from '#core/hits/manifest.ts';
import { anonymousDocumentKey } from '#core/map/pointer.ts';
import type { ObjectStore } from '#core/stores.ts';
import { ApiError, notFound, wrongParameter } from '#http/errors.ts';
import { csv, csvType, format, jsonOrCsv, nextPage } from '../csv.ts';
import { afterTo, day, error, failures, json, limit, oneOf, pageOf, router } from '../parameters.ts';
import { cacheControl } from '../replies.ts';

const row = z.object({ day: z.string(), key: z.string(), hits: z.int() });

export const hits = createRoute({
  method: 'get',
  path: '/v1/hits',
  summary: 'Hits of each day by domain, country or action; exact, except for callers who see the anonymous map',
  request: {
    query: z.object({
      from: day.optional(),
      to: day.optional(),
      by: oneOf(['day', 'domain', 'country', 'action']).default('day'),
      domain: z.string().min(1, 'must not be empty').max(253, 'must be at most 253 characters').optional().openapi({
        description: 'With `by=domain`: only this domain, as the map spells it, on each day with hits.',
      }),
      limit: limit(100, 10_000),
      cursor: z.string().optional(),
      format,
    }),
  },
  responses: {
    200: jsonOrCsv(
      pageOf(row),
      'Sums; with CSV the header Link names the next page. Callers who see the anonymous map get multiples of `publicMapLeast`, only for keys with at least that many hits, and nothing by domain',
    ),
    ...failures,
    404: json(error, 'The sums were just replaced by newer ones: try again.'),
  },
});

export const points = createRoute({
  method: 'get',
  path: '/points.json',
  summary: 'The public export: every point on the map; if points are by location, a domain has one for each cell',
  responses: {
    200: json(
      z.object({
        version: z.int(),
        updatedAt: z.iso.datetime(),
        keepDays: z.number(),
        points: z.array(
          z.object({ domain: z.string(), lat: z.number(), lon: z.number(), updatedAt: z.iso.datetime() }),
        ),
      }),
      'Points',
    ),
    302: { description: 'On AWS, if it is too large for a response: to a URL that is valid for a minute.' },
    304: { description: 'Not changed.' },
  },
});

export interface HitOptions {
  objects: ObjectStore;
  keepDays: number;
  /** What the caller sees of the map. */
  seenBy: (c: Context) => PublicMap;
  /** The fewest hits a day that callers who see the anonymous map get. */
  least: number;
  /** Returns the URL, for this method, of a document that is too large for a response; undefined if it fits. */
  elsewhere?: (key: string, method: string) => Promise<string | undefined>;
}

/** The daily sums and the public export. */
export function hitRoutes({ objects, keepDays, seenBy, least, elsewhere }: HitOptions): OpenAPIHono {
  const app = router();
  const sumsOf = cachedSums(objects);
  const documentOf = sharedDocument(objects);

  app.openapi(hits, async (c) => {
    const { from = '', to = '9999-12-31', by, domain, limit, cursor, format } = c.req.valid('query');
    if (from > to) throw afterTo(from, to);
    if (by === 'domain' && seenBy(c) !== 'names') throw namesAreTheTeams();
    if (domain !== undefined && by !== 'domain')
      throw wrongParameter(
        'by',
        by,
        'must be "domain" if a domain is given: actions and countries are counted for all domains',
      );
    const { manifest } = await readManifest(objects);
    const days = Object.keys(manifest.hits)
      .filter((day) => day >= from && day <= to)
      .sort();
    const start = readCursor(cursor);
    const exact = seenBy(c) === 'names';
    const items: z.infer<typeof row>[] = [];
    const reply = (cursor?: string) =>
      format === 'json'
        ? c.json({ items, cursor }, 200)
        : c.body(csv(['day', 'key', 'hits'], items), 200, { ...csvType, ...nextPage(c.req.url, cursor) });
    for (const day of days) {
      if (day < start.day) continue;
      const sums = await sumsOf(manifest.hits[day]);
      if (by !== 'day') await sums.inOrder(by, turn);
      const first = day === start.day ? start.index : 0;
      // One item more than the limit shows whether there is a next page.
      const most = limit - items.length + 1;
      const rows = exact
        ? exactRows(sums, by, first, most, domain)
        : coarseRows(sums, by, least).slice(first, first + most);
      for (const [index, [key, hits]] of rows.entries()) {
        if (items.length === limit) return reply(writeCursor(day, first + index));
        items.push({ day, key, hits });
      }
    }
    return reply();
  });

  app.openapi(points, async (c) => {
    const key = seenBy(c) === 'names' ? 'points.json' : anonymousDocumentKey;
    const address = await elsewhere?.(key, c.req.method);
    if (address) {
      c.header('Cache-Control', 'no-store');
      return c.redirect(address, 302) as never;
    }
    const found = await documentOf(key);
    c.header('Cache-Control', cacheControl.newest);
    if (!found) return c.json({ version: 1, updatedAt: new Date(0).toISOString(), keepDays, points: [] }, 200);
    c.header('ETag', found.etag);
    c.header('Vary', 'Accept-Encoding');
    c.header('Content-Type', 'application/json');
    if (c.req.header('if-none-match') === found.etag) return c.body(null, 304) as never;
    const body = found.body as Uint8Array<ArrayBuffer>;
    if (!c.req.header('accept-encoding')?.includes('gzip'))
      return c.body(inParts(body).pipeThrough(new DecompressionStream('gzip')), 200) as never;
    c.header('Content-Encoding', 'gzip');
    return c.body(body, 200) as never;
  });
  return app;
}

type Rows = [key: string, hits: number][];
type By = z.infer<typeof hits.request.query>['by'];

function exactRows(sums: DaySums, by: By, first: number, most: number, domain?: string): Rows {
  if (domain !== undefined)
    return [[domain, sums.hits('domain', domain)] as Rows[number]].filter(([, hits]) => hits > 0);
  const rows: Rows = [[sums.day, sums.total]];
  return by === 'day' ? rows.slice(first, first + most) : sums.top(by, first, most);
}

/**
 * The sums for callers who see the anonymous map: rounded down to multiples of `least`, without keys that had fewer.
 * Neither the order, nor the total minus its parts, nor two reads in sequence reveal a single hit. A day has few
 * countries and actions (functions/core/hits/limits.ts).
 */
function coarseRows(sums: DaySums, by: By, least: number): Rows {
  return exactRows(sums, by, 0, Number.POSITIVE_INFINITY)
    .map(([key, hits]): Rows[number] => [key, hits - (hits % least)])
    .filter(([, hits]) => hits > 0)
    .sort(([a, more], [b, fewer]) => fewer - more || (a < b ? -1 : 1));
}

const namesAreTheTeams = () =>
  new ApiError(
    403,
    'forbidden',
    'by is "domain": must be day, country or action, because domains need the role "team"',
  );

/** The most rows of segments that stay decoded, about 50 bytes each; the newest segment stays whatever its size. */
const mostRows = 2_000_000;

/** Segments never change under their key, so the last few stay decoded. */
function cachedSums(objects: ObjectStore, most = 64) {
  const held = new Map<string, { sums: Promise<DaySums>; rows: number }>();
  return async (key: string): Promise<DaySums> => {
    const entry = held.get(key) ?? {
      sums: objects.get(key).then((found) => {
        if (found) return DaySums.decode(found.body);
        throw notFound('These sums were just replaced by newer ones: try again.');
      }),
      rows: 0,
    };
    held.delete(key);
    held.set(key, entry);
    try {
      const sums = await entry.sums;
      entry.rows = sums.count('domain');
      return sums;
    } catch (cause) {
      held.delete(key);
      throw cause;
    } finally {
      let rows = 0;
      for (const [number, [name, one]] of [...held].reverse().entries()) {
        rows += one.rows;
        if (number > 0 && (number >= most || rows > mostRows)) held.delete(name);
      }
    }
  };
}

const partBytes = 64 * 1024;

/** Streams the same bytes without a copy: they are in memory once, however many readers there are and however slow. */
function inParts(bytes: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, at + partBytes));
      at += partBytes;
    },
  });
}

/** The newest document, read once for all callers: it has megabytes, and anybody may request it. */
function sharedDocument(objects: ObjectStore) {
  const held = new Map<string, { etag: string; found: ReturnType<ObjectStore['get']> }>();
  return async (key: string): ReturnType<ObjectStore['get']> => {
    const head = await objects.head(key);
    if (!head) return undefined;
    const known = held.get(key);
    if (known?.etag === head.etag) return known.found;
    const found = objects.get(key);
    held.set(key, { etag: head.etag, found });
    found.catch(() => held.delete(key));
    return found;
  };
}

const writeCursor = (day: string, index: number) => `${day}.${index}`;

function readCursor(cursor: string | undefined): { day: string; index: number } {
  if (cursor === undefined) return { day: '', index: 0 };
  const [, day, index] = /^(\d{4}-\d{2}-\d{2})\.(\d{1,9})$/.exec(cursor) ?? [];
  if (day) return { day, index: Number(index) };
  throw wrongParameter('cursor', cursor, 'must be one that this call returned, or left out to start at the first day');
}
