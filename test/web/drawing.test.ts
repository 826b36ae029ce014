import assert from 'node:assert/strict';
import { test } from 'node:test';
import { happened, type Seen } from '../../web/map/pulse.ts';
import { sum } from '../../web/map/visited.ts';

test('hits of several days are summed by domain, most first, ties by name', () => {
  const day = (hits: Record<string, number>) => Object.entries(hits).map(([domain, hits]) => ({ domain, hits }));
  assert.deepEqual(sum([day({ a: 5, b: 3 }), day({ c: 8, b: 5 }), []]), day({ b: 8, c: 8, a: 5 }));
});

test('a ring is drawn where a domain is new, a cluster has grown or a domain was hit again', () => {
  const seen = (entries: Record<string, string>): Seen =>
    new Map(Object.entries(entries).map(([at, what], lon) => [at, { lon, lat: 0, what }]));
  const before = seen({ berlin: '5', london: '2', oslo: '1 8:00', rome: '1 7:00' });
  const after = seen({ berlin: '5', london: '3', oslo: '1 8:05', rome: '1 7:00', suva: '1 8:04' });
  assert.deepEqual(
    happened(before, after).map(({ lon }) => lon),
    [1, 2, 4],
  );
  assert.deepEqual(happened(after, after), []);
});
