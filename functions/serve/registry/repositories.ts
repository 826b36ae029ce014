import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { SearchStore } from '#core/stores.ts';
import { failures, from, inOrder, iso, json, limit, oneOf, router, search, to } from '../parameters.ts';

const day = 86_400_000;
/** A pull's weight in `trending` halves every three days. */
export const trendingHalfLifeMs = 3 * day;

const repository = z
  .object({
    repository: z.string(),
    pulls: z.int(),
    raw: z.int(),
    pulledBy: z.int(),
    lastPull: z.iso.datetime().nullable(),
  })
  .openapi('Repository');

const repositories = createRoute({
  method: 'get',
  path: '/v1/repositories',
  summary: 'Repositories with their honest and raw pulls',
  request: {
    query: z.object({
      sort: oneOf(['popular', 'trending', 'name']).default('popular'),
      search,
      limit: limit(50, 10_000),
    }),
  },
  responses: { 200: json(z.array(repository), 'Repositories'), ...failures },
});

const counts = { pulls: z.int(), raw: z.int(), pushes: z.int() };
const pulls = createRoute({
  method: 'get',
  path: '/v1/pulls',
  summary: 'Pulls, raw events and pushes, in all and by bucket',
  request: {
    query: z.object({
      repository: z.string().optional(),
      user: z.string().optional(),
      from: from.optional(),
      to: to.optional(),
      interval: oneOf(['day', 'week', 'month']).optional(),
      by: oneOf(['tag', 'class', 'country', 'client']).optional(),
      format: oneOf(['json', 'csv']).default('json'),
    }),
  },
  responses: {
    200: {
      description: 'Counts. Without interval and by, buckets are days.',
      content: {
        'application/json': {
          schema: z.object({
            total: z.object(counts),
            buckets: z.array(z.object({ from: z.iso.datetime().optional(), key: z.string().optional(), ...counts })),
          }),
        },
        'text/csv': { schema: z.string() },
      },
    },
    ...failures,
  },
});

const unused = createRoute({
  method: 'get',
  path: '/v1/unused',
  summary: 'Images pushed, but pulled by nobody but scanners, and what deleting them would run',
  request: {
    query: z.object({
      days: z
        .string()
        .default('30')
        .refine((text) => /^\d{1,4}$/.test(text) && Number(text) >= 1, {
          error: ({ input }) => `"${input}" is no whole number of days from 1 to 9999`,
        })
        .openapi({ type: 'integer', minimum: 1, maximum: 9999, default: 30 }),
      limit: limit(1000, 10_000),
    }),
  },
  responses: {
    200: json(
      z.object({
        since: z.iso.datetime(),
        items: z.array(
          z.object({
            repository: z.string(),
            tag: z.string().optional(),
            digest: z.string().optional(),
            lastPush: z.iso.datetime(),
            lastPull: z.iso.datetime().nullable(),
            /** The registry call that would delete it; nothing here runs it. */
            dryRun: z.string(),
          }),
        ),
      }),
      'Images',
    ),
    ...failures,
  },
});

export function repositoryRoutes({ search, clock }: { search: SearchStore; clock: () => number }): OpenAPIHono {
  const app = router();
  app.openapi(repositories, async (c) => {
    const rows = await search.repositories({
      ...c.req.valid('query'),
      now: clock(),
      halfLifeMs: trendingHalfLifeMs,
    });
    return c.json(
      rows.map((row) => ({ ...row, lastPull: row.lastPull ? iso(row.lastPull) : null })),
      200,
    );
  });
  app.openapi(pulls, async (c) => {
    const { format, ...query } = c.req.valid('query');
    inOrder(query, c.req.query());
    const interval = query.interval ?? (query.by ? undefined : 'day');
    const { total, buckets } = await search.counts({ ...query, interval });
    const dated = buckets.map(({ from, ...bucket }) => ({
      ...(from === undefined ? {} : { from: iso(from) }),
      ...bucket,
    }));
    if (format === 'json') return c.json({ total, buckets: dated }, 200);
    const lines = dated.map(({ from, key, pulls, raw, pushes }) =>
      [from ?? '', key ?? '', pulls, raw, pushes].map(csvCell).join(),
    );
    return c.body(['from,key,pulls,raw,pushes', ...lines, ''].join('\r\n'), 200, {
      'Content-Type': 'text/csv; charset=utf-8',
    });
  });
  app.openapi(unused, async (c) => {
    const { days, limit } = c.req.valid('query');
    const since = clock() - Number(days) * day;
    const items = await search.unused({ since, limit });
    return c.json(
      {
        since: iso(since),
        items: items.map(({ lastPush, lastPull, ...image }) => ({
          ...image,
          lastPush: iso(lastPush),
          lastPull: lastPull === undefined ? null : iso(lastPull),
          dryRun: `DELETE /v2/${image.repository}/manifests/${image.digest ?? image.tag}`,
        })),
      },
      200,
    );
  });
  return app;
}

/** RFC 4180; a text that a spreadsheet would run as a formula is kept a text. */
function csvCell(value: string | number): string {
  const text = typeof value === 'string' && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
