import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { tileParameters } from '#serve/tiles.ts';
import { budgetKilobytes, bundle, type FunctionName } from '../infra/bundle.ts';
import { cost } from '../infra/cost.ts';
import { BadSetting, resolve, type Settings } from '../infra/settings.ts';
import { buildPages } from '../web/build.ts';
import { actionsOf, resourcesOf, synthesise } from './synthesise.ts';

const root = join(import.meta.dirname, '..');
before(() => buildPages());

test('each function has a budget of size and keeps it', async () => {
  for (const [name, bytes] of Object.entries(await bundle())) {
    const most = budgetKilobytes[name as FunctionName];
    assert.ok(most <= 1000, `${name} may have ${most} kB`);
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
      ...['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
    ],
    WhalewatchTrainFunctionRole: [
      ...['es:ESHttpPost', 'es:ESHttpPut'],
      ...['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'],
    ],
    WhalewatchServeFunctionRole: [
      ...table('BatchWriteItem GetItem Query'),
      ...['es:ESHttpGet', 'es:ESHttpPost', 'kinesis:GetRecords', 'kinesis:GetShardIterator', 'kinesis:ListShards'],
      ...['s3:GetObject', 's3:ListBucket', 's3:PutObject', 'secretsmanager:GetSecretValue'],
    ],
    WhalewatchServeTilesRole: ['s3:GetObject', 's3:ListBucket'],
  };
  for (const [role, actions] of Object.entries(expected))
    assert.deepEqual(actionsOf(resources, role), actions.sort(), role);
});

test('no rule of cdk-nag stands without a reason', () => {
  const { app } = synthesise();
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  assert.notEqual(process.exitCode, 1);
});

test('the mapping never gives up before the stream does, and sets failures aside whole for a day', () => {
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
  template.hasResourceProperties('AWS::S3::Bucket', {
    LifecycleConfiguration: { Rules: [{ ExpirationInDays: 1, Status: 'Enabled' }] },
  });
});

test('a flood of hits never throttles a registry, and the access log holds no address', () => {
  const { stack } = synthesise({ throttle: { hits: 50, registryEvents: 20 } });
  const [stage] = Object.values(Template.fromStack(stack).findResources('AWS::ApiGatewayV2::Stage'));
  assert.equal(stage.Properties.RouteSettings['POST /v1/hits'].ThrottlingRateLimit, 50);
  assert.equal(stage.Properties.RouteSettings['POST /v1/registry-events'].ThrottlingRateLimit, 20);
  assert.doesNotMatch(stage.Properties.AccessLogSettings.Format, /sourceIp|xForwardedFor|querystring|path/i);
});

test('all that a tile depends on is in the key that CloudFront keeps it by', () => {
  const { stack } = synthesise();
  const policies = Object.entries(Template.fromStack(stack).findResources('AWS::CloudFront::CachePolicy'));
  const [, { Properties }] = policies.find(([id]) => id.includes('TileCache')) ?? assert.fail();
  const { QueryStrings } = Properties.CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin.QueryStringsConfig;
  const { snapshot, z, x, file, ...query } = tileParameters;
  assert.deepEqual(QueryStrings.sort(), Object.keys(query).sort());
});

test('an export several times a minute is one call of the scheduler', () => {
  const { stack } = synthesise({ exportEvery: 15 });
  const schedules = Object.values(Template.fromStack(stack).findResources('AWS::Scheduler::Schedule'));
  const ticks = schedules.find(({ Properties }) => JSON.stringify(Properties).includes('sendMessageBatch'));
  assert.match(JSON.stringify(ticks), /after0.*after15.*after30.*after45/s);
});

test('an alarm names a section of the runbook', () => {
  const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
  const { stack } = synthesise();
  const alarms = Object.values(Template.fromStack(stack).findResources('AWS::CloudWatch::Alarm'));
  assert.ok(alarms.length >= 10);
  for (const { Properties } of alarms) {
    const [, section] = /docs\/runbook\.md#(\w+)$/.exec(Properties.AlarmDescription) ?? [];
    assert.match(runbook, new RegExp(`^## ${section}$`, 'im'), Properties.AlarmDescription);
  }
});

test('a wrong setting is named, with its value and the mend', () => {
  const wrong: [Settings, RegExp][] = [
    [{ keepDays: 0 }, /keepDays is 0: .*1 to 365/],
    [{ exportEvery: 45 }, /exportEvery is 45: .*15, 20, 30/],
    [{ exportEvery: 90 }, /exportEvery is 90: .*whole minutes/],
    [{ trainEvery: 0.5 }, /trainEvery is 0.5/],
    [{ trainMemory: 20_000 }, /trainMemory is 20000/],
    [{ stream: { shards: 0 } }, /stream.shards is 0/],
    [{ stream: 'on-demand' as 'onDemand' }, /stream is "on-demand": give onDemand or/],
    [{ search: { endpoint: 'search.example', signed: true } }, /search.endpoint is "search.example": give https/],
    [{ alarmEmail: 'nobody' }, /alarmEmail is "nobody"/],
    [{ logDays: 8 }, /logDays is 8: give 1, 3/],
    [{ domainName: { name: 'a.example', certificateArn: 'arn:aws:acm:eu-west-1:1:x' } }, /certificateArn .*us-east-1/],
    [{ rules: [{ name: '', when: 'first-pull' }] }, /setting rules: .*no name/],
  ];
  for (const [settings, message] of wrong)
    assert.throws(
      () => resolve(settings),
      (cause: Error) => cause instanceof BadSetting && message.test(cause.message),
      JSON.stringify(settings),
    );
  assert.equal(resolve({ keepDays: undefined }).keepDays, 7);
});

test('a thousand hits a second, twenty to a request, stay below $250 a month', () => {
  const { total, shards } = cost({ hits: 1000, perRequest: 20 });
  assert.ok(total < 250, String(total));
  assert.equal(shards, 1);
  assert.ok(cost().total < 60, 'the floor');
});
