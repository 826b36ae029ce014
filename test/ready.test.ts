import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolder } from './support/run.ts';

const root = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

test('a script that is run before npm ci says so in one line and stops', (t) => {
  const clone = dataFolder(t);
  cpSync(join(root, 'ready.cjs'), join(clone, 'ready.cjs'));
  for (const [name, command] of Object.entries(scripts)) {
    const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: clone, encoding: 'utf8' });
    assert.equal(status, 1, name);
    assert.equal(stdout + stderr, 'the packages are not installed: run npm ci first\n', name);
  }
});

test('a script that is run by an older Node says so in one line', (t) => {
  const clone = dataFolder(t);
  cpSync(join(root, 'ready.cjs'), join(clone, 'ready.cjs'));
  mkdirSync(join(clone, 'node_modules'));
  writeFileSync(join(clone, 'node_modules/.package-lock.json'), '{}');
  const run = (version: string) => {
    const older = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
    return spawnSync(process.execPath, ['-e', `${older}; require('./ready.cjs')`], { cwd: clone, encoding: 'utf8' });
  };
  assert.match(run('22.19.0').stderr, /^this is Node v\S+: npm scripts need the Node 24 that npm ci installs .*\n$/);
  assert.equal(run('24.0.0').status, 0);
});

test('a script keeps compiled code for its next run', (t) => {
  const clone = dataFolder(t);
  cpSync(join(root, 'ready.cjs'), join(clone, 'ready.cjs'));
  mkdirSync(join(clone, 'node_modules'));
  writeFileSync(join(clone, 'node_modules/.package-lock.json'), '{}');
  writeFileSync(join(clone, 'script.ts'), 'console.log(1 as number);');
  const { NODE_COMPILE_CACHE: _, ...env } = process.env;
  const run = () =>
    spawnSync(process.execPath, ['-r', './ready.cjs', 'script.ts'], { cwd: clone, encoding: 'utf8', env });
  const kept = () => readdirSync(join(clone, 'build/compile-cache'), { recursive: true }).length;
  assert.equal(run().stdout, '1\n');
  assert.ok(kept() > 1);
  // A folder that can't be made is no reason to fail.
  rmSync(join(clone, 'build'), { recursive: true });
  writeFileSync(join(clone, 'build'), '');
  assert.equal(run().stdout, '1\n');
});
