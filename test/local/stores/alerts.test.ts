import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { Alert } from '#core/rules.ts';
import { deliver } from '#local/stages/deliver.ts';
import { openAlerts } from '#local/stores/alerts.ts';

const hour = 3_600_000;
let now = 1_790_000_000_000;
const alert = (id: string, time = now, user = 'ann'): Alert => ({
  id,
  time,
  rule: 'people',
  when: 'first-pull',
  text: id,
  data: { user },
});

test('messages are posted once, signed; one the receiver refuses is reported and not posted again', async () => {
  const alerts = openAlerts(':memory:', () => now);
  await alerts.add(alert('old'));
  now += 2 * hour;
  await alerts.add(alert('good'));
  await alerts.add(alert('refused'));
  await alerts.add(alert('unreachable'));
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
      next: alerts.next,
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
