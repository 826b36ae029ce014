import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { dataFolder, eventually, startLocal } from '../../support/run.ts';

test('the threads of hits, export and training run at lower priority', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const running = await startLocal(dataFolder(t));
  t.after(() => running.kill());
  const tasks = `/proc/${running.child.pid}/task`;
  // A thread's niceness: the 19th field of its stat.
  const niceOf = (id: string) =>
    Number(
      readFileSync(`${tasks}/${id}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ')[16],
    );
  const own = niceOf(String(running.child.pid));
  const behind = async () => readdirSync(tasks).filter((id) => niceOf(id) > own);
  await eventually(60, behind, (ids) => ids.length === 3);
  assert.equal(niceOf(String(running.child.pid)), own, 'the main thread keeps normal priority');
});
