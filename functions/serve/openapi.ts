// The served OpenAPI document: what the routes say of themselves, and what holds for all of them.
import type { OpenAPIHono } from '@hono/zod-openapi';
import { type Access, asksForToken, isPublic } from './access.ts';

type Operation = Record<string, unknown> & { responses: Record<string, unknown> };
type Paths = Record<string, Partial<Record<string, Operation>>>;

const failure = (description: string) => ({
  description,
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});

/** Every operation with an id of its own, with the reader's token where it is taken, and with what `access` answers. */
export function openApiDocument(app: OpenAPIHono, options: Access) {
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Whalewatch', version: '1', description: 'The map, people and images. Times are RFC 3339 UTC.' },
  });
  for (const [path, operations] of Object.entries(document.paths as Paths))
    for (const [method, operation] of Object.entries(operations)) {
      if (!operation) continue;
      operation.operationId = operationId(method, path);
      // Collect answers what comes in, with a token of its own.
      if (operation.security || isPublic(path)) continue;
      const asks = asksForToken(options, { method: method.toUpperCase(), path });
      // An empty one among them says that it works without, too.
      operation.security = [{ reader: [] }, { readerCookie: [] }, ...(asks ? [] : [{}])];
      operation.responses[401] = failure("The reader's token is missing or wrong, where one is asked for.");
      if (method !== 'get') operation.responses[403] = failure('Another site may not change anything here.');
    }
  return document;
}

/** `GET /v1/clusters/leaves` is getClustersLeaves. */
function operationId(method: string, path: string): string {
  const words = path.match(/\{\w+\}|\w+/g)?.filter((word) => word !== 'v1' && !word.startsWith('{')) ?? [];
  return method + words.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
}

/** The schemes that operations name. */
export function describeTokens({ openAPIRegistry: registry }: OpenAPIHono): void {
  registry.registerComponent('securitySchemes', 'reader', {
    type: 'http',
    scheme: 'bearer',
    description: "The reader's token; nothing asks for it on one machine.",
  });
  registry.registerComponent('securitySchemes', 'readerCookie', { type: 'apiKey', in: 'cookie', name: 'whalewatch' });
}
