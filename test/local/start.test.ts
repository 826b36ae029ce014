import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { flags, secrets } from '#settings/read.ts';
import {
  dataFolder,
  eventually,
  type Running,
  runScript,
  runServer,
  serverSource,
  startLocal,
} from '../support/run.ts';

test('--help lists every flag and variable, and exits with 0', async () => {
  const { code, output } = await runServer(['--help']);
  assert.equal(code, 0);
  const variables = secrets.map(({ variable }) => variable);
  assert.ok(variables.includes('WHALEWATCH_MAIL_SERVER'));
  for (const name of [...flags.map(({ flag }) => `--${flag}`), '--config', ...variables])
    assert.match(output, new RegExp(`^  ${name} `, 'm'));
});

/** A server that the next tests share; the last of them stops it. */
const server = startLocal(dataFolder({ after }));
after(async () => (await server).kill());

test("it prints the page's address, the webhook with its token, the beacon, and one ready line", {
  timeout: 30_000,
}, async () => {
  const running = await server;
  const output = running.output();
  assert.ok(output.includes(`${running.origin}/v1/registry-events`));
  assert.ok(output.includes('Authorization: Bearer test-token'));
  assert.ok(output.includes(`<script defer src="${running.origin}/hit.js"></script>`));
  assert.equal(output.match(/^ready /gm)?.length, 1);
  for (const path of ['/', '/people', '/repositories', '/setup', '/health', '/hit.js'])
    assert.equal((await fetch(running.origin + path)).status, 200, path);
});

test('a port in use gives one clear line and exit 1', { timeout: 30_000 }, async (t) => {
  const { code, output } = await runServer(['--port', new URL((await server).origin).port, '--data', dataFolder(t)]);
  assert.equal(code, 1);
  assert.match(output, /^port \d+ is in use: give another with --port.*\n$/);
});

/** The threshold of a server's allocator, in its environment. */
const thresholdOf = ({ child }: Running) =>
  /MALLOC_MMAP_THRESHOLD_=(\d+)/.exec(readFileSync(`/proc/${child.pid}/environ`, 'utf8'))?.[1];

test('its allocator gives back what is freed, unless the owner has set it', {
  skip: process.platform !== 'linux',
  timeout: 60_000,
}, async (t) => {
  const own = await startLocal(dataFolder(t), [], { MALLOC_MMAP_THRESHOLD_: '4194304' });
  t.after(() => own.kill());
  assert.equal(thresholdOf(own), '4194304');
  assert.equal(thresholdOf(await server), '262144');
  for (const running of [own, await server]) assert.equal(await running.stop(), 0);
});

test('what is compiled and a generated token are kept for the next start, also if the server is killed', {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const cache = join(folder, 'compiled');
  const tokens: (string | undefined)[] = [];
  for (let n = 0; n < 2; n++) {
    const environment = { WHALEWATCH_TOKEN: '', NODE_COMPILE_CACHE: cache };
    const running = await startLocal(join(folder, 'data'), [], environment, serverSource);
    tokens.push(running.output().match(/Bearer (\S{20,})/)?.[1]);
    await eventually(
      20,
      async () => readdirSync(cache, { recursive: true }).length,
      (files) => files > 100,
    );
    await running.kill();
  }
  assert.ok(tokens[0]);
  assert.equal(tokens[0], tokens[1]);
});

