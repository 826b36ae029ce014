// The package as a stranger has it: packed, installed into an empty folder without a development dependency, run by the
// oldest Node it takes; and as a library of other CDK apps.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Template } from 'aws-cdk-lib/assertions';
import { brought, isAllowed } from '../infra/tools/licences.ts';
import { installedNames } from '../infra/tools/package.ts';
import { dataFolder, eventually } from './support/run.ts';
import { synthesise } from './support/synthesise.ts';

const root = join(import.meta.dirname, '..');
const run = promisify(execFile);
/** The first of Node 22 that the package takes; its newest is what npm has. */
const oldest = '22.23.5';

const bytesOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);

function json(folder: string, name: string, content: object): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), JSON.stringify(content));
}

test('texts name commands as the package has them', () => {
  for (const [here, there] of [
    ['usage: npm start -- [flags]', 'usage: whalewatch start [flags]'],
    ['npm run token -- --name ci', 'whalewatch token --name ci'],
    ['npm run export [-- --data DIR]', 'whalewatch export [--data DIR]'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the source of a template
    ['npm run ${name} [-- --data DIR]', 'whalewatch ${name} [--data DIR]'],
    ['run npm run train, then', 'run whalewatch train, then'],
    ['npm run trainer', 'npm run trainer'],
    ['npm run restore:aws', 'npm run restore:aws'],
    ['npm run deploy -- -c keepDays=3', 'npm run deploy -- -c keepDays=3'],
  ])
    assert.equal(installedNames(here), there);
});

test('the licence of everything that the package brings is allowed', () => {
  const all = brought();
  assert.ok(all.length > 50, String(all.length));
  assert.deepEqual(
    all.filter(({ licence }) => !isAllowed(licence)),
    [],
  );
  assert.equal(isAllowed('GPL-3.0'), false);
  assert.equal(isAllowed('(GPL-3.0 OR MIT)'), true);
  assert.equal(isAllowed('MIT AND GPL-3.0'), false);
});

describe('packed', () => {
  let cleanUp: () => void = () => {};
  const folder = dataFolder({
    after: (work) => {
      cleanUp = work;
    },
  });
  process.on('exit', () => cleanUp());
  const app = join(folder, 'app');
  const installed = join(app, 'node_modules');
  let tarball: string;
  let node: string;

  const npm = (args: string[], cwd: string) =>
    run('npm', [...args, '--no-audit', '--no-fund', '--prefer-offline'], { cwd });
  /** What of npm is not the package's. */
  const bare = () => ({ PATH: `${dirname(node)}:/usr/bin:/bin`, HOME: folder });

  before(async () => {
    const { stdout } = await run('npm', ['pack', '--pack-destination', folder], { cwd: root, maxBuffer: 1e8 });
    tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
    json(app, 'package.json', { private: true });
    json(join(folder, 'node'), 'package.json', { private: true });
    const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
    await npm(['install', tarball], app);
    await npm(['install', `${platform}@${oldest}`], join(folder, 'node'));
    node = join(folder, 'node/node_modules', platform, 'bin/node');
  });

  test('it is installed with its dependencies alone, in under 150 MB', (t) => {
    const bytes = bytesOf(installed);
    t.diagnostic(`tarball ${(statSync(tarball).size / 1e6).toFixed(1)} MB, installed ${(bytes / 1e6).toFixed(1)} MB`);
    assert.ok(bytes < 150e6, `${bytes} bytes`);
    for (const name of ['typescript', 'esbuild', 'vite', 'aws-cdk-lib', '@aws-sdk', '@ip-location-db'])
      assert.equal(existsSync(join(installed, name)), false, name);
    const files = readdirSync(join(installed, 'whalewatch'), { recursive: true, encoding: 'utf8' });
    assert.deepEqual(
      files.filter((name) => name.startsWith('node_modules') || /(^|[^d])\.ts$/.test(name) || name.includes('test')),
      [],
    );
    for (const name of ['README.md', 'LICENSE', 'docs/team.md', 'dist/LICENCES.md'])
      assert.ok(files.includes(name), name);
  });

  test('Node 22 starts it, an event goes through, and SIGTERM ends it cleanly; nothing is written into it', async (t) => {
    const data = dataFolder(t);
    const before = bytesOf(installed);
    const server = spawn(join(installed, '.bin/whalewatch'), ['start', '--port', '0', '--data', data], {
      cwd: folder,
      env: bare(),
    });
    t.after(() => server.kill('SIGKILL'));
    let output = '';
    for (const stream of [server.stdout, server.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    const ended = new Promise((resolve) => server.on('exit', (code) => resolve(code)));
    const [, origin] = await eventually(
      60,
      async () => /^ready (http\S+)$/m.exec(output) ?? assert.fail(output),
      () => true,
    );
    const token = readFileSync(join(data, 'token'), 'utf8').trim();
    const digest = `sha256:${'1'.repeat(64)}`;
    const target = {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest,
      repository: 'team/app',
      tag: 'v1',
    };
    const event = { id: '1', timestamp: new Date().toISOString(), action: 'pull', target, actor: { name: 'ann' } };
    const request = { id: 'r', method: 'GET', useragent: 'docker/27' };
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const post = (path: string, body: unknown, more = {}) =>
      fetch(origin + path, { method: 'POST', headers: { ...headers, ...more }, body: JSON.stringify(body) });
    assert.equal((await post('/v1/registry-events', { events: [{ ...event, request }] })).status, 202);
    const hit = await post('/v1/hits', { domain: 'portal.example' }, { 'X-Forwarded-For': '81.2.69.142' });
    assert.equal(hit.status, 202);
    const read = async (path: string) =>
      (await (await fetch(origin + path)).json()) as { items: { repository: string }[] };
    await eventually(
      30,
      () => read('/v1/history?user=ann'),
      ({ items }) => items[0]?.repository === 'team/app',
    );
    await eventually(
      30,
      async () => (await fetch(`${origin}/points.json`)).text(),
      (points) => points.includes('"portal.example"'),
    );
    // The pages are built, and so is what they load.
    const page = await (await fetch(`${origin}/people`)).text();
    const [, script] = /src="\.?(\/assets\/[^"]+\.js)"/.exec(page) ?? assert.fail(page);
    assert.equal((await fetch(origin + script)).status, 200);
    assert.equal((await fetch(`${origin}/v1/users?user=ann`, { method: 'DELETE' })).status, 200);
    server.kill('SIGTERM');
    assert.equal(await ended, 0, output);
    assert.match(output, /^stopping: /m);
    assert.doesNotMatch(output, /Warning|Error|npm (run|start)/);
    assert.equal(bytesOf(installed), before);
  });

  test('each command explains itself, by its own name', () => {
    const whalewatch = (...args: string[]) =>
      spawnSync(join(installed, '.bin/whalewatch'), args, { cwd: folder, env: bare(), encoding: 'utf8' });
    const help = whalewatch('--help');
    assert.equal(help.status, 0);
    const commands = [...help.stdout.matchAll(/^ {2}([a-z-]+) {2,}\S/gm)].map(([, name]) => name);
    assert.ok(commands.length >= 11, help.stdout);
    for (const command of commands) {
      const { status, stdout, stderr } = whalewatch(command, '--help');
      assert.equal(status, 0, `${command}: ${stderr}`);
      assert.match(stdout, new RegExp(`usage: whalewatch ${command}|whalewatch ${command} `), command);
      assert.doesNotMatch(stdout + stderr, /npm (run|start)|Warning/, command);
    }
    const wrong = whalewatch('starts');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /^there is no command "starts"\n\nusage: /);
    assert.equal(
      whalewatch('--version').stdout,
      `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`,
    );
  });

  test('the image runs it as nobody of note, and its health check finds it alive', {
    skip: spawnSync('buildah', ['--version']).error && 'buildah is not installed',
  }, async (t) => {
    const place = dataFolder(t);
    const buildah = (...args: string[]) => [
      ...['--storage-driver', 'vfs', '--root', join(place, 'storage'), '--runroot', join(place, 'run')],
      ...args,
    ];
    const build = (...args: string[]) =>
      run('buildah', buildah('build', '--isolation', 'chroot', '--format', 'docker', ...args), { maxBuffer: 1e8 });
    // The base is made here, of this machine's Node, npm and shell: no registry of images is asked.
    const base = join(place, 'base');
    const copy = (file: string, to = file) => {
      mkdirSync(dirname(join(base, to)), { recursive: true });
      execFileSync('cp', ['-rL', file, join(base, to)]);
    };
    const programs = {
      '/bin/sh': '/bin/sh',
      '/bin/mkdir': '/bin/mkdir',
      '/usr/bin/env': '/usr/bin/env',
      [process.execPath]: '/usr/bin/node',
    };
    for (const [file, to] of Object.entries(programs)) {
      copy(file, to);
      for (const [library] of execFileSync('ldd', [file], { encoding: 'utf8' }).matchAll(/\/\S+/g))
        if (!existsSync(join(base, library))) copy(library);
    }
    const npmFolder = join(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())), '..');
    copy(npmFolder, '/usr/lib/node_modules/npm');
    writeFileSync(join(base, 'usr/bin/npm'), '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n', {
      mode: 0o755,
    });
    const registry = execFileSync('npm', ['config', 'get', 'registry'], { cwd: folder, encoding: 'utf8' }).trim();
    writeFileSync(join(base, 'usr/lib/node_modules/npm/npmrc'), `registry=${registry}\n`);
    const certificates = process.env.NODE_EXTRA_CA_CERTS;
    if (certificates) copy(certificates, '/certificates.crt');
    mkdirSync(join(base, 'etc'), { recursive: true });
    writeFileSync(join(base, 'etc/passwd'), 'root:x:0:0::/root:/bin/sh\n');
    mkdirSync(join(base, 'tmp'));
    const environment = `PATH=/usr/bin:/bin${certificates ? ' NODE_EXTRA_CA_CERTS=/certificates.crt' : ''}`;
    writeFileSync(join(place, 'Base'), `FROM scratch\nCOPY . /\nENV ${environment}\n`);
    await build('-t', 'base', '-f', join(place, 'Base'), base);

    const context = join(place, 'context');
    mkdirSync(context);
    execFileSync('cp', [tarball, context]);
    await build('--build-arg', 'NODE=localhost/base', '-t', 'whalewatch', '-f', join(root, 'Dockerfile'), context);
    const container = (await run('buildah', buildah('from', 'localhost/whalewatch'))).stdout.trim();
    const { Docker } = JSON.parse((await run('buildah', buildah('inspect', container), { maxBuffer: 1e8 })).stdout);
    const { User, Healthcheck, Entrypoint, Cmd } = Docker.config;
    assert.equal(User, '65532:65532');

    const port = 20_000 + (process.pid % 20_000);
    const settings = [
      `WHALEWATCH_PORT=${port}`,
      'WHALEWATCH_EVERYONE=public',
      `WHALEWATCH_PUBLIC_URL=http://127.0.0.1:${port}`,
    ];
    const inside = (...command: string[]) =>
      buildah(
        'run',
        '--isolation',
        'chroot',
        ...settings.flatMap((one) => ['--env', one]),
        container,
        '--',
        ...command,
      );
    const server = spawn('buildah', inside(...Entrypoint, ...Cmd), { detached: true });
    t.after(() => server.exitCode === null && process.kill(-Number(server.pid), 'SIGKILL'));
    let output = '';
    for (const stream of [server.stdout, server.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    await eventually(
      60,
      async () => output,
      (text) => /^ready /m.test(text),
    );
    const [, ...check] = Healthcheck.Test as string[];
    const healthy = (to: number) =>
      run('buildah', inside(...check.map((part) => part.replace('8080', String(to))))).then(
        () => true,
        () => false,
      );
    assert.equal(await healthy(port), true);
    assert.equal(await healthy(9), false);
    const written = await run(
      'buildah',
      inside('node', '-p', "process.getuid() + ' ' + require('node:fs').readdirSync('/data').includes('events.db')"),
    );
    assert.equal(written.stdout.trim(), '65532 true');
  });

  test('another CDK app synthesises it: JavaScript and TypeScript, CommonJS and ESM', async () => {
    // CDK is the app's own; here it is this project's.
    for (const name of ['aws-cdk-lib', 'constructs', '@types/node'])
      if (!existsSync(join(installed, name))) {
        mkdirSync(dirname(join(installed, name)), { recursive: true });
        symlinkSync(join(root, 'node_modules', name), join(installed, name));
      }
    const body = (types: boolean) => `
const app = new App();
const stack = new Stack(app, 'Theirs', { env: { account: '123456789012', region: 'eu-west-1' } });
const settings${types ? ': Settings' : ''} = { keepDays: 14, rules: [{ name: 'all', when: 'pushed', repository: '*' }] };
const whales = new Whalewatch(stack, 'Whales', settings);
console.log(JSON.stringify({ folder: app.synth().directory, site: whales.site }));
`;
    const esm = "import { App, Stack } from 'aws-cdk-lib';\nimport { Whalewatch } from 'whalewatch';\n";
    const cjs = "const { App, Stack } = require('aws-cdk-lib');\nconst { Whalewatch } = require('whalewatch');\n";
    const typed =
      "import { App, Stack } from 'aws-cdk-lib';\nimport { type Settings, Whalewatch } from 'whalewatch';\n";
    const wrong = "\n// @ts-expect-error: a number\nnew Whalewatch(stack, 'Wrong', { keepDays: 'x' });\n";
    for (const [name, text] of Object.entries({
      'js.mjs': esm + body(false),
      'js.cjs': cjs + body(false),
      'ts.mts': typed + body(true),
      'ts.cts': typed + body(true),
    }))
      writeFileSync(join(app, name), text);
    for (const kind of ['mts', 'cts']) writeFileSync(join(app, `wrong.${kind}`), typed + body(true) + wrong);
    // The settings of the package are those of the source, in both directions.
    const source = JSON.stringify(join(root, 'settings/schema.ts'));
    writeFileSync(
      join(app, 'same.mts'),
      `import type { Settings } from 'whalewatch';\nimport type { Settings as Source } from ${source};
export const there = (settings: Source): Settings => settings;\nexport const back = (settings: Settings): Source => settings;\n`,
    );
    const options = { module: 'nodenext', target: 'es2024', strict: true, skipLibCheck: true, types: ['node'] };
    const program = { include: [], files: ['ts.mts', 'ts.cts', 'wrong.mts', 'wrong.cts', 'same.mts'] };
    json(app, 'tsconfig.json', {
      compilerOptions: { ...options, noEmit: true, allowImportingTsExtensions: true },
      ...program,
    });
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    const checked = spawnSync(process.execPath, [tsc, '-p', app], { encoding: 'utf8' });
    assert.equal(checked.status, 0, checked.stdout);
    json(app, 'tsconfig.json', { compilerOptions: options, include: [], files: ['ts.mts', 'ts.cts'] });
    execFileSync(process.execPath, [tsc, '-p', app]);

    const expected = Template.fromStack(
      synthesise({ keepDays: 14, rules: [{ name: 'all', when: 'pushed', repository: '*' }] }).stack,
    ).toJSON() as { Resources: Record<string, { Type: string }> };
    const types = ({ Resources }: { Resources: Record<string, { Type: string }> }) =>
      Object.values(Resources)
        .map(({ Type }) => Type)
        .sort();
    for (const name of ['js.mjs', 'js.cjs', 'ts.mjs', 'ts.cjs']) {
      const { stdout } = await run(node, [join(app, name)], {
        cwd: folder,
        // One of its own would be removed when the app ends.
        env: { ...bare(), CDK_OUTDIR: join(folder, `out ${name}`) },
      });
      const { folder: out, site } = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
      assert.ok(site, name);
      assert.deepEqual(
        types(JSON.parse(readFileSync(join(out, 'Theirs.template.json'), 'utf8'))),
        types(expected),
        name,
      );
      const assets = readdirSync(out, { recursive: true, encoding: 'utf8' });
      for (const file of ['index.mjs', 'index.html', 'dbip-city.bin'])
        assert.ok(
          assets.some((asset) => asset.endsWith(`/${file}`)),
          `${name} has no ${file}`,
        );
    }
  });
});
