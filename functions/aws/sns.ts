import { PublishCommand, type SNSClient } from '@aws-sdk/client-sns';
import type { Alert } from '#core/rules.ts';

/** The rights of a sender on the topic. */
export const topicRights = ['sns:Publish'];

/**
 * Publishes alerts to an SNS topic: e-mail subscribers get the text, others the whole alert as JSON; rule and kind are
 * attributes for subscription filters.
 */
export function snsSender(client: Pick<SNSClient, 'send'>, topic: string): (alert: Alert) => Promise<void> {
  return async (alert) => {
    const { rule, when, text, time } = alert;
    await client.send(
      new PublishCommand({
        TopicArn: topic,
        Subject: subjectOf(text),
        MessageStructure: 'json',
        Message: JSON.stringify({
          default: JSON.stringify({ ...alert, time: new Date(time).toISOString() }),
          email: `${text}\n\n-- \nWhalewatch, ${rule}`,
        }),
        MessageAttributes: {
          rule: { DataType: 'String', StringValue: rule },
          when: { DataType: 'String', StringValue: when },
        },
      }),
    );
  };
}

/** SNS takes a subject of at most 100 printable ASCII characters that does not begin with a space. */
function subjectOf(text: string): string {
  return text
    .trim()
    .split('\n')[0]
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 100);
}
