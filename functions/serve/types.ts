// Types of the responses for the pages, taken from the routes' own schemas. Only types, so that no schema reaches a
// browser.
import type { RouteConfig, z } from '@hono/zod-openapi';
import type * as alerts from './alerts.ts';
import type * as credentials from './credentials.ts';
import type * as health from './health.ts';
import type * as clusters from './map/clusters.ts';
import type * as hits from './map/hits.ts';
import type * as recommendations from './recommender/recommendations.ts';
import type * as registries from './registries.ts';
import type * as images from './registry/images.ts';
import type * as outdated from './registry/outdated.ts';
import type * as people from './registry/people.ts';
import type * as repositories from './registry/repositories.ts';

type Module =
  | typeof clusters
  | typeof credentials
  | typeof health
  | typeof hits
  | typeof images
  | typeof alerts
  | typeof outdated
  | typeof people
  | typeof recommendations
  | typeof registries
  | typeof repositories;

/** Every exported route of these modules. */
type Route = Module extends infer M ? (M extends Module ? Extract<M[keyof M], RouteConfig> : never) : never;

type JsonOf<Content> = Content extends
  | { 'application/json': { schema: infer Schema extends z.ZodType } }
  | { 'application/geo+json': { schema: infer Schema extends z.ZodType } }
  ? z.output<Schema>
  : never;

/** The JSON response of a successful call, by method and path: `Replies['GET /v1/users']`. */
export type Replies = {
  [R in Route as `${Uppercase<R['method']>} ${R['path']}`]: R['responses'] extends { 200: { content: infer Content } }
    ? JsonOf<Content>
    : never;
};
