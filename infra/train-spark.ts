// The trainer with Spark MLlib: a state machine in which a function writes the pairs, EMR Serverless fits them, and a
// function judges and publishes the result. Nothing runs, and nothing is paid, between trainings.
import { join } from 'node:path';
import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnApplication } from 'aws-cdk-lib/aws-emrserverless';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import type { IScheduleTarget } from 'aws-cdk-lib/aws-scheduler';
import { type ScheduleTargetBaseProps, StepFunctionsStartExecution } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import {
  Choice,
  Condition,
  CustomState,
  DefinitionBody,
  JsonPath,
  LogLevel,
  StateMachine,
  Succeed,
  TaskInput,
} from 'aws-cdk-lib/aws-stepfunctions';
import { LambdaInvoke } from 'aws-cdk-lib/aws-stepfunctions-tasks';
import type { Construct } from 'constructs';
import { bucketRights, objectRights } from '#aws/s3/objects.ts';
import type { Variables } from '#train/env.ts';
import { explain, wildcard } from './explain.ts';
import { allow, rightsTo, StageFunction } from './function.ts';
import { mayTrain, messagesOf, type Trainer, type TrainProps, trainVariables } from './trainer.ts';

/** EMR's newest release with Spark 3.5. */
const release = 'emr-7.13.0';

export class SparkTrainer implements Trainer {
  readonly failures: IMetric;
  readonly #machine: StateMachine;

  /** `failed` gets a message for each training that failed. */
  constructor(scope: Construct, props: TrainProps & { failed: Queue }) {
    const { settings, failed } = props;
    const { steps, fit } = { steps: functions(scope, props), fit: sparkJob(scope, props) };

    const run = JsonPath.stringAt('$$.Execution.Name');
    const step = (id: string, lambdaFunction: StageFunction<Variables>) =>
      new LambdaInvoke(scope, id, {
        lambdaFunction,
        payload: TaskInput.fromObject({ run }),
        payloadResponseOnly: true,
      });
    const definition = step('Prepare', steps.prepare).next(
      new Choice(scope, 'Pairs')
        .when(Condition.numberEquals('$.pairs', 0), new Succeed(scope, 'NothingYet'))
        .otherwise(fit.state.next(step('Publish', steps.publish))),
    );
    this.#machine = new StateMachine(scope, 'Machine', {
      definitionBody: DefinitionBody.fromChainable(definition),
      timeout: Duration.hours(13),
      tracingEnabled: false,
      logs: {
        destination: new LogGroup(scope, 'MachineLogs', {
          retention: settings.logDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
      },
    });
    for (const statement of fit.rights) this.#machine.addToRolePolicy(statement);
    this.#explain(steps, fit.runs);

    new Rule(scope, 'Failed', {
      description: 'Trainings with Spark that failed',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [this.#machine.stateMachineArn], status: ['FAILED', 'TIMED_OUT', 'ABORTED'] },
      },
      targets: [new SqsQueue(failed)],
    });
    this.failures = messagesOf(failed);
  }

