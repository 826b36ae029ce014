import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { topBuckets } from '#core/registry/top-buckets.ts';
import { confidences } from '#core/registry/unused.ts';
import type { SearchStore } from '#core/stores.ts';
import { wrongParameter } from '#http/errors.ts';
import { csv, csvType, format, jsonOrCsv } from '../csv.ts';
import { failures, from, inOrder, integer, integerOr, iso, limit, oneOf, router, search, to } from '../parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from '../registries.ts';

const day = 86_400_000;

const repository = z
  .object({
    repository: z.string(),
    registry: registryShown,
    pulls: z.int(),
    raw: z.int(),
    pulledBy: z.int(),
    lastPull: z.iso.datetime().nullable(),
  })
  .openapi('Repository');

export const repositories = createRoute({
  method: 'get',
  path: '/v1/repositories',
  summary: 'Repositories with their pulls, and the raw events behind them',
  request: {
    query: z.object({
      sort: oneOf(['popular', 'trending', 'name']).default('popular'),
      search,
      registry,
      limit: limit(50, 10_000),
      format,
    }),
  },
  responses: { 200: jsonOrCsv(z.array(repository), 'Repositories'), ...failures },
});

const counts = {
  pulls: z.int().openapi({ description: 'Acts of people and machines' }),
  raw: z.int().openapi({ description: 'Manifest pull events, GET and HEAD' }),
  pushes: z.int().openapi({ description: 'Tags, and manifests pushed without one that no tag or index takes in' }),
  rawPushes: z.int().openapi({ description: 'Manifest PUTs' }),
};
const bucket = z.object({
  from: z.iso.datetime().optional(),
  key: z.string().optional(),
  others: z.int().optional().openapi({ description: 'Instead of `key`: how many keys are summed here' }),
  ...counts,
});

export const pulls = createRoute({
  method: 'get',
  path: '/v1/pulls',
  summary: 'Pulls, raw events and pushes, in all and by bucket',
  request: {
    query: z.object({
      repository: z.string().optional(),
      registry,
      user: z.string().optional(),
      from: from.optional(),
      to: to.optional(),
      interval: oneOf(['day', 'week', 'month']).optional(),
      by: oneOf(['tag', 'class', 'country', 'client']).optional(),
      top: integer(1, 100)
        .optional()
        .openapi({ description: 'With `by`: how many keys with the most pulls to list; all others are summed' }),
      format,
    }),
  },
  responses: {
    200: {
      description: 'Counts. Without interval and by, buckets are days.',
      content: {
        'application/json': {
          schema: z.object({
            total: z.object(counts),
            upperBound: z.boolean().openapi({
              description:
                "Some of `pulls` come from a registry that doesn't distinguish acts, so their number is only approximate",
            }),
            buckets: z.array(bucket),
          }),
        },
        'text/csv': { schema: z.string() },
      },
    },
    ...failures,
  },
});

const unusedImage = z
  .object({
    repository: z.string(),
    registry: registryShown,
    tag: z.string().optional(),
    digest: z.string().optional(),
    lastPush: z.iso.datetime(),
    lastPull: z.iso.datetime().nullable().openapi({ description: 'By people, clusters or CI' }),
    size: z.int().nullable().openapi({
      description:
        'Bytes of its layers and config, where reported; deleting it does not free layers that other images share',
    }),
    reason: z.string().openapi({ description: 'Why it is listed' }),
    confidence: z.enum(confidences).openapi({
      description:
        '`known`: everything that could use it was reported. Otherwise deleting it may break something in use.',
    }),
    dryRun: z.string().optional().openapi({
      description:
        'The registry call that would delete it, only if the confidence is `known`; Whalewatch never runs it',
    }),
  })
  .openapi('UnusedImage');

export const unused = createRoute({
  method: 'get',
  path: '/v1/unused',
  summary: 'Images that nobody uses, the reason, and the call that would delete them',
  request: {
    query: z.object({
      days: integerOr(30, 1, 9999),
      registry,
      limit: limit(1000, 10_000),
      format,
    }),
  },
  responses: {
    200: {
      description: 'Images, the oldest push first',
      content: {
        'application/json': { schema: z.object({ since: z.iso.datetime(), items: z.array(unusedImage) }) },
        'text/csv': { schema: z.string() },
      },
    },
    ...failures,
  },
});

export interface RepositoryOptions {
  search: SearchStore;
  registries?: Registries;
  clock: () => number;
}

export function repositoryRoutes({ search, registries = registriesOf(), clock }: RepositoryOptions): OpenAPIHono {
  const app = router();
  app.openapi(repositories, async (c) => {
    const { format, ...query } = c.req.valid('query');
    registries.known(query.registry);
    const found = await search.repositories({ ...query, now: clock() });
    const rows = found.map((row) => ({
      ...row,
      ...registries.shown(row.repository),
      lastPull: row.lastPull ? iso(row.lastPull) : null,
    }));
    if (format === 'json') return c.json(rows, 200);
    const columns = Object.keys(repository.shape) as (keyof (typeof rows)[number])[];
    return c.body(csv(registries.columns(columns), rows), 200, csvType);
  });
  app.openapi(pulls, async (c) => {
    const { format, registry, repository, top, ...query } = c.req.valid('query');
    if (top !== undefined && !query.by) throw wrongParameter('top', String(top), 'must be given with by=');
    inOrder(query, c.req.query());
    const interval = query.interval ?? (query.by ? undefined : 'day');
    const { total, uncertain, buckets } = await search.counts({
      ...{ ...query, interval },
      ...registries.scope({ registry, repository }),
    });
    const kept = top === undefined ? buckets : topBuckets(buckets, top);
    const dated: z.infer<typeof bucket>[] = kept.map(({ from, ...rest }) => ({
      ...(from === undefined ? {} : { from: iso(from) }),
      ...rest,
    }));
    if (format === 'json') return c.json({ total, upperBound: uncertain > 0, buckets: dated }, 200);
    const columns = [
      'from',
      'key',
      ...(top ? ['others' as const] : []),
      'pulls',
      'raw',
      'pushes',
      'rawPushes',
    ] as const;
    return c.body(csv(columns, dated), 200, csvType);
  });
  app.openapi(unused, async (c) => {
    const { days, registry, limit, format } = c.req.valid('query');
    registries.known(registry);
    const since = clock() - Number(days) * day;
    const found = await search.unused({ since, registry, limit });
    const items = found.map(({ lastPush, lastPull, size, ...image }) => ({
      ...image,
      ...registries.shown(image.repository),
      lastPush: iso(lastPush),
      lastPull: lastPull === undefined ? null : iso(lastPull),
      size: size ?? null,
      ...(image.confidence === 'known'
        ? { dryRun: `DELETE /v2/${registries.shown(image.repository).repository}/manifests/${image.digest}` }
        : {}),
    }));
    if (format === 'json') return c.json({ since: iso(since), items }, 200);
    const columns = Object.keys(unusedImage.shape) as (keyof (typeof items)[number])[];
    return c.body(csv(registries.columns(columns), items), 200, csvType);
  });
  return app;
}
