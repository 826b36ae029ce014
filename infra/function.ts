// The defaults of all functions: one bundle, arm64, their own log group, and only rights that are granted one by one.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Effect, PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  type ILayerVersion,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
  Tracing,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { bundleFolder, bundles, type FunctionName } from './bundles.ts';
import { explain, wildcard } from './explain.ts';

export interface StageFunctionProps<Variables extends Record<string, string>> {
  /** The name of the bundle. */
  name: FunctionName;
  does: string;
  /** Default `index.handler`. */
  handler?: string;
  /** Typed by the stage's env.ts: a missing variable does not compile. */
  environment: Variables;
  memory: number;
  timeoutSeconds: number;
  logDays: number;
  /** Traces in X-Ray. */
  tracing: boolean;
  /** Concurrency that is reserved for it, and that it never exceeds. */
  reserved?: number;
  layers?: ILayerVersion[];
}

export class StageFunction<Variables extends Record<string, string>> extends LambdaFunction {
  constructor(scope: Construct, id: string, props: StageFunctionProps<Variables>) {
    bundles();
    const logGroup = new LogGroup(scope, `${id}Logs`, {
      retention: props.logDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // Not AWSLambdaBasicExecutionRole: that may write to every log group.
    const role = new Role(scope, `${id}Role`, {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `Rights of ${props.does}`,
      inlinePolicies: {
        logs: new PolicyDocument({
          statements: [allow(['logs:CreateLogStream', 'logs:PutLogEvents'], [logGroup.logGroupArn])],
        }),
      },
    });
    super(scope, id, {
      description: props.does,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      code: Code.fromAsset(bundleFolder(props.name)),
      handler: props.handler ?? 'index.handler',
      memorySize: props.memory,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: props.environment,
      layers: props.layers,
      logGroup,
      tracing: props.tracing ? Tracing.ACTIVE : Tracing.DISABLED,
      reservedConcurrentExecutions: props.reserved,
      // Metrics in the embedded format are lines of JSON: Lambda's own JSON format would wrap them.
      loggingFormat: LoggingFormat.TEXT,
      role,
    });
    if (props.tracing) explain(role, { 'IAM5[Resource::*]': 'X-Ray knows no narrower resource' });
  }

  /** Allows these actions on these resources, listed explicitly. */
  may(actions: string[], resources: string[]): void {
    this.addToRolePolicy(allow(actions, resources));
    for (const resource of resources.filter((arn) => arn.includes('*')))
      explain(this.role ?? this, {
        [wildcard(this, resource)]: 'Keys under one prefix, paths of one index: no list of them exists',
      });
  }
}

/** Grants the rights that a store's adapter lists for these methods. */
export const rightsTo = <Name extends string>(rights: Record<Name, string[]>, ...methods: Name[]): string[] => [
  ...new Set(methods.flatMap((method) => rights[method])),
];

export const allow = (actions: string[], resources: string[]) =>
  new PolicyStatement({ effect: Effect.ALLOW, actions, resources });
