import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { registryOf } from '#core/registry/name.ts';
import { outdated, outdatedReachDays, sentenceOf } from '#core/registry/outdated.ts';
import type { SearchStore } from '#core/stores.ts';
import { badRequest } from '#http/errors.ts';
import { csv, csvType, format, jsonOrCsv } from '../csv.ts';
import { failures, iso, limit, name, router, userName } from '../parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from '../registries.ts';

const dayMs = 86_400_000;

const evidence = z.discriminatedUnion('reason', [
  z.object({
    reason: z.literal('pushed-anew'),
    pushedAt: z.iso.datetime(),
    digest: z.string().openapi({ description: 'The digest that the tag names now' }),
  }),
  z.object({
    reason: z.literal('others-moved'),
    to: z.string().openapi({ description: 'The tag that they pull since then' }),
    moved: z.int(),
    others: z.int().openapi({ description: 'Other users of the same class who pulled the tag' }),
  }),
  z.object({
    reason: z.literal('deleted'),
    deletedAt: z.iso.datetime(),
    what: z.enum(['tag', 'digest', 'repository']),
  }),
]);

export const route = createRoute({
  method: 'get',
  path: '/v1/outdated',
  summary:
    'Images still pulled whose tag was pushed again or deleted, or that most other users have left, with the evidence',
  request: {
    query: z.object({
      user: userName.optional(),
      repository: name('give repository=NAME, such as team/app').optional(),
      registry,
      limit: limit(100, 1000),
      format,
    }),
  },
  responses: {
    200: jsonOrCsv(
      z.object({
        items: z.array(
          z
            .object({
              user: z.string(),
              repository: z.string(),
              registry: registryShown,
              tag: z.string().optional(),
              digest: z.string().optional(),
              class: z.string(),
              lastPull: z.iso.datetime(),
              evidence,
              text: z.string().openapi({ description: 'The evidence in a sentence' }),
            })
            .openapi('Outdated'),
        ),
      }),
      'Images by repository, user and tag',
    ),
    ...failures,
  },
});

export interface OutdatedOptions {
  search: SearchStore;
  registries?: Registries;
  clock: () => number;
}

export function outdatedRoutes({ search, registries = registriesOf(), clock }: OutdatedOptions): OpenAPIHono {
  const app = router();
  app.openapi(route, async (c) => {
    const { user, repository, registry, limit, format } = c.req.valid('query');
    registries.known(registry);
    const now = clock();
    const from = now - outdatedReachDays * dayMs;
    const query =
      repository !== undefined
        ? { repository: registries.keys(repository, registry), from }
        : user !== undefined
          ? { user, from }
          : undefined;
    if (!query) throw badRequest('user and repository are missing: give user=NAME or repository=NAME');
    const { pulls, changes } = await search.imageUse(query);
    const rows = outdated(pulls, changes, { now, of: user })
      .filter((row) => registry === undefined || registryOf(row.repository) === registry)
      .slice(0, limit);
    const items = rows.map((row) => ({
      ...row,
      ...registries.shown(row.repository),
      lastPull: iso(row.lastPull),
      evidence: dated(row.evidence),
      text: sentenceOf(row, now),
    }));
    if (format === 'json') return c.json({ items }, 200);
    const columns = registries.columns(['user', 'repository', 'tag', 'digest', 'class', 'lastPull', 'text']);
    return c.body(csv(columns, items), 200, csvType);
  });
  return app;
}

type Found = ReturnType<typeof outdated>[number]['evidence'];
const dated = (found: Found): z.infer<typeof evidence> =>
  found.reason === 'pushed-anew'
    ? { ...found, pushedAt: iso(found.pushedAt) }
    : found.reason === 'deleted'
      ? { ...found, deletedAt: iso(found.deletedAt) }
      : found;
