// Where alerts go: each receiver has a file that takes an alert, or throws and says what its server responded.
import type { Alert } from '#core/rules.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { mail } from './mail.ts';
import { slack } from './slack.ts';
import { webhook } from './webhook.ts';

export interface Receiver {
  /** Its name in the log. */
  name: string;
  send(alert: Alert): Promise<void>;
}

export type ReceiverSettings = Pick<
  ResolvedSettings,
  'notifyUrl' | 'notifySecret' | 'slackUrl' | 'mailServer' | 'mailTo' | 'mailFrom'
>;

/** The receivers that are set. */
export function receiversOf(settings: ReceiverSettings, clock: () => number): Receiver[] {
  const { notifyUrl, notifySecret, slackUrl, mailServer, mailTo, mailFrom } = settings;
  return [
    ...(notifyUrl && notifySecret ? [{ name: 'the webhook', send: webhook(notifyUrl, notifySecret, clock) }] : []),
    ...(slackUrl ? [{ name: 'Slack', send: slack(slackUrl) }] : []),
    ...(mailServer ? [{ name: 'the mail server', send: mail(mailServer, mailTo, mailFrom ?? mailTo[0]) }] : []),
  ];
}
