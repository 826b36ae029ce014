// A stack's template, and the rights of its roles.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Stack, Validations } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Settings } from '#settings/schema.ts';
import { Whalewatch } from '../../infra/whalewatch.ts';

const project = JSON.parse(readFileSync(join(import.meta.dirname, '../../cdk.json'), 'utf8'));
/** Does not copy assets (the IP table has 68 MB) into the output: templates name assets by their hashes. */
export const context = { ...project.context, 'aws:cdk:disable-asset-staging': true };

const certificateArn = 'arn:aws:acm:us-east-1:111111111111:certificate/1';

/** Together these stacks have every kind of resource that settings can create. */
export const configurations = {
  default: {},
  fargate: {
    ...{ trainer: 'fargate', collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } },
    requestsPerAddress: 2000,
  },
  cached: {
    ...{ trainer: 'fargate', collector: 'fargate', collectDomain: { name: 'hits.example', certificateArn } },
    imageRegistry: '111111111111.dkr.ecr.eu-west-1.amazonaws.com/ecr-public',
    stream: 'onDemand',
    reservedConcurrency: { collect: 50, process: 10 },
    everyone: 'team',
  },
  spark: { trainer: 'spark', exportEvery: 15, alarmEmail: 'team@example.com', requestsPerAddress: 2000 },
  domains: {
    domainName: { name: 'map.example', certificateArn },
    apiDomain: { name: 'api.example', certificateArn },
    originShield: 'eu-west-1',
    webAclId: 'arn:aws:wafv2:us-east-1:111111111111:global/webacl/one/1',
    tracing: true,
    tags: { team: 'registry' },
  },
  restored: {
    existing: { events: 'events-1', checkpoints: 'checkpoints-1', bucket: 'data-1', since: '2026-11-28T12:00:00Z' },
    canary: false,
    alarmEmail: 'team@example.com',
    search: { endpoint: 'https://search.example', signed: true },
  },
} satisfies Record<string, Settings>;

/** Configurations that are synthesised for a region; the others are region-agnostic. */
export const regions: Partial<Record<keyof typeof configurations, string>> = {
  ...{ fargate: 'eu-west-1', spark: 'us-east-1', domains: 'ap-southeast-2' },
};

/** CloudFront's web ACLs can only be made in its own region. */
const regionFor = ({ requestsPerAddress }: Settings) => (requestsPerAddress === undefined ? undefined : 'us-east-1');
const placed = (region: string | undefined) => (region ? { env: { account: '111111111111', region } } : {});

const made = new Map<string, ReturnType<typeof newStack>>();

/** The stack of these settings, made once per test file: to change a stack, use `newStack`. */
export function synthesise(settings: Settings = {}, region?: string) {
  const key = JSON.stringify([settings, region]);
  const one = made.get(key) ?? newStack(settings, region);
  made.set(key, one);
  return one;
}

/**
 * `region`: as a deployment knows it; without one the template is region-agnostic. CDK's own validation takes three
 * seconds to start and one per template: only `findings` runs it.
 */
export function newStack(settings: Settings = {}, region = regionFor(settings)) {
  const app = new App({ context, builtinCloudFormationValidation: false });
  const stack = new Stack(app, 'Test', placed(region));
  const whalewatch = new Whalewatch(stack, 'Whalewatch', settings);
  return { app, stack, whalewatch };
}

export interface Resource {
  Type: string;
  DeletionPolicy?: string;
  // biome-ignore lint/suspicious/noExplicitAny: properties differ from type to type
  Properties: Record<string, any>;
}

export const resourcesOf = (stack: Stack): Record<string, Resource> => Template.fromStack(stack).toJSON().Resources;

/**
 * Errors and warnings that cdk-nag and CDK's own validation report in a stack of each of these settings, without a
 * documented reason; `change` may add to a stack.
 */
export function findings(all: Settings[], change = (_: Stack) => {}): string[] {
  const app = new App({ context, builtinCloudFormationValidation: true });
  for (const [at, settings] of all.entries()) {
    const stack = new Stack(app, `Test${at}`, placed(regionFor(settings)));
    new Whalewatch(stack, 'Whalewatch', settings);
    change(stack);
  }
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  app.synth();
  const report = JSON.parse(readFileSync(join(app.outdir, 'validation-report.json'), 'utf8'));
  return (report.pluginReports as { violations: object[] }[]).flatMap(({ violations }) =>
    violations.map((violation) => JSON.stringify(violation)),
  );
}

interface Statement {
  Action: string | string[];
  Resource: unknown;
}

/** The actions that the policies of a role allow, sorted; `role` is the beginning of its logical id. */
export function actionsOf(resources: Record<string, Resource>, role: string): string[] {
  const statements = Object.entries(resources)
    .filter(([id, { Type }]) => Type === 'AWS::IAM::Policy' && id.startsWith(role))
    .flatMap(([, { Properties }]) => Properties.PolicyDocument.Statement as Statement[]);
  return [...new Set(statements.flatMap(({ Action }) => Action))].sort();
}
