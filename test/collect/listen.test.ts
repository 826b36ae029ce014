import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { listen } from '#collect/listen.ts';
import { type StreamRecord, StreamRefused } from '#core/stores.ts';

const hits = (port: number, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${port}/v1/hits`, { method: 'POST', body: JSON.stringify(body), headers });

async function listening(t: TestContext, put: (records: StreamRecord[]) => Promise<void>) {
  let keys = 0;
  const server = await listen({
    stream: { put },
    hits: { put },
    token: async () => 'secret',
    trustedProxies: ['loopback'],
    addressHeader: 'X-Forwarded-For',
    networks: {},
    clock: () => Date.UTC(2026, 10, 21),
    newKey: () => `key${keys++}`,
    report: (cause) => assert.fail(String(cause)),
    port: 0,
  });
  t.after(() => server.stop());
  return server;
}

const linesOf = (records: StreamRecord[]) =>
  records.flatMap(({ data }) => Buffer.from(data).toString().split('\n')).map((line) => JSON.parse(line));

test('concurrent requests share records, each hit with the address that the load balancer saw', async (t) => {
  const taken: StreamRecord[] = [];
  const server = await listening(t, async (records) => {
    taken.push(...records);
  });
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, n) =>
      // The first entry is the sender's claim, the last is added by the load balancer.
      hits(server.port, { domain: `d${n}.example` }, { 'x-forwarded-for': `203.0.113.9, 198.51.100.${n}` }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([202]));
  assert.equal((await fetch(`http://127.0.0.1:${server.port}/ready`)).status, 200);
  await server.stop();
  const lines = linesOf(taken);
  assert.equal(new Set(lines.map((line) => JSON.stringify(line))).size, 200);
  assert.ok(taken.length < 100, `${taken.length} records`);
  for (const line of lines) assert.match(JSON.stringify(line), /198\.51\.100\.\d+/);
  assert.doesNotMatch(JSON.stringify(lines), /203\.0\.113/);
});

test('a stopping server responds to the requests it accepted, and accepts no more', async (t) => {
  let taken = 0;
  let letGo = () => {};
  const open = new Promise<void>((resolve) => {
    letGo = resolve;
  });
  let called = () => {};
  const calling = new Promise<void>((resolve) => {
    called = resolve;
  });
  const server = await listening(t, async (records) => {
    called();
    await open;
    taken += linesOf(records).length;
  });
  const underWay = hits(server.port, [{ domain: 'a.example' }, { domain: 'b.example' }]);
  await calling;
  const stopped = server.stop();
  await assert.rejects(hits(server.port, { domain: 'c.example' }), 'no new connection');
  letGo();
  const answer = await underWay;
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get('connection'), 'close');
  await stopped;
  assert.equal(taken, 2);
});

test('when the stream refuses records, exactly the requests whose hits were in them get 503', async (t) => {
  const server = await listening(t, async (records) => {
    const refused = records.filter(({ data }) => Buffer.from(data).includes('"registry"'));
    if (refused.length > 0) throw new StreamRefused('no room', { refused });
  });
  const pull = {
    action: 'pull',
    target: {
      repository: 'a/b',
      digest: `sha256:${'0'.repeat(64)}`,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
    },
    request: { id: '1', addr: '192.0.2.1:5', host: 'r.example', method: 'GET', useragent: 'docker/28' },
  };
  const event = { id: '1', timestamp: '2026-11-21T00:00:00Z', actor: { name: 'eve' }, ...pull };
  const [hit, notification] = await Promise.all([
    hits(server.port, { domain: 'a.example' }),
    fetch(`http://127.0.0.1:${server.port}/v1/registry-events`, {
      method: 'POST',
      body: JSON.stringify({ events: [event] }),
      headers: { authorization: 'Bearer secret' },
    }),
  ]);
  assert.deepEqual([hit.status, notification.status], [202, 503]);
  assert.equal(notification.headers.get('retry-after'), '2');
  await server.stop();
});
