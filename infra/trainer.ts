// The training: the simplest trainer, a function of up to 15 minutes.

import { Duration } from 'aws-cdk-lib';
import { type IMetric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import type { IScheduleTarget } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, type ScheduleTargetBaseProps } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { bucketRights, objectRights } from '#aws/s3/objects.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { Variables } from '#train/env.ts';
import type { Network } from './fargate/network.ts';
import { rightsTo, StageFunction } from './function.ts';
import { callOnce, versions } from './process.ts';
import type { Stores } from './stores.ts';

export interface TrainProps {
  settings: ResolvedSettings;
  stores: Stores;
  /** Set if something runs on Fargate. */
  network?: Network;
}

export interface Trainer {
  target(options: ScheduleTargetBaseProps): IScheduleTarget;
  /** Counts trainings that failed. */
  failures: IMetric;
  /** Output of the stack: how to train by hand. */
  byHand: { name: string; value: string; description: string };
}

export class LambdaTrainer implements Trainer {
  readonly #handler: StageFunction<Variables>;

  constructor(scope: Construct, { settings, stores, failed }: TrainProps & { failed: Queue }) {
    this.#handler = new StageFunction<Variables>(scope, 'Function', {
      name: 'train',
      does: 'Train: fits the recommender on stored pulls and publishes it',
      environment: trainVariables(stores, settings),
      memory: settings.trainMemory,
      timeoutSeconds: 900,
      logDays: settings.logDays,
      tracing: settings.tracing,
      reserved: settings.reservedConcurrency.train,
    });
    mayTrain(this.#handler, stores);
    callOnce(this.#handler, failed);
  }

  target(options: ScheduleTargetBaseProps): IScheduleTarget {
    versions(this.#handler);
    return new LambdaInvoke(this.#handler, options);
  }

  get failures(): IMetric {
    return this.#handler.metricErrors({ period: Duration.hours(1) });
  }

  get byHand() {
    return { name: 'TrainFunction', value: this.#handler.functionName, description: 'Trains when invoked' };
  }
}

/** Failed trainings, for a trainer that sends a message to this queue for each. */
export const messagesOf = (failed: Queue): IMetric =>
  failed.metricNumberOfMessagesSent({ period: Duration.hours(1), statistic: Stats.SUM });

export const trainVariables = (stores: Stores, { als, model, trainBudget }: ResolvedSettings): Variables => ({
  BUCKET: stores.bucket.bucketName,
  ...stores.searchVariables(),
  SEED: '1',
  ALS: JSON.stringify(als),
  MODEL: model,
  TRAIN_BUDGET: `${trainBudget}`,
  METRICS: stores.metrics,
});

/** The rights of training, as a function or a task. */
export function mayTrain(to: { may(actions: string[], resources: string[]): void }, stores: Stores): void {
  to.may(bucketRights, [stores.bucket.bucketArn]);
  to.may(rightsTo(objectRights, 'get', 'head', 'put', 'remove'), [stores.bucket.arnForObjects('models/*')]);
  stores.allowSearch(to, {
    Post: [
      ...['_search', '_bulk'].map((call) => `whalewatch-recommendations/${call}`),
      ...['_search', '_bulk', '_refresh', '_delete_by_query'].map((call) => `whalewatch-documents/${call}`),
    ],
    Get: ['whalewatch-documents/_stats/get'],
  });
}
