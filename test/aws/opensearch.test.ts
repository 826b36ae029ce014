// The calls of search when the domain does not respond as it should.
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { OpenSearchError, openSearchCall } from '#aws/opensearch.ts';

async function domain(t: TestContext, respond: RequestListener): Promise<string> {
  const server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('a connection that breaks, a 429 and a 503 are tried again, three times in all', async (t) => {
  for (const failure of ['broken', 429, 503] as const) {
    let calls = 0;
    const endpoint = await domain(t, (request, response) => {
      if (++calls === 3) return response.end('{"ok": true}');
      if (failure === 'broken') return request.socket.destroy();
      return response.writeHead(failure).end('{}');
    });
    assert.deepEqual(await openSearchCall({ endpoint })('GET', '/'), { ok: true });
    assert.equal(calls, 3);
  }
});

test('a domain that never responds is given up after the time of the stage, with what was called', async (t) => {
  let calls = 0;
  const endpoint = await domain(t, () => {
    calls++;
  });
  await assert.rejects(openSearchCall({ endpoint, timeoutMs: 500 })('POST', '/documents/_search?a=b', {}), (cause) => {
    assert.ok(cause instanceof OpenSearchError && cause.type === 'no_answer');
    assert.equal(cause.message, 'POST /documents/_search: no answer');
    return true;
  });
  assert.equal(calls, 3);
});

test('a call that is wrong is not tried again', async (t) => {
  let calls = 0;
  const endpoint = await domain(t, (_, response) => {
    calls++;
    response.writeHead(400).end('{"error": {"type": "parsing_exception", "reason": "no such field"}}');
  });
  await assert.rejects(openSearchCall({ endpoint })('POST', '/', {}), /400 no such field/);
  assert.equal(calls, 1);
});
