// What strangers, wrong clocks and full disks do to the real server: afterwards nothing is lost and nothing exposed.
// docs/faults.md is the table; it names the test of each fault, here or elsewhere.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { takeBackup } from '#local/stores/backup.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, serverFile, startLocal } from '../support/run.ts';

interface Health {
  status: string;
  reasons: string[];
  hits: number;
  registryEvents: number;
}

const root = join(import.meta.dirname, '../..');
const start = async (t: TestContext, folder: string, environment: Record<string, string> = {}) => {
  const running = await startLocal(folder, ['--export-every', '0.5'], environment);
  t.after(() => running.kill());
  return running;
};
const health = async ({ origin }: Running) => (await (await fetch(`${origin}/v1/health`)).json()) as Health;
const domain = (name: string) => ({ domain: `${name}.example` });

/** Mounts a disk of so many megabytes; undefined if this user may not mount. */
function smallDisk(t: TestContext, megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-disk-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  t.after(() => {
    execFileSync('umount', ['--lazy', folder]);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** Fills a disk to the last byte; returns a function that frees the space. */
function fill(folder: string): () => void {
  const file = join(folder, 'filler');
  const handle = openSync(file, 'w');
  for (const bytes of [1 << 20, 4096, 1])
    try {
      for (;;) writeFileSync(handle, Buffer.alloc(bytes));
    } catch {} // full
  // An open file keeps its space even when it is removed.
  closeSync(handle);
  return () => rmSync(file);
}

test('a backup onto a full disk says which disk is full, and leaves nothing', async (t) => {
  const disk = smallDisk(t, 1);
  if (!disk) return t.skip('only root may mount a disk');
  const folder = dataFolder(t);
  assert.equal(await (await start(t, folder)).stop(), 0);
  fill(disk);
  const to = join(disk, 'backup');
  await assert.rejects(takeBackup(folder, to, Date.now), {
    name: 'SettingError',
    message: `the disk of ${to} is full: make room for the backup, or name a folder on another`,
  });
  assert.deepEqual(readdirSync(disk), ['filler']);
});

test('with a full disk at the first start nothing is exposed, and the next start makes the token', async (t) => {
  const disk = smallDisk(t, 200);
  if (!disk) return t.skip('only root may mount a disk');
  const folder = join(disk, 'data');
  mkdirSync(folder);
  const makeRoom = fill(disk);
  const run = () =>
    spawn(process.execPath, [serverFile, '--port', '0', '--data', folder], {
      cwd: root,
      env: { ...process.env, WHALEWATCH_TOKEN: '' },
      stdio: 'ignore',
    });
  const code = await new Promise((resolve) => run().on('exit', resolve));
  assert.equal(code, 1);
  assert.ok(!existsSync(join(folder, 'token')), 'no partial token is left');
  makeRoom();
  const running = await start(t, folder, { WHALEWATCH_TOKEN: '' });
  assert.ok(readFileSync(join(folder, 'token'), 'utf8').trim().length >= 32);
  for (const Authorization of ['Bearer ', 'Bearer', 'Basic Og==', ''])
    assert.equal((await running.post('/v1/registry-events', { events: [] }, { Authorization })).status, 401);
});

for (const where of ['on it', 'elsewhere'])
  test(`when the disk fills up, with the log ${where}, requests get 503; later everything that was accepted is counted`, async (t) => {
    const disk = smallDisk(t, 96);
    if (!disk) return t.skip('only root may mount a disk');
    const folder = join(disk, 'data');
    const logFile = join(where === 'on it' ? disk : dataFolder(t), 'log');
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [serverFile, '--port', '0', '--data', folder, '--export-every', '0.5'], {
      cwd: root,
      env: { ...process.env, WHALEWATCH_TOKEN: 'test-token' },
      stdio: ['ignore', log, log],
    });
    t.after(() => child.kill('SIGKILL'));
    const origin = await eventually(
      60,
      async () => /^ready (http\S+)$/m.exec(readFileSync(logFile, 'utf8'))?.[1] ?? '',
      (found) => found !== '',
    );
    const post = async (path: string, body: unknown) => {
      const headers = { 'Content-Type': 'application/json', Authorization: 'Bearer test-token' };
      return fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
    };
    const accepted = { hits: 0, events: 0 };
    const refused = { hits: 0, events: 0 };
    const send = async () => {
      const hits = await post(
        '/v1/hits',
        Array.from({ length: 500 }, (_, n) => domain(`d${n % 20}`)),
      );
      if (hits.status === 202) accepted.hits += 500;
      else {
        assert.equal(hits.status, 503);
        refused.hits++;
      }
      const events = await post('/v1/registry-events', { events: [pullOf('ada', 'team/app')] });
      if (events.status === 202) accepted.events++;
      else {
        assert.equal(events.status, 503);
        assert.equal(events.headers.get('retry-after'), '2');
        refused.events++;
      }
    };
    await send();
    const makeRoom = fill(disk);
    for (let n = 0; n < 400 && (refused.hits === 0 || refused.events === 0); n++) await send();
    assert.ok(refused.hits > 0 && refused.events > 0, JSON.stringify({ accepted, refused }));
    const read = async () => (await (await fetch(`${origin}/v1/health`)).json()) as Health;
    const ill = await eventually(20, read, ({ reasons }) => reasons?.some((reason) => reason.includes('the disk of')));
    assert.equal(ill.status, 'unhealthy');
    assert.equal(child.exitCode, null, 'no write error ended the process');
    makeRoom();
    await send();
    await eventually(
      60,
      read,
      ({ hits, registryEvents }) => hits === accepted.hits && registryEvents === accepted.events,
    );
    if (where === 'elsewhere') assert.match(readFileSync(logFile, 'utf8'), /full|disk/, 'the log says why');
  });

test("the server survives the end of its log's reader", async (t) => {
  const running = await start(t, dataFolder(t));
  running.child.stdout?.destroy();
  running.child.stderr?.destroy();
  // An alert that can't be posted and a body that can't be read each write a log line.
  for (let n = 0; n < 20; n++) {
    await running.post('/v1/registry-events', 'broken');
    await fetch(`${running.origin}/v1/hits`, { method: 'POST', body: '{' });
  }
  assert.equal((await running.post('/v1/hits', domain('a'))).status, 202);
  await eventually(
    30,
    () => health(running),
    ({ hits }) => hits === 1,
  );
  assert.equal(running.child.exitCode, null);
});

test('after a minute of SIGSTOP under traffic, unanswered requests are sent again and everything is counted once', {
  timeout: 240_000,
}, async (t) => {
  const running = await start(t, dataFolder(t));
  // Longer than the request timeout: the server ends requests that it had begun to read.
  const send = async (n: number): Promise<void> => {
    const answer = await running.post('/v1/hits', { ...domain('a'), id: `one-${n}` }).catch(() => undefined);
    if (answer?.status === 202) return;
    if (answer) assert.equal(answer.status, 408);
    return send(n);
  };
  const report = async (n: number): Promise<void> => {
    const events = [pullOf('ada', 'team/app', { id: `pull-${n}`, n })];
    const answer = await running.post('/v1/registry-events', { events }).catch(() => undefined);
    if (answer?.status === 202) return;
    if (answer) assert.equal(answer.status, 408);
    return report(n);
  };
  const sent: Promise<void>[] = [];
  const sendSome = () => {
    for (let n = 0; n < 10; n++) sent.push(send(sent.length), report(sent.length));
  };
  sendSome();
  running.child.kill('SIGSTOP');
  sendSome();
  await new Promise((resolve) => setTimeout(resolve, 60_000));
  sendSome();
  running.child.kill('SIGCONT');
  await Promise.all(sent);
  await eventually(
    60,
    () => health(running),
    ({ hits, status }) => hits === 30 && status === 'ok',
  );
  await eventually(
    60,
    () => running.get<{ total: { pulls: number } }>('/v1/pulls'),
    ({ total }) => total.pulls === 30,
  );
});

/** A raw connection from one of this machine's own addresses. */
function raw(origin: string, localAddress = '127.0.0.1'): Promise<Socket> {
  const { port, hostname } = new URL(origin);
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: hostname, localAddress });
    socket.on('error', () => resolve(socket)).on('connect', () => resolve(socket));
  });
}
const closed = (socket: Socket) =>
  new Promise<void>((resolve) => (socket.destroyed ? resolve() : socket.once('close', resolve)));

