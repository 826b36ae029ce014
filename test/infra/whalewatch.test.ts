import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import type { FunctionName } from '../../infra/bundles.ts';
import { rightsOf } from '../../infra/checks/check.ts';
import { bundle } from '../../infra/tools/bundle.ts';
import { cost, tables } from '../../infra/tools/cost.ts';
import { Whalewatch } from '../../infra/whalewatch.ts';
import { buildPages } from '../../web/build.ts';
import { type Resource, resourcesOf, synthesise } from '../support/synthesise.ts';

before(() => buildPages());

/**
 * The size budget of each function in kB, all files together: its size when this was written plus a tenth. serve's
 * OpenID client is a file that only sign-ins load.
 */
const budgetKilobytes: Record<FunctionName, number> = {
  // Includes the DynamoDB client (a tenth of it) for registries' tokens.
  collect: 560,
  'collect-server': 550,
  process: 705,
  // Includes the clustering kernel and its reference, for filters in tiles.
  export: 680,
  train: 690,
  'train-spark': 690,
  'train-task': 660,
  serve: 1200,
  tiles: 175,
  // The mailer is a file that is loaded only to send mail.
  alerts: 945,
};

test('each function stays within its size budget', async () => {
  for (const [name, bytes] of Object.entries(await bundle())) {
    const most = budgetKilobytes[name as FunctionName];
    assert.ok(most <= 1200, `${name} may have ${most} kB`);
    assert.ok(bytes <= most * 1000, `${name} has ${Math.round(bytes / 1000)} kB, its budget is ${most}`);
  }
});

const logs = 'logs:CreateLogStream logs:PutLogEvents';
const collects = {
  RegistryStream: 'kinesis:PutRecords',
  Stream: 'kinesis:PutRecords',
  Token: 'secretsmanager:GetSecretValue',
  Credentials: 'dynamodb:GetItem dynamodb:UpdateItem',
};
/** Needed by Lambda itself, which reads the stream with the function's role. */
const reads =
  'kinesis:DescribeStream kinesis:DescribeStreamConsumer kinesis:DescribeStreamSummary kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards kinesis:ListStreams kinesis:SubscribeToShard';
const processes = {
  Checkpoints: 'dynamodb:PutItem dynamodb:Query',
  Events:
    'dynamodb:BatchGetItem dynamodb:BatchWriteItem dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem',
  'Events/index/*': 'dynamodb:Query',
  Keys: 'dynamodb:BatchWriteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query',
  Notices: 'dynamodb:BatchWriteItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem',
  D: 's3:ListBucket',
  'D/deltas/*': 's3:GetObject s3:PutObject',
  Failures: 's3:ListBucket',
  'Failures/*': 's3:PutObject',
  'S/_index_template/whalewatch-documents': 'es:ESHttpPut',
  'S/whalewatch-documents-v1': 'es:ESHttpPut',
  'S/whalewatch-documents/_mapping': 'es:ESHttpPut',
  'S/whalewatch-documents/_bulk': 'es:ESHttpPost',
  'S/whalewatch-documents/_delete_by_query': 'es:ESHttpPost',
  'S/whalewatch-documents/_refresh': 'es:ESHttpPost',
  'S/_index_template/whalewatch-recommendations': 'es:ESHttpPut',
  'S/whalewatch-recommendations-v1': 'es:ESHttpPut',
  'S/whalewatch-recommendations/_mapping': 'es:ESHttpPut',
  'S/whalewatch-recommendations/_delete_by_query': 'es:ESHttpPost',
  'S/whalewatch-recommendations/_refresh': 'es:ESHttpPost',
};

