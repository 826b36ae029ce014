import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { page, pageWithin } from '#core/cursor.ts';
import type { Pull } from '#core/event.ts';
import { forgetPerson } from '#core/forget.ts';
import { registryOf } from '#core/registry/name.ts';
import type { AlertFeed, CredentialStore, EventStore, Page, SearchStore } from '#core/stores.ts';
import { ApiError, badRequest } from '#http/errors.ts';
import { csv, csvType, format, jsonOrCsv, nextPage } from '../csv.ts';
import {
  failures,
  from,
  inOrder,
  iso,
  json,
  limit,
  oneOf,
  pageOf,
  router,
  search,
  to,
  userName,
} from '../parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from '../registries.ts';

export interface PeopleOptions {
  events: EventStore;
  search: SearchStore;
  alerts?: AlertFeed;
  registries?: Registries;
  /** A forgotten user is signed out. */
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
    registry: registryShown,
    tag: z.string().optional(),
    digest: z.string().optional(),
    class: z.string(),
    client: z.string(),
  })
  .openapi('Pull');

const kinds = ['human', 'ci', 'cluster', 'scanner', 'mirror', 'signature', 'version-check'] as const;

const user = z
  .object({
    user: z.string(),
    kind: z.enum(kinds).openapi({ description: 'The class of most of their pulls' }),
    pulls: z.int(),
    firstPull: z.iso.datetime(),
    lastPull: z.iso.datetime(),
    days: z.array(z.int()).openapi({ description: 'Pulls on each of the last 30 UTC days, today last' }),
  })
  .openapi('User');
const userColumns = ['user', 'kind', 'pulls', 'firstPull', 'lastPull'] as const;

const puller = z
  .object({
    user: z.string(),
    repository: z.string(),
    registry: registryShown,
    pulls: z.int(),
    lastPull: z.iso.datetime(),
    tag: z
      .string()
      .optional()
      .openapi({ description: 'Time of the newest pull; the fields after it are of that pull too' }),
    digest: z
      .string()
      .optional()
      .openapi({ description: 'The digest that was requested: for an image in an index, that of the index' }),
    class: z.enum(kinds),
    client: z.string(),
    country: z.string().openapi({ description: 'Two letters, empty when unknown' }),
  })
  .openapi('Puller');
const pullerColumns = Object.keys(puller.shape) as (keyof z.infer<typeof puller>)[];
const pullColumns = Object.keys(pull.shape) as (keyof z.infer<typeof pull>)[];

export const users = createRoute({
  method: 'get',
  path: '/v1/users',
  summary: 'Users whose name contains a text, with the kind of each account',
  request: {
    query: z.object({
      search,
      registry,
      kind: oneOf([...kinds]).optional(),
      sort: oneOf(['recent', 'pulls', 'new', 'name']).default('recent').openapi({
        description: 'The order: by newest pull, number of pulls, first pull (newest first), or name',
      }),
      limit: limit(20, 1000),
      format,
    }),
  },
  responses: { 200: jsonOrCsv(z.object({ items: z.array(user) }), 'Users'), ...failures },
});

export const history = createRoute({
  method: 'get',
  path: '/v1/history',
  summary: "A user's pulls, newest first",
  request: {
    query: z.object({
      ...{ user: userName, registry, from: from.optional(), to: to.optional() },
      ...{ cursor: z.string().optional(), limit: limit(50, 1000), format },
    }),
  },
  responses: { 200: jsonOrCsv(pageOf(pull), 'Pulls; with CSV the header Link names the next page'), ...failures },
});

// OCI image-spec, "Digests"; an empty parameter counts as left out.
const digest = z.string().regex(/^([a-z0-9]+([+._-][a-z0-9]+)*:[\w=-]+)?$/, {
  error: 'must be a digest in full, such as sha256:2c26b46b68ff…',
});

