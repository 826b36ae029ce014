// How a server is stopped, whoever started it.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { dataFolder, eventually } from '../support/run.ts';

const root = join(import.meta.dirname, '../..');

for (const [by, end] of [
  ['kill', (npm: number) => process.kill(npm, 'SIGTERM')],
  // A terminal sends it to all of them.
  ['Ctrl-C', (npm: number) => process.kill(-npm, 'SIGINT')],
] as const)
  test(`npm start that is ended by ${by} ends its server, which finishes what it took`, async (t) => {
    const npm = spawn('npm', ['start', '--', '--port', '0', '--data', dataFolder(t)], {
      cwd: root,
      // A group of its own: what the test leaves running after a failure goes with it.
      detached: true,
    });
    t.after(() => {
      try {
        process.kill(-Number(npm.pid), 'SIGKILL');
      } catch {
        // Nothing of it is left.
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
    end(Number(npm.pid));
    await eventually(
      20,
      () => fetch(origin).then(String, (cause) => cause.cause?.code),
      (code) => code === 'ECONNREFUSED',
    );
    assert.match(output, /^stopping: what was taken is being finished$/m);
  });