/** The rights of each role: actions by resource. `D` is the data bucket, `S` the search domain. */
const expectedRights: Record<string, Record<string, string>> = {
  CollectFunction: { Logs: logs, ...collects },
  CollectRegistry: { RegistryLogs: logs, ...collects },
  ProcessFunction: { Logs: logs, Stream: reads, ...processes },
  ProcessRegistry: { RegistryLogs: logs, RegistryStream: reads, ...processes },
  ProcessExport: {
    Logs: logs,
    RegistryStream: 'kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards',
    Notices: 'dynamodb:PutItem',
    Stream: 'kinesis:GetRecords kinesis:GetShardIterator kinesis:ListShards',
    Checkpoints: 'dynamodb:BatchWriteItem dynamodb:PutItem dynamodb:Query',
    D: 's3:ListBucket',
    'D/deltas/*': 's3:DeleteObject s3:GetObject s3:PutObject',
    'D/models/latest.json': 's3:GetObject',
    'D/points.json': 's3:DeleteObject s3:GetObject s3:PutObject',
    'D/points/*': 's3:DeleteObject s3:GetObject s3:PutObject',
    'D/state/*': 's3:DeleteObject s3:GetObject s3:PutObject',
    Undelivered: 'sqs:SendMessage',
  },
  AlertsFunction: {
    Logs: logs,
    Notices: 'dynamodb:BatchWriteItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query',
    Messages: 'sns:Publish',
    Undelivered: 'sqs:SendMessage',
  },
  TrainFunction: {
    Logs: logs,
    D: 's3:ListBucket',
    'D/models/*': 's3:DeleteObject s3:GetObject s3:PutObject',
    'S/_index_template/whalewatch-documents': 'es:ESHttpPut',
    'S/whalewatch-documents-v1': 'es:ESHttpPut',
    'S/whalewatch-documents/_mapping': 'es:ESHttpPut',
    'S/whalewatch-documents/_bulk': 'es:ESHttpPost',
    'S/whalewatch-documents/_delete_by_query': 'es:ESHttpPost',
    'S/whalewatch-documents/_refresh': 'es:ESHttpPost',
    'S/whalewatch-documents/_search': 'es:ESHttpPost',
    'S/whalewatch-documents/_stats/get': 'es:ESHttpGet',
    'S/_index_template/whalewatch-recommendations': 'es:ESHttpPut',
    'S/whalewatch-recommendations-v1': 'es:ESHttpPut',
    'S/whalewatch-recommendations/_mapping': 'es:ESHttpPut',
    'S/whalewatch-recommendations/_bulk': 'es:ESHttpPost',
    'S/whalewatch-recommendations/_search': 'es:ESHttpPost',
    Undelivered: 'sqs:SendMessage',
  },
  ServeFunction: {
    Logs: logs,
    Token: 'secretsmanager:GetSecretValue',
    Checkpoints: 'dynamodb:GetItem dynamodb:Query',
    Credentials:
      'dynamodb:BatchWriteItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem',
    Events: 'dynamodb:BatchWriteItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:Query dynamodb:UpdateItem',
    Keys: 'dynamodb:GetItem',
    'Events/index/*': 'dynamodb:Query',
    Notices: 'dynamodb:BatchWriteItem dynamodb:Query',
    D: 's3:ListBucket',
    'D/models/*': 's3:GetObject',
    'D/models/latest.json': 's3:GetObject s3:PutObject',
    'D/points.json': 's3:GetObject',
    'D/points/*': 's3:GetObject',
    'D/state/*': 's3:GetObject',
    'S/_index_template/whalewatch-documents': 'es:ESHttpPut',
    'S/whalewatch-documents-v1': 'es:ESHttpPut',
    'S/whalewatch-documents/_mapping': 'es:ESHttpPut',
    'S/whalewatch-documents/_bulk': 'es:ESHttpPost',
    'S/whalewatch-documents/_delete_by_query': 'es:ESHttpPost',
    'S/whalewatch-documents/_refresh': 'es:ESHttpPost',
    'S/whalewatch-documents/_search': 'es:ESHttpPost',
    'S/_index_template/whalewatch-recommendations': 'es:ESHttpPut',
    'S/whalewatch-recommendations-v1': 'es:ESHttpPut',
    'S/whalewatch-recommendations/_mapping': 'es:ESHttpPut',
    'S/whalewatch-recommendations/_bulk': 'es:ESHttpPost',
    'S/whalewatch-recommendations/_delete_by_query': 'es:ESHttpPost',
    'S/whalewatch-recommendations/_doc/*': 'es:ESHttpGet',
    'S/whalewatch-recommendations/_refresh': 'es:ESHttpPost',
    'S/whalewatch-recommendations/_search': 'es:ESHttpPost',
  },
  ServeTiles: { Logs: logs, D: 's3:ListBucket', 'D/points/*': 's3:GetObject' },
};

