import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { page, readCursor } from '#core/cursor.ts';
import { imageId, listedImages } from '#core/registry/listed.ts';
import type { SearchStore } from '#core/stores.ts';
import { csv, csvType, format, jsonOrCsv, nextPage } from '../csv.ts';
import { failures, iso, limit, name, pageOf, router } from '../parameters.ts';
import { type Registries, registriesOf, registry, registryShown } from '../registries.ts';

const image = z
  .object({
    repository: z.string(),
    registry: registryShown,
    tag: z.string().optional(),
    digest: z.string().optional(),
    size: z.int().nullable().openapi({
      description: 'Bytes of its layers and config, if reported; for an index, those of all its platforms',
    }),
    lastPush: z.iso
      .datetime()
      .nullable()
      .openapi({ description: 'null if it was pushed before Whalewatch got reports of pushes' }),
    lastPull: z.iso.datetime().nullable().openapi({
      description: 'By people, clusters or CI, by whatever tag; for an index also of one of its platforms',
    }),
    platforms: z.int().optional().openapi({ description: 'How many manifests an index has' }),
    describes: z
      .string()
      .optional()
      .openapi({ description: 'The digest that a signature, attestation or SBOM describes' }),
  })
  .openapi('Image');
const columns = Object.keys(image.shape) as (keyof z.infer<typeof image>)[];

export const route = createRoute({
  method: 'get',
  path: '/v1/images',
  summary: "A repository's tags, and manifests without one, with their size, newest push and newest pull",
  request: {
    query: z.object({
      repository: name('give repository=NAME, such as team/app'),
      registry,
      cursor: z.string().optional(),
      limit: limit(100, 10_000),
      format,
    }),
  },
  responses: {
    200: jsonOrCsv(pageOf(image), 'Images, newest push first; with CSV the header Link names the next page'),
    ...failures,
  },
});

export interface ImageOptions {
  search: SearchStore;
  registries?: Registries;
}

export function imageRoutes({ search, registries = registriesOf() }: ImageOptions): OpenAPIHono {
  const app = router();
  app.openapi(route, async (c) => {
    const { repository, registry, cursor, limit, format } = c.req.valid('query');
    registries.known(registry);
    const [before, after] = readCursor(cursor);
    const found = await search.images({ repository: registries.keys(repository, registry) });
    const rows = listedImages(found)
      .map((row) => ({ ...row, time: row.lastPush ?? 0, id: imageId(row) }))
      .filter(({ time, id }) => time < before || (time === before && id > after));
    const { items: shown, cursor: next } = page(rows, limit);
    const items = shown.map(({ tag, digest, size, lastPush, lastPull, platforms, describes, ...row }) => ({
      ...registries.shown(row.repository),
      ...{ tag, digest, size: size ?? null },
      lastPush: lastPush === undefined ? null : iso(lastPush),
      lastPull: lastPull === undefined ? null : iso(lastPull),
      ...{ platforms, describes },
    }));
    if (format === 'csv')
      return c.body(csv(registries.columns(columns), items), 200, { ...csvType, ...nextPage(c.req.url, next) });
    return c.json({ items, cursor: next }, 200);
  });
  return app;
}
