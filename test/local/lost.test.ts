// Files of the data folder that are taken for leftovers, or come back empty.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { databasesOf } from '#local/stores/sqlite/integrity.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, startLocal } from '../support/run.ts';

type Test = Parameters<typeof dataFolder>[0];

async function started(t: Test, folder: string): Promise<Running> {
  const running = await startLocal(folder, ['--export-every', '0.3']);
  t.after(() => running.kill());
  return running;
}

async function filled(t: Test, folder: string): Promise<Running> {
  const running = await started(t, folder);
  const events = Array.from({ length: 20 }, (_, n) => pullOf(`user${n}`, 'team/app'));
  await running.post('/v1/registry-events', { events });
  await running.post('/v1/registry-events', '{"what": 1}');
  await running.post('/v1/hits', [{ domain: 'portal.example' }]);
  await eventually(30, () => counted(running), isWhole);
  return running;
}

async function counted(running: Running) {
  const [{ total }, { items }, health] = await Promise.all([
    running.get<{ total: { raw: number } }>('/v1/pulls'),
    running.get<{ items: { hits: number }[] }>('/v1/hits'),
    running.get<{ quarantine: { entries: number }; registryEvents: number }>('/v1/health'),
  ]);
  // The last is counted by export: until then a batch may come again.
  return [total.raw, items[0]?.hits, health.quarantine.entries, health.registryEvents];
}
const isWhole = (counts: unknown[]) => counts.join() === '20,1,1,20';

async function reasons(running: Running): Promise<string> {
  const answer = await fetch(`${running.origin}/v1/health`);
  const found = ((await answer.json()) as { reasons: string[] }).reasons.join();
  assert.equal(answer.status, /is damaged/.test(found) ? 503 : 200, found);
  return found;
}

const logsOf = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /-(wal|shm)$/.test(name))
    .map((name) => join(folder, name));

test('after a stop each database is whole without its log', { timeout: 120_000 }, async (t) => {
  const folder = dataFolder(t);
  assert.equal(await (await filled(t, folder)).stop(), 0);
  for (const file of logsOf(folder)) if (file.endsWith('-wal')) assert.equal(statSync(file).size, 0, file);
  for (const file of logsOf(folder)) rmSync(file);
  const again = await started(t, folder);
  assert.deepEqual(await eventually(30, () => counted(again), isWhole), [20, 1, 1, 20]);
  // The check of the files takes its time.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  assert.equal(await reasons(again), '');
});

test('events that were lost with a log, and emptied databases, are named by health', {
  timeout: 240_000,
}, async (t) => {
  const folder = dataFolder(t);
  const running = await filled(t, folder);
  // Once the start has copied the log, what comes next is in the log only.
  const isCopied = async () => existsSync(join(folder, 'events.db-scrubbed'));
  await eventually(30, isCopied, (is) => is);
  await running.post('/v1/registry-events', { events: [pullOf('user20', 'team/app')] });
  await eventually(
    30,
    async () => (await counted(running))[0],
    (raw) => raw === 21,
  );
  await running.kill();
  rmSync(join(folder, 'events.db-wal'));
  const without = await started(t, folder);
  const found = await eventually(
    60,
    () => reasons(without),
    (text) => text !== '',
  );
  assert.match(found, /events\.db is damaged \(it lacks events that search has.*npm run restore/);
  await without.stop();

  const whole = dataFolder(t);
  assert.equal(await (await filled(t, whole)).stop(), 0);
  const emptied = databasesOf(whole).filter((name) => /^(credentials|notices|stream.stream)\.db$/.test(name));
  assert.equal(emptied.length, 3);
  for (const name of emptied) truncateSync(join(whole, name), 0);
  const empty = await started(t, whole);
  const named = await reasons(empty);
  for (const name of emptied)
    assert.ok(named.includes(`${join(whole, name)} is damaged (it was empty at the start)`), named);
});
