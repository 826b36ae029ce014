// Hits and registry events are kept apart up to the stores: each has its own stream and thread.
import assert from 'node:assert/strict';
import test from 'node:test';
import { collectApp } from '#collect/app.ts';
import { type StreamRecord, StreamRefused } from '#core/stores.ts';
import { openStores } from '#local/stores/stores.ts';
import { pullOf } from '../support/registry-event.ts';
import { dataFolder, eventually, startLocal } from '../support/run.ts';

const full = {
  async put() {
    throw new StreamRefused('full');
  },
};

test('a full stream of hits refuses hits but no notifications, and the other way round', async () => {
  const taken: StreamRecord[] = [];
  const free = {
    async put(records: StreamRecord[]) {
      taken.push(...records);
    },
  };
  const options = {
    ...{ token: async () => 'token', peer: () => '192.0.2.1', trustedProxies: [], clock: () => 0 },
    ...{
      addressHeader: 'X-Forwarded-For',
      networks: {},
      newKey: () => 'key',
      report: (cause: unknown) => assert.fail(String(cause)),
    },
  };
  const post = (app: ReturnType<typeof collectApp>, path: string, body: unknown) =>
    app.request(path, {
      method: 'POST',
      headers: { Authorization: 'Bearer token', 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  const ask = async (app: ReturnType<typeof collectApp>) => [
    (await post(app, '/v1/registry-events', { events: [pullOf('ada', 'team/app')] })).status,
    (await post(app, '/v1/hits', { domain: 'portal.example' })).status,
  ];
  assert.deepEqual(await ask(collectApp({ ...options, stream: free, hits: full })), [202, 503]);
  assert.deepEqual(await ask(collectApp({ ...options, stream: full, hits: free })), [503, 202]);
  assert.equal(taken.length, 2);
});

test('a backlog of hits that an older version left in the shared stream is counted, and does not delay pulls', async (t) => {
  const folder = dataFolder(t);
  const before = openStores(folder);
  const line = (n: number) =>
    JSON.stringify({
      type: 'hit',
      time: Date.now(),
      address: '81.2.69.142',
      domain: `d${n % 50}.example`,
      action: 'view',
    });
  const data = Buffer.from(Array.from({ length: 4000 }, (_, n) => line(n)).join('\n'));
  for (let n = 0; n < 20; n++) await before.hits.put([{ key: String(n), data }]);
  before.hits.close();
  before.stream.close();

  const running = await startLocal(folder, ['--export-every', '1']);
  t.after(() => running.kill());
  assert.equal((await running.post('/v1/registry-events', { events: [pullOf('ada', 'team/app')] })).status, 202);
  const history = () => running.get<{ items: unknown[] }>('/v1/history?user=ada');
  await eventually(10, history, ({ items }) => items.length === 1);
  const health = () => running.get<{ hits: number; shards: { shard: string }[] }>('/v1/health');
  const { shards } = await eventually(30, health, ({ hits }) => hits === 80_000);
  assert.deepEqual(shards.map(({ shard }) => shard.replace(/\d+$/, '')).sort(), [
    'registry-shardId-',
    'registry-shardId-',
    'shardId-',
    'shardId-',
  ]);
});
