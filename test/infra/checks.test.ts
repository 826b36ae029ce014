// Every check of a documented AWS rule (infra/checks) passes on the templates, and fails once the template breaks its
// rule.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { CfnResource, Stack } from 'aws-cdk-lib';
import { checks, resourcesBelow } from '../../infra/checks/all.ts';
import { ofType, type Resource, type Resources, target } from '../../infra/checks/check.ts';
import { page } from '../../infra/tools/checks.ts';
import { buildPages } from '../../web/build.ts';
import { configurations, newStack, regions, resourcesOf, synthesise } from '../support/synthesise.ts';

type Properties = Resource['Properties'];
type Edit = (resources: Resources) => void;
type Name = keyof typeof configurations;

const every =
  (type: string, edit: (properties: Properties, resource: Resource, id: string) => void): Edit =>
  (resources) => {
    const found = ofType(resources, type);
    assert.ok(found.length > 0, `no ${type} in the template`);
    for (const [id, resource] of found) edit(resource.Properties, resource, id);
  };
const remove =
  (type: string, which: (properties: Properties) => boolean = () => true): Edit =>
  (resources) => {
    for (const [id, { Properties }] of ofType(resources, type)) if (which(Properties)) delete resources[id];
  };
const noAlarm = (metric: string) =>
  remove('CloudWatch::Alarm', (properties) => JSON.stringify(properties).includes(`"MetricName":"${metric}"`));
/** Only the stream's event source mapping has a starting position. */
const mapping = (edit: (properties: Properties) => void) =>
  every('Lambda::EventSourceMapping', (properties) => properties.StartingPosition && edit(properties));
const kept = (type: string, edit: (resource: Resource) => void) =>
  every(type, (_, resource) => /^Retain/.test(resource.DeletionPolicy ?? '') && edit(resource));
const replaced =
  (from: RegExp, to: string): Edit =>
  (resources) => {
    const text = JSON.stringify(resources);
    assert.ok(from.test(text), `${from} is not in the template`);
    Object.assign(resources, JSON.parse(text.replaceAll(new RegExp(from, 'g'), to)));
  };
/** Adds a right to every role's policy. */
const right = (Action: string, Resource: unknown) =>
  every('IAM::Policy', ({ PolicyDocument }) => PolicyDocument.Statement.push({ Effect: 'Allow', Action, Resource }));
const noRight = (action: string) => replaced(new RegExp(`"${action}"`), '"none:None"');
const distribution = (edit: (config: Properties) => void) =>
  every('CloudFront::Distribution', ({ DistributionConfig }) => edit(DistributionConfig));
const cache = (edit: (config: Properties) => void) =>
  every('CloudFront::CachePolicy', ({ CachePolicyConfig }) => edit(CachePolicyConfig));
const stage = (edit: (properties: Properties) => void) => every('ApiGatewayV2::Stage', edit);
const noSecure = replaced(/"aws:SecureTransport":"false"/, '"aws:SecureTransport":"true"');

