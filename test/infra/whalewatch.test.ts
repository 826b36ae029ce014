import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import { BadSetting, resolve, type Settings, settingNames } from '../../infra/settings.ts';
import { budgetKilobytes, bundle, type FunctionName } from '../../infra/tools/bundle.ts';
import { cost, tables } from '../../infra/tools/cost.ts';
import { Whalewatch } from '../../infra/whalewatch.ts';
import { buildPages } from '../../web/build.ts';
import { actionsOf, findings, type Resource, resourcesOf, synthesise } from '../support/synthesise.ts';

before(() => buildPages());

test('each function has a budget of size and keeps it', async () => {
  for (const [name, bytes] of Object.entries(await bundle())) {
    const most = budgetKilobytes[name as FunctionName];
    assert.ok(most <= 1200, `${name} may have ${most} kB`);
    assert.ok(bytes <= most * 1000, `${name} has ${Math.round(bytes / 1000)} kB, its budget is ${most}`);
  }
});

test('each function may do what its stage does, and nothing else', () => {
  const { stack } = synthesise();
  const resources = resourcesOf(stack);
  const table = (names: string) => names.split(' ').map((name) => `dynamodb:${name}`);
  const expected = {
    WhalewatchCollectFunctionRole: ['kinesis:PutRecords', 'secretsmanager:GetSecretValue'],
    WhalewatchProcessFunctionRole: [
      's3:GetObject',
      ...table('BatchWriteItem ConditionCheckItem DeleteItem GetItem PutItem Query UpdateItem'),
      ...['es:ESHttpPost', 'es:ESHttpPut'],
      ...[
        'DescribeStream',
        'DescribeStreamConsumer',
        'DescribeStreamSummary',
        'GetRecords',
        'GetShardIterator',
        'ListShards',
        'ListStreams',
      ]
        .concat('SubscribeToShard')
        .map((name) => `kinesis:${name}`),
      ...['s3:ListBucket', 's3:PutObject', 'sns:Publish'],
    ],
    WhalewatchProcessExportRole: [
      ...table('BatchWriteItem Query'),
      ...['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject', 'sqs:SendMessage'],
    ],
    WhalewatchTrainFunctionRole: [
      ...['es:ESHttpPost', 'es:ESHttpPut'],
      ...['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject', 'sqs:SendMessage'],
    ],
    WhalewatchServeFunctionRole: [
      ...table('BatchWriteItem DeleteItem GetItem PutItem Query UpdateItem'),
      ...['es:ESHttpGet', 'es:ESHttpPost', 'kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:ListShards'],
      ...['s3:GetObject', 's3:ListBucket', 's3:PutObject', 'secretsmanager:GetSecretValue'],
    ],
    WhalewatchServeTilesRole: ['s3:GetObject', 's3:ListBucket'],
  };
  for (const [role, actions] of Object.entries(expected))
    assert.deepEqual(actionsOf(resources, role), actions.sort(), role);
});

const certificateArn = 'arn:aws:acm:us-east-1:111111111111:certificate/1';
const combinations: Settings[] = [
  {},
  { exportEvery: 15, stream: 'onDemand', publicPeople: true, retentionHours: 168 },
  { search: { endpoint: 'https://search.example', signed: true }, alarmEmail: 'team@example.com' },
  { domainName: { name: 'map.example', certificateArn }, rules: [{ name: 'all', when: 'pushed', repository: '*' }] },
];

for (const settings of combinations)
  test(`no rule of cdk-nag stands without a reason: ${JSON.stringify(settings)}`, () => {
    assert.deepEqual(findings(synthesise(settings).app), []);
  });

test('a finding without a reason is found', () => {
  const { app, stack } = synthesise();
  new Bucket(stack, 'Open');
  assert.throws(() => findings(app), /Validation failed/);
});

