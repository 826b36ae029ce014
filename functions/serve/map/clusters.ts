// The map's routes except tiles: clusters of a box, leaves, Yandex Maps; and the OpenAPI descriptions of all of them.
import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { LAND_ZOOM } from '#core/map/coast.ts';
import { keeperOf } from '#core/map/filter.ts';
import { clusterFeature, yandexCollection } from '#core/map/geojson.ts';
import { type Box, boxShare, Pyramid } from '#core/map/pyramid.ts';
import { ApiError } from '#http/errors.ts';
import { failures as badParameter, day, error, integerOr, json, router } from '../parameters.ts';
import { cacheControl } from '../replies.ts';
import { embedRoutes, themeQuery } from './embed.ts';
import { filterOf, mapHeaders, noSnapshot, packed, shownOf, type Wanted } from './replies.ts';
import { SnapshotGone } from './snapshots.ts';
import { type SourceOf, tileParameters, tileRoutes } from './tiles.ts';

const MAX_FEATURES = 10_000;
const MAX_LEAVES = 1000;

const failures = { ...badParameter, 404: json(error, 'No such snapshot.') };

const snapshotName = z.string().regex(...tileParameters.snapshot);
const snapshotQuery = snapshotName.optional().openapi({ description: 'A snapshot; default: the latest.' });

const bboxQuery = (example: string) =>
  z.string({ error: `give bbox=${example}` }).transform((text, context) => {
    const numbers = text.split(',').map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
    if (numbers.length === 4 && numbers.every(Number.isFinite)) return numbers as Box;
    context.addIssue(`must be four numbers separated by commas, such as ${example}`);
    return z.NEVER;
  });
const zoomQuery = z
  .string({ error: 'give zoom=4' })
  .transform((text, context) => {
    const zoom = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isFinite(zoom)) return zoom;
    context.addIssue('must be a number, such as 4.5');
    return z.NEVER;
  })
  .openapi({ type: 'string', example: '4.5', description: 'Rounded down, and clamped to the existing zooms.' });

const filterQuery = {
  hours: z
    .string()
    .regex(...tileParameters.hours)
    .transform(Number)
    .refine((hours) => hours >= 1, tileParameters.hours[1])
    .optional()
    .openapi({ type: 'string', example: '24', description: 'Only points of the last hours before the newest point.' }),
  since: day.optional().openapi({ example: '2026-11-21', description: 'Only points of this UTC day or later.' }),
  country: z
    .string()
    .regex(...tileParameters.country)
    .transform((code) => code.toUpperCase())
    .optional()
    .openapi({ type: 'string', example: 'DE' }),
};
const hitsField = z.number().optional().openapi({
  description: 'If points are by location (setting `points`): hits from there since the point came onto the map.',
});
const featureSchema = z
  .object({
    type: z.literal('Feature'),
    id: z.number(),
    geometry: z.object({ type: z.literal('Point'), coordinates: z.array(z.number()) }),
    properties: z.union([
      z.object({ point_count: z.number(), expansion_zoom: z.number().optional() }),
      z.object({ domain: z.string(), updatedAt: z.string(), hits: hitsField }),
    ]),
  })
  .openapi('Cluster');
const collectionSchema = z
  .object({
    type: z.literal('FeatureCollection'),
    snapshot: z.string(),
    zoom: z.number().openapi({
      description: `The zoom of the result: lower than requested if the box would have more than ${MAX_FEATURES} items.`,
    }),
    features: z.array(featureSchema),
  })
  .openapi('Clusters');

export const latestRoute = createRoute({
  method: 'get',
  path: '/v1/points/latest',
  summary: 'The newest snapshot of the points',
  responses: {
    200: {
      description: 'The pointer.',
      content: {
        'application/json': {
          schema: z.object({
            snapshot: z.string(),
            updatedAt: z.string(),
            points: z.number(),
            domains: z.number().optional().openapi({
              description: 'If a point is a domain in a city-sized cell (setting `points`): the number of domains.',
            }),
            staleSeconds: z.number(),
          }),
        },
      },
    },
    404: json(error, 'Nothing has been exported yet.'),
  },
});

export const daysRoute = createRoute({
  method: 'get',
  path: '/v1/points/days',
  summary: 'The days whose last snapshot is kept, oldest first: for as long as domains stay on the map',
  responses: {
    200: json(
      z.object({
        keepDays: z.number(),
        items: z.array(z.object({ day: z.string(), snapshot: z.string(), points: z.number() })),
      }),
      'The map at the end of each day, without today.',
    ),
  },
});

