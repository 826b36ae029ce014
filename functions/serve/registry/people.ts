import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { forgetPerson } from '#core/forget.ts';
import type { AlertFeed, CredentialStore, EventStore, SearchStore } from '#core/stores.ts';
import { ApiError, badRequest } from '#http/errors.ts';
import { failures, from, inOrder, iso, json, limit, pageOf, router, search, to, userName } from '../parameters.ts';

export interface PeopleOptions {
  events: EventStore;
  search: SearchStore;
  alerts?: AlertFeed;
  /** A forgotten person is signed out. */
  credentials?: CredentialStore;
  clock: () => number;
  report: (cause: unknown) => void;
}

const pull = z
  .object({
    id: z.string(),
    time: z.iso.datetime(),
    action: z.literal('pull'),
    repository: z.string(),
    tag: z.string().optional(),
    digest: z.string().optional(),
    class: z.string(),
    client: z.string(),
  })
  .openapi('Pull');

export const users = createRoute({
  method: 'get',
  path: '/v1/users',
  summary: 'People whose name contains a text, newest pull first',
  request: { query: z.object({ search, limit: limit(20, 1000) }) },
  responses: {
    200: json(
      z.object({ items: z.array(z.object({ user: z.string(), pulls: z.int(), lastPull: z.iso.datetime() })) }),
      'People',
    ),
    ...failures,
  },
});

export const history = createRoute({
  method: 'get',
  path: '/v1/history',
  summary: "A person's pulls, newest first",
  request: { query: z.object({ user: userName, cursor: z.string().optional(), limit: limit(50, 1000) }) },
  responses: { 200: json(pageOf(pull), 'Pulls'), ...failures },
});

// OCI image-spec, "Digests"; an empty one counts as left out.
const digest = z.string().regex(/^([a-z0-9]+([+._-][a-z0-9]+)*:[\w=-]+)?$/, {
  error: 'must be a digest in full, such as sha256:2c26b46b68ff…',
});

export const pullers = createRoute({
  method: 'get',
  path: '/v1/pullers',
  summary: 'Who pulled a digest or a repository, and when last',
  request: {
    query: z.object({
      digest: digest.optional(),
      repository: z.string().optional(),
      from: from.optional(),
      to: to.optional(),
      limit: limit(100, 10_000),
    }),
  },
  responses: {
    200: json(
      z.object({
        items: z.array(
          z.object({ user: z.string(), repository: z.string(), pulls: z.int(), lastPull: z.iso.datetime() }),
        ),
      }),
      'People',
    ),
    ...failures,
  },
});

export const forget = createRoute({
  method: 'delete',
  path: '/v1/users',
  summary: 'Forgets a person everywhere',
  request: { query: z.object({ user: userName }) },
  responses: { 200: json(z.object({ user: z.string(), rows: z.int() }), 'How many rows went'), ...failures },
});

/** What is known of people. */
export function peopleRoutes({ events, search, alerts, credentials, clock, report }: PeopleOptions): OpenAPIHono {
  const app = router();
  app.openapi(users, async (c) => {
    const items = await search.users(c.req.valid('query'));
    return c.json({ items: items.map((item) => ({ ...item, lastPull: iso(item.lastPull) })) }, 200);
  });
  app.openapi(history, async (c) => {
    const { user, ...page } = c.req.valid('query');
    const { items, cursor } = await events.history(user, page);
    return c.json(
      {
        items: items.map(({ id, time, repository, tag, digest, class: pullClass, client }) => ({
          ...{ id, time: iso(time), action: 'pull' as const, repository, tag, digest, class: pullClass, client },
        })),
        cursor,
      },
      200,
    );
  });
  app.openapi(pullers, async (c) => {
    const query = c.req.valid('query');
    if (!query.digest && !query.repository) throw badRequest('give digest= or repository=: whose pullers?');
    inOrder(query, c.req.query());
    const items = await search.pullers(query);
    return c.json({ items: items.map((item) => ({ ...item, lastPull: iso(item.lastPull) })) }, 200);
  });
  app.openapi(forget, async (c) => {
    const { user } = c.req.valid('query');
    const rows = await forgetPerson({ events, search, alerts, credentials }, user, clock()).catch((cause) => {
      report(cause);
      throw new ApiError(500, 'not_forgotten', 'Nothing or not all was forgotten; the log has the cause. Call again.');
    });
    return c.json({ user, rows }, 200);
  });
  return app;
}
