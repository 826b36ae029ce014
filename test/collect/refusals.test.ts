import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectApp } from '#collect/app.ts';
import { refusalCounter } from '#collect/refusals.ts';
import { type RefusalReason, StreamRefused } from '#core/stores.ts';

type Row = { reason: RefusalReason; registry: string; posts: number; lastAt: number };

function world({ failing = false } = {}) {
  const written: Row[] = [];
  const reported: unknown[] = [];
  const time = { now: 1_000_000 };
  const store = {
    async add(row: Row) {
      if (failing) throw new Error('down');
      written.push(row);
    },
  };
  const { count } = refusalCounter(
    store as never,
    () => time.now,
    (cause) => reported.push(cause),
  );
  return { count, written, reported, time };
}

test('twenty refused posts are counted at once, a flood in sums: one write a second, and none is lost', async () => {
  const { count, written, time } = world();
  for (let n = 0; n < 20; n++) await count('wrong-token');
  assert.equal(written.length, 20);
  for (let n = 0; n < 1000; n++) await count('wrong-token', n % 2 ? 'east' : undefined);
  assert.equal(written.length, 20);
  time.now += 999;
  await count('no-token');
  assert.equal(written.length, 20, 'less than a second later');
  time.now += 1;
  await count(undefined);
  assert.deepEqual(
    written.slice(20).map(({ reason, registry, posts }) => [reason, registry, posts]),
    [
      ['wrong-token', '', 500],
      ['wrong-token', 'east', 500],
      ['no-token', '', 1],
    ],
  );
  await count('no-token');
  assert.equal(written.length, 23, 'each second allows one write');
});

test('a minute without posts allows twenty writes again, not sixty', async () => {
  const { count, written, time } = world();
  for (let n = 0; n < 25; n++) await count('no-token');
  assert.equal(written.length, 20);
  time.now += 60_000;
  for (let n = 0; n < 25; n++) await count('no-token');
  assert.equal(written.length, 40);
  assert.equal(
    written.reduce((sum, { posts }) => sum + posts, 0),
    45,
    'the first of them also wrote what had waited',
  );
});

test('a timer writes what no later post brings along', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { count, written, time } = world();
  for (let n = 0; n < 23; n++) await count('no-token');
  assert.equal(written.length, 20);
  time.now += 1000;
  t.mock.timers.tick(1000);
  await Promise.resolve();
  assert.deepEqual(
    written.slice(20).map(({ posts, lastAt }) => [posts, lastAt]),
    [[3, 1_000_000]],
  );
});

test('a failing store is reported and refuses no post; without a store nothing is counted', async () => {
  const { count, reported } = world({ failing: true });
  await count('no-token');
  assert.equal(reported.length, 1);
  const none = refusalCounter(
    undefined,
    () => 0,
    (cause) => assert.fail(String(cause)),
  );
  await none.count('no-token');
});

test('each reason for a refusal is counted: no token, a wrong one, an unreadable body, a stream that accepts nothing', async () => {
  const written: string[] = [];
  let isFull = false;
  const put = async () => {
    if (isFull) throw new StreamRefused('full');
  };
  const app = collectApp({
    ...{ stream: { put }, hits: { put }, token: async () => 'token', peer: () => '192.0.2.1', trustedProxies: [] },
    ...{ addressHeader: 'X-Forwarded-For', networks: {}, clock: () => 0, newKey: () => 'key' },
    refusals: { add: async ({ reason, registry }) => void written.push(`${reason} ${registry}`) },
    report: (cause) => assert.fail(String(cause)),
  });
  const post = async (body: string, Authorization?: string) =>
    (
      await app.request('/v1/registry-events', {
        method: 'POST',
        body,
        headers: Authorization ? { Authorization } : {},
      })
    ).status;
  assert.equal(await post('{}'), 401);
  assert.equal(await post('{}', 'Bearer other'), 401);
  assert.equal(await post('broken', 'Bearer token'), 202);
  assert.equal(await post('{"x":1}', 'Bearer token'), 202);
  assert.equal(await post(' '.repeat(4 * 1024 * 1024 + 1), 'Bearer token'), 202);
  isFull = true;
  assert.equal(await post('{"x":1}', 'Bearer token'), 503);
  assert.deepEqual(written, [
    ...['no-token ', 'wrong-token ', 'not-json default', 'not-understood default', 'too-large default'],
    'stream-refused default',
  ]);
});