export const tileRoute = createRoute({
  method: 'get',
  path: '/v1/tiles/{snapshot}/{z}/{x}/{file}',
  summary: 'Clusters of one tile',
  request: {
    params: z.object({
      snapshot: snapshotName.openapi({ description: 'A snapshot, or "latest".' }),
      z: z.string().regex(...tileParameters.z),
      x: z.string().regex(...tileParameters.x),
      file: z
        .string()
        .regex(...tileParameters.file)
        .openapi({ example: '5.mvt' }),
    }),
    query: z.object({
      ...filterQuery,
      theme: themeQuery,
      size: z
        .enum(['256', '512', '1024'])
        .optional()
        .default('512')
        .openapi({ description: 'Width and height of a PNG, in pixels.' }),
      background: z
        .enum(['map', 'none'])
        .optional()
        .default('map')
        .openapi({ description: `Background of a PNG: land and sea, up to zoom ${LAND_ZOOM}, or transparent.` }),
    }),
  },
  responses: {
    200: {
      description: 'Layer `clusters`.',
      content: {
        'application/vnd.mapbox-vector-tile': { schema: z.string().openapi({ format: 'binary' }) },
        'application/geo+json': { schema: collectionSchema },
        'image/png': { schema: z.string().openapi({ format: 'binary' }) },
      },
    },
    204: {
      description: 'A vector tile without points. GeoJSON and PNG are 200: an empty collection or an empty picture.',
    },
    304: { description: 'Not changed.' },
    ...failures,
  },
});

export const clustersRoute = createRoute({
  method: 'get',
  path: '/v1/clusters',
  summary: 'Clusters of a box',
  request: {
    query: z.object({
      bbox: bboxQuery('-10,35,30,60')
        .refine(([, south, , north]) => south <= north, 'must be W,S,E,N with S <= N')
        .openapi({
          type: 'string',
          example: '-10,35,30,60',
          description:
            'W,S,E,N: west > east crosses the antimeridian, longitudes wrap, latitudes are clamped to the poles.',
        }),
      zoom: zoomQuery,
      snapshot: snapshotQuery,
      ...filterQuery,
    }),
  },
  responses: {
    200: { description: 'GeoJSON.', content: { 'application/geo+json': { schema: collectionSchema } } },
    ...failures,
  },
});

export const leavesRoute = createRoute({
  method: 'get',
  path: '/v1/clusters/leaves',
  summary: 'The domains in a cluster or of the whole map, newest first',
  request: {
    query: z.object({
      cluster: z
        .string()
        .regex(/^\d{1,15}$/, 'must be the id of a cluster, from GET /v1/clusters')
        .transform(Number)
        .optional()
        .openapi({ type: 'string', description: 'An id from GET /v1/clusters; default: all points.' }),
      limit: integerOr(100, 1, MAX_LEAVES),
      offset: integerOr(0, 0, 2 ** 25),
      snapshot: snapshotQuery.openapi({ description: 'The snapshot the id came from.' }),
      ...filterQuery,
    }),
  },
  responses: {
    200: {
      description: 'One page.',
      content: {
        'application/json': {
          schema: z.object({
            total: z.number(),
            items: z.array(
              z.object({
                domain: z.string(),
                lat: z.number(),
                lon: z.number(),
                updatedAt: z.string(),
                country: z.string(),
                hits: hitsField,
              }),
            ),
          }),
        },
      },
    },
    ...failures,
  },
});

