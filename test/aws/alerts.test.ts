// The function that sends alerts, against an emulator of AWS and real receivers.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { CreateTopicCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb';
import { SMTPServer } from 'smtp-server';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import type { Alert } from '#core/rules.ts';
import { eventually } from '../support/run.ts';
import { awsEnvironment, notInstalled, startMiniStack } from './servers.ts';

if (notInstalled) test(`alerts on AWS (install the servers with ${notInstalled})`, { skip: true });
else await sending();

async function sending() {
  const ministack = await startMiniStack();
  after(() => ministack.stop());
  Object.assign(process.env, awsEnvironment(ministack.url));
  const [dynamo, sns, sqs, secrets] = [
    new DynamoDBClient({}),
    new SNSClient({}),
    new SQSClient({}),
    new SecretsManagerClient({}),
  ];
  const client = DynamoDBDocumentClient.from(dynamo, { marshallOptions: { removeUndefinedValues: true } });
  await dynamo.send(
    new CreateTableCommand({
      TableName: 'alerts',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'sk', KeyType: 'RANGE' },
      ],
    }),
  );
  const { TopicArn } = await sns.send(new CreateTopicCommand({ Name: 'messages' }));
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'subscriber' }));
  const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
  await sns.send(new SubscribeCommand({ TopicArn, Protocol: 'sqs', Endpoint: Attributes?.QueueArn }));

  const posted: { path: string; signature: string; body: string }[] = [];
  const hook = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      posted.push({
        path: request.url ?? '',
        signature: String(request.headers['x-whalewatch-signature']),
        body,
      });
      response.end();
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, '127.0.0.1', resolve));
  after(() => hook.close());
  const mails: string[] = [];
  const mailServer = new SMTPServer({
    ...{ authOptional: true, disabledCommands: ['STARTTLS', 'AUTH'], logger: false },
    onData(stream, _session, done) {
      let text = '';
      stream.on('data', (chunk) => {
        text += chunk;
      });
      stream.on('end', () => {
        mails.push(text);
        done();
      });
    },
  });
  await new Promise<void>((resolve) => mailServer.listen(0, '127.0.0.1', resolve));
  after(() => mailServer.close());
  const url = `http://127.0.0.1:${(hook.address() as AddressInfo).port}`;
  const { ARN: secret } = await secrets.send(
    new CreateSecretCommand({ Name: 'receivers', SecretString: '{"slackUrl": "not quite JSON' }),
  );

  Object.assign(process.env, {
    ...{ ALERTS_TABLE: 'alerts', BUCKET: 'data', SEARCH_ENDPOINT: 'http://127.0.0.1:9', SEARCH_SIGNED: 'false' },
    ...{ TOPIC: TopicArn, RECEIVERS_SECRET_ID: secret, MAIL_TO: 'team@team.example,ops@team.example', MAIL_FROM: '' },
    ...{ ALERTS_PER_HOUR: '3', REPORT_DAY: '', METRICS: 'Test' },
  });
  const alerts = openAlerts({ client, table: 'alerts', clock: Date.now });
  const alert = (n: number): Alert => ({
    ...{ id: `n${n}`, time: Date.now() + n, rule: 'people', when: 'first-pull', text: `user ${n} pulls` },
    data: { user: `user ${n}` },
  });
  /** What the topic's subscriber got, once it has this many messages. */
  const published = async (number: number) => {
    const all: { id: string; when: string; text: string }[] = [];
    return eventually(
      60,
      async () => {
        const { Messages = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
        for (const { Body, ReceiptHandle } of Messages) {
          all.push(JSON.parse(JSON.parse(Body ?? '').Message));
          await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
        }
        return all;
      },
      ({ length }) => length >= number,
    );
  };
  const logged: string[] = [];
  // Each call gets a fresh instance of the function, so that none still has the previous secret.
  let instances = 0;
  const [log, error] = [console.log, console.error];
  const call = async () => {
    console.log = console.error = (...parts: unknown[]) => void logged.push(parts.map(String).join(' '));
    try {
      const { handler } = await import(`../../functions/alerts/lambda.ts?${instances++}`);
      await handler();
    } finally {
      [console.log, console.error] = [log, error];
    }
  };

  test('an invalid secret is reported without its text, and the topic still gets the alert', async () => {
    await alerts.add({ ...alert(0), rule: 'before' });
    await call();
    assert.deepEqual(
      (await published(1)).map(({ id }) => id),
      ['n0'],
    );
    assert.match(logged.join('\n'), /the secret of receiversSecretArn is not JSON: must be a JSON object/);
    assert.match(logged.join('\n'), /"AlertsRefused":1/);
    assert.doesNotMatch(logged.join('\n'), /not quite JSON/);
  });

  test('in a storm all receivers get the hourly limit of alerts, and an hour later one digest', async () => {
    const { port } = mailServer.server.address() as AddressInfo;
    const SecretString = JSON.stringify({
      ...{ slackUrl: `${url}/slack`, notifyUrl: `${url}/hook`, notifySecret: 'secret' },
      mailServer: `smtp://127.0.0.1:${port}`,
    });
    await secrets.send(new PutSecretValueCommand({ SecretId: secret, SecretString }));
    for (let n = 1; n <= 8; n++) await alerts.add(alert(n));
    logged.length = 0;
    // Two calls at once, as a schedule may cause.
    await Promise.all([call(), call()]);
    const ids = ['n1', 'n2', 'n3'];
    assert.deepEqual((await published(3)).map(({ id }) => id).sort(), ids);
    const of = (path: string) => posted.filter((one) => one.path === path);
    assert.deepEqual(
      of('/hook')
        .map(({ body }) => JSON.parse(body).id)
        .sort(),
      ids,
    );
    assert.deepEqual(
      of('/slack')
        .map(({ body }) => JSON.parse(body).text)
        .sort(),
      ['user 1 pulls', 'user 2 pulls', 'user 3 pulls'],
    );
    assert.equal(mails.length, 3);
    const [{ signature, body }] = of('/hook');
    const [, seconds, hex] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? [];
    assert.equal(createHmac('sha256', 'secret').update(`${seconds}.${body}`).digest('hex'), hex);

    await alerts.forget('user 8');
    // Moves the alerts an hour into the past.
    await client.send(
      new UpdateCommand({
        TableName: 'alerts',
        Key: { pk: 'rules', sk: 'people' },
        UpdateExpression: 'SET since = since - :hour',
        ExpressionAttributeValues: { ':hour': 3_600_000 },
      }),
    );
    await Promise.all([call(), call()]);
    const digests = await published(1);
    assert.deepEqual(
      digests.map(({ when }) => when),
      ['digest'],
    );
    assert.match(
      digests[0].text,
      /^4 more alerts of the rule "people" since .* UTC:\n- user 4 pulls\n- user 5 pulls\n- user 6 pulls\n- user 7 pulls$/,
    );
    assert.equal(of('/slack').length, 4);
    assert.equal(of('/hook').length, 4);
    assert.match(mails[3], /^Subject: .*4_more_alerts/m);
    assert.doesNotMatch(logged.join('\n'), /AlertsRefused/);
  });
}
