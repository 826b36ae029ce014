// train: from the stored pulls to the model.
import { Duration } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Variables } from '#train/env.ts';
import { StageFunction } from './function.ts';
import { queue, versions } from './process.ts';
import type { ResolvedSettings } from './settings.ts';
import type { Stores } from './stores.ts';

export class Train extends Construct {
  readonly handler: StageFunction<Variables>;
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, { settings, stores }: { settings: ResolvedSettings; stores: Stores }) {
    super(scope, id);
    this.handler = new StageFunction<Variables>(this, 'Function', {
      name: 'train',
      does: 'Train: fits the recommender on stored pulls and publishes it',
      environment: { BUCKET: stores.bucket.bucketName, ...stores.searchVariables(), SEED: '1' },
      memory: settings.trainMemory,
      timeoutSeconds: 900,
      logDays: settings.logDays,
    });
    this.handler.may(['s3:ListBucket'], [stores.bucket.bucketArn]);
    this.handler.may(['s3:GetObject', 's3:PutObject', 's3:DeleteObject'], [stores.bucket.arnForObjects('models/*')]);
    stores.allowSearch(this.handler, {
      Put: ['whalewatch-documents', 'whalewatch-recommendations'],
      Post: ['whalewatch-documents/_search', 'whalewatch-recommendations/_bulk'],
    });
    this.undelivered = queue(this, 'Undelivered', Duration.minutes(1));
    new Schedule(this, 'Every', {
      schedule: ScheduleExpression.rate(Duration.hours(settings.trainEvery)),
      target: new LambdaInvoke(this.handler, {
        retryAttempts: 2,
        maxEventAge: Duration.hours(1),
        deadLetterQueue: this.undelivered,
      }),
      description: 'Training',
    });
    versions(this.handler);
  }
}
