// train: from the stored pulls to the model, on what the setting `trainer` names.
import { Duration } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { FargateTrainer } from './fargate/train.ts';
import { queue } from './process.ts';
import { SparkTrainer } from './train-spark.ts';
import { LambdaTrainer, type Trainer, type TrainProps } from './trainer.ts';

export class Train extends Construct {
  readonly trainer: Trainer;
  /** The queue of the schedule's failed calls, and of failed tasks. */
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, props: TrainProps) {
    super(scope, id);
    const { settings } = props;
    this.undelivered = queue(this, 'Undelivered', Duration.minutes(1));
    const given = { ...props, failed: this.undelivered };
    const trainers = {
      lambda: () => new LambdaTrainer(this, given),
      fargate: () => new FargateTrainer(this, given),
      spark: () => new SparkTrainer(this, given),
    };
    this.trainer = trainers[settings.trainer]();
    new Schedule(this, 'Every', {
      schedule: ScheduleExpression.rate(Duration.hours(settings.trainEvery)),
      target: this.trainer.target({
        retryAttempts: 2,
        maxEventAge: Duration.hours(1),
        deadLetterQueue: this.undelivered,
      }),
      description: 'Training',
    });
  }
}
