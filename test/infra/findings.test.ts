// What cdk-nag and CDK's own validation find in the templates: nothing that nobody explained.
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
  // examples/aws, and examples/cdk, whose apps synthesise them without validation (test/examples.test.ts).
  dev,
  prod,
  { keepDays: 14, rules: [{ name: 'releases', when: 'pushed', repository: 'release/*' }] },
];

test('no finding is without a reason, with every kind of resource that settings can make', () =>
  assert.deepEqual(findings(combinations), []));

test('a finding without a reason is found', () => {
  assert.throws(() => findings([{}], (stack) => new Bucket(stack, 'Open')), /Validation failed/);
});
