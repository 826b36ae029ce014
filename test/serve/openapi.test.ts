import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Role } from '#core/access.ts';
import { hitLimits } from '#core/hits/limits.ts';
import { eventLimits } from '#core/registry/limits.ts';
import { type ServeOptions, serveApp } from '#serve/app.ts';
import { accessAs } from '../support/access.ts';

interface Operation {
  operationId: string;
  'x-needs': string;
  security?: Record<string, string[]>[];
  responses: Record<string, unknown>;
}

/** The document of a deployment where callers who are not signed in have this role. */
async function described(everyone: Role) {
  const access = {
    ...accessAs(everyone),
    everyone,
    identify: async () => ({ role: everyone, by: 'nothing' as const }),
  };
  const app = serveApp({ clock: () => 0, report: () => {}, access } as unknown as ServeOptions);
  const document = (await (await app.request('/v1/openapi.json')).json()) as {
    paths: Record<string, Record<string, Operation>>;
    components: { securitySchemes: Record<string, unknown> };
  };
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, ...operation })),
  );
  return { app, document, operations, schemes: document.components.securitySchemes };
}

const withoutToken = ({ security = [] }: Operation) => security.some((each) => Object.keys(each).length === 0);

test('every operation has a unique id', async () => {
  const { operations } = await described('public');
  const ids = operations.map(({ operationId }) => operationId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^(get|post|delete)[A-Z]\w+$/);
  assert.ok(ids.includes('getClustersLeaves'));
});

test('a call that needs a role says so, and which one', async () => {
  const { app, operations, schemes } = await described('public');
  let asking = 0;
  for (const operation of operations) {
    const { method, path, security = [], responses } = operation;
    for (const scheme of security.flatMap(Object.keys)) assert.ok(schemes[scheme], scheme);
    if (['token', 'anyone'].includes(operation['x-needs'])) continue;
    asking++;
    assert.ok(responses[401] && responses[403] && security.length > 0 && !withoutToken(operation), path);
    assert.equal((await app.request(path, { method: method.toUpperCase() })).status, 401, path);
  }
  assert.ok(asking > 20);
});

test('if everyone may call, the document says so', async () => {
  const { operations } = await described('team');
  const find = (id: string) => operations.find(({ operationId }) => operationId === id) as Operation;
  assert.ok(withoutToken(find('getUsers')) && withoutToken(find('postRecommendations')));
  assert.ok(!withoutToken(find('deleteUsers')) && !withoutToken(find('postModelRollback')));
  const local = await described('owner');
  for (const operation of local.operations)
    if (operation.security && operation['x-needs'] !== 'token') assert.ok(withoutToken(operation));
});

test('the document states the limits that collect enforces', async () => {
  const text = JSON.stringify((await described('public')).document);
  assert.ok(text.includes(`a tag of more than ${eventLimits.tag}, or a repository`));
  assert.ok(text.includes(`"maxLength":${hitLimits.action}`) && text.includes(`"maxLength":${hitLimits.id}`));
});
