// Facts about functions, their roles, the tasks on Fargate and Spark.
import { type Check, each, ofType, type Resources, rightsOf, some, target } from './check.ts';

const quotas = 'lambda/latest/dg/gettingstarted-limits.html';
const fargate = 'AmazonECS/latest/developerguide/fargate-tasks-services.html';

const roles = (resources: Resources) => ofType(resources, 'IAM::Role').map(([id]) => id);
/** Faults for each role that has a right the test forbids. */
const noRight =
  (test: (action: string, resource: string) => unknown) =>
  (resources: Resources): string[] =>
    roles(resources).flatMap((id) =>
      rightsOf(resources, id).flatMap(({ Action, Resource }) =>
        Action.flatMap((action) => Resource.filter((of) => test(action, of)).map((of) => `${id}: ${action} on ${of}`)),
      ),
    );

/** Memory that Fargate offers for each processor size, in megabytes: from, to, step. */
const fargateMemory: Record<string, [number, number, number]> = {
  256: [512, 2048, 512],
  512: [1024, 4096, 1024],
  1024: [2048, 8192, 1024],
  2048: [4096, 16_384, 1024],
  4096: [8192, 30_720, 1024],
  8192: [16_384, 61_440, 4096],
  16384: [32_768, 122_880, 8192],
};

