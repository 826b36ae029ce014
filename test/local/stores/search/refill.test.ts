// A lost search store is rebuilt from events when the server starts.
import assert from 'node:assert/strict';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { markSearchDamaged, replaceLostSearch } from '#local/stores/search/refill.ts';
import { openStores } from '#local/stores/stores.ts';
import { storedEvent } from '../../../contracts/samples.ts';
import { pullOf } from '../../../support/registry-event.ts';
import { dataFolder, eventually, type Running, runScript, startLocal } from '../../../support/run.ts';

const files = (folder: string) => ['search.db', 'search.db-wal', 'search.db-shm'].map((name) => join(folder, name));
const days = Date.UTC(2026, 9, 1);

function remove(folder: string): void {
  for (const file of files(folder)) rmSync(file, { force: true });
}

/** What people see of the search store. */
async function seen(running: Running) {
  const [users, repositories, pulls] = await Promise.all([
    running.get<{ items: object[] }>('/v1/users?sort=name'),
    running.get<object[]>('/v1/repositories?sort=name'),
    running.get<object>('/v1/pulls?by=class'),
  ]);
  return { users, repositories, pulls };
}

/** Changes bytes in the middle of each page but the first few. */
function damage(file: string): void {
  const handle = openSync(file, 'r+');
  for (let at = 8 * 4096; at < statSync(file).size; at += 4096)
    writeSync(handle, Buffer.alloc(2000, 0x5a), 0, 2000, at);
  closeSync(handle);
}