test("it stands in somebody else's app, twice in one stack, each with names and metrics of its own", () => {
  const app = new App({ context: {} });
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
  // CloudFront's policies have names that count in the whole account.
  const names = (Object.values(Resources) as Resource[])
    .filter(({ Type }) => /CloudFront::(?!Distribution)/.test(Type))
    .map(({ Properties }) =>
      JSON.stringify(Properties.Name ?? Object.values(Properties).flatMap((one) => one.Name ?? [])),
    );
  for (const name of names) assert.match(name, /"Ref":"AWS::Region"/);
  assert.equal(new Set(names).size, names.length);
});

test('the mapping never gives up before the stream does, and keeps failures whole for a week', () => {
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

test('tables are on demand; what counts is kept and backed up, what must be forgotten is neither', () => {
  const tables = Object.entries(resourcesOf(synthesise().stack)).filter(
    ([, { Type }]) => Type === 'AWS::DynamoDB::Table',
  );
  assert.equal(tables.length, 5);
  for (const [id, { Properties, DeletionPolicy }] of tables) {
    const kept = /Checkpoints|Events|Credentials/.test(id);
    assert.equal(Properties.BillingMode, 'PAY_PER_REQUEST', id);
    assert.equal(DeletionPolicy, kept ? 'RetainExceptOnCreate' : 'Delete', id);
    assert.equal(Properties.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, kept, id);
    // Sessions end, tokens stay.
    const expires = !kept || /Credentials/.test(id);
    assert.equal(Properties.TimeToLiveSpecification?.Enabled, expires || undefined, id);
  }
});

test('a new account deploys it: no reserved concurrency, nothing above 3008 MB, no Docker', () => {
  const { app, stack } = synthesise();
  for (const { Type, Properties } of Object.values(resourcesOf(stack)))
    if (Type === 'AWS::Lambda::Function') {
      assert.equal(Properties.ReservedConcurrentExecutions, undefined);
      assert.ok((Properties.MemorySize ?? 128) <= 3008);
    }
  app.synth();
  assert.deepEqual(JSON.parse(readFileSync(join(app.outdir, 'Test.assets.json'), 'utf8')).dockerImages, {});
});

test('a schedule does not try for long: what is missed is made good by the next run, or rings', () => {
  for (const { Type, Properties } of Object.values(resourcesOf(synthesise().stack))) {
    if (Type !== 'AWS::Scheduler::Schedule') continue;
    const { RetryPolicy, DeadLetterConfig } = Properties.Target;
    assert.ok(RetryPolicy.MaximumRetryAttempts <= 2 && RetryPolicy.MaximumEventAgeInSeconds <= 3600);
    assert.ok(DeadLetterConfig.Arn);
  }
});

test('an export several times a minute is one call of the scheduler', () => {
  const { stack } = synthesise({ exportEvery: 15 });
  const schedules = Object.values(Template.fromStack(stack).findResources('AWS::Scheduler::Schedule'));
  const ticks = schedules.find(({ Properties }) => JSON.stringify(Properties).includes('sendMessageBatch'));
  assert.match(JSON.stringify(ticks), /after0.*after15.*after30.*after45/s);
});

test('a wrong setting is named, with its value and the mend', () => {
  const wrong: [keyof Settings, unknown, RegExp][] = [
    ['keepDays', 0, /keepDays is 0: .*1 to 365/],
    ['keepDays', '7', /keepDays is "7": give a whole number/],
    ['exportEvery', 45, /exportEvery is 45: .*15, 20, 30/],
    ['exportEvery', 86_400, /exportEvery is 86400: .*14400/],
    ['exportEvery', 90, /exportEvery is 90: .*whole minutes/],
    ['trainEvery', 0.5, /trainEvery is 0.5/],
    ['als', { rank: 0 }, /setting als: rank: 0 is not a whole number from 1 to 4096/],
    ['als', { factors: 10 }, /setting als: factors is none of rank, iterations, lambda, alpha/],
    ['trainer', 'gpu', /trainer is "gpu": give lambda, fargate/],
    ['exportMemory', 100, /exportMemory is 100/],
    ['trainMemory', 20_000, /trainMemory is 20000/],
    ['trainSpark', { processors: 4, gigabytes: 64 }, /trainSpark.processors is 4/],
    ['trainTask', { cpu: 4096, memory: 1 }, /trainTask.memory is 1: with cpu 4096/],
    ['collector', 'server', /collector is "server": give lambda, fargate/],
    ['collector', 'fargate', /collectDomain is undefined: .*needs a host name/],
    ['collectDomain', { name: 'hits.example', certificateArn: 'x' }, /collectDomain.certificateArn is "x"/],
    ['collectDomain', { name: 'https://hits.example', certificateArn }, /collectDomain.name is .*without https/],
    ['collectTasks', { cpu: 1024, memory: 2048, least: 1, most: 2 }, /collectTasks.least is 1/],
    ['stream', { shards: 0 }, /stream.shards is 0/],
    ['stream', 'on-demand', /stream is "on-demand": give/],
    ['stream', null, /stream is null: give/],
    ['retentionHours', 12, /retentionHours is 12: .*24 to 168/],
    ['batchWindow', 0, /batchWindow is 0/],
    ['search', 'https://search.example', /search is "https:..search.example": give an object/],
    ['search', { endpoint: 'search.example', signed: true }, /search.endpoint is "search.example": give https/],
    ['search', { endpoint: 'https://search.example' }, /search.signed is undefined: give true or false/],
    ['search', { instanceType: 't3.small' }, /search.instanceType is "t3.small": .*t3.small.search/],
    ['search', { gigabytes: 1 }, /search.gigabytes is 1/],
    ['domainName', { name: 'map.example/x', certificateArn }, /domainName.name is "map.example.x"/],
    ['domainName', { name: 'a.example', certificateArn: 'arn:aws:acm:eu-west-1:1:x' }, /certificateArn .*us-east-1/],
    ['ipDatabase', '/nowhere/table.bin', /ipDatabase is ".nowhere.table.bin": no such file/],
    ['publicPeople', 'no', /publicPeople is "no": give true or false/],
    ['trustedProxies', '10.0.0.1', /trustedProxies is "10.0.0.1": give a list/],
    ['trustedProxies', ['10.0.0.0/99'], /trustedProxies: "10.0.0.0.99" is no address/],
    ['pullWindow', -1, /pullWindow is -1/],
    ['rules', {}, /rules is {}: give a list/],
    ['rules', [{ name: '', when: 'first-pull' }], /setting rules: .*no name/],
    ['throttle', { hits: 5 }, /throttle.registryEvents is undefined/],
    ['alarmEmail', 'nobody', /alarmEmail is "nobody"/],
    ['monthlyBudget', '100', /monthlyBudget is "100": give a number/],
    ['logDays', 8, /logDays is 8: give 1, 3/],
    ['keepDay' as keyof Settings, 7, /^keepDay is no setting: there are keepDays, /],
  ];
  for (const [name, value, message] of wrong)
    assert.throws(
      () => resolve({ [name]: value }),
      (cause: Error) => cause instanceof BadSetting && message.test(cause.message),
      `${name} ${JSON.stringify(value)}`,
    );
  const tried = new Set(wrong.map(([name]) => name));
  assert.deepEqual(
    settingNames.filter((name) => !tried.has(name)),
    [],
    'each setting is tried',
  );
  assert.equal(resolve({ keepDays: undefined }).keepDays, 7);
  assert.deepEqual(resolve({ als: { rank: 48 } }).als, { rank: 48, iterations: 5, lambda: 0.01, alpha: 1 });
});

test('a thousand hits a second, twenty to a request, stay below $250 a month', () => {
  const { total, shards } = cost({ hits: 1000, perRequest: 20 });
  assert.ok(total < 250, String(total));
  assert.equal(shards, 1);
  assert.ok(cost().total < 60, 'the floor');
});

test('the tables of docs/cost.md are what the script says', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/cost.md'), 'utf8');
  for (const table of tables().split('\n\n')) assert.ok(text.includes(table), `npm run cost -- --tables:\n${table}`);
});
