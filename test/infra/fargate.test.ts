// The stages on Fargate: how the settings `trainer` and `collector` change the stack.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Match, Template } from 'aws-cdk-lib/assertions';
import type { Settings } from '#settings/schema.ts';
import { cost } from '../../infra/tools/cost.ts';
import { buildPages } from '../../web/build.ts';
import { actionsOf, resourcesOf, synthesise } from '../support/synthesise.ts';

const root = join(import.meta.dirname, '../..');

before(() => buildPages());

const certificateArn = 'arn:aws:acm:eu-west-1:111111111111:certificate/1';
const collector: Settings = { collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } };
const combinations: Record<string, Settings> = {
  'trainer on Fargate': { trainer: 'fargate' },
  'trainer with Spark': { trainer: 'spark' },
  'collector on Fargate': collector,
  'both on Fargate': { trainer: 'fargate', ...collector },
};

for (const [name, settings] of Object.entries(combinations)) {
  test(`${name}: needs no Docker and no NAT gateway, and its alarms are in the runbook`, () => {
    const { app, stack } = synthesise(settings);
    const resources = resourcesOf(stack);
    const types = new Set(Object.values(resources).map(({ Type }) => Type));
    assert.ok(!types.has('AWS::EC2::NatGateway') && !types.has('AWS::EC2::EIP'));
    const assets = readFileSync(join(app.outdir, 'Test.assets.json'), 'utf8');
    assert.deepEqual(JSON.parse(assets).dockerImages, {});
    const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
    for (const { Type, Properties } of Object.values(resources)) {
      if (Type !== 'AWS::CloudWatch::Alarm') continue;
      const [, section] = /docs\/runbook\.md#(\w+)$/.exec(Properties.AlarmDescription) ?? [];
      assert.match(runbook, new RegExp(`^## ${section}$`, 'im'), Properties.AlarmDescription);
    }
  });
}

test("the trainer on Fargate has the function's rights, and may fetch its own code", () => {
  const asFunction = resourcesOf(synthesise().stack);
  const asTask = resourcesOf(synthesise({ trainer: 'fargate' }).stack);
  const actions = actionsOf(asTask, 'WhalewatchTrainTaskRole');
  const sends = 'sqs:SendMessage';
  assert.deepEqual(
    actions,
    actionsOf(asFunction, 'WhalewatchTrainFunctionRole').filter((action) => action !== sends),
  );
  assert.deepEqual(actionsOf(asTask, 'WhalewatchTrainTaskExecutionRole'), []);
  assert.ok(!Object.keys(asTask).some((id) => id.startsWith('WhalewatchTrainFunction')));
});

test('the trainer on Fargate has the configured size, runs on the schedule without long retries, and its failures raise an alarm', () => {
  const template = Template.fromStack(
    synthesise({ trainer: 'fargate', trainEvery: 6, trainTask: { cpu: 8192, memory: 32_768 } }).stack,
  );
  template.hasResourceProperties('AWS::ECS::TaskDefinition', {
    Cpu: '8192',
    Memory: '32768',
    RuntimePlatform: { CpuArchitecture: 'ARM64' },
    ContainerDefinitions: Match.arrayWith([
      Match.objectLike({ Name: 'Node', ReadonlyRootFilesystem: true, User: 'node' }),
    ]),
  });
  template.hasResourceProperties('AWS::Scheduler::Schedule', {
    ScheduleExpression: 'rate(6 hours)',
    Target: {
      EcsParameters: {
        LaunchType: 'FARGATE',
        NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'ENABLED' } },
      },
      RetryPolicy: { MaximumRetryAttempts: 2 },
    },
  });
  const [ingress, alarm] = [
    template.findResources('AWS::EC2::SecurityGroupIngress'),
    template.findResources('AWS::CloudWatch::Alarm', {
      Properties: { MetricName: 'NumberOfMessagesSent', AlarmDescription: Match.stringLikeRegexp('#trainfails$') },
    }),
  ];
  assert.deepEqual([Object.keys(ingress).length, Object.keys(alarm).length], [0, 1]);
});

