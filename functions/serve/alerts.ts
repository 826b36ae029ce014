import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { defaultRegistry } from '#core/registry/name.ts';
import type { Alert } from '#core/rules.ts';
import type { AlertFeed } from '#core/stores.ts';
import { csv, csvType, format, jsonOrCsv } from './csv.ts';
import { fittingPage } from './fitting.ts';
import { failures, iso, limit, pageOf, router } from './parameters.ts';
import { type Registries, registry } from './registries.ts';

export const route = createRoute({
  method: 'get',
  path: '/v1/alerts',
  summary: 'The alerts of the rules, newest first',
  request: { query: z.object({ cursor: z.string().optional(), limit: limit(20, 200), registry, format }) },
  responses: {
    200: jsonOrCsv(
      pageOf(
        z.object({
          id: z.string(),
          time: z.iso.datetime(),
          rule: z.string(),
          when: z.enum(['pushed', 'first-pull', 'new-country', 'hits-per-minute', 'limit', 'digest', 'report']),
          text: z.string(),
          data: z.record(z.string(), z.union([z.string(), z.number()])),
        }),
      ),
      'Alerts',
    ),
    ...failures,
  },
});

/** Whether an alert is about a repository of this registry; alerts about hits belong to no registry. */
const isOf =
  (registry: string) =>
  ({ data }: Alert): boolean =>
    data.repository !== undefined && (data.registry ?? defaultRegistry) === registry;

/** The routes of alerts; if none are kept, the list is empty. */
export function alertRoutes(feed: AlertFeed | undefined, registries: Registries): OpenAPIHono {
  const app = router();
  app.openapi(route, async (c) => {
    const { format, registry, ...asked } = c.req.valid('query');
    registries.known(registry);
    const page = await (registry === undefined
      ? feed?.alerts(asked)
      : feed && fittingPage((each) => feed.alerts(each), isOf(registry), asked));
    const items = (page?.items ?? []).map((item) => ({ ...item, time: iso(item.time) }));
    if (format === 'csv') return c.body(csv(['time', 'rule', 'when', 'text'], items), 200, csvType);
    return c.json({ items, cursor: page?.cursor }, 200);
  });
  return app;
}
