import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { restoreBackup, takeBackup } from '#local/stores/backup.ts';
import { openObjects } from '#local/stores/objects.ts';
import { openStores } from '#local/stores/stores.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, type Running, runScript, startLocal } from '../support/run.ts';

const args = ['--export-every', '0.3', '--train-every', '2'];

test('a backup under traffic has everything that was accepted before it, nothing twice, and no request is refused meanwhile', {
  timeout: 180_000,
}, async (t) => {
  const folder = dataFolder(t);
  const elsewhere = dataFolder(t);
  const source = await startLocal(folder, args);
  t.after(() => source.kill());
  const traffic = send(source);
  await eventually(
    30,
    async () => traffic.taken,
    ({ pulls, hits }) => pulls > 50 && hits > 50,
  );

  const first = { ...traffic.taken };
  const taken = await runScript('local/commands/backup.ts', [join(elsewhere, 'one'), '--data', folder]);
  assert.equal(taken.code, 0, taken.output);
  assert.match(taken.output, /one holds the data of 20\S+Z: \d+ files, [\d.]+ MB\n$/);
  const last = { ...traffic.begun };
  await eventually(
    30,
    async () => traffic.taken,
    ({ pulls }) => pulls > last.pulls + 20,
  );
  await traffic.stop();
  assert.deepEqual(traffic.refused, []);

  const restored = join(elsewhere, 'restored');
  const back = await runScript('local/commands/restore.ts', [join(elsewhere, 'one'), '--data', restored]);
  assert.equal(back.code, 0, back.output);
  const copy = await startLocal(restored, args);
  t.after(() => copy.kill());
  // The records in the stream are processed; then the counts no longer change.
  await eventually(
    30,
    () => copy.get<{ shards: { lagSeconds: number }[] }>('/v1/health'),
    ({ shards }) => shards.every(({ lagSeconds }) => lagSeconds === 0),
  );
  const held = await eventually(
    30,
    () => counts(copy),
    (now) => now.pulls >= first.pulls && now.hits >= first.hits,
  );
  assert.ok(held.pulls <= last.pulls && held.hits <= last.hits, JSON.stringify({ first, held, last }));
  // A sender sends its requests one after another: the backup has all of them up to some point, without a gap.
  const tags = await copy.get<{ buckets: { key: string; pulls: number }[] }>('/v1/pulls?by=tag');
  assert.deepEqual(
    tags.buckets.map(({ key, pulls }) => [Number(key.slice(1)), pulls]).sort(([a], [b]) => a - b),
    Array.from({ length: held.pulls }, (_, n) => [n, 1]),
  );

  // Senders don't know about the restore and send everything again: each counts once.
  for (let n = 0; n < traffic.taken.pulls; n++) assert.equal((await copy.post(...pull(n))).status, 202);
  for (let n = 0; n < traffic.taken.hits; n++) assert.equal((await copy.post(...hit(n))).status, 202);
  const same = (now: Counts) => now.pulls === traffic.taken.pulls && now.hits === traffic.taken.hits;
  await eventually(30, () => counts(source), same);
  await eventually(30, () => counts(copy), same);
});

test('a changed or incomplete backup is not restored, and nothing is overwritten', async (t) => {
  const folder = dataFolder(t);
  const { objects, events } = openStores(folder);
  // Large objects are separate files.
  await objects.put('large', new Uint8Array(4_000_000).fill(7));
  await events.markForgotten('ann', 1);
  const [to, back] = [join(dataFolder(t), 'backup'), join(dataFolder(t), 'data')];
  const made = await takeBackup(folder, to, () => 5);
  assert.equal(made.at, 5);
  assert.ok(made.bytes > 4_000_000);
  assert.deepEqual(
    readdirSync(join(folder, 'objects')).filter((name) => name.startsWith('backup-')),
    [],
  );
  await assert.rejects(
    takeBackup(folder, to, () => 6),
    /backup is not empty: a backup needs a folder of its own/,
  );
  await assert.rejects(
    takeBackup(folder, join(folder, 'inside'), () => 6),
    /lies in the data folder/,
  );

  assert.equal((await restoreBackup(to, back)).files, made.files);
  assert.deepEqual((await openObjects(join(back, 'objects')).get('large'))?.body.length, 4_000_000);
  await assert.rejects(restoreBackup(to, back), /data is not empty: move it away/);

  const other = join(dataFolder(t), 'other');
  appendFileSync(join(to, 'events.db'), 'x');
  await assert.rejects(restoreBackup(to, other), /events\.db is not what was backed up/);
  rmSync(join(to, 'events.db'));
  await assert.rejects(restoreBackup(to, other), /events\.db can't be read/);
  writeFileSync(join(to, 'backup.json'), '{"format":2,"files":{}}');
  await assert.rejects(restoreBackup(to, other), /has format 2 and this version reads format 1/);
  rmSync(join(to, 'backup.json'));
  await assert.rejects(restoreBackup(to, other), /holds no complete backup/);
  assert.equal(existsSync(other), false);
  mkdirSync(other);
  await assert.rejects(restoreBackup(to, other), /holds no complete backup/);
});

interface Counts {
  pulls: number;
  hits: number;
}

async function counts(server: Running): Promise<Counts> {
  const { total } = await server.get<{ total: { pulls: number } }>('/v1/pulls');
  const { items } = await server.get<{ items: { hits: number }[] }>('/v1/hits?by=day');
  return { pulls: total.pulls, hits: items.reduce((sum, { hits }) => sum + hits, 0) };
}

/** Sends pulls one after another, and hits beside them, until it is stopped. */
function send(server: Running) {
  const [begun, taken] = [
    { pulls: 0, hits: 0 },
    { pulls: 0, hits: 0 },
  ];
  const refused: number[] = [];
  let stopped = false;
  const run = async (what: keyof Counts, request: (n: number) => [string, unknown]) => {
    while (!stopped) {
      const { status } = await server.post(...request(begun[what]++));
      if (status === 202) taken[what]++;
      else refused.push(status);
    }
  };
  const running = Promise.all([run('pulls', pull), run('hits', hit)]);
  return {
    begun,
    taken,
    refused,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

const hit = (n: number): [string, unknown] => ['/v1/hits', { domain: `d${n % 30}.example`, id: `hit-${n}` }];

const pull = (n: number): [string, unknown] => {
  const time = Date.UTC(2026, 0, 1) + n * 1000;
  return ['/v1/registry-events', { events: [pullOf(`user-${n % 7}`, `team/image-${n % 50}`, { n, time })] }];
};
