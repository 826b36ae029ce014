// Calls to OpenSearch when it fails, is slow or refuses writes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCircuit } from '#aws/opensearch/circuit.ts';
import { OpenSearchUnavailable, openSearchCall } from '#aws/opensearch/opensearch.ts';
import { openSearch } from '#aws/opensearch/search.ts';
import { startService } from '../../support/service.ts';

test('after a broken connection, a 429 or a 503 a call is tried again, three times in all', async (t) => {
  for (const failure of ['broken', 429, 503] as const) {
    let calls = 0;
    const endpoint = await startService(t, (request, response) => {
      if (++calls === 3) return response.end('{"ok": true}');
      if (failure === 'broken') return request.socket.destroy();
      return response.writeHead(failure).end('{}');
    });
    assert.deepEqual(await openSearchCall({ endpoint })('GET', '/'), { ok: true });
    assert.equal(calls, 3);
  }
});

test('a call that times out is not tried again, and is reported as unavailable', async (t) => {
  let calls = 0;
  const endpoint = await startService(t, () => {
    calls++;
  });
  await assert.rejects(openSearchCall({ endpoint, timeoutMs: 300 })('POST', '/documents/_search?a=b', {}), (cause) => {
    assert.ok(cause instanceof OpenSearchUnavailable);
    assert.equal(cause.message, 'POST /documents/_search: no response');
    return true;
  });
  assert.equal(calls, 1);
});

test('while OpenSearch is down, two calls in a row wait for it; later ones fail at once, until one is let through', async (t) => {
  let now = 0;
  let calls = 0;
  let down = true;
  const endpoint = await startService(t, (_, response) => {
    calls++;
    response.writeHead(down ? 503 : 200).end('{}');
  });
  const call = openSearchCall({ endpoint, monotonic: () => now });
  for (let n = 0; n < 5; n++) await assert.rejects(call('GET', '/'), OpenSearchUnavailable);
  assert.equal(calls, 6);
  now = 3000;
  await assert.rejects(call('GET', '/'), OpenSearchUnavailable);
  await assert.rejects(call('GET', '/'), OpenSearchUnavailable);
  assert.equal(calls, 9);
  now = 6000;
  down = false;
  for (let n = 0; n < 5; n++) await call('GET', '/');
  assert.equal(calls, 14);
});

test('a circuit opens only at the second failure in a row; while it is half-open it lets one call through', () => {
  let now = 0;
  const circuit = openCircuit(() => now);
  for (let n = 0; n < 3; n++) {
    circuit.failed();
    assert.ok(circuit.lets());
    circuit.succeeded();
  }
  circuit.failed();
  circuit.failed();
  assert.equal(circuit.lets(), false);
  now = 2999;
  assert.equal(circuit.lets(), false);
  now = 3000;
  assert.deepEqual([circuit.lets(), circuit.lets()], [true, false]);
  // The call that was let through never ended.
  now = 6000;
  assert.deepEqual([circuit.lets(), circuit.lets()], [true, false]);
  circuit.succeeded();
  assert.deepEqual([circuit.lets(), circuit.lets()], [true, true]);
});

test('when OpenSearch accepts no writes, only writes are unavailable', async (t) => {
  const endpoint = await startService(t, (request, response) => {
    if (request.method === 'GET') return response.end('{}');
    const error = { type: 'cluster_block_exception', reason: 'index [documents] blocked by: read-only' };
    response.writeHead(403).end(JSON.stringify({ error }));
  });
  const call = openSearchCall({ endpoint });
  for (let n = 0; n < 5; n++) {
    await assert.rejects(call('PUT', '/documents'), OpenSearchUnavailable);
    await call('GET', '/');
  }
});

test('of a bulk request, only the documents refused for lack of room are sent again; a faulty document is named with its reason', async (t) => {
  const bodies: string[][] = [];
  let reply: (line: number, bulk: number) => number = () => 200;
  const endpoint = await startService(t, (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      if (!request.url?.includes('/_bulk?')) return response.end('{}');
      const ids = [...body.matchAll(/"_id":"([^"]+)"/g)].map(([, id]) => id);
      bodies.push(ids);
      const items = ids.map((_, line) => {
        const status = reply(line, bodies.length);
        return { index: { status, ...(status < 300 ? {} : { error: { type: `error_${status}` } }) } };
      });
      response.end(JSON.stringify({ items }));
    });
  });
  const rows = ['a', 'b', 'c', 'd'].map((user) => ({ user, model: 'm', items: [{ repository: 'r', score: 1 }] }));
  const search = openSearch({ endpoint });
  reply = (line, bulk) => (bulk === 1 && line % 2 === 1 ? 429 : 200);
  await search.saveRecommendations(rows);
  assert.deepEqual(bodies[1], [bodies[0][1], bodies[0][3]]);
  assert.equal(bodies.length, 2);

  reply = () => 429;
  await assert.rejects(search.saveRecommendations(rows), OpenSearchUnavailable);
  reply = (line) => (line === 2 ? 400 : 200);
  const before = bodies.length;
  await assert.rejects(search.saveRecommendations(rows), /bulk: 400 error_400/);
  assert.equal(bodies.length, before + 1);
});

test('an invalid call is not tried again', async (t) => {
  let calls = 0;
  const endpoint = await startService(t, (_, response) => {
    calls++;
    response.writeHead(400).end('{"error": {"type": "parsing_exception", "reason": "no such field"}}');
  });
  await assert.rejects(openSearchCall({ endpoint })('POST', '/', {}), /400 no such field/);
  assert.equal(calls, 1);
});
