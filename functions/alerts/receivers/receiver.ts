// Where alerts go: each receiver has a file that takes an alert, or throws and says what its server responded.
import type { Alert } from '#core/rules.ts';
import { mail } from './mail.ts';
import { slack } from './slack.ts';
import { webhook } from './webhook.ts';

export interface Receiver {
  /** Its name in the log. */
  name: string;
  send(alert: Alert): Promise<void>;
}

export interface ReceiverSettings {
  notifyUrl?: string;
  notifySecret?: string;
  slackUrl?: string;
  mailServer?: string;
  mailTo: string[];
  mailFrom?: string;
}

const secretNames = ['notifyUrl', 'notifySecret', 'slackUrl', 'mailServer'] as const;

/** Reads the settings that are secrets from a secret's text. Throws where it is not a JSON object of them. */
export function secretReceivers(text: string): Pick<ReceiverSettings, (typeof secretNames)[number]> {
  const must = `must be a JSON object of texts, such as {"slackUrl": "https://…"}, with no others than ${secretNames.join(', ')}`;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    // Its message would repeat the secret.
    throw new Error(`the secret of receiversSecretArn is not JSON: ${must}`);
  }
  const entries = Object.entries(read ?? {});
  if (typeof read !== 'object' || entries.some(([name, value]) => !isOneOf(name) || typeof value !== 'string'))
    throw new Error(`the secret of receiversSecretArn holds something else: ${must}`);
  return Object.fromEntries(entries);
}

const isOneOf = (name: string) => (secretNames as readonly string[]).includes(name);

/** The receivers that are set. Throws where a part is missing. */
export function receiversOf(settings: ReceiverSettings, clock: () => number): Receiver[] {
  const { notifyUrl, notifySecret, slackUrl, mailServer, mailTo, mailFrom } = settings;
  if (mailServer && mailTo.length === 0) throw new Error('mailServer has nobody to write to: mailTo must name them');
  if (notifyUrl && !notifySecret) throw new Error('notifyUrl has no notifySecret: alerts are signed with it');
  return [
    ...(notifyUrl && notifySecret ? [{ name: 'the webhook', send: webhook(notifyUrl, notifySecret, clock) }] : []),
    ...(slackUrl ? [{ name: 'Slack', send: slack(slackUrl) }] : []),
    ...(mailServer ? [{ name: 'the mail server', send: mail(mailServer, mailTo, mailFrom ?? mailTo[0]) }] : []),
  ];
}
