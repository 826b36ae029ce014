import assert from 'node:assert/strict';
import { test } from 'node:test';
import { besides, unread } from '../../../infra/tools/destroy.ts';

test("if npm run destroy can't read the stack, it says why and how to fix it", () => {
  const rows: [string, string, RegExp][] = [
    ['Error', 'Region is missing', /^Mine can't be read: Region is missing: set AWS_REGION/],
    ['CredentialsProviderError', 'Could not load credentials', /: run aws configure sso, or set AWS_PROFILE$/],
    ['ValidationError', 'Stack with id Mine does not exist', /: name another with -c stackName=NAME/],
    ['AccessDenied', 'not allowed', /^Mine can't be read: not allowed$/],
  ];
  for (const [name, message, says] of rows)
    assert.match(unread('Mine', Object.assign(new Error(message), { name })), says);
});

test('tables and buckets in the setting `existing` are named, together with those they were restored from', () => {
  const template = (Variables: object) => ({
    Resources: { F: { Type: '', Properties: { Environment: { Variables } } } },
  });
  const own = { EVENTS_TABLE: { Ref: 'Events' }, CHECKPOINTS_TABLE: { Ref: 'Checkpoints' }, BUCKET: { Ref: 'Data' } };
  assert.deepEqual(besides(template(own)), { tables: [], buckets: [], restoredFrom: [] });
  const given = { EVENTS_TABLE: 'e-20261128120000-20261129120000', CHECKPOINTS_TABLE: 'c-1', BUCKET: 'data' };
  assert.deepEqual(besides(template(given)), {
    tables: ['c-1', 'e-20261128120000-20261129120000'],
    buckets: ['data'],
    restoredFrom: ['e', 'e-20261128120000'],
  });
});
