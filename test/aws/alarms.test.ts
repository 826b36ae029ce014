// `npm run verify -- --alarms`, against an emulator of CloudWatch's alarms and SNS's topics.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CloudFormationClient, CreateStackCommand, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DescribeAlarmsCommand, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { ListSubscriptionsCommand, SNSClient } from '@aws-sdk/client-sns';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';
import { alarmsRing } from '../../infra/tools/alarms.ts';
import { eventually } from '../support/run.ts';
import { notInstalled, type Server, startMiniStack } from './servers.ts';

const skip = notInstalled && `install the servers with ${notInstalled}`;
let server: Server;
before(async () => {
  if (!skip) server = await startMiniStack();
});
after(() => server?.stop());

const alarm = (AlarmActions: unknown[]) => ({
  Type: 'AWS::CloudWatch::Alarm',
  Properties: {
    AlarmActions,
    ...{ Namespace: 'Test', MetricName: 'Failures', Statistic: 'Sum', Period: 60, EvaluationPeriods: 1, Threshold: 1 },
    ComparisonOperator: 'GreaterThanOrEqualToThreshold',
  },
});

/** A stack of alarms on a topic. */
async function deployed(StackName: string, resources: (topic: object) => object) {
  const client = {
    endpoint: server.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  const cloudFormation = new CloudFormationClient(client);
  const Resources = { Topic: { Type: 'AWS::SNS::Topic' }, ...resources({ Ref: 'Topic' }) };
  await cloudFormation.send(new CreateStackCommand({ StackName, TemplateBody: JSON.stringify({ Resources }) }));
  await eventually(
    30,
    () => cloudFormation.send(new DescribeStacksCommand({ StackName })),
    ({ Stacks }) => Stacks?.[0].StackStatus === 'CREATE_COMPLETE',
  );
  return {
    cloudFormation,
    cloudWatch: new CloudWatchClient(client),
    sns: new SNSClient(client),
    sqs: new SQSClient(client),
  };
}

test('each alarm of the stack rings once and returns to its state, and the check leaves nothing behind', {
  skip,
}, async () => {
  const clients = await deployed('Rings', (topic) => ({ One: alarm([topic]), Two: alarm([topic]) }));
  const { cloudWatch, sns, sqs } = clients;
  const alarms = async () => (await cloudWatch.send(new DescribeAlarmsCommand({}))).MetricAlarms ?? [];
  const [first] = await alarms();
  // One alarm is in ALARM already; it acts only when its state changes.
  await cloudWatch.send(
    new SetAlarmStateCommand({ AlarmName: first.AlarmName, StateValue: 'ALARM', StateReason: 'for real' }),
  );
  const states = async () => (await alarms()).map(({ AlarmName, StateValue }) => `${AlarmName} ${StateValue}`);
  const before = await states();
  const lines: string[] = [];
  await alarmsRing({ stack: 'Rings', clients, log: (line) => lines.push(line) });
  assert.deepEqual(lines.sort(), (await alarms()).map(({ AlarmName }) => `ok  ${AlarmName} rings`).sort());
  assert.deepEqual(await states(), before);
  assert.deepEqual((await sns.send(new ListSubscriptionsCommand({}))).Subscriptions ?? [], []);
  assert.deepEqual((await sqs.send(new ListQueuesCommand({}))).QueueUrls ?? [], []);
});

test('an alarm without a subscriber is named before any alarm is set off', { skip }, async () => {
  const clients = await deployed('Dumb', (topic) => ({ One: alarm([topic]), Two: alarm([]) }));
  const call = alarmsRing({ stack: 'Dumb', clients, log: (line) => assert.fail(line) });
  await assert.rejects(call, /^Error: alarms without a topic, which notify nobody: Dumb-Two-\S+$/);
});
