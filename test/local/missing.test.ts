import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataFolder, startLocal } from '../support/run.ts';

test('at an unknown path, a browser gets a page and any other client the JSON error', {
  timeout: 120_000,
}, async (t) => {
  const running = await startLocal(dataFolder(t));
  t.after(() => running.kill());
  const ask = (path: string, accept: string) => fetch(running.origin + path, { headers: { accept } });
  for (const path of ['/peopl', '/deep/er/address']) {
    const page = await ask(path, 'text/html,*/*');
    assert.deepEqual([page.status, page.headers.get('content-type')], [404, 'text/html; charset=UTF-8']);
    const [, script] = /src="(\/assets\/missing[^"]*\.js)"/.exec(await page.text()) ?? [];
    assert.equal((await ask(script, '*/*')).status, 200, `${path} loads ${script}`);
    assert.ok(page.headers.get('content-security-policy'));
    const error = await ask(path, '*/*');
    assert.deepEqual(
      [error.status, ((await error.json()) as { error: { code: string } }).error.code],
      [404, 'not_found'],
    );
  }
  assert.match((await ask('/v1/nothing', 'text/html')).headers.get('content-type') ?? '', /json/);
});
