// The trainer as a Fargate task: the same code as the function, for as long as it takes.
import { Stack } from 'aws-cdk-lib';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import type { ISecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SqsQueue } from 'aws-cdk-lib/aws-events-targets';
import type { IScheduleTarget } from 'aws-cdk-lib/aws-scheduler';
import { EcsRunFargateTask, type ScheduleTargetBaseProps } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import type { Variables } from '#train/env.ts';
import { explain, wildcard } from '../explain.ts';
import { mayTrain, messagesOf, type Trainer, type TrainProps, trainVariables } from '../trainer.ts';
import type { Network } from './network.ts';
import { StageTask } from './task.ts';

export class FargateTrainer implements Trainer {
  readonly failures: IMetric;
  readonly #network: Network;
  readonly #task: StageTask<Variables>;
  readonly #group: ISecurityGroup;

  /** `failed` gets a message for each training that failed. */
  constructor(scope: Construct, { settings, stores, network, failed }: TrainProps & { failed: Queue }) {
    if (!network) throw new Error('a trainer on Fargate needs the network');
    this.#network = network;
    this.#task = new StageTask<Variables>(scope, 'Task', {
      name: 'train-task',
      does: 'Train: fits the recommender on stored pulls and publishes it',
      environment: trainVariables(stores, settings),
      size: settings.trainTask,
      logDays: settings.logDays,
      imageRegistry: settings.imageRegistry,
    });
    mayTrain(this.#task, stores);
    const { search } = settings;
    const ports = 'endpoint' in search ? [443, Number(new URL(search.endpoint).port || 443)] : [443];
    this.#group = network.group(scope, 'Group', 'The trainer', ports);

    // A task that could not start has no exit code; one that was killed (memory, time) has one above 0.
    new Rule(scope, 'Failed', {
      description: 'Training tasks that failed',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: {
          clusterArn: [network.cluster.clusterArn],
          group: [`family:${this.#task.definition.family}`],
          lastStatus: ['STOPPED'],
          $or: [{ stopCode: ['TaskFailedToStart'] }, { containers: { exitCode: [{ numeric: ['>', 0] }] } }],
        },
      },
      targets: [new SqsQueue(failed)],
    });
    this.failures = messagesOf(failed);
  }

  target(options: ScheduleTargetBaseProps): IScheduleTarget {
    const { cluster, subnets } = this.#network;
    const { definition } = this.#task;
    // The schedule's role, made by CDK, may run every revision of this one definition.
    explain(Stack.of(cluster), {
      [wildcard(cluster, `${definition.taskDefinitionArn}`)]: 'All revisions of one task definition',
    });
    return new EcsRunFargateTask(cluster, {
      ...options,
      taskDefinition: definition,
      vpcSubnets: subnets,
      assignPublicIp: true,
      securityGroups: [this.#group],
    });
  }

  get byHand() {
    const { cluster, vpc, subnets } = this.#network;
    const network = [
      `subnets=[${vpc.selectSubnets(subnets).subnetIds.join()}]`,
      `securityGroups=[${this.#group.securityGroupId}]`,
      'assignPublicIp=ENABLED',
    ];
    const value = [
      'aws ecs run-task --launch-type FARGATE',
      `--cluster ${cluster.clusterName} --task-definition ${this.#task.definition.family}`,
      `--network-configuration awsvpcConfiguration={${network.join()}}`,
    ];
    return { name: 'TrainCommand', value: value.join(' '), description: 'Trains' };
  }
}