/** Shortens `<WhalewatchStoresData1234ABCD.Arn>/state/*` to the form of the table above. */
function placeOf(resource: string): string {
  const [, id = '', path = ''] = /^<Whalewatch(\w+?)[0-9A-F]{8}(?:\.Arn)?>(.*)$/.exec(resource) ?? [];
  const name = id.replace(/^(Stores|Collect|Process|Alerts|Train|Serve)(Function|Export|Tiles)?(?=[A-Z])/, '');
  return `${{ Data: 'D', Search: 'S' }[name] ?? name}${path}`;
}

test("each function has the rights of its stage, on its stage's resources, and no others", () => {
  const resources = resourcesOf(synthesise().stack);
  for (const [role, expected] of Object.entries(expectedRights)) {
    const id = Object.keys(resources).find((id) => new RegExp(`^Whalewatch${role}Role[0-9A-F]{8}$`).test(id)) ?? '';
    const found = new Map<string, Set<string>>();
    for (const { Action, Resource } of rightsOf(resources, id))
      for (const place of Resource.map(placeOf)) {
        const actions = found.get(place) ?? new Set();
        found.set(place, actions);
        for (const action of Action) actions.add(action);
      }
    const lines = [...found].map(([place, actions]) => `${place}: ${[...actions].sort().join(' ')}`).sort();
    const right = Object.entries(expected).map(([place, actions]) => `${place}: ${actions}`);
    assert.deepEqual(lines, right.sort(), role);
  }
});

test('it works in another app, twice in one stack, each with its own names and metrics', () => {
  const app = new App({ context: {}, builtinCloudFormationValidation: false });
  const stack = new Stack(app, 'Theirs');
  const one = new Whalewatch(stack, 'One', { keepDays: 3 });
  const two = new Whalewatch(stack, 'Two', { stream: { shards: 2 } });
  const { Resources, Outputs } = Template.fromStack(stack).toJSON();
  for (const name of ['Site', 'Webhook', 'WebhookToken'])
    for (const { outputs } of [one, two]) {
      const output = outputs.find(({ node }) => node.id === name);
      assert.ok(output && stack.resolve(output.logicalId) in Outputs, name);
    }
  assert.notDeepEqual(stack.resolve(one.webhook), stack.resolve(two.webhook));
  const text = JSON.stringify(Resources);
  assert.match(text, /"METRICS":"Theirs\/One"/);
  assert.match(text, /"METRICS":"Theirs\/Two"/);
  // The names of CloudFront's policies must be unique in the account.
  const names = (Object.values(Resources) as Resource[])
    .filter(({ Type }) => /CloudFront::(?!Distribution)/.test(Type))
    .map(({ Properties }) =>
      JSON.stringify(Properties.Name ?? Object.values(Properties).flatMap((one) => one.Name ?? [])),
    );
  for (const name of names) assert.match(name, /"Ref":"AWS::Region"/);
  assert.equal(new Set(names).size, names.length);
});

