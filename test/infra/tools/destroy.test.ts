import assert from 'node:assert/strict';
import { test } from 'node:test';
import { besides } from '../../../infra/tools/destroy.ts';

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
