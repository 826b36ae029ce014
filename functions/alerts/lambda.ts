import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { dynamoClient, s3Client, searchStore } from '#aws/clients.ts';
import { clock, newId } from '#aws/clock.ts';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import { number } from '#aws/env.ts';
import { counter, report } from '#aws/log.ts';
import { openObjects } from '#aws/s3/objects.ts';
import { openSecret } from '#aws/secret.ts';
import { snsSender } from '#aws/sns.ts';
import { deliver } from './deliver.ts';
import { readVariables } from './env.ts';
import { type Receiver, receiversOf, secretReceivers } from './receivers/receiver.ts';
import { reportWhenDue, type Weekday } from './weekly.ts';

/** The next call continues with the remaining alerts. */
const takesForMs = 50_000;

const variables = readVariables();
const count = counter(variables.METRICS, clock);
const alerts = openAlerts({ client: dynamoClient(), table: variables.ALERTS_TABLE, clock });
const search = searchStore(variables.SEARCH_ENDPOINT, variables.SEARCH_SIGNED === 'true', 'train');
const objects = openObjects({ client: s3Client(), bucket: variables.BUCKET });
const topic: Receiver = { name: 'the topic', send: snsSender(new SNSClient({}), variables.TOPIC) };
const secret = variables.RECEIVERS_SECRET_ID
  ? openSecret(new SecretsManagerClient({}), variables.RECEIVERS_SECRET_ID, clock)
  : async () => '{}';
const mailTo = variables.MAIL_TO.split(',').filter((address) => address !== '');
const mailFrom = variables.MAIL_FROM || undefined;
const perHour = number('ALERTS_PER_HOUR', variables.ALERTS_PER_HOUR);
const day = variables.REPORT_DAY as Weekday | '';

/** The receivers besides the topic: none while the secret can't be read, so that the topic does not wait for it. */
async function others(): Promise<Receiver[]> {
  try {
    return receiversOf({ ...secretReceivers(await secret()), mailTo, mailFrom }, clock);
  } catch (cause) {
    refused(cause);
    return [];
  }
}

function refused(cause: unknown): void {
  count({ AlertsRefused: 1 });
  report(cause);
}

/** The schedule calls this once a minute. Two calls at once are harmless: each alert is handed out once. */
export async function handler(): Promise<void> {
  const until = clock() + takesForMs;
  if (day)
    await reportWhenDue({ day, alerts, search, objects, clock, newId }).catch((cause) => {
      count({ AlertsLost: 1 });
      report(cause);
    });
  const receivers = [topic, ...(await others())];
  await deliver({ receivers, alerts, perHour, report: refused, goesOn: () => clock() < until });
}
