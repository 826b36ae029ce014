import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerErrors } from '#http/errors.ts';
import { openEvents } from '#local/stores/events.ts';
import { openSearch } from '#local/stores/search/search.ts';
import { peopleRoutes } from '#serve/registry/people.ts';

test('the caller is told when not everything was forgotten, and the log says why', async () => {
  const reported: unknown[] = [];
  const [events, search] = [openEvents(':memory:', () => 0), openSearch(':memory:')];
  const full = async () => {
    throw new Error('database or disk is full');
  };
  const report = (cause: unknown) => reported.push(cause);
  const ask = async (broken: object) => {
    const app = peopleRoutes({ events, search: { ...search, ...broken }, clock: () => 0, report });
    answerErrors(app, (cause) => assert.fail(String(cause)));
    const answer = await app.request('/v1/users?user=ann', { method: 'DELETE' });
    return { status: answer.status, body: JSON.stringify(await answer.json()) };
  };
  const { status, body } = await ask({ forget: full });
  assert.equal(status, 500);
  assert.match(body, /not everything was forgotten.*Call again/);
  assert.ok(!body.includes('disk'));
  assert.match(String(reported), /disk is full/);
  assert.deepEqual(await ask({}), { status: 200, body: '{"user":"ann","rows":0}' });
});
