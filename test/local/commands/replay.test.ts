import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Quarantined } from '#core/event.ts';
import { replayed } from '#local/commands/replayed.ts';

const event = {
  id: 'e1',
  timestamp: '2026-05-01T10:00:00Z',
  action: 'pull',
  target: { mediaType: 'application/vnd.oci.image.manifest.v1+json', repository: 'a/b', tag: '1' },
  request: { method: 'GET', addr: 'x.x.x.x', useragent: 'docker/27' },
};

async function replay(...bodies: string[]) {
  const held = new Map<string, Quarantined>();
  bodies.forEach((body, at) => {
    held.set(`q${at}`, { id: `q${at}`, time: at, reason: 'no idea', position: 'collect', body });
  });
  const lines: string[] = [];
  const order: string[] = [];
  const result = await replayed({
    registries: [],
    events: {
      async quarantined({ cursor = '', limit }) {
        const items = [...held.values()].filter(({ id }) => id > cursor).slice(0, Math.min(limit, 2));
        return { items, cursor: items.length === 2 ? items[1].id : undefined };
      },
      async release(ids) {
        order.push('release');
        for (const id of ids) held.delete(id);
      },
    },
    stream: {
      async put(records) {
        order.push('put');
        for (const { data } of records) lines.push(...Buffer.from(data).toString().split('\n'));
      },
    },
    clock: () => Date.parse('2026-05-02T00:00:00Z'),
  });
  return { ...result, left: [...held.keys()], lines: lines.map((line) => JSON.parse(line)), order };
}

test('an event, an envelope and a stream line are replayed; the rest stays in quarantine with its reason', async () => {
  const { released, kept, left, lines } = await replay(
    JSON.stringify(event),
    JSON.stringify({ events: [event, { ...event, id: 'e2' }] }),
    JSON.stringify({ type: 'hit', time: 5, address: 'x.x.x.x', domain: 'portal.example', action: 'view' }),
    'garbage',
    JSON.stringify({ ...event, action: 'eat' }),
  );
  assert.deepEqual([released, left, [...kept]], [3, ['q3', 'q4'], [['no idea', 2]]]);
  assert.deepEqual(
    lines.map((line) => line.event?.id ?? line.id),
    ['e1', 'e1', 'e2', 'replay-q2'],
  );
});

test('an entry that is understood now but needs no storing leaves the quarantine too', async () => {
  const { released, lines } = await replay('{"events":[]}');
  assert.deepEqual([released, lines], [1, []]);
});

test('a page of entries is in the stream before it leaves the quarantine', async () => {
  const { order } = await replay(JSON.stringify(event), 'x', JSON.stringify(event));
  assert.deepEqual(order, ['put', 'release', 'put', 'release']);
});
