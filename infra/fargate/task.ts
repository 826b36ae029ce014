// The defaults of a Fargate task: a public image of the same Node version, arm64, its own log group and role, and the
// bundle as an asset in S3, so that the deploying machine needs no Docker.
import { join } from 'node:path';
import { Aws, RemovalPolicy, Stack } from 'aws-cdk-lib';
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
import { bundleFolder, bundles, type FunctionName } from '../bundles.ts';
import { explain, wildcard } from '../explain.ts';
import { allow } from '../function.ts';

export interface StageTaskProps<Variables extends Record<string, string>> {
  /** The name of the bundle. */
  name: FunctionName;
  does: string;
  environment: Variables;
  size: TaskSize;
  logDays: number;
  port?: number;
  /** Where images come from: AWS's public registry, or a pull-through cache of it. */
  imageRegistry: string;
}

/**
 * Pinned by digest, because a tag may name another image tomorrow. Each digest is of the tag's index of platforms: the
 * version of node in package.json, slim.
 */
const images = {
  node: {
    tag: '24.21.0-slim',
    image: 'docker/library/node@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6',
  },
  aws: {
    tag: '2.27.49',
    image: 'aws-cli/aws-cli@sha256:bad3346a39098ab077be6ed58c7e1fe68321a4a844c7c740318100013e6c3581',
  },
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
    this.#role = new Role(this, 'Role', { assumedBy, description: `Rights of ${does}` });
    // Not only the current key: during a rollout, and after a rollback, servers of the last deployment start too.
    this.may(['s3:GetObject'], [`${code.bucket.bucketArn}/*.mjs`]);
    // The rights of Fargate itself: the images are public, so it only writes logs.
    const logs = new PolicyDocument({
      statements: [allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [log.logGroupArn])],
    });
    const executionRole = new Role(this, 'ExecutionRole', { assumedBy, inlinePolicies: { logs } });
    const cache = cacheOf(props.imageRegistry);
    if (cache) {
      executionRole.addToPolicy(allow(['ecr:GetAuthorizationToken'], ['*']));
      executionRole.addToPolicy(
        allow(
          [
            ...['ecr:BatchCheckLayerAvailability', 'ecr:GetDownloadUrlForLayer', 'ecr:BatchGetImage'],
            // The first pull of an image creates its repository and imports it.
            ...['ecr:CreateRepository', 'ecr:BatchImportUpstreamImage'],
          ],
          Object.values(images).map(({ image }) => `${cache}/${image.split('@')[0]}`),
        ),
      );
      explain(executionRole, { 'IAM5[Resource::*]': 'ecr:GetAuthorizationToken knows no narrower resource' });
    }
    const image = (name: keyof typeof images) =>
      ContainerImage.fromRegistry(`${props.imageRegistry}/${images[name].image}`);

    this.definition = new FargateTaskDefinition(this, 'Definition', {
      cpu: size.cpu,
      memoryLimitMiB: size.memory,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
      // CDK would add rights to these roles, which already list all of theirs.
      taskRole: this.#role.withoutPolicyUpdates(),
      executionRole: executionRole.withoutPolicyUpdates(),
      volumes: [{ name: 'code' }],
    });
    explain(this.definition, { ECS2: 'Names and addresses of AWS resources; no secret is among them' });
    const logging = (streamPrefix: string) => LogDriver.awsLogs({ logGroup: log, streamPrefix });
    const fetch = this.definition.addContainer('Fetch', {
      image: image('aws'),
      essential: false,
      command: ['s3', 'cp', '--only-show-errors', code.s3ObjectUrl, `${folder}/index.mjs`],
      environment: { AWS_REGION: region },
      logging: logging('fetch'),
    });
    fetch.addMountPoints({ sourceVolume: 'code', containerPath: folder, readOnly: false });
    this.container = this.definition.addContainer('Node', {
      image: image('node'),
      // By default Node uses only half of the memory; the rest here is for memory outside of its heap.
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

  /** Allows these actions on these resources, listed explicitly. */
  may(actions: string[], resources: string[]): void {
    this.#role.addToPolicy(allow(actions, resources));
    for (const resource of resources.filter((arn) => arn.includes('*')))
      explain(this.#role, {
        [wildcard(this, resource)]: 'Keys under one prefix, paths of one index: no list of them exists',
      });
  }
}

/** The ARN of a private registry's repositories below its prefix; undefined for a public registry. */
function cacheOf(imageRegistry: string): string | undefined {
  const [, account, region, prefix] =
    /^(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com\/(.+)$/.exec(imageRegistry) ?? [];
  return account && `arn:${Aws.PARTITION}:ecr:${region}:${account}:repository/${prefix}`;
}