export const pullers = createRoute({
  method: 'get',
  path: '/v1/pullers',
  summary:
    'Who pulled a repository, or a digest (also as part of an index), with the time, image and client of the newest pull',
  request: {
    query: z.object({
      digest: digest.optional(),
      repository: z.string().optional(),
      registry,
      from: from.optional(),
      to: to.optional(),
      limit: limit(100, 10_000),
      format,
    }),
  },
  responses: { 200: jsonOrCsv(z.object({ items: z.array(puller) }), 'Users, newest pull first'), ...failures },
});

export const forget = createRoute({
  method: 'delete',
  path: '/v1/users',
  summary: 'Forgets a user everywhere',
  request: { query: z.object({ user: userName }) },
  responses: { 200: json(z.object({ user: z.string(), rows: z.int() }), 'How many rows were deleted'), ...failures },
});

/** The routes about users. */
export function peopleRoutes(options: PeopleOptions): OpenAPIHono {
  const { events, search, registries = registriesOf(), alerts, credentials, clock, report } = options;
  const app = router();
  app.openapi(users, async (c) => {
    const { format, ...query } = c.req.valid('query');
    registries.known(query.registry);
    const found = await search.users({ ...query, now: clock() });
    const items = found.map((item) => ({ ...item, firstPull: iso(item.firstPull), lastPull: iso(item.lastPull) }));
    return format === 'json' ? c.json({ items }, 200) : c.body(csv(userColumns, items), 200, csvType);
  });
  app.openapi(history, async (c) => {
    const { user, registry, format, ...page } = c.req.valid('query');
    registries.known(registry);
    inOrder(page, c.req.query());
    const found = await pageWithin((page) => historyOf(events, user, registry, page), page);
    const items = found.items.map(({ id, time, repository, tag, digest, class: pullClass, client }) => ({
      ...{ id, time: iso(time), action: 'pull' as const, ...registries.shown(repository) },
      ...{ tag, digest, class: pullClass, client },
    }));
    if (format === 'csv')
      return c.body(csv(registries.columns(pullColumns), items), 200, {
        ...csvType,
        ...nextPage(c.req.url, found.cursor),
      });
    return c.json({ items, cursor: found.cursor }, 200);
  });
  app.openapi(pullers, async (c) => {
    const { registry, repository, format, ...query } = c.req.valid('query');
    if (!query.digest && !repository)
      throw badRequest('digest and repository are missing: give digest=DIGEST or repository=NAME');
    inOrder(query, c.req.query());
    const found = await search.pullers({
      ...{ ...query, digest: query.digest || undefined },
      ...registries.scope({ registry, repository: repository || undefined }),
    });
    const items = found.map((item) => ({
      ...item,
      ...registries.shown(item.repository),
      lastPull: iso(item.lastPull),
    }));
    if (format === 'json') return c.json({ items }, 200);
    return c.body(csv(registries.columns(pullerColumns), items), 200, csvType);
  });
  app.openapi(forget, async (c) => {
    const { user } = c.req.valid('query');
    const rows = await forgetPerson({ events, search, alerts, credentials }, user, clock()).catch((cause) => {
      report(cause);
      throw new ApiError(
        500,
        'not_forgotten',
        'Nothing or not everything was forgotten; the log has the cause. Call again.',
      );
    });
    return c.json({ user, rows }, 200);
  });
  return app;
}

/**
 * How many pages of the store one call reads. For a registry with few pulls, a page may have fewer rows than requested,
 * and a cursor.
 */
const mostReads = 20;

/** A page of a user's pulls, only of one registry if it is named. */
async function historyOf(
  events: Pick<EventStore, 'history'>,
  user: string,
  registry: string | undefined,
  { cursor, limit }: { cursor?: string; limit: number },
): Promise<Page<Pull>> {
  if (registry === undefined) return events.history(user, { cursor, limit });
  const items: Pull[] = [];
  let next = cursor;
  for (let reads = 0; reads < mostReads; reads++) {
    const read = await events.history(user, { cursor: next, limit: 1000 });
    items.push(...read.items.filter(({ repository }) => registryOf(repository) === registry));
    if (items.length > limit) return page(items, limit);
    next = read.cursor;
    if (next === undefined) break;
  }
  return { items, ...(next === undefined ? {} : { cursor: next }) };
}
