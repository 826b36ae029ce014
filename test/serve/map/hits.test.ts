// The public export, where a reply can't hold it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hitRoutes } from '#serve/map/hits.ts';
import { memoryObjects, open } from '../../support/memory-stores.ts';

test('points.json that no reply can hold is had elsewhere: each caller is sent to the document of their map', async () => {
  const clock = () => 0;
  const objects = memoryObjects(clock).through(open);
  const asked: string[] = [];
  for (const key of ['points.json', 'points/anonymous.json']) await objects.put(key, gzipSync(`{"of":"${key}"}`));
  let large = true;
  const app = hitRoutes({
    ...{ objects, keepDays: 7, least: 5 },
    seenBy: (c) => (c.req.header('authorization') ? 'names' : 'anonymous'),
    async elsewhere(key, method) {
      asked.push(`${method} ${key}`);
      return large ? `https://bucket.example/${key}?signature` : undefined;
    },
  });
  const headers = { authorization: 'Bearer team' };
  const anybody = await app.request('/points.json');
  assert.equal(anybody.status, 302);
  assert.equal(anybody.headers.get('location'), 'https://bucket.example/points/anonymous.json?signature');
  // The address is signed for a minute, and for this caller.
  assert.equal(anybody.headers.get('cache-control'), 'no-store');
  const team = await app.request('/points.json', { method: 'HEAD', headers });
  assert.equal(team.headers.get('location'), 'https://bucket.example/points.json?signature');
  assert.deepEqual(asked, ['GET points/anonymous.json', 'HEAD points.json']);
  large = false;
  const answer = await app.request('/points.json', { headers });
  assert.deepEqual(await answer.json(), { of: 'points.json' });
});
