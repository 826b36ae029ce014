import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { BadCursor, type NoticeFeed } from '#core/stores.ts';
import { badRequest } from '#http/errors.ts';
import { failures, iso, json, limit, pageOf, router } from './parameters.ts';

export const route = createRoute({
  method: 'get',
  path: '/v1/notices',
  summary: 'What the rules had to say; newest first',
  request: { query: z.object({ cursor: z.string().optional(), limit: limit(20, 200) }) },
  responses: {
    200: json(
      pageOf(
        z.object({
          id: z.string(),
          time: z.iso.datetime(),
          rule: z.string(),
          when: z.enum(['pushed', 'first-pull', 'new-country', 'hits-per-minute']),
          text: z.string(),
          data: z.record(z.string(), z.union([z.string(), z.number()])),
        }),
      ),
      'Messages',
    ),
    ...failures,
  },
});

/** The messages of the rules; without a feed there are none. */
export function noticeRoutes(feed: NoticeFeed | undefined): OpenAPIHono {
  const app = router();
  app.openapi(route, async (c) => {
    const page = await feed?.notices(c.req.valid('query')).catch((cause) => {
      throw cause instanceof BadCursor ? badRequest(cause.message) : cause;
    });
    const items = (page?.items ?? []).map((item) => ({ ...item, time: iso(item.time) }));
    return c.json({ items, cursor: page?.cursor }, 200);
  });
  return app;
}
