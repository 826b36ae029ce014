import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { freePort, notInstalled, writeImage } from './support/registry.ts';
import { dataFolder, eventually, startLocal, token } from './support/run.ts';

const examples = join(import.meta.dirname, '../examples');
const read = (name: string) => readFileSync(join(examples, name), 'utf8');

test('examples/cdk: the construct lies in another app', { timeout: 120_000 }, (t) => {
  const out = dataFolder(t);
  execFileSync(process.execPath, [join(examples, 'cdk/app.ts')], { env: { ...process.env, CDK_OUTDIR: out } });
  const template = JSON.parse(readFileSync(join(out, 'Platform.template.json'), 'utf8'));
  const types = Object.values<{ Type: string }>(template.Resources).map(({ Type }) => Type);
  assert.ok(types.includes('AWS::Kinesis::Stream'));
  assert.ok(JSON.stringify(template.Outputs.RegistryWebhook.Value).includes('/v1/registry-events'));
});

test('examples/portal: a sign-in is a hit from the visitor, and the portal serves without Whalewatch too', {
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
test('examples/registry: what is pushed to a registry with this configuration is counted', {
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

test('every example is listed, and the README shows the notifications of the registry as they are tested', () => {
  const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) assert.ok(read('README.md').includes(`[${name}](`), name);
  const [notifications] = /^notifications:\n(?: .*\n)+/m.exec(read('registry/config.yml')) as RegExpExecArray;
  const plain = (text: string) => text.replace(/ #.*$/gm, '');
  assert.ok(plain(readFileSync(join(examples, '../README.md'), 'utf8')).includes(plain(notifications)));
});
