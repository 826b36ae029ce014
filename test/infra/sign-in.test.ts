// Signing in on AWS: a user pool of the deployment's own if no issuer is named, and no circular dependency.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccessSettings } from '#core/access.ts';
import type { Settings } from '#settings/schema.ts';
import { type Resource, resourcesOf, synthesise } from '../support/synthesise.ts';

const issuer = { issuer: 'https://id.example', clientId: 'whalewatch' };

/** The logical ids that a value refers to. */
function references(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(references);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'Ref') return [String(inner)];
    if (key === 'Fn::GetAtt') return [String((inner as string[])[0])];
    if (key === 'DependsOn') return [inner].flat() as string[];
    return references(inner);
  });
}

function accessIn(resources: Record<string, Resource>): AccessSettings {
  const [serve] = Object.values(resources).filter(({ Properties }) => Properties?.Environment?.Variables?.ACCESS);
  const { ACCESS } = serve.Properties.Environment.Variables;
  const text =
    typeof ACCESS === 'string'
      ? ACCESS
      : (ACCESS['Fn::Join'][1] as unknown[]).map((part) => (typeof part === 'string' ? part : '-')).join('');
  return JSON.parse(text);
}

const cases: [string, Settings, boolean][] = [
  ['without an issuer', {}, true],
  ['with one', { signIn: issuer, roles: { owner: { groups: ['ops'] } }, publicMap: 'names' }, false],
];
for (const [name, settings, pool] of cases)
  test(`${name}: a user pool ${pool ? 'is' : 'is not'} made, and no resource depends on itself`, () => {
    const resources = resourcesOf(synthesise(settings).stack);
    const types = Object.values(resources).map(({ Type }) => Type);
    assert.equal(types.includes('AWS::Cognito::UserPool'), pool);
    const { signIn, rules, publicUrl } = accessIn(resources);
    assert.match(publicUrl ?? '', /^https:\/\//);
    assert.ok(signIn && 'issuer' in signIn);
    assert.deepEqual(rules.roles.owner, pool ? { 'cognito:groups': ['owner'] } : { groups: ['ops'] });
    for (const { Type, Properties } of Object.values(resources)) {
      if (Type === 'AWS::Cognito::UserPool')
        assert.equal(Properties.AdminCreateUserConfig.AllowAdminCreateUserOnly, true);
      if (Type === 'AWS::Cognito::UserPoolClient') assert.deepEqual(Properties.AllowedOAuthFlows, ['code']);
    }

    const waiting = new Set<string>();
    const done = new Set<string>();
    const visit = (id: string) => {
      assert.ok(!waiting.has(id), `${id} depends on itself: ${[...waiting].join(' -> ')}`);
      if (done.has(id) || !resources[id]) return;
      waiting.add(id);
      for (const other of new Set(references(resources[id]))) visit(other);
      waiting.delete(id);
      done.add(id);
    };
    for (const id of Object.keys(resources)) visit(id);
  });

test('tiles are served by the function without sign-in only if everyone may see names', () => {
  const target = (settings: Settings) => {
    const resources = resourcesOf(synthesise(settings).stack);
    const route = Object.values(resources).find(({ Properties }) => Properties?.RouteKey === 'GET /v1/tiles/{proxy+}');
    const integration = /Integrations?\w*|Api\w+/.exec(JSON.stringify(route?.Properties.Target))?.[0] ?? '';
    return integration;
  };
  assert.match(target({ publicMap: 'names' }), /Tiles/);
  for (const settings of [{}, { publicMap: false } as const]) assert.doesNotMatch(target(settings), /Tiles\w*$/);
});