export const functionChecks: Check[] = [
  {
    id: 'runtime',
    fact: 'nodejs24.x is the runtime with the longest support: until April 2028',
    document: 'lambda/latest/dg/lambda-runtimes.html',
    faults: each('Lambda::Function', ({ Runtime }) => Runtime === 'nodejs24.x'),
  },
  {
    id: 'architecture',
    fact: 'arm64 costs a fifth less; x86_64 is the default',
    document: 'lambda/latest/dg/foundation-arch.html',
    faults: each('Lambda::Function', ({ Architectures }) => Architectures?.[0] === 'arm64'),
  },
  {
    id: 'memory',
    fact: 'A function can have at most 3,008 MB in a new account, 10,240 in others: no default is above 3,008',
    document: quotas,
    faults: each('Lambda::Function', ({ MemorySize }) => MemorySize >= 128 && MemorySize <= 10_240),
  },
  {
    id: 'timeout',
    fact: 'A function runs for 900 s at most',
    document: quotas,
    faults: each('Lambda::Function', ({ Timeout }) => Timeout >= 1 && Timeout <= 900),
  },
  {
    id: 'environment',
    fact: "A function's variables have 4 KB together",
    document: quotas,
    faults: each('Lambda::Function', ({ Environment }) => JSON.stringify(Environment?.Variables ?? {}).length < 4096),
  },
  {
    id: 'concurrency',
    fact: 'Reserved concurrency must leave the account 100: a new account has ten, so any reservation would fail its first deployment',
    document: 'lambda/latest/dg/configuration-concurrency.html',
    faults: (resources) => {
      const reserved = ofType(resources, 'Lambda::Function').reduce(
        (sum, [, { Properties }]) => sum + (Properties.ReservedConcurrentExecutions ?? 0),
        0,
      );
      return reserved > 900 ? [`${reserved} are reserved, of a thousand that an account is given`] : [];
    },
  },
  {
    id: 'role-alone',
    fact: "Functions that share a role have each other's rights",
    document: 'lambda/latest/dg/lambda-intro-execution-role.html',
    faults: (resources) => {
      const used = ofType(resources, 'Lambda::Function').map(([id, { Properties }]) => [id, target(Properties.Role)]);
      return used.filter(([, role]) => used.filter(([, other]) => other === role).length > 1).map(([id]) => String(id));
    },
  },
  {
    id: 'role-managed',
    fact: "AWS's managed policies change without notice and allow more than a function needs",
    document: 'IAM/latest/UserGuide/access_policies_managed-vs-inline.html',
    faults: each('IAM::Role', ({ ManagedPolicyArns = [] }) =>
      ManagedPolicyArns.every((arn: unknown) => JSON.stringify(arn).includes('AWSCodeDeployRoleForLambdaLimited')),
    ),
  },
  {
    id: 'rights-actions',
    fact: 'A star in an action also allows actions that AWS adds later',
    document: 'IAM/latest/UserGuide/best-practices.html#grant-least-privilege',
    faults: noRight((action) => action.includes('*')),
  },
  {
    id: 'rights-resources',
    fact: 'A star as the resource allows all of the account: used only if a service supports nothing narrower',
    document: 'IAM/latest/UserGuide/best-practices.html#grant-least-privilege',
    faults: noRight(
      (action, of) =>
        of === '*' &&
        !/^(xray:Put|ecr:GetAuthorizationToken|logs:\w*LogDeliver|logs:\w*Resource|logs:DescribeLogGroups)/.test(
          action,
        ),
    ),
  },
  {
    id: 'rights-objects',
    fact: 'A star after a bucket allows all its keys: each function has its prefixes',
    document: 'AmazonS3/latest/userguide/security_iam_service-with-iam.html',
    faults: noRight((action, of) => /^s3:/.test(action) && /^<\w*StoresData\w*\.Arn>\/\*$/.test(of)),
  },
  {
    id: 'rights-search',
    fact: 'es:ESHttp* on a domain allows every index: each function has its paths',
    document: 'opensearch-service/latest/developerguide/ac.html#ac-types-resource',
    faults: noRight((action, of) => action.startsWith('es:') && !/\/whalewatch-/.test(of)),
  },
  {
    id: 'rights-delete',
    fact: 'Versions protect against deletion only if the role may not delete versions',
    document: 'AmazonS3/latest/userguide/DeletingObjectVersions.html',
    faults: noRight((action) => action === 's3:DeleteObjectVersion' || action === 's3:PutLifecycleConfiguration'),
  },
  {
    id: 'rights-head',
    fact: 'HEAD needs s3:GetObject: a writer under deltas/ must be able to check which put won',
    document: 'AmazonS3/latest/API/API_HeadObject.html',
    faults: (resources) =>
      roles(resources).flatMap((id) => {
        const rights = rightsOf(resources, id);
        const may = (action: string) =>
          rights.some(
            ({ Action, Resource }) => Action.includes(action) && Resource.some((of) => of.endsWith('/deltas/*')),
          );
        return may('s3:PutObject') && !may('s3:GetObject') ? [id] : [];
      }),
  },
  {
    id: 'task-size',
    fact: 'Fargate has fixed pairs of processor and memory',
    document: `${fargate}#fargate-tasks-size`,
    faults: each('ECS::TaskDefinition', ({ Cpu, Memory }) => {
      const [from, to, step] = fargateMemory[Cpu] ?? [];
      return Number(Memory) >= from && Number(Memory) <= to && (Number(Memory) - from) % step === 0;
    }),
  },
  {
    id: 'task-network',
    fact: 'A task in a public subnet needs a public address to fetch its image; a NAT gateway would cost $33 a month',
    document: 'AmazonECS/latest/developerguide/fargate-task-networking.html',
    faults: (resources) => [
      ...ofType(resources, 'EC2::NatGateway').map(([id]) => id),
      ...each(
        'ECS::Service',
        ({ NetworkConfiguration }) => NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp === 'ENABLED',
      )(resources),
      ...each(
        'Scheduler::Schedule',
        ({ Target: { EcsParameters } }) =>
          !EcsParameters || EcsParameters.NetworkConfiguration.AwsvpcConfiguration.AssignPublicIp === 'ENABLED',
      )(resources),
    ],
  },
  {
    id: 'task-rollout',
    fact: 'While a rollout runs, and after a rollback, tasks of the previous definition start with the current role: it may read their code too',
    document: 'AmazonECS/latest/developerguide/deployment-circuit-breaker.html',
    faults: (resources) =>
      ofType(resources, 'ECS::TaskDefinition')
        .filter(
          ([, { Properties }]) =>
            !rightsOf(resources, target(Properties.TaskRoleArn) ?? '').some(
              ({ Action, Resource }) => Action.includes('s3:GetObject') && Resource.some((of) => of.endsWith('/*.mjs')),
            ),
        )
        .map(([id]) => id),
  },
  {
    id: 'task-rollback',
    fact: 'A failing deployment of a service goes on failing unless its circuit breaker rolls it back',
    document: 'AmazonECS/latest/developerguide/deployment-circuit-breaker.html',
    faults: each(
      'ECS::Service',
      ({ DeploymentConfiguration }) => DeploymentConfiguration.DeploymentCircuitBreaker?.Rollback,
    ),
  },
  {
    id: 'task-count',
    fact: 'A desired count in the template would reset a scaled service at each deployment',
    document: 'AWSCloudFormation/latest/TemplateReference/aws-resource-ecs-service.html',
    faults: each('ECS::Service', ({ DesiredCount }) => DesiredCount === undefined),
  },
  {
    id: 'task-failed',
    fact: 'A task that could not start has no exit code: its stop code says so',
    document: 'AmazonECS/latest/developerguide/ecs_task_events.html',
    faults: each(
      'Events::Rule',
      ({ EventPattern }) =>
        EventPattern.source?.[0] !== 'aws.ecs' || JSON.stringify(EventPattern).includes('TaskFailedToStart'),
    ),
  },
  {
    id: 'task-drain',
    fact: 'A load balancer lets a stopping server respond for 300 s by default; Fargate ends it after 30 s',
    document: 'elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay',
    faults: each('ElasticLoadBalancingV2::TargetGroup', ({ TargetGroupAttributes = [] }) =>
      TargetGroupAttributes.some(
        ({ Key, Value }: { Key: string; Value: string }) =>
          Key === 'deregistration_delay.timeout_seconds' && Number(Value) <= 30,
      ),
    ),
  },
  {
    id: 'task-images',
    fact: 'A tag may name another image later: a digest does not',
    document: 'AmazonECS/latest/developerguide/image-behavior.html',
    faults: each('ECS::TaskDefinition', ({ ContainerDefinitions }) =>
      ContainerDefinitions.every(({ Image }: { Image: string }) => /@sha256:[0-9a-f]{64}$/.test(Image)),
    ),
  },
  {
    id: 'task-images-right',
    fact: 'A private registry needs a token; the first pull through a cache creates the repository and imports the image',
    document: 'AmazonECR/latest/userguide/pull-through-cache-iam.html',
    faults: each('ECS::TaskDefinition', ({ ContainerDefinitions, ExecutionRoleArn }, _, __, resources) => {
      const own = ContainerDefinitions.some(({ Image }: { Image: string }) => /\.dkr\.ecr\./.test(Image));
      const may = rightsOf(resources, target(ExecutionRoleArn) ?? '').flatMap(({ Action }) => Action);
      return !own || ['ecr:GetAuthorizationToken', 'ecr:BatchImportUpstreamImage'].every((one) => may.includes(one));
    }),
  },
  {
    id: 'balancer-ipv6',
    fact: 'A load balancer responds over IPv6 only if its address type is dualstack and its security group allows IPv6',
    document: 'elasticloadbalancing/latest/application/application-load-balancers.html#ip-address-type',
    faults: (resources) => [
      ...each('ElasticLoadBalancingV2::LoadBalancer', ({ IpAddressType }) => IpAddressType === 'dualstack')(resources),
      ...each('EC2::SecurityGroup', ({ SecurityGroupIngress: rules }) => {
        const open = (rules ?? []) as { CidrIp?: string; CidrIpv6?: string }[];
        return !open.some(({ CidrIp }) => CidrIp === '0.0.0.0/0') || open.some(({ CidrIpv6 }) => CidrIpv6 === '::/0');
      })(resources),
    ],
  },
  {
    id: 'balancer-ipv6-subnets',
    fact: 'A dual-stack load balancer needs subnets with an IPv6 block and a route for it',
    document: 'elasticloadbalancing/latest/application/load-balancer-subnets.html',
    faults: (resources) =>
      ofType(resources, 'ElasticLoadBalancingV2::LoadBalancer').length === 0
        ? []
        : [
            ...each('EC2::Subnet', ({ Ipv6CidrBlock }) => Ipv6CidrBlock)(resources),
            ...some('EC2::Route', ({ DestinationIpv6CidrBlock }) => DestinationIpv6CidrBlock === '::/0')(resources),
          ],
  },
  {
    id: 'balancer-tls',
    fact: 'A listener without a policy accepts TLS 1.0',
    document: 'elasticloadbalancing/latest/application/describe-ssl-policies.html',
    faults: each(
      'ElasticLoadBalancingV2::Listener',
      ({ Protocol, SslPolicy }) => Protocol === 'HTTPS' && /TLS13-1-2/.test(SslPolicy),
    ),
  },
  {
    id: 'balancer-log',
    fact: "A load balancer's access log always holds addresses: it is off",
    document: 'elasticloadbalancing/latest/application/load-balancer-access-logs.html',
    faults: each(
      'ElasticLoadBalancingV2::LoadBalancer',
      ({ LoadBalancerAttributes = [] }) =>
        !JSON.stringify(LoadBalancerAttributes).includes('"access_logs.s3.enabled","Value":"true"'),
    ),
  },
  {
    id: 'spark-stops',
    fact: 'An application of EMR Serverless keeps idle workers for 15 minutes unless it stops sooner',
    document: 'emr/latest/EMR-Serverless-UserGuide/application-capacity.html',
    faults: each(
      'EMRServerless::Application',
      ({ AutoStopConfiguration }) => AutoStopConfiguration?.Enabled && AutoStopConfiguration.IdleTimeoutMinutes === 1,
    ),
  },
  {
    id: 'spark-most',
    fact: 'Without a maximum, an application uses as much as the account allows',
    document: 'emr/latest/EMR-Serverless-UserGuide/application-capacity.html',
    faults: each('EMRServerless::Application', ({ MaximumCapacity }) => MaximumCapacity?.Cpu && MaximumCapacity.Memory),
  },
  {
    id: 'spark-wait',
    fact: 'The end of a .sync job reaches a state machine by an EventBridge rule, which its role creates',
    document: 'step-functions/latest/dg/connect-emr-serverless.html',
    faults: (resources) =>
      ofType(resources, 'StepFunctions::StateMachine')
        .filter(([, { Properties }]) => {
          const rights = rightsOf(resources, target(Properties.RoleArn) ?? '');
          return !rights.some(
            ({ Action, Resource }) =>
              Action.includes('events:PutRule') &&
              Resource.some((of) => of.endsWith('StepFunctionsGetEventsForEMRServerlessJobRule')),
          );
        })
        .map(([id]) => id),
  },
  {
    id: 'spark-role',
    fact: 'EMR Serverless runs a job with a role that the caller passes: iam:PassRole allows only that role',
    document: 'emr/latest/EMR-Serverless-UserGuide/security-iam-runtime-role.html',
    faults: noRight((action, of) => action === 'iam:PassRole' && !/^<\w+\.Arn>$/.test(of)),
  },
];