test('slow headers, slow bodies and countless connections do not affect others', {
  timeout: 120_000,
}, async (t) => {
  const running = await start(t, dataFolder(t));
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  const slowHead = await raw(running.origin);
  slowHead.write('POST /v1/hits HTTP/1.1\r\nHost: 127.0.0.1\r\n');
  const slowBody = await raw(running.origin);
  slowBody.write(
    'POST /v1/hits HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
  );
  const drip = setInterval(() => {
    slowHead.write('X-More: 1\r\n');
    slowBody.write(' ');
  }, 1000);
  t.after(() => clearInterval(drip));
  // More connections than one address may have; another address is served meanwhile.
  for (let n = 0; n < 1100; n++) sockets.push(await raw(running.origin, '127.0.0.2'));
  await eventually(
    20,
    async () => sockets.filter((socket) => socket.destroyed || socket.readyState === 'closed').length,
    (gone) => gone >= 90,
  );
  assert.equal((await running.post('/v1/hits', domain('a'))).status, 202);
  await Promise.all([closed(slowHead), closed(slowBody)]);
  assert.equal((await running.post('/v1/hits', domain('a'))).status, 202);
  await eventually(
    30,
    () => health(running),
    ({ hits }) => hits === 2,
  );
});

test('during ten thousand connections from thirteen addresses, notifications and hits of others are accepted', {
  timeout: 240_000,
}, async (t) => {
  const running = await start(t, dataFolder(t));
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (let n = 0; n < 10_000; n += 50)
    sockets.push(
      ...(await Promise.all(
        Array.from({ length: 50 }, (_, more) => raw(running.origin, `127.0.1.${1 + ((n + more) % 13)}`)),
      )),
    );
  const left = () => sockets.filter((socket) => !socket.destroyed && socket.readyState === 'open').length;
  await eventually(
    30,
    async () => left(),
    (open) => open <= 4000,
  );
  for (let n = 0; n < 20; n++) {
    // Each request has its own connection: no earlier one is kept alive.
    const headers = { Connection: 'close' };
    assert.equal((await running.post('/v1/hits', domain('a'), headers)).status, 202);
    const events = [pullOf('ada', 'team/app', { id: `pull-${n}`, n })];
    assert.equal((await running.post('/v1/registry-events', { events }, headers)).status, 202);
  }
  await eventually(
    60,
    () => health(running),
    ({ hits, registryEvents }) => hits === 20 && registryEvents === 20,
  );
});

