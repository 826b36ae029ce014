// Where alerts go: one file for each kind of receiver. A receiver sends an alert, or throws an error with its server's
// response.
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

/** Reads the secret settings from the text of a stored secret. Throws unless it is a JSON object of such settings. */
export function secretReceivers(text: string): Pick<ReceiverSettings, (typeof secretNames)[number]> {
  const must = `must be a JSON object of texts, such as {"slackUrl": "https://…"}, with keys from ${secretNames.join(', ')}`;
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    // The parser's message would contain the secret.
    throw new Error(`the secret of receiversSecretArn is not JSON: ${must}`);
  }
  const entries = Object.entries(read ?? {});
  if (typeof read !== 'object' || entries.some(([name, value]) => !isOneOf(name) || typeof value !== 'string'))
    throw new Error(`the secret of receiversSecretArn is wrong: ${must}`);
  return Object.fromEntries(entries);
}

const isOneOf = (name: string) => (secretNames as readonly string[]).includes(name);

/** The receivers in the settings. Throws if part of one is missing. */
export function receiversOf(settings: ReceiverSettings, clock: () => number): Receiver[] {
  const { notifyUrl, notifySecret, slackUrl, mailServer, mailTo, mailFrom } = settings;
  if (mailServer && mailTo.length === 0)
    throw new Error('mailServer is set, but mailTo is empty: mailTo must name who gets the mail');
  if (notifyUrl && !notifySecret)
    throw new Error('notifyUrl is set, but notifySecret is not: it must be set, because alerts are signed with it');
  return [
    ...(notifyUrl && notifySecret ? [{ name: 'the webhook', send: webhook(notifyUrl, notifySecret, clock) }] : []),
    ...(slackUrl ? [{ name: 'Slack', send: slack(slackUrl) }] : []),
    ...(mailServer ? [{ name: 'the mail server', send: mail(mailServer, mailTo, mailFrom ?? mailTo[0]) }] : []),
  ];
}
