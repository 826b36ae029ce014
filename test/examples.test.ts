import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { parse as parseYaml } from 'yaml';
import dev from '../examples/aws/dev.config.ts';
import { buildPages } from '../web/build.ts';
import { freePort, notInstalled, writeImage } from './support/registry.ts';
import { dataFolder, eventually, startLocal, token } from './support/run.ts';
import { context, type Resource, resourcesOf, synthesise } from './support/synthesise.ts';

const examples = join(import.meta.dirname, '../examples');
const read = (name: string) => readFileSync(join(examples, name), 'utf8');

/**
 * Runs a CDK app as its command does, but without CDK's own validation: test/infra/findings.test.ts runs that with the
 * same settings.
 */
function synthesiseBy(app: string, out: string, more = {}) {
  const env = { CDK_OUTDIR: out, CDK_VALIDATION: 'false', CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...more }) };
  execFileSync(process.execPath, [app], { env: { ...process.env, ...env }, stdio: 'pipe' });
}

test('examples/cdk: the construct works in another app', { timeout: 120_000 }, (t) => {
  const out = dataFolder(t);
  synthesiseBy(join(examples, 'cdk/app.ts'), out);
  const template = JSON.parse(readFileSync(join(out, 'Platform.template.json'), 'utf8'));
  const types = Object.values<{ Type: string }>(template.Resources).map(({ Type }) => Type);
  assert.ok(types.includes('AWS::Kinesis::Stream'));
  assert.ok(JSON.stringify(template.Outputs.RegistryWebhook.Value).includes('/v1/registry-events'));
});

const example = (name: string) => join(examples, 'aws', name);
const onAws = (name: string) => readFileSync(example(name), 'utf8');

/** How many days each log group keeps logs, from the settings of the environment that its tag names. */
const logDays = { dev: 7, prod: 90 };

function assertLogs(resources: Record<string, Resource>, environment: keyof typeof logDays) {
  const logs = Object.values(resources).filter(({ Type }) => Type === 'AWS::Logs::LogGroup');
  assert.ok(logs.length > 0);
  for (const { Properties } of logs) {
    assert.equal(Properties.RetentionInDays, logDays[environment]);
    const tag = Properties.Tags.find(({ Key }: { Key: string }) => Key === 'environment');
    assert.equal(tag.Value, environment);
  }
}

test('examples/aws: the app of the project takes the settings of prod', { timeout: 240_000 }, async (t) => {
  await buildPages();
  const out = dataFolder(t);
  synthesiseBy(join(examples, '../infra/app.ts'), out, { config: 'examples/aws/prod.config.ts' });
  assertLogs(JSON.parse(readFileSync(join(out, 'Whalewatch.template.json'), 'utf8')).Resources, 'prod');
});

test('examples/aws: the settings of dev synthesise', () => {
  assertLogs(resourcesOf(synthesise(dev).stack), 'dev');
});