/** A disk whose file system goes read-only at its first error, as most are set up; undefined where this user may mount none. */
function carefulDisk(t: TestContext): { folder: string; fail(): void; repair(): void } | undefined {
  const work = mkdtempSync(join(tmpdir(), 'whalewatch-disk-'));
  const [image, folder] = [join(work, 'image'), join(work, 'mounted')];
  const run = (command: string, ...args: string[]) => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
  const mount = () => run('mount', '-o', 'loop,errors=remount-ro', image, folder);
  mkdirSync(folder);
  try {
    // Sparse: some megabytes of it are taken.
    run('truncate', '--size', '1G', image);
    run('mkfs.ext4', '-q', image);
    mount();
  } catch {
    rmSync(work, { recursive: true });
    return undefined;
  }
  t.after(() => {
    run('umount', '--lazy', folder);
    rmSync(work, { recursive: true, force: true });
  });
  const device = basename(run('findmnt', '--noheadings', '--output', 'SOURCE', folder).trim());
  return {
    folder,
    fail: () => writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1'),
    // The kernel lets nobody write to it before it was unmounted.
    repair() {
      run('umount', folder);
      // 1: it mended something.
      assert.ok(spawnSync('e2fsck', ['-fp', image]).status! <= 1);
      mount();
    },
  };
}

test('a disk that goes read-only: 503, reads go on, and all that was accepted is counted once it is repaired', {
  timeout: 180_000,
}, async (t) => {
  const disk = carefulDisk(t);
  if (!disk) return t.skip('only root may mount a disk');
  const folder = join(disk.folder, 'data');
  const running = await start(t, folder);
  const hits = Array.from({ length: 500 }, (_, n) => domain(`d${n % 20}`));
  const accepted = { hits: 0, events: 0 };
  const send = async (n: number) => {
    const answers = [
      await running.post('/v1/hits', hits),
      await running.post('/v1/registry-events', { events: [pullOf('ada', 'team/app', { id: `pull-${n}`, n })] }),
    ];
    if (answers[0].status === 202) accepted.hits += hits.length;
    if (answers[1].status === 202) accepted.events++;
    return answers;
  };
  await send(0);
  await eventually(
    30,
    () => health(running),
    (found) => found.hits === 500 && found.registryEvents === 1,
  );
  // Some are under way when it happens.
  for (let n = 1; n <= 20; n++) await send(n);
  disk.fail();
  for (let n = 21; n <= 40; n++)
    for (const answer of await send(n)) {
      assert.equal(answer.status, 503);
      assert.equal(answer.headers.get('retry-after'), '2');
    }
  const ill = await eventually(
    30,
    () => health(running),
    ({ reasons }) => reasons?.some((reason) => reason.includes("can't be written (EROFS")),
  );
  assert.equal(ill.status, 'unhealthy');
  assert.equal((await fetch(`${running.origin}/v1/health/live`)).status, 200);
  assert.equal((await fetch(`${running.origin}/v1/health/ready`)).status, 503);
  assert.equal((await fetch(`${running.origin}/points.json`)).status, 200);
  assert.equal((await running.post('/v1/registry-events', {}, { Authorization: 'Bearer ' })).status, 401);
  assert.equal(running.child.exitCode, null, 'no write error ended the process');

  await running.stop();
  disk.repair();
  const again = await start(t, folder);
  await eventually(
    60,
    () => health(again),
    (found) => found.hits === accepted.hits && found.registryEvents === accepted.events && found.status === 'ok',
  );
});