  target(options: ScheduleTargetBaseProps): IScheduleTarget {
    return new StepFunctionsStartExecution(this.#machine, options);
  }

  get byHand() {
    const value = `aws stepfunctions start-execution --state-machine-arn ${this.#machine.stateMachineArn}`;
    return { name: 'TrainCommand', value, description: 'Trains' };
  }

  #explain(steps: ReturnType<typeof functions>, runs: string): void {
    explain(this.#machine, { SF2: 'The functions log what they do; a trace would tell nothing more' });
    explain(this.#machine.role, {
      [wildcard(this.#machine, runs)]: 'The runs of one application: their ids come with them',
      'IAM5[Resource::*]': "Delivery of the machine's own log: CloudWatch Logs knows no narrower resource for it",
      ...Object.fromEntries(
        Object.values(steps).map((step) => [wildcard(step, `${step.functionArn}:*`), 'All versions of one function']),
      ),
    });
  }
}

function functions(scope: Construct, { settings, stores }: TrainProps) {
  const step = (id: string, handler: string, does: string) =>
    new StageFunction<Variables>(scope, id, {
      name: 'train-spark',
      handler,
      does,
      environment: trainVariables(stores, settings),
      memory: settings.trainMemory,
      timeoutSeconds: 900,
      logDays: settings.logDays,
      tracing: settings.tracing,
    });
  const exchange = stores.bucket.arnForObjects('training/*');
  const prepare = step('PrepareFunction', 'index.prepare', 'Train: writes the stored pulls for Spark');
  prepare.may(rightsTo(objectRights, 'put', 'remove'), [exchange]);
  prepare.may(bucketRights, [stores.bucket.bucketArn]);
  stores.allowSearch(prepare, {
    Post: ['whalewatch-documents/_search'],
  });
  const publish = step('PublishFunction', 'index.publish', 'Train: judges and publishes what Spark fitted');
  mayTrain(publish, stores);
  publish.may(rightsTo(objectRights, 'get', 'list', 'remove'), [exchange]);
  return { prepare, publish };
}

/** The application, the job's role, the state that runs it, and the state machine's rights for that. */
function sparkJob(scope: Construct, { settings, stores }: TrainProps) {
  const { processors, gigabytes } = settings.trainSpark;
  const { partition, region, account } = Stack.of(scope);
  const application = new CfnApplication(scope, 'Application', {
    name: 'whalewatch-train',
    releaseLabel: release,
    type: 'SPARK',
    architecture: 'ARM64',
    autoStartConfiguration: { enabled: true },
    autoStopConfiguration: { enabled: true, idleTimeoutMinutes: 1 },
    maximumCapacity: { cpu: `${processors} vCPU`, memory: `${gigabytes} GB` },
  });
  const job = new Asset(scope, 'Job', { path: join(import.meta.dirname, '../functions/train/spark/als.py') });
  const role = new Role(scope, 'JobRole', {
    assumedBy: new ServicePrincipal('emr-serverless.amazonaws.com'),
    description: 'What the fit on Spark may do',
  });
  const exchange = stores.bucket.arnForObjects('training/*');
  role.addToPolicy(allow(['s3:GetObject'], [`${job.bucket.bucketArn}/${job.s3ObjectKey}`]));
  role.addToPolicy(allow(['s3:ListBucket'], [stores.bucket.bucketArn]));
  role.addToPolicy(allow(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], [exchange]));
  explain(role, { [wildcard(scope, exchange)]: 'Keys under one prefix: no list of them exists' });

  const given = Object.entries({ ...settings.als, seed: trainVariables(stores, settings).SEED });
  const words = given.flatMap(([name, value]) => [`'--${name}'`, `'${value}'`]);
  const folder = `States.Format('s3://${stores.bucket.bucketName}/training/{}', $$.Execution.Name)`;
  const state = new CustomState(scope, 'Fit', {
    stateJson: {
      Type: 'Task',
      Resource: `arn:${partition}:states:::emr-serverless:startJobRun.sync`,
      Parameters: {
        ApplicationId: application.ref,
        ExecutionRoleArn: role.roleArn,
        ExecutionTimeoutMinutes: 720,
        'Name.$': '$$.Execution.Name',
        JobDriver: {
          SparkSubmit: {
            EntryPoint: job.s3ObjectUrl,
            'EntryPointArguments.$': `States.Array('--folder', ${folder}, ${words.join(', ')})`,
          },
        },
      },
      ResultPath: null,
    },
  });
  const runs = `${application.attrArn}/jobruns/*`;
  const rights = [
    allow(['emr-serverless:StartJobRun'], [application.attrArn]),
    allow(['emr-serverless:GetJobRun', 'emr-serverless:CancelJobRun'], [runs]),
    allow(['iam:PassRole'], [role.roleArn]),
    // How the state machine learns that a job has ended.
    allow(
      ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
      [`arn:${partition}:events:${region}:${account}:rule/StepFunctionsGetEventsForEMRServerlessJobRule`],
    ),
  ];
  return { state, rights, runs };
}
