// Alarms that say what to do: each names its section of docs/runbook.md. One dashboard.
import { Duration } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';
import { namespace } from '#aws/log.ts';
import type { Api } from './api.ts';
import type { Collect } from './collect.ts';
import type { Process } from './process.ts';
import type { Serve } from './serve.ts';
import type { ResolvedSettings } from './settings.ts';
import type { Train } from './train.ts';
import type { Web } from './web.ts';

export interface WatchProps {
  settings: ResolvedSettings;
  collect: Collect;
  process: Process;
  train: Train;
  serve: Serve;
  api: Api;
  web: Web;
}

const minute = Duration.minutes(1);
const five = Duration.minutes(5);

export class Watch extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    const { settings, collect, process, train, serve, api } = props;
    this.topic = new Topic(this, 'Alarms', { enforceSSL: true });
    if (settings.alarmEmail) {
      this.topic.addSubscription(new EmailSubscription(settings.alarmEmail));
      process.messages.addSubscription(new EmailSubscription(settings.alarmEmail));
    }
    const own = (metricName: string, period = five) =>
      new Metric({ namespace, metricName, period, statistic: Stats.SUM });
    const refused = collect.stream.metricWriteProvisionedThroughputExceeded({ period: five, statistic: Stats.SUM });
    const behind = process.handler.metric('IteratorAge', { period: minute, statistic: Stats.MAXIMUM });
    const exportMissing = Duration.seconds(Math.max(300, 5 * settings.exportEvery));

    this.#alarm('ProcessBehind', behind, 300_000, 'Records wait for five minutes: process fails or is too slow', 3);
    this.#alarm(
      'ProcessFails',
      process.handler.metricErrors({ period: five }),
      3,
      'Batches fail and are tried again: a store is down',
    );
    this.#alarm(
      'RecordsGivenUp',
      failuresOf(process),
      1,
      'Records were given up after the stream kept them for hours',
      1,
    );
    this.#alarm('Quarantine', own('Quarantined'), 20, 'Events that can not be understood are set aside');
    this.#alarm('StreamFull', refused, 1, 'The stream refuses records: give it more shards', 2);
    this.#alarm(
      'CollectFails',
      collect.handler.metricErrors({ period: five }),
      1,
      'Collect fails: registries hold events back',
    );
    if (collect.servers) {
      const { failures, healthy, processor } = collect.servers;
      this.#alarm('CollectorFails', failures, 5, 'The servers of collect answer 5xx');
      this.#alarm('CollectorMissing', healthy, settings.collectTasks.least, 'Servers of collect are missing', 5, {
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      });
      this.#alarm('CollectorBusy', processor, 85, 'The servers of collect are busy, and no more may start', 3);
    }
    this.#alarm(
      'CollectThrottled',
      collect.handler.metricThrottles({ period: five }),
      1,
      'Lambda has no room for collect: raise the quota',
    );
    this.#alarm('ServeFails', serve.handler.metricErrors({ period: five }), 3, 'Readers get errors');
    this.#alarm('TilesFail', serve.tiles.metricErrors({ period: five }), 3, 'The map gets no tiles');
    this.#alarm('ApiFails', api.api.metricServerError({ period: five }), 5, 'The API answers 5xx');
    this.#alarm('PointsStale', own('Exported', exportMissing), 1, 'The map is not brought up to date', 1, {
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
    });
    this.#alarm('TrainFails', train.trainer.failures, 1, 'Training fails: recommendations grow old');
    this.#alarm(
      'ModelRefused',
      own('ModelRefused', Duration.hours(1)),
      1,
      'A new model was worse than the one in service',
    );
    if (settings.alarmEmail) this.#budget(settings.alarmEmail, settings.monthlyBudget);
    this.#dashboard(
      ['Behind, ms', [behind]],
      ['In', [collect.handler.metricInvocations(), collect.handler.metricDuration({ statistic: 'p99' })]],
      [
        'Errors',
        [
          ...[collect.handler, process.handler, serve.handler, serve.tiles].map((each) => each.metricErrors()),
          train.trainer.failures,
        ],
      ],
      ['Set aside and refused', [own('Quarantined'), refused]],
      ['Export', [own('Exported'), own('Folded'), process.export.metricDuration()]],
      ['Serve', [serve.handler.metricInvocations(), serve.handler.metricDuration({ statistic: 'p99' })]],
      ['Tiles', [serve.tiles.metricInvocations(), serve.tiles.metricDuration({ statistic: 'p99' })]],
    );
  }

  #alarm(name: string, metric: IMetric, threshold: number, says: string, periods = 1, more: object = {}): void {
    const alarm = new Alarm(this, name, {
      metric,
      threshold,
      evaluationPeriods: periods,
      comparisonOperator: ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: TreatMissingData.NOT_BREACHING,
      alarmDescription: `${says}. What to do: docs/runbook.md#${name.toLowerCase()}`,
      ...more,
    });
    alarm.addAlarmAction(new SnsAction(this.topic));
  }

  #budget(address: string, dollars: number): void {
    new CfnBudget(this, 'Budget', {
      budget: { budgetType: 'COST', timeUnit: 'MONTHLY', budgetLimit: { amount: dollars, unit: 'USD' } },
      notificationsWithSubscribers: [
        {
          notification: { notificationType: 'FORECASTED', comparisonOperator: 'GREATER_THAN', threshold: 100 },
          subscribers: [{ subscriptionType: 'EMAIL', address }],
        },
      ],
    });
  }

  #dashboard(...graphs: [string, IMetric[]][]): void {
    const dashboard = new Dashboard(this, 'Dashboard');
    dashboard.addWidgets(...graphs.map(([title, left]) => new GraphWidget({ title, left, width: 8 })));
  }
}

/** Invocation records written to the failure bucket, counted by Lambda. */
const failuresOf = ({ handler }: Process) =>
  handler.metric('DroppedEventCount', { period: five, statistic: Stats.SUM });
