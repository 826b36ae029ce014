// alerts: sends the alerts of the rules to receivers, sums up storms, and reports once a week.
import { Duration } from 'aws-cdk-lib';
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { Variables } from '#alerts/env.ts';
import { alertRights } from '#aws/dynamodb/alerts.ts';
import { bucketRights, objectRights } from '#aws/s3/objects.ts';
import { secretRights } from '#aws/secret.ts';
import { topicRights } from '#aws/sns.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { rightsTo, StageFunction } from './function.ts';
import { callOnce, queue, versions } from './process.ts';
import type { Stores } from './stores.ts';

export interface AlertsProps {
  settings: ResolvedSettings;
  stores: Stores;
  topic: Topic;
}

export class Alerts extends Construct {
  readonly handler: StageFunction<Variables>;
  /** The queue of the schedule's failed calls. */
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, { settings, stores, topic }: AlertsProps) {
    super(scope, id);
    const { receiversSecretArn, mailTo, mailFrom, alertsPerHour, reportDay } = settings;
    this.handler = new StageFunction<Variables>(this, 'Function', {
      name: 'alerts',
      does: 'Alerts: sends what the rules found, sums up storms, reports once a week',
      environment: {
        ALERTS_TABLE: stores.alerts.tableName,
        BUCKET: stores.bucket.bucketName,
        ...stores.searchVariables(),
        TOPIC: topic.topicArn,
        RECEIVERS_SECRET_ID: receiversSecretArn ?? '',
        MAIL_TO: mailTo.join(),
        MAIL_FROM: mailFrom ?? '',
        ALERTS_PER_HOUR: String(alertsPerHour),
        REPORT_DAY: reportDay ?? '',
        METRICS: stores.metrics,
      },
      memory: 512,
      // The weekly report reads all pairs of users and repositories.
      timeoutSeconds: 300,
      logDays: settings.logDays,
      tracing: settings.tracing,
    });
    const { handler } = this;
    handler.may(rightsTo(alertRights, 'next', 'digest'), [stores.alerts.tableArn]);
    handler.may(topicRights, [topic.topicArn]);
    if (receiversSecretArn) handler.may(secretRights, [receiversSecretArn]);
    if (reportDay) {
      handler.may(rightsTo(alertRights, 'claim', 'add'), [stores.alerts.tableArn]);
      handler.may(bucketRights, [stores.bucket.bucketArn]);
      handler.may(rightsTo(objectRights, 'get'), [stores.bucket.arnForObjects('models/latest.json')]);
      stores.allowSearch(handler, { Post: ['whalewatch-documents/_search'] });
    }
    this.undelivered = queue(this, 'Undelivered', Duration.minutes(1));
    callOnce(handler, this.undelivered);
    new Schedule(this, 'Every', {
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new LambdaInvoke(handler, {
        retryAttempts: 0,
        maxEventAge: Duration.seconds(60),
        deadLetterQueue: this.undelivered,
      }),
      description: 'Alerts',
    });
    versions(handler);
  }
}