test('a wrong setting or folder gives one clear line and exit 1', { timeout: 60_000 }, async (t) => {
  const folder = dataFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  type Row = [string[], RegExp];
  const rows: Row[] = [
    [['--data', join(file, 'sub')], /^--data .*file.* can't be used: .*\n$/],
    [['--data', file], /^--data .*file can't be used: .*\n$/],
    ...(process.platform === 'linux'
      ? [[['--data', '/proc/nowhere/data'], /^--data \/proc\/nowhere\/data can't be used: .*\n$/] satisfies Row]
      : []),
    [['--port', 'abc'], /^--port is "abc": must be an integer from 0 to 65535\n$/],
    [['--export-every', 'often'], /^--export-every is "often": must be a number.*\n$/],
    [['--colour', 'red'], /^Unknown option '--colour'.*See --help\.\n$/],
    [['--port', '-1'], /^--port is -1: must be an integer from 0 to 65535\n$/],
    [['--als', 'rank=ten'], /^--als\.rank is "ten": must be an integer from 1 to 4096\n$/],
    [['--als', 'rank=4,rank=5'], /^--als is "rank=4,rank=5": must be an object such as .*\n$/],
    [['--als', ''], /^--als is "": must be an object such as .*\n$/],
    [['--als', 'factors=9'], /^--als\.factors is not a setting: there are rank, iterations, lambda, alpha\n$/],
    [['--opensearch', 'nowhere'], /^--opensearch is "nowhere": must be a URL.*\n$/],
    [['--config', join(folder, 'none.ts')], /^--config .*none\.ts can't be read: .*\n$/],
    [
      ['--listen', '192.0.2.1', '--everyone', 'public', '--data', join(folder, 'new')],
      /^--listen 192\.0\.2\.1 can't be used: .*\n$/,
    ],
    [
      ['--listen', 'nowhere.invalid', '--everyone', 'public', '--data', join(folder, 'new')],
      /^--listen nowhere\.invalid can't be used: .*\n$/,
    ],
    [['--opensearch', 'http://127.0.0.1:9'], /^--opensearch http:\/\/127.0.0.1:9 does not respond: .*\n$/],
  ];
  for (const [args, line] of rows) {
    const { code, output } = await runServer(args);
    assert.equal(code, 1, args.join(' '));
    assert.match(output, line);
  }
});

test('each command explains itself, and names a data folder that was never used', { timeout: 60_000 }, async (t) => {
  const missing = join(dataFolder(t), 'nothere');
  for (const command of ['export', 'train', 'replay', 'pairs', 'tune']) {
    const asked = await runScript(`local/commands/${command}.ts`, ['--help']);
    assert.equal(asked.code, 0, command);
    assert.match(asked.output, new RegExp(`^usage: npm run ${command} `));
    const slip = await runScript(`local/commands/${command}.ts`, [
      '--data',
      missing,
      ...(command === 'pairs' ? [missing] : []),
    ]);
    assert.equal(slip.code, 1, command);
    assert.match(slip.output, /nothere holds no data: name the folder/);
    assert.ok(!existsSync(missing), command);
  }
});

const garbage = 'this is not what its name says. '.repeat(300);
/** What may lie at a name of the data folder instead of what the server put there. */
const harms: Record<string, (file: string) => void> = {
  garbage: (file) => writeFileSync(file, garbage),
  emptied: (file) => writeFileSync(file, ''),
  folder: (file) => mkdirSync(file),
  'dangling link': (file) => symlinkSync(join(file, 'nowhere'), file),
};

test('a damaged data folder gives one clear line that names the file, and exit 1', { timeout: 120_000 }, async (t) => {
  const rows: [file: string, ...harms: string[]][] = [
    ['token', 'garbage', 'emptied', 'folder', 'dangling link'],
    ['hold.db', 'garbage', 'folder'],
    ['events.db', 'garbage', 'folder', 'dangling link'],
    ['credentials.db', 'garbage', 'folder'],
    ['stream/key', 'garbage', 'emptied', 'folder', 'dangling link'],
    ['stream', 'garbage'],
    ['objects', 'emptied'],
    ['objects/index.db', 'folder'],
  ];
  const starts = rows.flatMap(([file, ...all]) => all.map((harm) => [file, harm] as const));
  for (let at = 0; at < starts.length; at += 3)
    await Promise.all(
      starts.slice(at, at + 3).map(async ([file, harm]) => {
        const folder = dataFolder(t);
        mkdirSync(dirname(join(folder, file)), { recursive: true });
        harms[harm](join(folder, file));
        const { code, output } = await runServer(['--port', '0', '--data', folder]);
        assert.equal(code, 1, `${file} ${harm}`);
        assert.match(output, /^[^\n]+\n$/, `${file} ${harm}`);
        assert.ok(output.includes(join(folder, file)), `${file} ${harm}: ${output}`);
      }),
    );
});