test('with Spark each step has only its own rights: read the pulls, fit, publish', () => {
  const resources = resourcesOf(synthesise({ trainer: 'spark' }).stack);
  const search = ['es:ESHttpPost', 'es:ESHttpPut'];
  const objects = ['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject'];
  const expected = {
    // Of a step that is repeated it removes what the attempt before has left.
    PrepareFunctionRole: [...search, ...objects],
    JobRole: objects,
    // It sums the documents, up to a checkpoint that it reads.
    PublishFunctionRole: ['es:ESHttpGet', ...search, ...objects],
    MachineRole: [
      ...['CancelJobRun', 'GetJobRun', 'StartJobRun'].map((name) => `emr-serverless:${name}`),
      ...['events:DescribeRule', 'events:PutRule', 'events:PutTargets', 'iam:PassRole', 'lambda:InvokeFunction'],
    ],
  };
  for (const [role, actions] of Object.entries(expected)) {
    const found = actionsOf(resources, `WhalewatchTrain${role}`).filter((action) => !action.startsWith('logs:'));
    assert.deepEqual(found, actions, role);
  }
  const read = (id: string) =>
    JSON.stringify(
      Object.entries(resources).filter(([name, { Type }]) => name.startsWith(id) && Type.endsWith('Policy')),
    );
  assert.doesNotMatch(read('WhalewatchTrainJobRole') + read('WhalewatchTrainPrepareFunctionRole'), /models\//);
  // The files contain user names.
  const bucket = Object.entries(resources).find(([id]) => id.startsWith('WhalewatchStoresData'))?.[1];
  const rule = bucket?.Properties.LifecycleConfiguration.Rules.find(({ Prefix = '' }) => Prefix === 'training/');
  assert.equal(rule.ExpirationInDays, 1);
});

test('with Spark the schedule starts a state machine that waits for the fit; the fit stops by itself', () => {
  const template = Template.fromStack(
    synthesise({ trainer: 'spark', trainSpark: { processors: 64, gigabytes: 256 } }).stack,
  );
  template.hasResourceProperties('AWS::EMRServerless::Application', {
    Type: 'SPARK',
    AutoStopConfiguration: { Enabled: true, IdleTimeoutMinutes: 1 },
    MaximumCapacity: { Cpu: '64 vCPU', Memory: '256 GB' },
  });
  const [machine] = Object.values(template.findResources('AWS::StepFunctions::StateMachine'));
  const text = JSON.stringify(machine.Properties.DefinitionString);
  assert.match(text, /emr-serverless:startJobRun\.sync/);
  assert.match(text, /'--rank', '10', '--iterations', '5', '--lambda', '0.01', '--alpha', '1', '--seed', '1'/);
  const schedules = JSON.stringify(template.findResources('AWS::Scheduler::Schedule'));
  assert.match(schedules, /WhalewatchTrainMachine/);
});

test("the servers of collect have the function's rights, may fetch their code, and are reached only through their load balancer", () => {
  const { stack } = synthesise(collector);
  const [resources, template] = [resourcesOf(stack), Template.fromStack(stack)];
  const actions = ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'kinesis:PutRecords', 'secretsmanager:GetSecretValue'];
  assert.deepEqual(actionsOf(resources, 'WhalewatchCollectFunctionRole'), actions);
  assert.deepEqual(actionsOf(resources, 'WhalewatchCollectServersTaskRole'), [...actions, 's3:GetObject'].sort());
  const open = Object.values(resources).flatMap(({ Type, Properties }) =>
    Type === 'AWS::EC2::SecurityGroup' ? (Properties.SecurityGroupIngress ?? []) : [],
  );
  assert.deepEqual(
    open.map(({ FromPort, CidrIp, CidrIpv6 }) => [FromPort, CidrIp ?? CidrIpv6]),
    [
      [443, '0.0.0.0/0'],
      [443, '::/0'],
    ],
  );
  const between = Object.values(template.findResources('AWS::EC2::SecurityGroupIngress'));
  assert.deepEqual(
    between.map(({ Properties }) => [Properties.FromPort, Properties.ToPort, 'SourceSecurityGroupId' in Properties]),
    [[8080, 8080, true]],
  );
});

test('the servers of collect scale with the load, accept TLS only, log no addresses, and have time to respond before they end', () => {
  const template = Template.fromStack(
    synthesise({ ...collector, collectTasks: { cpu: 512, memory: 1024, least: 3, most: 30 } }).stack,
  );
  template.hasResourceProperties('AWS::ApplicationAutoScaling::ScalableTarget', { MinCapacity: 3, MaxCapacity: 30 });
  const [service] = Object.values(template.findResources('AWS::ECS::Service'));
  assert.ok(!('DesiredCount' in service.Properties), 'an update keeps the current number of servers');
  const listeners = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::Listener'));
  assert.deepEqual(
    listeners.map(({ Properties }) => [Properties.Port, Properties.Protocol]),
    [[443, 'HTTPS']],
  );
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
    HealthCheckPath: '/ready',
    TargetGroupAttributes: Match.arrayWith([{ Key: 'deregistration_delay.timeout_seconds', Value: '20' }]),
  });
  template.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', {
    Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/v1/hits', '/v1/registry-events'] } }],
  });
  const [balancer] = Object.values(template.findResources('AWS::ElasticLoadBalancingV2::LoadBalancer'));
  assert.doesNotMatch(JSON.stringify(balancer), /access_logs/);
  const [beacon] = Object.entries(template.findOutputs('*')).filter(([id]) => id.includes('OutputsBeacon'));
  assert.equal(beacon[1].Value, 'https://hits.example/hit.js');
});

test('the collector on Fargate has a minimum cost, and is cheaper than Lambda from some tens of requests a second', () => {
  const dollars = (hits: number, collector: 'lambda' | 'fargate') => cost({ hits, collector }).total;
  const floor = dollars(1, 'fargate') - dollars(1, 'lambda');
  assert.ok(floor > 80 && floor < 100, String(floor));
  assert.ok(dollars(20, 'fargate') > dollars(20, 'lambda'));
  assert.ok(dollars(40, 'fargate') < dollars(40, 'lambda'));
  assert.ok(dollars(1000, 'fargate') < 500);
  for (const trainer of ['fargate', 'spark'] as const) assert.ok(cost({ trainer }).total - cost().total < 2, trainer);
});