test('a missing file of settings is named', () => {
  const context = JSON.stringify({ config: 'whalewatch.porduction.ts' });
  const { status, stderr } = spawnSync(process.execPath, [join(examples, '../infra/app.ts')], {
    env: { ...process.env, CDK_CONTEXT_JSON: context },
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(stderr, /^-c config is "whalewatch\.porduction\.ts": must be a file of settings/);
});

test('examples/aws: the workflow calls scripts, flags and files that exist, and holds no key', () => {
  const { jobs, permissions, env } = parseYaml(onAws('deploy.yml'));
  assert.equal(permissions['id-token'], 'write');
  assert.ok(existsSync(join(examples, '..', env.CONFIG)), env.CONFIG);
  const { scripts } = JSON.parse(readFileSync(join(examples, '../package.json'), 'utf8'));
  const steps = Object.values<{ steps: { run?: string; uses?: string }[] }>(jobs).flatMap(({ steps }) => steps);
  const runs = steps.flatMap(({ run }) => run ?? []);
  for (const [, script] of runs.join('\n').matchAll(/npm run ([\w:-]+)/g)) assert.ok(scripts[script], script);
  for (const needed of ['--diff', '--yes', 'verify -- --stack', 'cdk drift'])
    assert.ok(
      runs.some((run) => run.includes(needed)),
      needed,
    );
  // The flags are ones that the tools know.
  for (const [tool, pattern] of [
    ['deploy', /npm run deploy -- ([^\n]*)/g],
    ['verify', /npm run verify -- ([^\n]*)/g],
  ] as const) {
    const { stdout } = spawnSync(process.execPath, [join(examples, `../infra/tools/${tool}.ts`), '--help'], {
      encoding: 'utf8',
    });
    for (const [, flags] of runs.join('\n').matchAll(pattern))
      for (const [flag] of flags.matchAll(/--[a-z-]+/g)) assert.ok(stdout.includes(flag), `${tool} ${flag}`);
  }
  assert.doesNotMatch(onAws('deploy.yml'), /AKIA|aws-access-key-id|secrets\./);
});

test("examples/portal: a sign-in is counted as a hit at the visitor's location, and the portal also works without Whalewatch", {
  timeout: 60_000,
}, async (t) => {
  const running = await startLocal(dataFolder(t), ['--export-every', '0.5']);
  t.after(() => running.kill());
  const portal = spawn(process.execPath, [join(examples, 'portal/server.mjs')], {
    env: { ...process.env, PORT: '0', WHALEWATCH_URL: running.origin },
  });
  t.after(() => portal.kill());
  const [, origin] = await new Promise<string[]>((resolve) =>
    portal.stdout.on('data', (text) => {
      const found = /portal (\S+)/.exec(String(text));
      if (found) resolve(found);
    }),
  );
  assert.equal(await (await fetch(`${origin}/login`)).text(), 'signed in\n');
  const actions = () => running.get<{ items: { key: string; hits: number }[] }>('/v1/hits?by=action');
  const { items } = await eventually(20, actions, ({ items }) => items.length > 0);
  assert.deepEqual(
    items.map(({ key, hits }) => ({ key, hits })),
    [{ key: 'login', hits: 1 }],
  );
  await running.kill();
  assert.equal(await (await fetch(`${origin}/login`)).text(), 'signed in\n');
});

const missing = notInstalled('docker-registry', 'skopeo');
test('examples/registry: pushes to a registry with this configuration are counted', {
  timeout: 60_000,
  skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
}, async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(join(folder, 'data'));
  t.after(() => running.kill());
  const port = await freePort();
  const changed = read('registry/config.yml')
    .replace('127.0.0.1:5000', `127.0.0.1:${port}`)
    .replace('http://127.0.0.1:8080', running.origin)
    .replace('Bearer TOKEN', `Bearer ${token}`);
  writeFileSync(join(folder, 'config.yml'), changed);
  const registry = spawn('docker-registry', ['serve', 'config.yml'], { cwd: folder, stdio: 'ignore' });
  t.after(() => registry.kill());
  await eventually(
    20,
    () => fetch(`http://127.0.0.1:${port}/v2/`),
    ({ ok }) => ok,
  );
  writeImage(join(folder, 'image'), ['amd64']);
  const target = `docker://127.0.0.1:${port}/team/app:1`;
  const copy = ['copy', '--insecure-policy', '--dest-tls-verify=false', `oci:${join(folder, 'image')}:made`, target];
  await promisify(execFile)('skopeo', copy);
  const pulls = () => running.get<{ total: { pushes: number } }>('/v1/pulls?repository=team/app');
  await eventually(20, pulls, ({ total }) => total.pushes === 1);
});

test('every example is listed, and the README shows the tested registry configuration', () => {
  const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) assert.ok(read('README.md').includes(`[${name}](`), name);
  const [notifications] = /^notifications:\n(?: .*\n)+/m.exec(read('registry/config.yml')) as RegExpExecArray;
  const plain = (text: string) => text.replace(/ #.*$/gm, '');
  assert.ok(plain(readFileSync(join(examples, '../README.md'), 'utf8')).includes(plain(notifications)));
});
