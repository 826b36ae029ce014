// The search store fails in every way while registries and portals go on: a real OpenSearch behind a proxy that can be
// slow or lose replies, and the whole system in front of it.
import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { dataFolder, eventually, type Running, startLocal } from '../support/run.ts';
import { type Node, notInstalled, startOpenSearch } from './servers.ts';

const skip = notInstalled && `install the servers with ${notInstalled}`;
const awaySeconds = 60;

/** `lossy`: each request is carried out, but every second reply is lost. */
type Mode = 'through' | 'slow' | 'lossy';

/** A proxy in front of the OpenSearch node. */
async function proxyOf(t: TestContext, node: string) {
  const state = { mode: 'through' as Mode };
  let requests = 0;
  const server = createServer((incoming: IncomingMessage, outgoing: ServerResponse) => {
    const lost = state.mode === 'lossy' && ++requests % 2 === 0;
    const forward = () => {
      const { method, url, headers } = incoming;
      const onward = request(node + url, { method, headers }, (response) => {
        if (lost) return response.resume().on('end', () => outgoing.destroy());
        outgoing.writeHead(response.statusCode ?? 502, response.headers);
        response.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      incoming.pipe(onward);
    };
    if (state.mode === 'slow') setTimeout(forward, 12_000).unref();
    else forward();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const block = (node: Node, setting: string, value: boolean | null) =>
  fetch(`${node.url}/_all/_settings`, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ [`index.blocks.${setting}`]: value }),
  }).then(async (response) => assert.ok(response.ok, await response.text()));

test('while search is down, slow, full or loses replies, the map goes on and reads report it; afterwards all counts are exact', {
  skip,
  timeout: 600_000,
}, async (t) => {
  const node = await startOpenSearch();
  t.after(() => node.stop());
  const proxy = await proxyOf(t, node.url);
  const running: Running = await startLocal(dataFolder(t), ['--opensearch', proxy.url, '--export-every', '0.5']);
  t.after(() => running.kill());

  const sent = { hits: 0, pulls: 0 };
  let done = false;
  const send = async (path: string, body: unknown) => {
    const response = await running.post(path, body, { 'X-Forwarded-For': '81.2.69.142' });
    assert.equal(response.status, 202, await response.text());
  };
  const traffic = (async () => {
    for (let n = 0; !done; n++) {
      const hits = Array.from({ length: 10 }, (_, i) => ({ domain: `d${(n + i) % 97}.example`, id: `hit-${n}-${i}` }));
      await send('/v1/hits', hits);
      sent.hits += hits.length;
      await send('/v1/registry-events', { events: [pullEvent(n)] });
      sent.pulls++;
      await sleep(50);
    }
  })();
  // If the traffic fails, the test fails as soon as it awaits this.
  traffic.catch(() => {});

  const hitsCounted = async () => {
    const { items } = await running.get<{ items: { hits: number }[] }>('/v1/hits?by=day');
    return items.reduce((sum, { hits }) => sum + hits, 0);
  };
  const pullsCounted = async () => (await running.get<{ total: { pulls: number; raw: number } }>('/v1/pulls')).total;
  const caughtUp = async () => {
    const target = sent.pulls;
    await eventually(60, pullsCounted, ({ raw }) => raw >= target);
  };
  /** The requests made during an outage. `reads`: those that need search itself. */
  const look = async (what: string, reads: 'respond' | 'are 503' | 'either') => {
    const before = await hitsCounted();
    await eventually(20, hitsCounted, (counted) => counted > before);
    const [map, history, recommended, users] = await Promise.all(
      ['/v1/points/latest', '/v1/history?user=user-1', '/v1/recommendations?user=user-1', '/v1/users'].map((path) =>
        fetch(running.origin + path),
      ),
    );
    assert.deepEqual([map.status, history.status, recommended.status], [200, 200, 200], what);
    const list = (await recommended.json()) as { items: unknown[]; partial?: true };
    assert.ok(list.items.length > 0, what);
    const text = await users.text();
    if (reads === 'respond') assert.equal(users.status, 200, `${what}: ${text}`);
    if (reads === 'are 503') {
      assert.equal(users.status, 503, `${what}: ${text}`);
      assert.equal(list.partial, true, what);
    }
    if (users.status !== 200) {
      assert.equal(users.status, 503, `${what}: ${text}`);
      assert.equal((JSON.parse(text) as { error: { code: string } }).error.code, 'unavailable');
      assert.ok(Number(users.headers.get('retry-after')) > 0, what);
    }
  };

  await eventually(60, pullsCounted, ({ pulls }) => pulls > 20);
  await look('before', 'respond');

  node.kill();
  const restarted = sleep(awaySeconds * 1000);
  await look('killed', 'are 503');
  const health = () => running.get<{ status: string; reasons: string[] }>('/v1/health');
  const { status } = await eventually(30, health, ({ reasons }) => /search store/.test(reasons.join()));
  assert.equal(status, 'degraded');
  await look('still away', 'are 503');
  await restarted;
  node.start();
  await caughtUp();
  await eventually(30, health, ({ reasons }) => !/search store/.test(reasons.join()));
  await look('back', 'respond');

  // The block that OpenSearch sets itself when its disk is full, and that an operator can set.
  for (const setting of ['read_only_allow_delete', 'write']) {
    await block(node, setting, true);
    await look(setting, 'respond');
    await sleep(5000);
    await block(node, setting, null);
    await caughtUp();
  }

  proxy.state.mode = 'slow';
  await look('slow', 'are 503');
  await look('slow, and known to be', 'are 503');
  proxy.state.mode = 'through';
  await caughtUp();

  proxy.state.mode = 'lossy';
  await look('lossy', 'either');
  await sleep(3000);
  proxy.state.mode = 'through';
  await caughtUp();

  done = true;
  await traffic;
  const whole = { raw: sent.pulls, pulls: sent.pulls };
  await eventually(60, pullsCounted, ({ raw, pulls }) => raw === whole.raw && pulls === whole.pulls);
  await eventually(20, hitsCounted, (counted) => counted === sent.hits);
  assert.ok(sent.pulls > 500 && sent.hits > 5000, `too little traffic to prove anything: ${JSON.stringify(sent)}`);
});

/** A pull of its own, as docker makes it. There is always something left to recommend to user-1. */
function pullEvent(n: number) {
  return {
    id: `event-${n}`,
    timestamp: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString(),
    action: 'pull',
    target: {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${String(n).padStart(64, '0')}`,
      repository: `team/image-${n % 7 === 1 ? 0 : n % 50}`,
      tag: `v${n}`,
    },
    request: {
      ...{ id: `request-${n}`, addr: '81.2.69.142:4000', host: 'registry.example', method: 'GET' },
      useragent: 'docker/27.3.1',
    },
    actor: { name: `user-${n % 7}` },
    source: { addr: 'registry:5000', instanceID: 'one' },
  };
}
