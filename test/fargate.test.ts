// The stages on Fargate: what the settings `trainer` and `collector` make of the stack.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { Validations } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { BadSetting, resolve, type Settings } from '../infra/settings.ts';
import { buildPages } from '../web/build.ts';
import { actionsOf, resourcesOf, synthesise } from './synthesise.ts';

const root = join(import.meta.dirname, '..');

before(() => buildPages());

const combinations: Record<string, Settings> = {
  'trainer on Fargate': { trainer: 'fargate' },
};

for (const [name, settings] of Object.entries(combinations)) {
  test(`${name}: no rule of cdk-nag stands without a reason, nothing waits for Docker or costs while idle`, () => {
    const { app, stack } = synthesise(settings);
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    const { artifacts } = app.synth().manifest;
    assert.notEqual(process.exitCode, 1);
    const types = new Set(Object.values(resourcesOf(stack)).map(({ Type }) => Type));
    assert.ok(!types.has('AWS::EC2::NatGateway') && !types.has('AWS::EC2::EIP'));
    const assets = readFileSync(join(app.outdir, 'Test.assets.json'), 'utf8');
    assert.deepEqual(JSON.parse(assets).dockerImages, {}, JSON.stringify(artifacts));
  });

  test(`${name}: an alarm names a section of the runbook`, () => {
    const runbook = readFileSync(join(root, 'docs/runbook.md'), 'utf8');
    const alarms = Template.fromStack(synthesise(settings).stack).findResources('AWS::CloudWatch::Alarm');
    for (const { Properties } of Object.values(alarms)) {
      const [, section] = /docs\/runbook\.md#(\w+)$/.exec(Properties.AlarmDescription) ?? [];
      assert.match(runbook, new RegExp(`^## ${section}$`, 'im'), Properties.AlarmDescription);
    }
  });
}

test('the trainer on Fargate may do what the function may, and fetch its own code', () => {
  const asFunction = resourcesOf(synthesise().stack);
  const asTask = resourcesOf(synthesise({ trainer: 'fargate' }).stack);
  const actions = actionsOf(asTask, 'WhalewatchTrainTaskRole');
  assert.deepEqual(actions, actionsOf(asFunction, 'WhalewatchTrainFunctionRole'));
  assert.deepEqual(actionsOf(asTask, 'WhalewatchTrainTaskExecutionRole'), []);
  assert.ok(!Object.keys(asTask).some((id) => id.startsWith('WhalewatchTrainFunction')));
});

test('the trainer on Fargate is of its size, runs on the schedule without retrying for long, and its failures ring', () => {
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

test('a wrong trainer, collector or size is named, with its value and the mend', () => {
  const wrong: [Settings, RegExp][] = [
    [{ trainer: 'ec2' as 'lambda' }, /trainer is "ec2": give lambda, fargate/],
    [{ trainTask: { cpu: 1000, memory: 2048 } }, /trainTask.cpu is 1000: give 256, 512, .*1024 is one processor/],
    [{ trainTask: { cpu: 8192, memory: 20_000 } }, /trainTask.memory is 20000: .*16384 to 61440 in steps of 4096/],
  ];
  for (const [settings, message] of wrong)
    assert.throws(
      () => resolve(settings),
      (cause: Error) => cause instanceof BadSetting && message.test(cause.message),
      JSON.stringify(settings),
    );
});