test('a search store that is missing, empty, unreadable or damaged is rebuilt at a start, and pulls meanwhile count', {
  timeout: 300_000,
}, async (t) => {
  const folder = dataFolder(t);
  let running = await startLocal(folder);
  t.after(() => running.kill());
  let sent = 0;
  const send = async (count: number) => {
    const events = Array.from({ length: count }, () => {
      const n = sent++;
      return pullOf(`user-${n % 7}`, `team/app-${n % 5}`, { id: `e${n}`, n, time: days + n * 3_600_000 });
    });
    assert.equal((await running.post('/v1/registry-events', { events })).status, 202);
  };
  const whole = () =>
    eventually(
      120,
      () => seen(running),
      ({ pulls }) => (pulls as { total: { pulls: number } }).total.pulls === sent,
    );
  await send(300);
  await whole();
  // Forgotten users stay forgotten.
  await fetch(`${running.origin}/v1/users?user=user-3`, { method: 'DELETE' });
  const forgotten = 43;
  sent -= forgotten;
  const before = await whole();
  sent += forgotten;

  const losses: [string, () => void, RegExp][] = [
    ['missing', () => remove(folder), /is missing/],
    [
      'empty',
      () => {
        remove(folder);
        new DatabaseSync(files(folder)[0]).exec('CREATE TABLE documents (kind TEXT)');
      },
      /has no documents/,
    ],
    ['unreadable', () => writeFileOver(files(folder)[0]), /can't be read/],
  ];
  for (const [name, lose, reason] of losses) {
    await running.stop();
    lose();
    running = await startLocal(folder);
    assert.match(running.output(), reason, name);
    assert.match(running.output(), /it is rebuilt from events/);
    const now = await eventually(
      120,
      () => seen(running),
      () => true,
    );
    assert.deepEqual(now, before, name);
    const health = await running.get<{ status: string; reasons: string[] }>('/v1/health');
    assert.equal(health.status, 'ok', health.reasons.join());
  }

  // The check of every page, which runs beside the server, finds it; the next start repairs it.
  await running.stop();
  new DatabaseSync(files(folder)[0]).exec('PRAGMA wal_checkpoint(TRUNCATE)');
  damage(files(folder)[0]);
  running = await startLocal(folder);
  if (!/it is rebuilt from events/.test(running.output())) {
    const health = async () => (await (await fetch(`${running.origin}/v1/health`)).json()) as { reasons: string[] };
    const { reasons } = await eventually(60, health, ({ reasons }) => /search\.db is damaged/.test(reasons.join()));
    assert.match(reasons.join(), /restart the server, which rebuilds it from events/);
    assert.ok(existsSync(join(folder, 'search.damaged')));
    await running.kill();
    running = await startLocal(folder);
    assert.match(running.output(), /search\.db is damaged: it is rebuilt from events/);
  }
  assert.equal(existsSync(join(folder, 'search.damaged')), false);
  await eventually(
    120,
    () => seen(running),
    (now) => JSON.stringify(now) === JSON.stringify(before),
  );
  await send(20);
  sent -= forgotten;
  await whole();
});

test("what is known of a forgotten user's images is in no event, and comes along", async (t) => {
  const folder = dataFolder(t);
  const { events, search } = openStores(folder);
  const doc = storedEvent('e1', days, { action: 'push' });
  await search.write([{ kind: 'event', id: 'e1', version: 1, doc }]);
  await search.forget(doc.user);
  await events.put([storedEvent('e2', days, { user: 'Bob' })]);
  markSearchDamaged(folder);
  // An attempt that fails keeps them.
  const obstacle = join(folder, 'search.db-scrubbed');
  rmSync(obstacle, { force: true });
  mkdirSync(obstacle);
  assert.throws(() => replaceLostSearch(folder));
  rmSync(obstacle, { recursive: true });
  assert.equal(replaceLostSearch(folder), 'is damaged');
  const { sums, search: made } = openStores(folder);
  sums?.filled(1, true);
  while (sums?.build());
  const [{ facts }] = await made.images({ repository: doc.repository });
  assert.deepEqual(
    facts.map(({ action, digest, time }) => ({ action, digest, time })),
    [{ action: 'push', digest: doc.digest, time: days }],
  );
});

test('a search store whose documents are being moved is not rebuilt', async (t) => {
  const folder = dataFolder(t);
  await openStores(folder).events.put([storedEvent('e1', days)]);
  const database = new DatabaseSync(join(folder, 'search.db'));
  database.exec("CREATE TABLE older_documents (kind TEXT); INSERT INTO older_documents VALUES ('pull')");
  assert.equal(replaceLostSearch(folder), undefined);
  database.exec('DELETE FROM older_documents');
  assert.equal(replaceLostSearch(folder), 'has no documents');
  database.close();
});

test('while search is being rebuilt its reads say so, training waits, and after a stop it starts from the beginning', async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder);
  t.after(() => running.kill());
  const events = Array.from({ length: 50 }, (_, n) =>
    pullOf(`user-${n % 7}`, 'team/app', { id: `e${n}`, n, time: days + n * 3_600_000 }),
  );
  await running.post('/v1/registry-events', { events });
  await eventually(
    60,
    () => running.get<{ total: { pulls: number } }>('/v1/pulls'),
    ({ total }) => total.pulls === 50,
  );
  await running.kill();
  remove(folder);
  assert.equal(replaceLostSearch(folder), 'is missing');
  assert.equal(replaceLostSearch(folder), undefined, 'a store that is being rebuilt is not treated as lost');
  const { search, sums } = openStores(folder);
  assert.deepEqual(sums?.missing(), { kind: '', id: '', done: 0, total: 50, filling: true });
  await assert.rejects(search.counts({}), { name: 'NotSummed' });
  assert.equal(sums?.build(), undefined);
  assert.ok(sums?.missing()?.filling, 'the end of summing does not end the rebuild');
  assert.match((await runScript('local/commands/sums.ts', ['--data', folder])).output, /is being rebuilt from events/);
});

function writeFileOver(file: string): void {
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(4096, 0x5a), 0, 4096, 0);
  closeSync(handle);
  for (const other of [`${file}-wal`, `${file}-shm`]) rmSync(other, { force: true });
}
