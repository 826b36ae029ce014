// npm run verify -- --alarms: sets each alarm of a stack off, checks that its message comes out of the topic, and sets
// it back.
import { randomUUID } from 'node:crypto';
import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, paginateDescribeAlarms, SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { SNSClient, SubscribeCommand, UnsubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';

export interface AlarmClients {
  cloudFormation: CloudFormationClient;
  cloudWatch: CloudWatchClient;
  sns: SNSClient;
  sqs: SQSClient;
}

export const openAlarmClients = (): AlarmClients => ({
  cloudFormation: new CloudFormationClient({}),
  cloudWatch: new CloudWatchClient({}),
  sns: new SNSClient({}),
  sqs: new SQSClient({}),
});

export interface AlarmOptions {
  stack: string;
  clients: AlarmClients;
  /** Seconds to wait for all messages. */
  seconds?: number;
  log: (line: string) => void;
}

/**
 * Throws with the names of alarms whose message did not arrive. Subscribers get the messages too; each says that it is
 * a test. CloudWatch evaluates each alarm again within its period, so that a real fault is not hidden for long.
 */
export async function alarmsRing({ stack, clients, seconds = 120, log }: AlarmOptions): Promise<void> {
  const { cloudWatch, sns, sqs } = clients;
  const names = await alarmNames(stack, clients.cloudFormation);
  if (names.length === 0) throw new Error(`the stack ${stack} has no alarms: name another with --stack`);
  const alarms = await described(names, cloudWatch);
  const silent = alarms.filter(({ topics }) => topics.length === 0).map(({ name }) => name);
  if (silent.length > 0) throw new Error(`alarms without a topic, which notify nobody: ${silent.join(', ')}`);
  const topics = [...new Set(alarms.flatMap((alarm) => alarm.topics))];

  const { QueueUrl = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: `alarm-test-${randomUUID()}`, Attributes: { MessageRetentionPeriod: '600' } }),
  );
  const subscriptions: string[] = [];
  const reason = 'A test (npm run verify -- --alarms): nothing is wrong';
  const set = (name: string, StateValue: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA', StateReason: string) =>
    cloudWatch.send(new SetAlarmStateCommand({ AlarmName: name, StateValue, StateReason }));
  try {
    const queue = await openTo(topics, QueueUrl, sqs);
    for (const TopicArn of topics) {
      const { SubscriptionArn = '' } = await sns.send(
        new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: queue, ReturnSubscriptionArn: true }),
      );
      subscriptions.push(SubscriptionArn);
    }
    const missing = new Map(alarms.map((alarm) => [alarm.name, alarm]));
    for (const { name, state } of alarms) {
      // An alarm acts only when its state changes.
      if (state === 'ALARM') await set(name, 'OK', reason);
      await set(name, 'ALARM', reason);
    }
    for (const end = performance.now() + seconds * 1000; missing.size > 0 && performance.now() < end; )
      for (const name of await received(sqs, QueueUrl)) if (missing.delete(name)) log(`ok  ${name} rings`);
    if (missing.size > 0) throw new Error(`no message within ${seconds} s of ${[...missing.keys()].join(', ')}`);
  } finally {
    for (const { name, state } of alarms) await set(name, state, 'After a test: as it was');
    for (const SubscriptionArn of subscriptions) await sns.send(new UnsubscribeCommand({ SubscriptionArn }));
    await sqs.send(new DeleteQueueCommand({ QueueUrl }));
  }
}

async function alarmNames(StackName: string, client: CloudFormationClient): Promise<string[]> {
  const names: string[] = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName }))
    for (const { ResourceType, PhysicalResourceId } of StackResourceSummaries)
      if (ResourceType === 'AWS::CloudWatch::Alarm' && PhysicalResourceId) names.push(PhysicalResourceId);
  return names;
}

/** DescribeAlarms takes a hundred names. */
const namesAtOnce = 100;

async function described(names: string[], client: CloudWatchClient) {
  const found: { name: string; state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'; topics: string[] }[] = [];
  for (let at = 0; at < names.length; at += namesAtOnce)
    for await (const { MetricAlarms = [] } of paginateDescribeAlarms(
      { client },
      { AlarmNames: names.slice(at, at + namesAtOnce) },
    ))
      for (const { AlarmName = '', StateValue = 'INSUFFICIENT_DATA', AlarmActions = [] } of MetricAlarms)
        found.push({
          name: AlarmName,
          state: StateValue,
          topics: AlarmActions.filter((arn) => /^arn:aws[\w-]*:sns:/.test(arn)),
        });
  return found;
}

/** Lets only the topics send to the test's own queue; returns its ARN. */
async function openTo(topics: string[], QueueUrl: string, sqs: SQSClient): Promise<string> {
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  const Resource = Attributes?.QueueArn ?? '';
  const Statement = [
    {
      Effect: 'Allow',
      Principal: { Service: 'sns.amazonaws.com' },
      Action: 'sqs:SendMessage',
      Resource,
      Condition: { ArnEquals: { 'aws:SourceArn': topics } },
    },
  ];
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement });
  await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  return Resource;
}

/** The names of the alarms whose messages arrived. */
async function received(sqs: SQSClient, QueueUrl: string): Promise<string[]> {
  const { Messages = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 5 }),
  );
  const names: string[] = [];
  for (const { Body = '', ReceiptHandle } of Messages) {
    const { AlarmName, NewStateValue } = JSON.parse(JSON.parse(Body).Message) as Record<string, string>;
    if (NewStateValue === 'ALARM') names.push(AlarmName);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
  }
  return names;
}
