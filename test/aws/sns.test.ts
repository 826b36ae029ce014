import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PublishCommand } from '@aws-sdk/client-sns';
import { snsSender } from '#aws/sns.ts';

test('a message goes to the topic whole, with a subject that SNS accepts', async () => {
  const published: PublishCommand[] = [];
  const client = {
    send: async (command: PublishCommand) => {
      published.push(command);
    },
  };
  const send = snsSender(client as unknown as Parameters<typeof snsSender>[0], 'arn:topic');
  const text = `  zoë pulls for the first time: ${'x'.repeat(200)}\nmore`;
  await send({ id: 'i', time: 0, rule: 'people', when: 'first-pull', text, data: { user: 'zoë' } });
  const [{ input }] = published;
  assert.equal(input.TopicArn, 'arn:topic');
  assert.match(input.Subject ?? '', /^zo\? pulls for the first time: x+$/);
  assert.equal(input.Subject?.length, 100);
  const message = JSON.parse(input.Message ?? '');
  // E-mail subscribers get the text, all others the whole message as JSON.
  assert.equal(input.MessageStructure, 'json');
  assert.equal(message.email, `${text}\n\n-- \nWhalewatch, people`);
  assert.deepEqual(JSON.parse(message.default), {
    id: 'i',
    time: '1970-01-01T00:00:00.000Z',
    rule: 'people',
    when: 'first-pull',
    text,
    data: { user: 'zoë' },
  });
  assert.equal(input.MessageAttributes?.rule.StringValue, 'people');
});
