import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataFolder, runServer, startLocal } from '../support/run.ts';

test('a second server on one data folder names the process that uses it and ends; a killed process does not block the folder', async (t) => {
  const folder = dataFolder(t);
  const first = await startLocal(folder);
  t.after(() => first.kill());
  const started = Date.now();
  const { code, output } = await runServer(['--port', '0', '--data', folder]);
  assert.equal(code, 1);
  assert.match(output, new RegExp(`^--data ${folder} is in use by process ${first.child.pid} \\(npm start, since 2`));
  assert.match(output, /stop that one, or give this one a folder of its own with --data DIR\n$/);
  assert.equal(output.trim().split('\n').length, 1, output);
  const since = Date.parse(/since (\S+)\)/.exec(output)?.[1] ?? '');
  assert.ok(since <= started && since > started - 60_000, output);
  assert.equal((await first.post('/v1/hits', { domain: 'a.example' })).status, 202, 'the first goes on');

  await first.kill();
  const next = await startLocal(folder);
  assert.equal(await next.stop(), 0);
});
