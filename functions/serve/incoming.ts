// The routes of collect, for the OpenAPI document only: collect handles these calls itself (functions/collect).
import { type OpenAPIHono, z } from '@hono/zod-openapi';
import { hitLimits } from '#core/hits/limits.ts';
import { eventLimits } from '#core/registry/limits.ts';
import { error, json } from './parameters.ts';

const hit = z
  .object({
    domain: z
      .string()
      .max(hitLimits.domain)
      .openapi({ description: "The portal's host name.", example: 'portal.example' }),
    action: z.string().min(1).max(hitLimits.action).optional().openapi({ description: 'Default view.' }),
    id: z
      .string()
      .min(1)
      .max(hitLimits.id)
      .optional()
      .openapi({ description: 'Of hits with the same id within an hour, only one counts.' }),
    time: z
      .union([z.string(), z.int()])
      .optional()
      .openapi({
        description: `RFC 3339 or milliseconds since the epoch; default now, at most ${hitLimits.daysBack} days ago.`,
      }),
    path: z.string().max(hitLimits.path).optional(),
  })
  .openapi('Hit');

const refused = (description: string) => json(error, description);

/** Adds collect's calls to the document of an app. */
export function describeIncoming({ openAPIRegistry: registry }: OpenAPIHono): void {
  registry.registerComponent('securitySchemes', 'webhook', { type: 'http', scheme: 'bearer' });
  registry.registerPath({
    method: 'post',
    path: '/v1/registry-events',
    summary: "A registry's notifications, in the registry's own form",
    security: [{ webhook: [] }],
    request: {
      body: {
        description: `The registry's own envelope. What can't be understood is quarantined, event by event. So is an event with an id of more than ${eventLimits.id} characters, a tag of more than ${eventLimits.tag}, or a repository, digest or media type of more than ${eventLimits.name}.`,
        content: { 'application/json': { schema: z.looseObject({}) } },
      },
    },
    responses: {
      202: json(z.object({ accepted: z.int(), ignored: z.int(), quarantined: z.int() }), 'Accepted.'),
      401: refused('No token, or a wrong one.'),
      503: refused('The stream accepted nothing: send again after Retry-After.'),
    },
  });
  registry.registerPath({
    method: 'post',
    path: '/v1/hits',
    summary: `A portal's hits: one, or an array of up to ${hitLimits.perRequest.toLocaleString('en')}`,
    description:
      "A hit's location is that of the connection's address. A back end passes its visitor's address in X-Forwarded-For (or the header in the setting addressHeader), and must be in the setting trustedProxies. One invalid hit refuses the whole array.",
    request: {
      body: {
        content: {
          'application/json': { schema: z.union([hit, z.array(hit).max(hitLimits.perRequest)]) },
          'text/plain': { schema: z.string() },
        },
      },
    },
    responses: {
      202: json(
        z.object({
          accepted: z.int(),
          ignored: z.int().optional(),
          reason: z.string().optional(),
          location: z.string().optional().openapi({ description: 'Why the hits do not show on the map.' }),
        }),
        'Taken.',
      ),
      400: refused('A hit is invalid; the message names the hit and the field.'),
      413: refused('The body is too large.'),
      415: refused('The body is compressed.'),
      503: refused('The stream accepted nothing: send again after Retry-After.'),
    },
  });
}