export const yandexRoute = createRoute({
  method: 'get',
  path: '/v1/clusters/yandex',
  summary: "Clusters for Yandex Maps' RemoteObjectManager",
  request: {
    query: z.object({
      bbox: bboxQuery('35,-10,60,30')
        .refine(([south, , north]) => south <= north, 'must be lat,lon,lat,lon with first <= third')
        .openapi({ type: 'string', example: '35,-10,60,30', description: 'What %b stands for: lat,lon,lat,lon.' }),
      zoom: zoomQuery,
      // Characters that can only name a function: they can't end the script or call anything else.
      callback: z
        .string()
        .regex(/^[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*$/, 'must be the name of a function')
        .max(100, 'must be at most 100 characters')
        .optional(),
      snapshot: snapshotQuery,
      ...filterQuery,
    }),
  },
  responses: {
    200: {
      description: 'JSONP if `callback` is given.',
      content: { 'application/json': { schema: z.object({}) }, 'text/javascript': { schema: z.string() } },
    },
    ...failures,
  },
});

/**
 * All routes of the map; mount them with app.route('/', ...). clock: milliseconds since the epoch; keepDays: of a
 * domain.
 */
export function mapRoutes(sourceOf: SourceOf, clock: () => number, keepDays: number): OpenAPIHono {
  const app = router();
  for (const path of ['/v1/clusters', '/v1/clusters/*', '/v1/embed/*', '/v1/points/days']) app.use(path, mapHeaders);
  app.route('/', tileRoutes(sourceOf, clock));
  for (const route of [latestRoute, tileRoute]) app.openAPIRegistry.registerPath(route);
  app.route('/', embedRoutes(sourceOf));

  app.openapi(daysRoute, async (c) => {
    const latest = await sourceOf(c).latest();
    c.header('Cache-Control', cacheControl.newest);
    return c.json({ keepDays, items: latest?.days ?? [] }, 200);
  });

  app.openapi(clustersRoute, async (c) => {
    const { bbox, zoom, snapshot: wanted, ...filter } = c.req.valid('query');
    const found = await openWanted(c, wanted);
    const { pyramid, snapshot } = found;
    const shown = await shownOf(pyramid, filter);
    const result = await pyramid.load(() => {
      const { level, clusters } = boxClusters(shown, bbox, zoom);
      return { zoom: level, features: clusters.map((cluster) => clusterFeature(shown, cluster)) };
    });
    const body = JSON.stringify({ type: 'FeatureCollection', snapshot, ...result });
    return packed(c, body, 'application/geo+json');
  });

  app.openapi(leavesRoute, async (c) => {
    const { cluster, limit, offset, snapshot: wanted, ...filter } = c.req.valid('query');
    const found = await openWanted(c, wanted);
    try {
      const { pyramid } = found;
      const { total, leaves } =
        cluster !== undefined && Pyramid.isFiltered(cluster)
          ? await filteredLeaves(pyramid, cluster, { limit, offset, filter })
          : await pyramid.load(() => {
              const { leafStart, count } = cluster === undefined ? pyramid.whole : pyramid.find(cluster);
              const asked = filterOf(pyramid, filter);
              if (asked.since !== undefined || asked.country !== undefined) pyramid.holdFilterColumns();
              const keeps = keeperOf(pyramid, asked);
              let total = keeps ? 0 : count;
              if (keeps) for (let leaf = leafStart; leaf < leafStart + count; leaf++) if (keeps(leaf)) total++;
              const first = pyramid.newest(leafStart, leafStart + count, limit, offset, keeps);
              return { total, leaves: first.map((leaf) => pyramid.leaf(leaf)) };
            });
      const items = leaves.map((leaf) => ({ ...leaf, updatedAt: new Date(leaf.updatedAt).toISOString() }));
      return c.json({ total, items }, 200);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      const how =
        cluster !== undefined && Pyramid.isFiltered(cluster)
          ? ' with this filter: give the hours, the day and the country it came with'
          : '';
      throw new ApiError(404, 'no_cluster', `cluster "${cluster}" is not in snapshot ${found.snapshot}${how}`);
    }
  });

  app.openapi(yandexRoute, async (c) => {
    const { bbox, zoom, callback, snapshot: wanted, ...filter } = c.req.valid('query');
    const found = await openWanted(c, wanted);
    const [south, west, north, east] = bbox;
    const { pyramid } = found;
    const shown = await shownOf(pyramid, filter);
    const collection = await pyramid.load(() =>
      yandexCollection(shown, boxClusters(shown, [west, south, east, north], zoom).clusters),
    );
    const body = JSON.stringify(collection);
    if (!callback) return packed(c, body, 'application/json');
    // The comment prevents the response from being read as another file type, because otherwise the caller chooses its
    // first characters.
    return packed(
      c,
      `/**/${callback}(${body.replace(/[\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`)});`,
      'text/javascript',
    );
  });

  async function openWanted(c: Context, wanted: string | undefined) {
    const source = sourceOf(c);
    const newest = wanted === undefined || wanted === 'latest';
    const snapshot = newest ? (await source.latest())?.snapshot : wanted;
    if (!snapshot) throw noSnapshot();
    const pyramid = await source.open(snapshot);
    if (!pyramid) throw new SnapshotGone(snapshot);
    c.header('Cache-Control', newest ? cacheControl.newest : cacheControl.immutable);
    return { snapshot, pyramid };
  }

  return app;
}

/** The leaves of a cluster from a filtered map, whose ids are valid only with the same filter. */
async function filteredLeaves(
  pyramid: Pyramid,
  cluster: number,
  { limit, offset, filter }: { limit: number; offset: number; filter: Wanted },
) {
  const shown = await shownOf(pyramid, filter);
  return pyramid.load(() => ({ total: shown.find(cluster).count, leaves: shown.leaves(cluster, limit, offset) }));
}

/**
 * The clusters of a box, at the deepest zoom up to the requested one that has at most MAX_FEATURES. Starts at a zoom
 * where the box is a few tiles wide, which never has too many, and goes deeper, so that a wide box never reads the deep
 * levels.
 */
function boxClusters(pyramid: Pyramid, box: Box, zoom: number) {
  const share = boxShare(box);
  const wanted = pyramid.levelOf(zoom);
  const few = Math.floor(2 - Math.log2(Math.max(share, 2 ** -pyramid.maxZoom)));
  let level = Math.max(0, Math.min(wanted, few, pyramid.maxZoom));
  while (level < wanted && pyramid.countClusters(box, level + 1) <= MAX_FEATURES) level++;
  return { level, clusters: pyramid.clusters(box, level) };
}
