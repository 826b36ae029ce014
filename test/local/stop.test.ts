// How a server is stopped, by npm or by signals to any of its processes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolder, eventually, startLocal } from '../support/run.ts';
import { pullTraffic } from '../support/traffic.ts';

const root = join(import.meta.dirname, '../..');

for (const [by, end] of [
  ['kill', (npm: number) => process.kill(npm, 'SIGTERM')],
  // A terminal sends SIGINT to the whole process group.
  ['Ctrl-C', (npm: number) => process.kill(-npm, 'SIGINT')],
  // npm itself can hand on nothing then.
  ['kill -9', (npm: number) => process.kill(npm, 'SIGKILL')],
] as const)
  test(`npm start that is ended by ${by} under traffic ends its server, and nothing that was accepted is lost`, async (t) => {
    const data = dataFolder(t);
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data', data], {
      cwd: root,
      // Its own process group: killing it after a failed test ends everything the test started.
      detached: true,
    });
    t.after(() => {
      try {
        process.kill(-Number(npm.pid), 'SIGKILL');
      } catch {
        // None of its processes is left.
      }
    });
    let output = '';
    for (const stream of [npm.stdout, npm.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    const [, origin] = await eventually(
      60,
      async () => /^ready (http\S+)$/m.exec(output) ?? [],
      (found) => found.length > 0,
    );
    const traffic = pullTraffic(origin, readFileSync(join(data, 'token'), 'utf8').trim(), 'team/app');
    await eventually(
      60,
      async () => traffic.accepted,
      (accepted) => accepted >= 50,
    );
    end(Number(npm.pid));
    await traffic.over;
    // npm and its shell end before the server: the pipes close when the last of them ends.
    await new Promise((resolve) => npm.stdout.on('close', resolve));
    assert.match(output, /^stopping: finishing what was accepted\n(?:.*\n)*stopped\n$/m);
    assert.doesNotMatch(output, /Error/);

    const again = await startLocal(data);
    t.after(() => again.kill());
    const { total } = await eventually(
      60,
      () => again.get<{ total: { pulls: number } }>('/v1/pulls?repository=team/app'),
      ({ total }) => total.pulls >= traffic.accepted,
    );
    assert.ok(total.pulls <= traffic.sent, `${total.pulls} of ${traffic.sent}`);
  });

test('npm start that is ended before its server is ready leaves no server behind', {
  skip: process.platform !== 'linux' && "npm's processes can be found only in Linux's /proc",
}, async (t) => {
  const npm = spawn('npm', ['start', '--', '--port', '0', '--data', dataFolder(t)], {
    cwd: root,
    detached: true,
    stdio: 'ignore',
  });
  t.after(() => {
    try {
      process.kill(-Number(npm.pid), 'SIGKILL');
    } catch {
      // None of its processes is left.
    }
  });
  const children = (pid: number) =>
    readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  // npm, its shell, and node, which may not have run any code yet.
  const [node] = await eventually(
    60,
    async () => children(Number(npm.pid)).flatMap(children),
    (found) => found.length > 0,
  );
  process.kill(Number(npm.pid), 'SIGTERM');
  /** A process that ended but was not reaped yet is listed as a zombie. */
  const running = () => {
    if (!existsSync(`/proc/${node}`)) return '';
    const status = readFileSync(`/proc/${node}/status`, 'utf8');
    return /^State:\s+[ZX]/m.test(status) ? '' : `${readFileSync(`/proc/${node}/cmdline`, 'utf8')} ${status}`;
  };
  await eventually(
    60,
    async () => running(),
    (left) => left === '',
  );
});
