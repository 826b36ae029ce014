import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { answerErrors } from '#http/errors.ts';
import { access } from '#serve/access.ts';

const paths = {
  public: ['/points.json', '/v1/tiles/a/0/0/0.mvt', '/v1/clusters', '/v1/hits', '/v1/health', '/v1/openapi.json'],
  private: ['/v1/history', '/v1/users', '/v1/recommendations', '/v1/pullers', '/v1/quarantine', '/v1/repositories'],
};

function app(token?: string, publicPeople = false) {
  const app = new Hono();
  answerErrors(app, (cause) => assert.fail(String(cause)));
  app.use('*', access({ readToken: token === undefined ? undefined : async () => token, publicPeople }));
  return app.all('*', (c) => c.text('here'));
}

test('the map is open to every site; people are to none', async () => {
  for (const path of paths.public)
    assert.equal((await app('secret').request(path)).headers.get('access-control-allow-origin'), '*', path);
  for (const path of paths.private)
    assert.equal((await app().request(path)).headers.get('access-control-allow-origin'), null, path);
});

test('people are shown to the bearer of the token, by header or cookie, and to nobody else', async () => {
  for (const path of paths.private) {
    const ask = async (headers: Record<string, string>) => (await app('secret').request(path, { headers })).status;
    assert.equal(await ask({}), 401, path);
    assert.equal(await ask({ Authorization: 'Bearer secre' }), 401, path);
    assert.equal(await ask({ Authorization: 'Bearer secret' }), 200, path);
    assert.equal(await ask({ Cookie: 'a=b; whalewatch=secret' }), 200, path);
  }
});

test('another site changes nothing, even with the cookie', async () => {
  const ask = async (site: string) =>
    (await app().request('/v1/users?user=ann', { method: 'DELETE', headers: { 'Sec-Fetch-Site': site } })).status;
  assert.equal(await ask('cross-site'), 403);
  assert.equal(await ask('same-site'), 403);
  assert.equal(await ask('same-origin'), 200);
});

test('where people are public anybody may read about them, and changes still ask for the token', async () => {
  const ask = async (method: string, path: string, headers = {}) =>
    (await app('secret', true).request(path, { method, headers })).status;
  for (const path of paths.private) assert.equal(await ask('GET', path), 200, path);
  assert.equal(await ask('POST', '/v1/recommendations'), 200);
  for (const [method, path] of [
    ['DELETE', '/v1/users?user=ann'],
    ['POST', '/v1/model/rollback'],
  ]) {
    assert.equal(await ask(method, path), 401, path);
    assert.equal(await ask(method, path, { Authorization: 'Bearer secret' }), 200, path);
  }
});
