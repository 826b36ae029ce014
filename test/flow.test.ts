import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pullOf } from './support/registry-event.ts';
import { dataFolder, eventually, type Running, runScript, startLocal, token } from './support/run.ts';

// A notification goes in and a recommendation comes out, over HTTP, on the real server.
const fixtures = join(import.meta.dirname, 'fixtures/registry');
const expected = JSON.parse(readFileSync(join(fixtures, 'expected-counts.json'), 'utf8'));
const files = ['distribution-2.8.ndjson', 'distribution-2.8-noauth.ndjson', 'distribution-3.ndjson'];

interface Expected {
  push?: number;
  pullGet?: number;
  pullHead?: number;
}

function replay(running: Running, file: string, ...flags: string[]): Promise<string> {
  const child = spawn(process.execPath, [
    join(fixtures, 'replay.mjs'),
    `${running.origin}/v1/registry-events`,
    join(fixtures, file),
    '--token',
    token,
    ...flags,
  ]);
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve) => child.on('close', () => resolve(output)));
}

/** Repositories without any image left at the end of a capture. */
const deleted: Record<string, string[]> = {
  'distribution-2.8.ndjson': ['library/kibana', 'tmp/to-delete'],
  'distribution-2.8-noauth.ndjson': [],
  'distribution-3.ndjson': ['team-b/web/front'],
};

type Counts = { total: { pulls: number; raw: number; rawPushes: number } };
const query = (parameters: Record<string, string>) => new URLSearchParams(parameters).toString();

for (const file of files) {
  test(`${file}, replayed twice, gives the expected counts`, { timeout: 60_000 }, async (t) => {
    const running = await startLocal(dataFolder(t), ['--export-every', '0.5']);
    t.after(() => running.kill());
    for (const flags of [['--retry'], ['--retry', '--rate', '400']]) {
      const { answers } = JSON.parse(await replay(running, file, ...flags));
      assert.deepEqual(Object.keys(answers), ['202'], 'a registry must get nothing but 2xx');
    }

    const perRepository: Record<string, { raw: number; pushes: number }> = {};
    for (const [user, repositories] of Object.entries<Record<string, Expected>>(expected[file].manifests)) {
      let raw = 0;
      let pushes = 0;
      for (const [repository, { push = 0, pullGet = 0, pullHead = 0 }] of Object.entries(repositories)) {
        raw += pullGet + pullHead;
        pushes += push;
        const sums = perRepository[repository] ?? { raw: 0, pushes: 0 };
        perRepository[repository] = { raw: sums.raw + pullGet + pullHead, pushes: sums.pushes + push };
        if (user === '(none)') continue;
        const of = () => running.get<Counts>(`/v1/pulls?${query({ user, repository })}`);
        const right = { raw: pullGet + pullHead, rawPushes: push };
        await eventually(5, of, ({ total }) => total.raw === right.raw && total.rawPushes === right.rawPushes);
      }
      if (user === '(none)') continue;
      const { total } = await running.get<Counts>(`/v1/pulls?${query({ user })}`);
      assert.deepEqual({ raw: total.raw, rawPushes: total.rawPushes }, { raw, rawPushes: pushes }, user);
      const history = await running.get<{ items: unknown[] }>(`/v1/history?${query({ user, limit: '1000' })}`);
      assert.equal(history.items.length, total.pulls, `history of ${user}`);
    }
    const rows = await running.get<{ repository: string; raw: number; pulls: number }[]>('/v1/repositories?limit=1000');
    for (const [repository, { raw }] of Object.entries(perRepository)) {
      const row = rows.find((row) => row.repository === repository);
      if (deleted[file].includes(repository)) {
        assert.equal(row, undefined, `${repository} was deleted`);
        continue;
      }
      assert.equal(row?.raw, raw, repository);
      assert.ok(row.pulls <= raw && (raw === 0) === (row.pulls === 0), repository);
    }
    const health = await eventually(
      5,
      () => running.get<{ registryEvents: number; duplicates: number; quarantined: number }>('/v1/health'),
      ({ duplicates }) => duplicates > 0,
    );
    assert.equal(health.quarantined, 0);
  });
}

