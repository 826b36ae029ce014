// What cfn-lint, AWS's own linter, finds in the templates: nothing, in regions that offer different services.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { buildPages } from '../../web/build.ts';
import { configurations, regions, resourcesOf, synthesise } from '../support/synthesise.ts';

const root = join(import.meta.dirname, '../..');
const lint = join(root, '.venv/lint/bin/cfn-lint');
const skip = !existsSync(lint) && 'install cfn-lint with test/aws/install.sh';

/** Returns the output and exit status of cfn-lint. */
function linted(files: string[], flags: string[] = []): { stdout: string; status: number | null } {
  const all = [...flags, '--regions', 'eu-west-1', 'us-east-1', 'ap-southeast-2', '--', ...files];
  return spawnSync(lint, all, { encoding: 'utf8' });
}

test('cfn-lint finds nothing, with every trainer and collector', { skip }, async (t) => {
  await buildPages();
  const folder = mkdtempSync(join(tmpdir(), 'templates-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const files = (Object.keys(configurations) as (keyof typeof configurations)[]).map((name) => {
    const file = join(folder, `${name}.json`);
    const { stack } = synthesise(configurations[name], regions[name]);
    writeFileSync(file, JSON.stringify({ Resources: resourcesOf(stack) }));
    return file;
  });
  // W3005: CDK declares twice that a function depends on its role. W3010: CDK hard-codes the availability zones it
  // looked up.
  const { stdout, status } = linted(files, ['--ignore-checks', 'W3005,W3010']);
  assert.equal(stdout, '');
  assert.equal(status, 0);
});

test("examples/aws: cfn-lint finds nothing in the workflow's roles, which trust one repository", { skip }, () => {
  const roles = join(root, 'examples/aws/roles.yml');
  assert.equal(linted([roles, join(root, 'examples/aws/web-acl.yml')]).stdout, '');
  const text = readFileSync(roles, 'utf8');
  assert.match(text, /repo:\$\{Repository\}:environment:production/);
  assert.doesNotMatch(text, /sub: [^\n]*\*/);
});
