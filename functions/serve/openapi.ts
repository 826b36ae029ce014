// The OpenAPI document: what the routes declare, and what holds for all of them.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { PublicMap, Role } from '#core/access.ts';
import { may, needsOf } from '#http/access.ts';

type Operation = Record<string, unknown> & { responses: Record<string, unknown> };
type Paths = Record<string, Partial<Record<string, Operation>>>;

const failure = (description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

/** Gives every operation a unique id, the role that it needs, and the responses of `access`. */
export function openApiDocument(app: OpenAPIHono, { everyone, publicMap }: { everyone: Role; publicMap: PublicMap }) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: {
      title: 'Whalewatch',
      version: '1',
      description: 'The map, users and repositories. Times are RFC 3339 UTC.',
    },
  });
  for (const [path, operations] of Object.entries(document.paths as Paths))
    for (const [method, operation] of Object.entries(operations)) {
      if (!operation) continue;
      operation.operationId = operationId(method, path);
      const needs = needsOf(method.toUpperCase(), path);
      if (needs === undefined) throw new Error(`${method} ${path} has no row in functions/http/access.ts`);
      operation['x-needs'] = needs;
      if (needs === 'token' || needs === 'anyone') continue;
      // An empty requirement says that everyone may call.
      const open = may({ role: everyone }, needs, [], publicMap);
      operation.security = [{ apiToken: [] }, { session: [] }, ...(open ? [{}] : [])];
      operation.responses[401] = failure('Not signed in, or an unknown token.');
      operation.responses[403] ??= failure(
        'The role is not sufficient, or a page of another site tried to change something.',
      );
    }
  return document;
}

/** `GET /v1/clusters/leaves` is getClustersLeaves. */
function operationId(method: string, path: string): string {
  const words = path.match(/\{\w+\}|\w+/g)?.filter((word) => word !== 'v1' && !word.startsWith('{')) ?? [];
  return method + words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
}

/** The security schemes that operations refer to. */
export function describeTokens({ openAPIRegistry: registry }: OpenAPIHono, cookie: string): void {
  registry.registerComponent('securitySchemes', 'apiToken', {
    type: 'http',
    scheme: 'bearer',
    description: "An API token, made by the owner. The server's own user needs none.",
  });
  registry.registerComponent('securitySchemes', 'session', { type: 'apiKey', in: 'cookie', name: cookie });
}