test('the event source mapping retries as long as the stream keeps a record, and failures are kept whole for a week', () => {
  const { stack } = synthesise({ retentionHours: 48 });
  const template = Template.fromStack(stack);
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    BatchSize: 10_000,
    BisectBatchOnFunctionError: true,
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    MaximumRetryAttempts: -1,
    MaximumRecordAgeInSeconds: 44 * 3600,
    ParallelizationFactor: 1,
    StartingPosition: 'TRIM_HORIZON',
  });
  const [mapping] = Object.values(template.findResources('AWS::Lambda::EventSourceMapping'));
  assert.ok(mapping.Properties.MaximumBatchingWindowInSeconds >= 1);
  assert.match(JSON.stringify(mapping.Properties.DestinationConfig.OnFailure), /WhalewatchProcessFailures/);
  template.hasResourceProperties('AWS::S3::Bucket', {
    LifecycleConfiguration: { Rules: [{ ExpirationInDays: 7, Status: 'Enabled' }] },
  });
});

test('tables are on demand; lasting data is retained and backed up, data that must be forgotten is not', () => {
  const tables = Object.entries(resourcesOf(synthesise().stack)).filter(
    ([, { Type }]) => Type === 'AWS::DynamoDB::Table',
  );
  assert.equal(tables.length, 5);
  for (const [id, { Properties, DeletionPolicy }] of tables) {
    const kept = /Checkpoints|Events|Credentials/.test(id);
    assert.equal(Properties.BillingMode, 'PAY_PER_REQUEST', id);
    assert.equal(DeletionPolicy, kept ? 'RetainExceptOnCreate' : 'Delete', id);
    assert.equal(Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, kept, id);
    // Sessions expire, tokens stay.
    const expires = !kept || /Credentials/.test(id);
    assert.equal(Properties.TimeToLiveSpecification?.Enabled, expires || undefined, id);
  }
});

test('a new account can deploy it: no reserved concurrency, no function above 3008 MB, no Docker', () => {
  const { app, stack } = synthesise();
  for (const { Type, Properties } of Object.values(resourcesOf(stack)))
    if (Type === 'AWS::Lambda::Function') {
      assert.equal(Properties.ReservedConcurrentExecutions, undefined);
      assert.ok((Properties.MemorySize ?? 128) <= 3008);
    }
  app.synth();
  assert.deepEqual(JSON.parse(readFileSync(join(app.outdir, 'Test.assets.json'), 'utf8')).dockerImages, {});
});

test('a schedule does not retry for long: the next run makes up for a missed one, or an alarm rings', () => {
  for (const { Type, Properties } of Object.values(resourcesOf(synthesise().stack))) {
    if (Type !== 'AWS::Scheduler::Schedule') continue;
    const { RetryPolicy, DeadLetterConfig } = Properties.Target;
    assert.ok(RetryPolicy.MaximumRetryAttempts <= 2 && RetryPolicy.MaximumEventAgeInSeconds <= 3600);
    assert.ok(DeadLetterConfig.Arn);
  }
});

test('several exports a minute are one call of the scheduler', () => {
  const { stack } = synthesise({ exportEvery: 15 });
  const schedules = Object.values(Template.fromStack(stack).findResources('AWS::Scheduler::Schedule'));
  const ticks = schedules.find(({ Properties }) => JSON.stringify(Properties).includes('sendMessageBatch'));
  assert.match(JSON.stringify(ticks), /after0.*after15.*after30.*after45/s);
});

test('a thousand hits a second, twenty to a request, stay below $250 a month', () => {
  const { total, shards } = cost({ hits: 1000, perRequest: 20 });
  assert.ok(total < 250, String(total));
  assert.equal(shards, 1);
  const many = cost({ hits: 1000, perRequest: 20, domains: 1e7, exportEvery: 300, collector: 'fargate' }).total;
  assert.ok(many < 250, String(many));
  assert.ok(cost().total < 75, 'the floor');
});

test("the tables of docs/cost.md equal the script's output", () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/cost.md'), 'utf8');
  for (const table of tables().split('\n\n')) assert.ok(text.includes(table), `npm run cost -- --tables:\n${table}`);
});
