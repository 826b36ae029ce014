// The house defaults of a Fargate task: a public image of the Node that everything here runs on, arm64, its own log group
// and role, and the bundle as an asset in S3: no Docker on the machine that deploys.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RemovalPolicy, Stack } from 'aws-cdk-lib';
import {
  type ContainerDefinition,
  ContainerDependencyCondition,
  ContainerImage,
  CpuArchitecture,
  FargateTaskDefinition,
  LogDriver,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import { PolicyDocument, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import type { TaskSize } from '#settings/schema.ts';
import { explain, wildcard } from './explain.ts';
import { allow, bundles } from './function.ts';
import { bundleFolder, type FunctionName } from './tools/bundle.ts';

export interface StageTaskProps<Variables extends Record<string, string>> {
  /** Which of the bundles. */
  name: FunctionName;
  does: string;
  environment: Variables;
  size: TaskSize;
  logDays: number;
  port?: number;
}

const { devDependencies } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'));
const images = {
  node: `public.ecr.aws/docker/library/node:${devDependencies.node}-slim`,
  aws: 'public.ecr.aws/aws-cli/aws-cli:2.27.0',
};
const folder = '/code';

export class StageTask<Variables extends Record<string, string>> extends Construct {
  readonly definition: FargateTaskDefinition;
  readonly container: ContainerDefinition;
  readonly #role: Role;

  constructor(scope: Construct, id: string, props: StageTaskProps<Variables>) {
    super(scope, id);
    bundles();
    const { size, does } = props;
    const { region } = Stack.of(this);
    const code = new Asset(this, 'Code', { path: join(bundleFolder(props.name), 'index.mjs') });
    const log = new LogGroup(this, 'Logs', { retention: props.logDays, removalPolicy: RemovalPolicy.DESTROY });
    const assumedBy = new ServicePrincipal('ecs-tasks.amazonaws.com');
    this.#role = new Role(this, 'Role', { assumedBy, description: `What ${does.toLowerCase()} may do` });
    // Not one key: during a rollout, and after it is rolled back, servers of the last deployment start too.
    this.may(['s3:GetObject'], [`${code.bucket.bucketArn}/*.mjs`]);
    // What Fargate itself does to run it: the images are public, so it writes logs only.
    const logs = new PolicyDocument({
      statements: [allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [log.logGroupArn])],
    });
    const executionRole = new Role(this, 'ExecutionRole', { assumedBy, inlinePolicies: { logs } });

    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: size.cpu,
      memoryLimitMiB: size.memory,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      // CDK adds rights to the roles it is given: these say all themselves.
      taskRole: this.#role.withoutPolicyUpdates(),
      executionRole: executionRole.withoutPolicyUpdates(),
      volumes: [{ name: 'code' }],
    });
    explain(this.definition, { ECS2: 'Names and addresses of AWS resources; no secret is among them' });
    const logging = (streamPrefix: string) => LogDriver.awsLogs({ logGroup: log, streamPrefix });
    const fetch = this.definition.addContainer('Fetch', {
      image: ContainerImage.fromRegistry(images.aws),
      essential: false,
      command: ['s3', 'cp', '--only-show-errors', code.s3ObjectUrl, `${folder}/index.mjs`],
      environment: { AWS_REGION: region },
      logging: logging('fetch'),
    });
    fetch.addMountPoints({ sourceVolume: 'code', containerPath: folder, readOnly: false });
    this.container = this.definition.addContainer('Node', {
      image: ContainerImage.fromRegistry(images.node),
      // Node takes half of the memory by itself; what is left here is for what lies outside its heap.
      command: ['node', `--max-old-space-size=${Math.floor(size.memory * 0.75)}`, `${folder}/index.mjs`],
      environment: { AWS_REGION: region, ...props.environment },
      logging: logging('node'),
      user: 'node',
      readonlyRootFilesystem: true,
      ...(props.port === undefined ? {} : { portMappings: [{ containerPort: props.port }] }),
    });
    this.container.addMountPoints({ sourceVolume: 'code', containerPath: folder, readOnly: true });
    this.container.addContainerDependencies({ container: fetch, condition: ContainerDependencyCondition.SUCCESS });
  }

  /** Allows actions on resources, written out. */
  may(actions: string[], resources: string[]): void {
    this.#role.addToPolicy(allow(actions, resources));
    for (const resource of resources.filter((arn) => arn.includes('*')))
      explain(this.#role, {
        [wildcard(this, resource)]: 'Keys under one prefix, paths of one index: no list of them exists',
      });
  }
}
