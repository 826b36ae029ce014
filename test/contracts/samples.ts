// What several contracts store and read.
import assert from 'node:assert/strict';
import type { Pull, StoredEvent } from '#core/event.ts';
import type { Page } from '#core/stores.ts';

export const start = Date.UTC(2026, 10, 21);
export const second = 1000;
export const hour = 3_600_000;
export const day = 86_400_000;

export const byText = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

export const storedEvent = (id: string, time: number, more: Partial<StoredEvent> = {}): StoredEvent => ({
  id,
  time,
  action: 'pull',
  kind: 'manifest',
  method: 'GET',
  repository: 'library/redis',
  tag: '7',
  digest: `sha256:${'a'.repeat(64)}`,
  user: 'Ann',
  userAgent: 'docker/28',
  source: 'registry.example',
  addressDigests: ['k1'],
  country: 'FI',
  client: 'docker',
  class: 'human',
  origin: 'shard-1:1:0',
  ...more,
});

export const pull = (id: string, time: number, more: Partial<Pull> = {}): Pull => ({
  id,
  time,
  user: 'Ann',
  repository: 'library/redis',
  tag: '7',
  class: 'human',
  client: 'docker',
  country: 'FI',
  events: 2,
  ...more,
});

export const ids = (items: { id: string }[]) => items.map(({ id }) => id);

export async function pages<T>(read: (cursor?: string) => Promise<Page<T>>): Promise<T[][]> {
  const result: T[][] = [];
  for (let cursor: string | undefined, first = true; first || cursor !== undefined; first = false) {
    const page = await read(cursor);
    result.push(page.items);
    cursor = page.cursor;
    assert.ok(result.length < 1000, 'pages end');
  }
  return result;
}
