// The public export when it is too large for a reply.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hitRoutes } from '#serve/map/hits.ts';
import { memoryObjects, open } from '../../support/memory-stores.ts';

test('a points.json too large for a reply is redirected: each caller to the document of their map', async () => {
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
  // The URL is signed for a minute, and only for this caller.
  assert.equal(anybody.headers.get('cache-control'), 'no-store');
  const team = await app.request('/points.json', { method: 'HEAD', headers });
  assert.equal(team.headers.get('location'), 'https://bucket.example/points.json?signature');
  assert.deepEqual(asked, ['GET points/anonymous.json', 'HEAD points.json']);
  large = false;
  const answer = await app.request('/points.json', { headers });
  assert.deepEqual(await answer.json(), { of: 'points.json' });
});

test('points.json is read once for all callers, compressed or not, until there is a newer one', async () => {
  const objects = memoryObjects(() => 0);
  let gets = 0;
  const counting = objects.through(async (name, effect) => {
    if (name === 'get') gets++;
    return effect();
  });
  const app = hitRoutes({ objects: counting, keepDays: 7, least: 5, seenBy: () => 'names' });
  const read = async (headers: Record<string, string> = {}) => app.request('/points.json', { headers });
  assert.deepEqual(((await (await read()).json()) as { points: object[] }).points, []);
  await counting.put('points.json', gzipSync('{"of":1}'));
  const answers = await Promise.all([read(), read(), read({ 'accept-encoding': 'gzip' })]);
  for (const answer of answers.slice(0, 2)) assert.deepEqual(await answer.json(), { of: 1 });
  assert.equal(answers[0].headers.get('content-encoding'), null);
  assert.equal(answers[2].headers.get('content-encoding'), 'gzip');
  assert.deepEqual(new Uint8Array(await answers[2].arrayBuffer()), new Uint8Array(gzipSync('{"of":1}')));
  const etag = answers[0].headers.get('etag') as string;
  assert.equal((await read({ 'if-none-match': etag })).status, 304);
  assert.equal(gets, 1);
  // Also when it has several parts.
  const long = JSON.stringify(Array.from({ length: 50_000 }, () => Math.random()));
  await counting.put('points.json', gzipSync(long));
  assert.equal(await (await read()).text(), long);
  await counting.put('points.json', gzipSync('{"of":2}'));
  assert.deepEqual(await (await read({ 'if-none-match': etag })).json(), { of: 2 });
  assert.equal(gets, 3);
});
