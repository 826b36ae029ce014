import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPublic } from '#serve/access.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';

interface Operation {
  operationId: string;
  security?: Record<string, string[]>[];
  responses: Record<string, unknown>;
}

async function described(options: Partial<ServeOptions>) {
  const app = serveApp({ clock: () => 0, report: assert.fail, ...options } as unknown as ServeOptions);
  const document = (await (await app.request('/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { securitySchemes: Record<string, unknown> };
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, ...operation })),
  );
  return { app, operations, schemes: document.components.securitySchemes };
}

const readToken = async () => 'secret';
const withoutToken = ({ security = [] }: Operation) => security.some((each) => Object.keys(each).length === 0);

test('every operation has an id of its own', async () => {
  const { operations } = await described({});
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^(get|post|delete)[A-Z]\w+$/);
  assert.ok(ids.includes('getClustersLeaves'));
});

test('a call that asks for a token says so, and which', async () => {
  const { app, operations, schemes } = await described({ readToken });
  for (const operation of operations) {
    const { method, path, security = [], responses } = operation;
    for (const scheme of security.flatMap(Object.keys)) assert.ok(schemes[scheme], scheme);
    if (path === '/v1/registry-events') continue;
    assert.equal(security.length > 0, !isPublic(path), path);
    if (isPublic(path)) continue;
    assert.equal((await app.request(path, { method: method.toUpperCase() })).status, 401, path);
    assert.ok(responses[401] && !withoutToken(operation), path);
  }
});

test('where nobody is asked for a token it is told so; a change asks in public too', async () => {
  const local = await described({});
  for (const operation of local.operations)
    if (operation.path !== '/v1/registry-events' && operation.security) assert.ok(withoutToken(operation));
  const open = await described({ readToken, publicPeople: true });
  const find = (id: string) => open.operations.find(({ operationId }) => operationId === id) as Operation;
  assert.ok(withoutToken(find('getUsers')) && withoutToken(find('postRecommendations')));
  assert.ok(!withoutToken(find('deleteUsers')) && !withoutToken(find('postModelRollback')));
  assert.ok(find('deleteUsers').responses[403]);
});
