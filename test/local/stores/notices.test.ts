import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { Notice } from '#core/rules.ts';
import { deliver } from '#local/stages/deliver.ts';
import { openNotices } from '#local/stores/notices.ts';

const hour = 3_600_000;
let now = 1_790_000_000_000;
const notice = (id: string, time = now, user = 'ann'): Notice => ({
  id,
  time,
  rule: 'people',
  when: 'first-pull',
  text: id,
  data: { user },
});

test('messages are posted once, signed; one the receiver refuses is reported and not posted again', async () => {
  const notices = openNotices(':memory:', () => now);
  await notices.add(notice('old'));
  now += 2 * hour;
  await notices.add(notice('good'));
  await notices.add(notice('refused'));
  await notices.add(notice('unreachable'));
  const posted: { body: string; headers: Record<string, string> }[] = [];
  const reports: string[] = [];
  const post = (async (_url: string, { body, headers }: { body: string; headers: Record<string, string> }) => {
    posted.push({ body, headers });
    if (body.includes('"unreachable"')) throw new Error('ECONNREFUSED');
    return { ok: !body.includes('"refused"'), status: 500 };
  }) as unknown as typeof fetch;
  for (let round = 0; round < 2; round++)
    await deliver({
      url: 'https://hook.example',
      secret: 'secret',
      next: notices.next,
      clock: () => now,
      report: (text) => reports.push(text),
      post,
    });
  assert.deepEqual(posted.map(({ body }) => JSON.parse(body).id).sort(), ['good', 'refused', 'unreachable']);
  assert.equal(reports.length, 2);
  const [{ body, headers }] = posted;
  const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(headers['X-Whalewatch-Signature']) ?? [];
  assert.equal(createHmac('sha256', 'secret').update(`${seconds}.${body}`).digest('hex'), hex);
});
