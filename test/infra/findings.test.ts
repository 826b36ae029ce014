// What cdk-nag and CDK's own validation find in the templates: nothing without a documented reason.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { Bucket } from 'aws-cdk-lib/aws-s3';
import type { Settings } from '#settings/schema.ts';
import dev from '../../examples/aws/dev.config.ts';
import prod from '../../examples/aws/prod.config.ts';
import { buildPages } from '../../web/build.ts';
import { configurations, findings } from '../support/synthesise.ts';

before(() => buildPages());

const certificateArn = 'arn:aws:acm:eu-west-1:111111111111:certificate/1';
const collector: Settings = { collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } };
const combinations: Settings[] = [
  ...Object.values(configurations),
  {
    ...{ exportEvery: 15, stream: 'onDemand', everyone: 'team', publicMap: 'names', retentionHours: 168, ecr: true },
    signIn: { issuer: 'https://id.example', clientId: 'whalewatch' },
    roles: { owner: { groups: ['ops'] } },
    rules: [{ name: 'all', when: 'pushed', repository: '*' }],
  },
  { trainer: 'fargate' },
  collector,
  // The settings of examples/aws and examples/cdk, whose apps test/examples.test.ts synthesises without validation.
  dev,
  prod,
  { keepDays: 14, rules: [{ name: 'releases', when: 'pushed', repository: 'release/*' }] },
];

test('every finding has a documented reason, for every kind of resource that settings can create', () =>
  assert.deepEqual(findings(combinations), []));

test('a finding without a reason is reported', () => {
  assert.throws(() => findings([{}], (stack) => new Bucket(stack, 'Open')), /Validation failed/);
});
