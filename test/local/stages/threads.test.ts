import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { threadFaults } from '#local/faults.ts';
import { pauseMs, startThread, type ThreadData } from '#local/stages/threads.ts';
import { eventually } from '../../support/run.ts';

test('a thread that keeps failing waits longer each time, up to a minute', () => {
  assert.deepEqual([1, 2, 3, 7, 50].map(pauseMs), [1000, 2000, 4000, 60_000, 60_000]);
});

test('a crashed thread is restarted, and is reported until it works', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'whalewatch-'));
  const file = join(folder, 'stage.mjs');
  writeFileSync(
    file,
    `import { appendFileSync, readFileSync } from 'node:fs';
     import { parentPort, workerData } from 'node:worker_threads';
     const starts = workerData.folder + '/starts';
     appendFileSync(starts, 'x');
     if (readFileSync(starts, 'utf8').length < 3) throw new Error('the store is broken');
     parentPort.once('message', () => {});`,
  );
  const told: string[] = [];
  const data = { folder, settings: {} } as unknown as ThreadData;
  const thread = startThread(
    'exporter',
    data,
    { report: (text) => told.push(text), count: () => {} },
    pathToFileURL(file),
  );
  t.after(() => thread.stop());
  const state = await eventually(
    30,
    async () => thread.state(),
    (state) => state?.failures === 2,
  );
  assert.equal(state?.reason, 'the store is broken');
  assert.equal(told.length, 2);
  assert.deepEqual(threadFaults([thread]), [
    { reason: 'exporter failed 2 times in a row: the store is broken', isStuck: false },
  ]);
  const held = { state: () => ({ name: 'exporter', failures: 3, reason: 'x' }) as const };
  assert.equal(threadFaults([held])[0].isStuck, true);
  assert.deepEqual(threadFaults([{ state: () => undefined }]), []);
});
