import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unread } from '../../../infra/tools/destroy.ts';

test('what keeps npm run destroy from reading the stack is said with its mend', () => {
  const rows: [string, string, RegExp][] = [
    ['Error', 'Region is missing', /^Mine can not be read: Region is missing: set AWS_REGION/],
    ['CredentialsProviderError', 'Could not load credentials', /: run aws configure sso, or set AWS_PROFILE$/],
    ['ValidationError', 'Stack with id Mine does not exist', /: name another with -c stackName=NAME/],
    ['AccessDenied', 'not allowed', /^Mine can not be read: not allowed$/],
  ];
  for (const [name, message, says] of rows)
    assert.match(unread('Mine', Object.assign(new Error(message), { name })), says);
});
