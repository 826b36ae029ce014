import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectApp } from '#collect/app.ts';
import type { StreamRecord } from '#core/stores.ts';

test('with hits switched off none is accepted and senders drop theirs; registry events are still accepted', async () => {
  const taken = { registries: [] as StreamRecord[], hits: [] as StreamRecord[] };
  const into = (records: StreamRecord[]) => ({
    async put(more: StreamRecord[]) {
      records.push(...more);
    },
  });
  for (const refuseHits of [true, false]) {
    const app = collectApp({
      ...{ stream: into(taken.registries), hits: into(taken.hits), token: async () => 'token', refuseHits },
      ...{ peer: () => '81.2.69.142', trustedProxies: [], addressHeader: 'X-Forwarded-For', networks: {} },
      ...{ clock: () => Date.UTC(2026, 10, 28), newKey: () => 'key', report: (cause) => assert.fail(String(cause)) },
    });
    const hits = await app.request('/v1/hits', { method: 'POST', body: '[{"domain": "portal.example"}]' });
    // Not an error: a beacon would send the hits again.
    assert.deepEqual([hits.status, hits.headers.get('access-control-allow-origin')], [202, '*']);
    const { accepted, reason } = (await hits.json()) as { accepted: number; reason?: string };
    assert.deepEqual(
      [accepted, reason, taken.hits.length],
      refuseHits ? [0, 'hits are switched off here', 0] : [1, undefined, 1],
    );
    const event = { id: 'a', action: 'pull', target: { repository: 'a/b', tag: '1' }, request: { method: 'GET' } };
    const registry = await app.request('/v1/registry-events', {
      method: 'POST',
      headers: { Authorization: 'Bearer token' },
      body: JSON.stringify({ events: [event] }),
    });
    assert.equal(registry.status, 202);
  }
  assert.equal(taken.registries.length, 2);
});