test('aborted uploads, deep and huge bodies each get their response, and the log contains nothing of them', async (t) => {
  const running = await start(t, dataFolder(t));
  for (let n = 0; n < 50; n++) {
    const socket = await raw(running.origin);
    const path = n % 2 ? '/v1/hits' : '/v1/registry-events';
    socket.write(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer test-token\r\nContent-Length: 100000\r\n\r\n[{"domain":`,
    );
    socket.destroy();
  }
  const deep = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000);
  const rows: [string, string, number][] = [
    ['/v1/hits', deep('[', ']'), 400],
    ['/v1/hits', `{"domain":"a.example","x":${deep('{"a":', '}')}}`.replace(':}', ':1}'), 202],
    ['/v1/hits', `"${'x'.repeat(3_000_000)}"`, 413],
    ['/v1/registry-events', deep('[', ']'), 202],
    ['/v1/registry-events', `{"events":${deep('[', ']')}}`, 202],
    ['/v1/registry-events', 'x'.repeat(9_000_000), 202],
    ['/v1/recommendations', deep('[', ']'), 400],
  ];
  for (const [path, body, status] of rows)
    assert.equal((await running.post(path, body)).status, status, `${path} ${body.slice(0, 20)}`);
  assert.equal((await running.post('/v1/hits', domain('a'))).status, 202);
  assert.doesNotMatch(running.output(), /Error|aborted|ECONNRESET|RangeError/);
});

test('a second server on the same data folder does not start, and the first goes on', async (t) => {
  const folder = dataFolder(t);
  const running = await start(t, folder);
  await assert.rejects(startLocal(folder), /is in use by process/);
  assert.equal((await running.post('/v1/hits', domain('a'))).status, 202);
});

const fakeTime = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find(existsSync);

for (const [step, name] of [
  ['-2d', 'two days back'],
  ['+8d', 'eight days ahead'],
  ['+1y', 'a year ahead'],
] as const)
  test(`when the clock steps ${name} while the server runs, the map goes on, and is complete once the clock is right again`, async (t) => {
    if (!fakeTime) return t.skip('needs libfaketime');
    const folder = dataFolder(t);
    const file = join(mkdtempSync(join(tmpdir(), 'whalewatch-clock-')), 'offset');
    writeFileSync(file, '+0');
    const running = await start(t, folder, {
      LD_PRELOAD: fakeTime,
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    });
    const points = async () =>
      ((await (await fetch(`${running.origin}/points.json`)).json()) as { points: { domain: string; lat: number }[] })
        .points;
    const hit = (name: string, from: string) => running.post('/v1/hits', domain(name), { 'X-Forwarded-For': from });
    for (const name of ['a', 'b', 'c']) await hit(name, '81.2.69.142');
    const before = await eventually(30, points, (found) => found.length === 3);
    writeFileSync(file, step);
    await hit('a', '89.160.20.112');
    await hit('new', '81.2.69.142');
    // The new hit is on the map at once, and nothing has left the map.
    const placeOf = (found: typeof before) => found.find((point) => point.domain === 'a.example')?.lat;
    await eventually(30, points, (found) => found.length === 4 && placeOf(found) !== placeOf(before));
    writeFileSync(file, '+0');
    await hit('a', '81.2.69.142');
    const after = await eventually(30, points, (found) => placeOf(found) === placeOf(before));
    assert.equal(after.length, 4);
    await eventually(
      30,
      () => health(running),
      ({ hits, status }) => hits === 6 && status === 'ok',
    );
  });
