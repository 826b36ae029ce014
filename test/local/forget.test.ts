import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, startLocal } from '../support/run.ts';

test('forgetting a user while others lock the databases delays no other request', { timeout: 120_000 }, async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder);
  t.after(() => running.kill());
  const events = ['ann', 'bob'].map((user, n) => pullOf(user, 'team/app', { id: user, n, time: Date.now() }));
  await running.post('/v1/registry-events', { events });
  const pulls = async (user: string) =>
    (await running.get<{ items: unknown[] }>(`/v1/history?user=${user}`)).items.length;
  await eventually(
    60,
    () => pulls('bob'),
    (found) => found === 1,
  );

  const held = ['events.db', 'search.db'].map((name) => new DatabaseSync(join(folder, name), { timeout: 10_000 }));
  for (const database of held) database.exec('BEGIN IMMEDIATE');
  let isForgotten = false;
  const forgetting = fetch(`${running.origin}/v1/users?user=ann`, { method: 'DELETE' }).then((answer) => {
    isForgotten = true;
    return answer;
  });
  // The requests come one after another: if the lock delayed the first, it would delay all.
  for (let n = 0; n < 20; n++) assert.equal(await pulls('bob'), 1);
  assert.equal(isForgotten, false);
  for (const database of held) {
    database.exec('ROLLBACK');
    database.close();
  }
  const answer = await forgetting;
  assert.equal(answer.status, 200, await answer.text());
  assert.equal(await pulls('ann'), 0);
  assert.equal(await pulls('bob'), 1);
});
