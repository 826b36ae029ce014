import assert from 'node:assert/strict';
import { test } from 'node:test';
import { optionsOf } from '#collect/options.ts';

const variables = {
  ...{ REGISTRY_STREAM: 'registry', HITS_STREAM: 'hits', WEBHOOK_TOKEN_ID: 'token', CREDENTIALS_TABLE: 'table' },
  ...{ TRUSTED_PROXIES: '', ADDRESS_HEADER: 'X-Forwarded-For', NETWORKS: '{}', DOMAINS: '', REFUSE_HITS: 'false' },
  REGISTRIES: '[]',
};

test("collect's options come from the function's variables: lists may be empty, and only the word true refuses hits", () => {
  process.env.AWS_REGION = 'us-east-1';
  const none = optionsOf(variables);
  assert.deepEqual([none.trustedProxies, none.domains, none.refuseHits, none.networks], [[], [], false, {}]);
  const some = optionsOf({
    ...variables,
    ...{ TRUSTED_PROXIES: '192.0.2.0/24,loopback', DOMAINS: '*.example.com', REFUSE_HITS: 'true' },
    REGISTRIES: '[{"name":"east"}]',
  });
  assert.deepEqual(some.trustedProxies, ['192.0.2.0/24', 'loopback']);
  assert.deepEqual([some.domains, some.refuseHits], [['*.example.com'], true]);
  assert.deepEqual(some.senders?.registries, [{ name: 'east' }]);
});
