// Each failure is {error: {code, message}}, and says nothing of what is inside.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { BadCursor, NotSummed, StoreUnavailable } from '#core/stores.ts';
import { ApiError, answerErrors, badRequest, notFound, wrongParameter } from '#http/errors.ts';

function world(cause?: Error) {
  const reported: unknown[] = [];
  const app = new Hono();
  answerErrors(app, (each) => reported.push(each));
  const fails = () => {
    if (cause) throw cause;
    return new Response('fine');
  };
  app.get('/read', (c) => {
    c.header('ETag', '"one"');
    c.header('Cache-Control', 'public, max-age=60');
    return fails();
  });
  app.post('/write', fails);
  app.get('/both', fails).delete('/both', fails);
  app.get('/pages/*', fails);
  const ask = async (path: string, method = 'GET') => {
    const answer = await app.request(path, { method });
    const { code, message } = ((await answer.json()) as { error: { code: string; message: string } }).error;
    return { status: answer.status, code, message, headers: answer.headers };
  };
  return { ask, reported };
}

test('an unknown path is 404, a known one with another method is 405 with the methods it takes', async () => {
  const { ask } = world();
  for (const path of ['/', '/reads', '/read/x', '/Read']) {
    const { status, code, headers } = await ask(path);
    assert.deepEqual([status, code, headers.get('allow')], [404, 'not_found', null], path);
  }
  for (const [path, method, allow] of [
    ['/read', 'POST', 'HEAD, GET'],
    ['/read', 'OPTIONS', 'HEAD, GET'],
    ['/write', 'GET', 'POST'],
    ['/both', 'PUT', 'HEAD, GET, DELETE'],
  ]) {
    const { status, code, message, headers } = await ask(path, method);
    assert.deepEqual([status, code, headers.get('allow')], [405, 'method_not_allowed', allow]);
    assert.equal(message, `${path} takes ${allow}, not ${method}.`);
  }
  assert.equal((await ask('/pages/x', 'POST')).status, 404, 'a path below which anything is served is not a route');
});

test('each kind of failure has its status, and only those of the server are reported', async () => {
  const secret = 'the password is 123';
  const rows: [
    cause: Error,
    status: number,
    code: string,
    says: RegExp,
    retryAfter: string | null,
    reported: number,
  ][] = [
    [badRequest('say what'), 400, 'bad_request', /^say what$/, null, 0],
    [notFound('no such thing'), 404, 'not_found', /^no such thing$/, null, 0],
    [wrongParameter('limit', 'x', 'must be 1'), 400, 'bad_request', /^limit is "x": must be 1$/, null, 0],
    [new ApiError(503, 'full', 'later', { retryAfterSeconds: 0 }), 503, 'full', /^later$/, '0', 0],
    [new ApiError(503, 'full', 'later', { retryAfterSeconds: 7 }), 503, 'full', /^later$/, '7', 0],
    [new HTTPException(413, { message: 'large' }), 413, 'bad_request', /^large$/, null, 0],
    [new BadCursor('a cursor'), 400, 'bad_request', /^a cursor$/, null, 0],
    [new NotSummed(1, 2), 503, 'not_summed', /./, '10', 0],
    [Object.assign(new Error(secret), { code: 'ECONNRESET' }), 400, 'aborted', /ended before/, null, 0],
    [Object.assign(new Error(secret), { name: 'AbortError' }), 400, 'aborted', /ended before/, null, 0],
    [new StoreUnavailable(secret), 503, 'unavailable', /try again in 5 seconds/, '5', 1],
    [new Error(secret), 500, 'internal', /The server failed/, null, 1],
  ];
  for (const [cause, status, code, says, retryAfter, count] of rows) {
    const { ask, reported } = world(cause);
    const found = await ask('/read');
    assert.deepEqual([found.status, found.code, found.headers.get('retry-after')], [status, code, retryAfter]);
    assert.match(found.message, says);
    assert.ok(!found.message.includes(secret));
    assert.equal(reported.length, count, code);
    assert.deepEqual([found.headers.get('cache-control'), found.headers.get('etag')], ['no-store', null]);
  }
});