/** For each check, a change that breaks its rule, and the template it is tried on if not the default one. */
const undone: Record<string, Edit | [Name, Edit]> = {
  'alarm-topic-policy': replaced(/"Service":"cloudwatch.amazonaws.com"/, '"Service":"other.amazonaws.com"'),
  'alarm-topic-account': every('SNS::TopicPolicy', ({ PolicyDocument }) => {
    for (const statement of PolicyDocument.Statement) if (statement.Effect === 'Allow') delete statement.Condition;
  }),
  'alarm-action': every('CloudWatch::Alarm', (properties) => {
    properties.AlarmActions = [];
  }),
  'alarm-missing-data': every('CloudWatch::Alarm', (properties) => delete properties.TreatMissingData),
  'alarm-period': every('CloudWatch::Alarm', (properties) => {
    properties.EvaluationPeriods = 1000;
  }),
  'alarm-description': every('CloudWatch::Alarm', (properties) => {
    properties.AlarmDescription = 'Something failed';
  }),
  'handled-5xx-collect': noAlarm('Collect5xx'),
  'handled-5xx-serve': noAlarm('Serve5xx'),
  'handled-5xx-tiles': noAlarm('Tiles5xx'),
  'mapping-metrics': mapping((properties) => delete properties.MetricsConfig),
  'records-given-up': noAlarm('OnFailureDestinationDeliveredEventCount'),
  'records-dropped': noAlarm('DroppedEventCount'),
  'records-undelivered': noAlarm('DestinationDeliveryFailures'),
  'stream-full': noAlarm('WriteProvisionedThroughputExceeded'),
  'search-disk': every('CloudWatch::Alarm', (properties) => {
    if (properties.MetricName === 'FreeStorageSpace') properties.Threshold = 2048;
  }),
  'search-blocked': noAlarm('ClusterIndexWritesBlocked'),
  'search-red': noAlarm('ClusterStatus.red'),
  'search-memory': noAlarm('JVMMemoryPressure'),
  'search-snapshot': noAlarm('AutomatedSnapshotFailure'),
  'search-credits': noAlarm('CPUCreditBalance'),
  'search-dimensions': replaced(/"Name":"ClientId"/, '"Name":"Account"'),
  'embedded-metrics': every('Lambda::Function', ({ LoggingConfig }) => {
    LoggingConfig.LogFormat = 'JSON';
  }),
  'log-retention': every('Logs::LogGroup', (properties) => delete properties.RetentionInDays),
  'log-group-named': every('Lambda::Function', (properties) => delete properties.LoggingConfig),
  'budget-mail': ['spark', replaced(/"SubscriptionType":"EMAIL"/, '"SubscriptionType":"SNS"')],
  'topic-tls': noSecure,

  'async-retries': remove('Lambda::EventInvokeConfig'),
  'async-age': every('Lambda::EventInvokeConfig', (properties) => delete properties.MaximumEventAgeInSeconds),
  'async-failures': every('Lambda::EventInvokeConfig', (properties) => delete properties.DestinationConfig),
  'async-failures-right': noRight('sqs:SendMessage'),
  'schedule-retries': every('Scheduler::Schedule', ({ Target }) => delete Target.RetryPolicy.MaximumRetryAttempts),
  'schedule-age': every('Scheduler::Schedule', ({ Target }) => delete Target.RetryPolicy.MaximumEventAgeInSeconds),
  'schedule-failures': every('Scheduler::Schedule', ({ Target }) => delete Target.DeadLetterConfig),
  'schedule-rate': every('Scheduler::Schedule', (properties) => {
    properties.ScheduleExpression = 'rate(30 seconds)';
  }),
  'schedule-window': every('Scheduler::Schedule', (properties) => {
    properties.FlexibleTimeWindow = { Mode: 'FLEXIBLE', MaximumWindowInMinutes: 5 };
  }),
  'queue-visibility': [
    'spark',
    every('SQS::Queue', (properties) => {
      properties.VisibilityTimeout = 30;
    }),
  ],
  'queue-concurrency': ['spark', every('Lambda::EventSourceMapping', (properties) => delete properties.ScalingConfig)],
  'queue-ticks': ['spark', every('SQS::Queue', (properties) => delete properties.MessageRetentionPeriod)],
  'queue-encryption': every('SQS::Queue', (properties) => delete properties.SqsManagedSseEnabled),
  'mapping-start': mapping((properties) => {
    properties.StartingPosition = 'LATEST';
  }),
  'mapping-batch': mapping((properties) => delete properties.MaximumBatchingWindowInSeconds),
  'mapping-retries': mapping((properties) => {
    properties.MaximumRetryAttempts = 3;
  }),
  'mapping-age': mapping((properties) => delete properties.MaximumRecordAgeInSeconds),
  'mapping-bisect': mapping((properties) => delete properties.BisectBatchOnFunctionError),
  'mapping-partial': mapping((properties) => delete properties.FunctionResponseTypes),
  'mapping-order': mapping((properties) => {
    properties.ParallelizationFactor = 10;
  }),
  'mapping-filter': mapping((properties) => {
    properties.FilterCriteria = { Filters: [] };
  }),
  'mapping-failures': mapping((properties) => delete properties.DestinationConfig),
  'mapping-failures-right': noRight('s3:ListBucket'),
  'stream-retention': every('Kinesis::Stream', (properties) => {
    properties.RetentionPeriodHours = 12;
  }),
  'stream-encryption': every('Kinesis::Stream', (properties) => delete properties.StreamEncryption),
  'stream-record': every('Kinesis::Stream', (properties) => {
    properties.MaxRecordSizeInKiB = 10_240;
  }),
  'stream-mode': every('Kinesis::Stream', (properties) => delete properties.ShardCount),

  'kept-on-delete': every('DynamoDB::Table', (_, resource) => {
    resource.DeletionPolicy = 'Delete';
  }),
  'kept-not-orphaned': kept('S3::Bucket', (resource) => {
    resource.DeletionPolicy = 'Retain';
  }),
  'kept-on-replace': kept('DynamoDB::Table', (resource) => {
    resource.UpdateReplacePolicy = 'Delete';
  }),
  'kept-names': every('DynamoDB::Table', (properties, _, id) => {
    properties.TableName = id;
  }),
  'search-upgrade': every('OpenSearchService::Domain', (_, resource) => delete resource.UpdatePolicy),
  'search-tls': every('OpenSearchService::Domain', (properties) => delete properties.DomainEndpointOptions),
  'search-encryption': every('OpenSearchService::Domain', (properties) => delete properties.EncryptionAtRestOptions),
  'search-anonymous': every('OpenSearchService::Domain', (properties) => {
    properties.AccessPolicies = { Statement: [] };
  }),
  'search-standby': every(
    'OpenSearchService::Domain',
    ({ ClusterConfig }) => delete ClusterConfig.MultiAZWithStandbyEnabled,
  ),
  'tables-recoverable': every('DynamoDB::Table', (properties) => delete properties.PointInTimeRecoverySpecification),
  'tables-forget': every('DynamoDB::Table', (properties) => delete properties.TimeToLiveSpecification),
  'tables-on-demand': every('DynamoDB::Table', (properties) => delete properties.BillingMode),
  'tables-index': replaced(/"ProjectionType":"ALL"/, '"ProjectionType":"KEYS_ONLY"'),
  'bucket-versions': every('S3::Bucket', (properties) => delete properties.VersioningConfiguration),
  'bucket-versions-expire': replaced(/"Prefix":"state\/"/, '"Prefix":"other/"'),
  'bucket-people': replaced(/"Prefix":"training\/"/, '"Prefix":"trainings/"'),
  'bucket-multipart': every('S3::Bucket', (properties) => delete properties.LifecycleConfiguration),
  'bucket-failures': replaced(/"ExpirationInDays":7/, '"ExpirationInDays":70'),
  'bucket-private': every('S3::Bucket', (properties) => delete properties.PublicAccessBlockConfiguration),
  'bucket-tls': noSecure,
  'bucket-etag': replaced(/"SSEAlgorithm":"AES256"/, '"SSEAlgorithm":"aws:kms"'),
  'bucket-empties': (resources) => {
    for (const [id, { Type }] of Object.entries(resources))
      if (Type === 'Custom::S3AutoDeleteObjects') delete resources[id];
  },
  'secret-kept': every('SecretsManager::Secret', (properties) => {
    properties.SecretString = 'known';
  }),

  runtime: every('Lambda::Function', (properties) => {
    properties.Runtime = 'nodejs18.x';
  }),
  architecture: every('Lambda::Function', (properties) => delete properties.Architectures),
  memory: every('Lambda::Function', (properties) => {
    properties.MemorySize = 20_480;
  }),
  timeout: every('Lambda::Function', (properties) => {
    properties.Timeout = 1800;
  }),
  environment: every('Lambda::Function', ({ Environment }) => {
    Environment.Variables.RULES = 'x'.repeat(5000);
  }),
  concurrency: every('Lambda::Function', (properties) => {
    properties.ReservedConcurrentExecutions = 500;
  }),
  'role-alone': every('Lambda::Function', (properties) => {
    properties.Role = { 'Fn::GetAtt': ['Shared', 'Arn'] };
  }),
  'role-managed': every('IAM::Role', (properties) => {
    properties.ManagedPolicyArns = ['arn:aws:iam::aws:policy/AdministratorAccess'];
  }),
  'rights-actions': right('s3:Get*', 'arn:aws:s3:::a'),
  'rights-resources': right('s3:GetObject', '*'),
  'rights-objects': replaced(/"\/deltas\/\*"/, '"/*"'),
  'rights-search': replaced(/"\/whalewatch-documents\/_search"/, '"/*"'),
  'rights-delete': right('s3:DeleteObjectVersion', 'arn:aws:s3:::a'),
  'rights-head': (resources) => {
    for (const [, { Properties }] of ofType(resources, 'IAM::Policy'))
      for (const statement of Properties.PolicyDocument.Statement)
        if (JSON.stringify(statement.Resource).includes('/deltas/*') && statement.Action.includes('s3:PutObject'))
          statement.Action = 's3:PutObject';
  },
  'task-size': [
    'fargate',
    every('ECS::TaskDefinition', (properties) => {
      properties.Memory = '9000';
    }),
  ],
  'task-network': ['fargate', replaced(/"AssignPublicIp":"ENABLED"/, '"AssignPublicIp":"DISABLED"')],
  'task-rollout': ['fargate', replaced(/\/\*\.mjs"/, '/one.mjs"')],
  'task-rollback': [
    'fargate',
    every('ECS::Service', ({ DeploymentConfiguration }) => delete DeploymentConfiguration.DeploymentCircuitBreaker),
  ],
  'task-count': [
    'fargate',
    every('ECS::Service', (properties) => {
      properties.DesiredCount = 2;
    }),
  ],
  'task-failed': ['fargate', replaced(/"TaskFailedToStart"/, '"UserInitiated"')],
  'task-drain': [
    'fargate',
    every('ElasticLoadBalancingV2::TargetGroup', (properties) => delete properties.TargetGroupAttributes),
  ],
  'task-images': ['fargate', replaced(/@sha256:[0-9a-f]{64}/, ':latest')],
  'task-images-right': ['cached', noRight('ecr:BatchImportUpstreamImage')],
  'balancer-ipv6': ['fargate', replaced(/"IpAddressType":"dualstack"/, '"IpAddressType":"ipv4"')],
  'balancer-ipv6-subnets': ['fargate', every('EC2::Subnet', (properties) => delete properties.Ipv6CidrBlock)],
  'balancer-tls': ['fargate', every('ElasticLoadBalancingV2::Listener', (properties) => delete properties.SslPolicy)],
  'balancer-log': [
    'fargate',
    every('ElasticLoadBalancingV2::LoadBalancer', (properties) => {
      properties.LoadBalancerAttributes = [{ Key: 'access_logs.s3.enabled', Value: 'true' }];
    }),
  ],
  'spark-stops': [
    'spark',
    every('EMRServerless::Application', (properties) => delete properties.AutoStopConfiguration),
  ],
  'spark-most': ['spark', every('EMRServerless::Application', (properties) => delete properties.MaximumCapacity)],
  'spark-wait': ['spark', noRight('events:PutRule')],
  'spark-role': ['spark', right('iam:PassRole', 'arn:aws:iam::111111111111:role/any')],

  'api-timeout': every('Lambda::Function', (properties) => {
    properties.Timeout = 60;
  }),
  'api-cors': every('ApiGatewayV2::Api', (properties) => {
    properties.CorsConfiguration = { AllowOrigins: ['*'] };
  }),
  'api-payload': every('ApiGatewayV2::Integration', (properties) => {
    properties.PayloadFormatVersion = '1.0';
  }),
  'api-routes': (resources) => {
    const [[, route]] = ofType(resources, 'ApiGatewayV2::Route');
    for (let n = 0; n < 300; n++) resources[`More${n}`] = route;
  },
  'api-throttle': stage((properties) => delete properties.RouteSettings),
  'api-route-settings': stage(({ RouteSettings }) => {
    RouteSettings['GET /v1/none'] = { ThrottlingRateLimit: 1 };
  }),
  'api-log-address': stage(({ AccessLogSettings }) => {
    AccessLogSettings.Format += '$context.identity.sourceIp';
  }),
  'api-log-request': replaced(/\$context\.integration\.requestId/, '-'),
  'api-metrics': stage(({ DefaultRouteSettings }) => {
    DefaultRouteSettings.DetailedMetricsEnabled = true;
  }),
  'api-endpoint': (resources) => {
    const [[ApiId]] = ofType(resources, 'ApiGatewayV2::Api');
    resources.Mapping = { Type: 'AWS::ApiGatewayV2::ApiMapping', Properties: { ApiId: { Ref: ApiId } } };
  },
  'acl-samples': [
    'spark',
    every('WAFv2::WebACL', ({ Rules }) => {
      Rules[0].VisibilityConfig.SampledRequestsEnabled = true;
    }),
  ],
  'acl-rate': [
    'spark',
    every('WAFv2::WebACL', ({ Rules }) => delete Rules[0].Statement.RateBasedStatement.ScopeDownStatement),
  ],
  'acl-scope': [
    'spark',
    every('WAFv2::WebACL', (properties) => {
      properties.Scope = 'REGIONAL';
    }),
  ],
  'cache-minimum': cache((config) => {
    config.MinTTL = 1;
  }),
  'cache-default': cache((config) => {
    config.DefaultTTL = 86_400;
  }),
  'cache-compression': replaced(/"EnableAcceptEncodingBrotli":true/, '"EnableAcceptEncodingBrotli":false'),
  'cache-query': replaced(/"QueryStringBehavior":"whitelist"/, '"QueryStringBehavior":"none"'),
  'cache-people': replaced(/"Authorization"/, '"Accept"'),
  'cache-errors': distribution((config) => delete config.CustomErrorResponses),
  'error-pages': distribution(({ CustomErrorResponses }) => {
    CustomErrorResponses[0].ResponsePagePath = '/404.html';
  }),
  'origin-host': replaced(/b689b0a8-53d0-40ab-baf2-68738e2966ac/, '216adef6-5c7f-47e4-b989-5492eafa07d3'),
  'origin-tls': replaced(/"OriginProtocolPolicy":"https-only"/, '"OriginProtocolPolicy":"http-only"'),
  'origin-control': distribution(({ Origins }) => {
    for (const origin of Origins) delete origin.OriginAccessControlId;
  }),
  'origin-points': replaced(/"\/points(\.json|\/anonymous\.json)"/, '"/*"'),
  'origin-account': replaced(/"AWS:SourceArn"/, '"aws:Nothing"'),
  'viewer-tls': replaced(/"redirect-to-https"/, '"allow-all"'),
  'viewer-certificate': ['domains', replaced(/:acm:us-east-1:/, ':acm:eu-west-1:')],
  'viewer-http3': distribution((config) => {
    config.HttpVersion = 'http2';
  }),
  'viewer-ipv6': distribution((config) => {
    config.IPV6Enabled = false;
  }),
  'viewer-log': distribution((config) => {
    config.Logging = { Bucket: 'logs' };
  }),
  'headers-length': replaced(/"ContentSecurityPolicy":"/, `"ContentSecurityPolicy":"${'x'.repeat(1784)}`),
  'names-region': replaced(/\{"Ref":"AWS::Region"\}/, '"here"'),
  'edge-function': every('CloudFront::Function', (properties) => {
    properties.FunctionCode = 'x'.repeat(10_001);
  }),
};

const templates = {} as Record<Name, Resources>;
before(async () => {
  await buildPages();
  for (const name of Object.keys(configurations) as Name[]) {
    const { stack, whalewatch } = synthesise(configurations[name], regions[name]);
    templates[name] = resourcesBelow(whalewatch, resourcesOf(stack));
  }
});

test('there are at least 60 checks, each with a unique ID, a document, and a change that breaks its rule', () => {
  const ids = checks.map(({ id }) => id);
  assert.ok(ids.length >= 60);
  assert.deepEqual(ids, [...new Set(ids)]);
  assert.deepEqual(Object.keys(undone).sort(), [...ids].sort());
  for (const { id, document } of checks) assert.match(document, /^[\w-]+\/latest\/[\w/.-]+\.html(#[\w.-]+)?$/, id);
});

for (const check of checks)
  test(`${check.id}: ${check.fact}`, () => {
    for (const [name, resources] of Object.entries(templates)) assert.deepEqual(check.faults(resources), [], name);
    const entry = undone[check.id];
    const [name, undo] = Array.isArray(entry) ? entry : (['default', entry] as const);
    const broken = structuredClone(templates[name]);
    undo(broken);
    assert.ok(check.faults(broken).length > 0, `${check.id} does not notice that its rule is broken`);
  });

test('a failed check stops the synthesis, and names the check, the resource and the document', () => {
  const { app, stack } = newStack();
  const stream = stack.node
    .findAll()
    .find((one) => CfnResource.isCfnResource(one) && one.cfnResourceType === 'AWS::Kinesis::Stream');
  (stream as CfnResource).addPropertyOverride('MaxRecordSizeInKiB', 10_240);
  const log = console.error;
  let said = '';
  console.error = (...texts: unknown[]) => {
    said += texts.join(' ');
  };
  try {
    assert.throws(() => app.synth(), /Validation failed/);
  } finally {
    console.error = log;
  }
  const report = readFileSync(join(app.outdir, 'validation-report.json'), 'utf8');
  assert.match(report, /stream-record/);
  assert.match(report, /docs\.aws\.amazon\.com\/streams\/latest\/dev\/large-records\.html/);
  assert.ok(said.length > 0);
});

test('resources of other stacks in the app are not checked', () => {
  const { app } = newStack();
  const theirs = new Stack(app, 'Theirs');
  new CfnResource(theirs, 'Stream', { type: 'AWS::Kinesis::Stream', properties: { RetentionPeriodHours: 1 } });
  app.synth();
});

test('docs/aws-checks.md is the table of the checks', () => {
  const text = readFileSync(join(import.meta.dirname, '../../docs/aws-checks.md'), 'utf8');
  assert.equal(text, page(), 'npm run build:checks writes it');
});

test('a reference is found wherever it is in the template', () => {
  assert.equal(target({ 'Fn::Join': ['', ['arn:', { Ref: 'A' }, '/*']] }), 'A');
  assert.equal(target({ 'Fn::GetAtt': ['B', 'Arn'] }), 'B');
  assert.equal(target('text'), undefined);
});
