import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { fixOf } from '../../../infra/tools/errors.ts';

test('an error of AWS or of the flags says how to fix it', () => {
  const rows: [name: string, message: string, fix: RegExp][] = [
    ['Error', 'Region is missing', /^: set AWS_REGION/],
    ['CredentialsProviderError', 'Could not load credentials', /^: run aws configure sso, or set AWS_PROFILE$/],
    ['ValidationError', 'Stack with id Mine does not exist', /^: name another with --stack NAME/],
    ['AccessDenied', 'not allowed', /^$/],
  ];
  for (const [name, message, fix] of rows) assert.match(fixOf(Object.assign(new Error(message), { name })), fix);
});

/** Runs a tool without any settings of AWS. */
function run(tool: string, args: string[], environment: Record<string, string> = {}) {
  const file = join(import.meta.dirname, '../../../infra/tools', `${tool}.ts`);
  const nowhere = { AWS_CONFIG_FILE: '/dev/null', AWS_SHARED_CREDENTIALS_FILE: '/dev/null' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [file, ...args], {
    env: { AWS_EC2_METADATA_DISABLED: 'true', ...nowhere, ...environment },
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

test('each tool that reads a stack ends with one line if region or credentials are missing, or a flag is wrong', {
  timeout: 60_000,
}, () => {
  const tools: [tool: string, ...args: string[]][] = [
    ['recount'],
    ['restore', '--to', '2026-11-28T12:00:00Z'],
    ['restore', '--resume'],
    ['destroy'],
    ['verify', '--stack', 'Mine'],
  ];
  for (const [tool, ...args] of tools) {
    const unset = run(tool, args);
    assert.equal(unset.status, 1, tool);
    assert.match(unset.output, /^.*Region is missing: set AWS_REGION.*\n$/, tool);
    const refused = run(tool, args, { AWS_REGION: 'eu-west-1' });
    assert.equal(refused.status, 1, tool);
    assert.match(refused.output, /^.*credentials.*: run aws configure sso.*\n$/, tool);
  }
  for (const tool of ['recount', 'restore'])
    assert.match(run(tool, ['--bogus']).output, /^Unknown option '--bogus'.*\n$/, tool);
});
