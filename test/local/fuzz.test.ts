import assert from 'node:assert/strict';
import test from 'node:test';
import { dataFolder, startLocal } from '../support/run.ts';
import { fuzz } from './fuzz.ts';

test('the short fuzz: 1,500 odd requests to all routes cause no 5xx or hang, and reveal no stack trace or path', {
  timeout: 300_000,
}, async (t) => {
  const running = await startLocal(dataFolder(t));
  t.after(() => running.kill());
  const { statuses, rssMiB } = await fuzz({ requests: 1500, seed: 16 }, running);
  for (const status of [200, 202, 400, 401, 404])
    assert.ok(statuses[status] > 0, `${status}: ${JSON.stringify(statuses)}`);
  // Memory growth is checked by the long fuzz only: these few requests start threads and fill caches.
  assert.ok(rssMiB[1] < 1024, rssMiB.join(' to '));
  assert.equal((await running.post('/v1/hits', { domain: 'a.example' })).status, 202);
});