// With so few pulls popularity would win: the owner pins ALS.
test('a pull is in the history at once and in the recommendations after the next training', {
  timeout: 60_000,
}, async (t) => {
  const folder = dataFolder(t);
  const running = await startLocal(folder, ['--train-every', '3600', '--model', 'als-seed']);
  t.after(() => running.kill());
  const tastes = {
    elk: ['elk/logstash', 'elk/elasticsearch', 'elk/kibana'],
    web: ['web/nginx', 'web/node', 'web/redis'],
  };
  const events = Object.entries(tastes).flatMap(([taste, images]) =>
    Array.from({ length: 8 }, (_, person) =>
      images
        .filter((_, image) => (person + image) % 3 !== 0 || person > 5)
        .map((image) => pullOf(`${taste}-${person}`, image)),
    ).flat(),
  );
  assert.equal((await running.post('/v1/registry-events', { events })).status, 202);
  assert.equal(
    (
      await running.post('/v1/registry-events', {
        events: [pullOf('ann', 'elk/logstash'), pullOf('ann', 'elk/kibana')],
      })
    ).status,
    202,
  );
  await eventually(
    20,
    () => running.get<{ items: unknown[] }>('/v1/history?user=ann'),
    ({ items }) => items.length === 2,
  );

  const trained = await runScript('local/commands/train.ts', [
    '--data',
    folder,
    '--als',
    'rank=7,lambda=0.1',
    '--model',
    'als-seed',
  ]);
  assert.equal(trained.code, 0, trained.output);
  const { current } = await running.get<{ current: Record<string, number> }>('/v1/model');
  const { rank, iterations, lambda, alpha } = current;
  assert.deepEqual({ rank, iterations, lambda, alpha }, { rank: 7, iterations: 5, lambda: 0.1, alpha: 1 });
  const { items } = await running.get<{ items: { repository: string; source: string; pulledBy: number }[] }>(
    '/v1/recommendations?user=ann',
  );
  assert.equal(items[0].repository, 'elk/elasticsearch');
  assert.equal(items[0].source, 'als');
  const pullers = new Set(
    events.filter(({ target }) => target.repository === 'elk/elasticsearch').map(({ actor }) => actor.name),
  );
  assert.equal(items[0].pulledBy, pullers.size);
  assert.ok(
    items.every(({ repository }) => !['elk/logstash', 'elk/kibana'].includes(repository)),
    'nothing already pulled',
  );

  // From a newcomer's first pull to a list based on it, without a training in between.
  type List = { items: { source: string; because: { repository: string; share: number }[] }[] };
  const list = () => running.get<List>('/v1/recommendations?user=newcomer');
  assert.ok((await list()).items.every(({ source }) => source === 'trending'));
  const began = performance.now();
  assert.equal((await running.post('/v1/registry-events', { events: [pullOf('newcomer', 'web/node')] })).status, 202);
  const changed = await eventually(10, list, ({ items }) => items[0].source === 'als');
  t.diagnostic(`from a pull to the changed list: ${Math.round(performance.now() - began)} ms`);
  assert.deepEqual(changed.items[0].because, [{ repository: 'web/node', share: 1 }]);
});

test('with --export-every 1 a hit is on the map moments later', { timeout: 60_000 }, async (t) => {
  const running = await startLocal(dataFolder(t), ['--export-every', '1']);
  t.after(() => running.kill());
  const sent = await running.post('/v1/hits', { domain: 'Portal.Example' }, { 'X-Forwarded-For': '81.2.69.142' });
  assert.equal(sent.status, 202);
  const points = () => running.get<{ points: { domain: string; lat: number; lon: number }[] }>('/points.json');
  const {
    points: [point],
  } = await eventually(20, points, ({ points }) => points.length === 1);
  assert.equal(point.domain, 'portal.example');
  assert.ok(point.lat > 49 && point.lat < 61, 'in Britain');
  const path = '/v1/clusters?bbox=-180,-85,180,85&zoom=3';
  // The snapshot is published after the document of all points.
  await eventually(
    20,
    async () => (await fetch(running.origin + path)).status,
    (status) => status === 200,
  );
  const clusters = await running.get<{ features: { properties: { domain: string } }[] }>(path);
  assert.equal(clusters.features[0].properties.domain, 'portal.example');
});
