// train: from the stored pulls to the model, on what the setting `trainer` names.
import { Duration } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import { queue } from './process.ts';
import { FargateTrainer } from './train-fargate.ts';
import { LambdaTrainer, type Trainer, type TrainProps } from './trainer.ts';

export class Train extends Construct {
  readonly trainer: Trainer;

  constructor(scope: Construct, id: string, props: TrainProps) {
    super(scope, id);
    const { settings } = props;
    // Calls of the schedule that did not come through, and tasks that failed.
    const undelivered = queue(this, 'Undelivered', Duration.minutes(1));
    this.trainer =
      settings.trainer === 'fargate'
        ? new FargateTrainer(this, { ...props, failed: undelivered })
        : new LambdaTrainer(this, props);
    new Schedule(this, 'Every', {
      schedule: ScheduleExpression.rate(Duration.hours(settings.trainEvery)),
      target: this.trainer.target({
        retryAttempts: 2,
        maxEventAge: Duration.hours(1),
        deadLetterQueue: undelivered,
      }),
      description: 'Training',
    });
  }
}
