// Alarms that say what to do: each names its section of docs/runbook.md. One dashboard.
import { Duration, Stack } from 'aws-cdk-lib';
import { CfnBudget } from 'aws-cdk-lib/aws-budgets';
import {
  Alarm,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  Stats,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Effect, PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Domain } from 'aws-cdk-lib/aws-opensearchservice';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { Alerts } from './alerts.ts';
import type { Api } from './api.ts';
import type { Collect } from './collect.ts';
import type { Process } from './process.ts';
import type { Rollout } from './rollout.ts';
import type { Serve } from './serve.ts';
import type { Stores } from './stores.ts';
import type { Train } from './train.ts';
import type { Web } from './web.ts';

export interface WatchProps {
  settings: ResolvedSettings;
  stores: Stores;
  collect: Collect;
  process: Process;
  alerts: Alerts;
  train: Train;
  serve: Serve;
  api: Api;
  web: Web;
  rollout: Rollout<'collect' | 'registry' | 'serve' | 'tiles'>;
}

const minute = Duration.minutes(1);
const five = Duration.minutes(5);

export class Watch extends Construct {
  readonly topic: Topic;

  constructor(scope: Construct, id: string, props: WatchProps) {
    super(scope, id);
    const { settings, stores, collect, process, alerts, train, serve, api, rollout } = props;
    this.topic = this.#alarmTopic();
    if (settings.alarmEmail) {
      this.topic.addSubscription(new EmailSubscription(settings.alarmEmail));
      process.messages.addSubscription(new EmailSubscription(settings.alarmEmail));
    }
    const { handler } = process;
    const own = (metricName: string, period = five, statistic = Stats.SUM) =>
      new Metric({ namespace: stores.metrics, metricName, period, statistic });
    /** One metric of several, because each kind of trouble has one alarm. */
    const combined = (label: string, combine: 'SUM' | 'MAX', metrics: IMetric[], period = five) => {
      const names = metrics.map((_, at) => `${label.toLowerCase()}${at}`);
      return new MathExpression({
        expression: `${combine}([${names.map((name) => `FILL(${name}, 0)`).join(', ')}])`,
        usingMetrics: Object.fromEntries(names.map((name, at) => [name, metrics[at]])),
        period,
        label,
      });
    };
    const handlers = [handler, process.registry];
    const refused = combined(
      'Refused',
      'SUM',
      [collect.hitsStream, collect.registryStream].map((stream) =>
        stream.metricWriteProvisionedThroughputExceeded({ period: five, statistic: Stats.SUM }),
      ),
    );
    const ages = handlers.map((one) => one.metric('IteratorAge', { period: minute, statistic: Stats.MAXIMUM }));
    const behind = combined('Behind', 'MAX', ages, minute);
    const errors = (of: LambdaFunction) => of.metricErrors({ period: five });
    const batchesFailed = combined('BatchesFailed', 'SUM', handlers.map(errors));
    /** Exceptions, and 5xx responses, which Lambda counts as successes. */
    const failures = (name: string, ...of: LambdaFunction[]) =>
      // The name makes the ids of its metrics, which must differ within the graph that has all failures.
      combined(`${name}Fails`, 'SUM', [...of.map(errors), own(`${name}5xx`)]);
    const exportMissing = Duration.seconds(Math.max(300, 5 * settings.exportEvery));
    /** A metric of the event source mapping: records in the failure bucket don't count as dropped elsewhere. */
    const ofMappings = (metricName: string) =>
      process.mappings.map(
        (mapping) =>
          new Metric({
            namespace: 'AWS/Lambda',
            metricName,
            dimensionsMap: { EventSourceMappingUUID: mapping },
            period: five,
            statistic: Stats.SUM,
          }),
      );
    const givenUp = combined('GivenUp', 'SUM', ofMappings('OnFailureDestinationDeliveredEventCount'));
    const dropped = combined('Lost', 'SUM', [
      ...ofMappings('DroppedEventCount'),
      ...handlers.map((one) => one.metric('DestinationDeliveryFailures', { period: five, statistic: Stats.SUM })),
    ]);
    const waiting = (queue: Queue) =>
      queue.metricApproximateNumberOfMessagesVisible({ period: five, statistic: Stats.MAXIMUM });
    // For all functions of the account: they share its concurrency.
    const throttled = new Metric({
      namespace: 'AWS/Lambda',
      metricName: 'Throttles',
      period: five,
      statistic: Stats.SUM,
    });
    const lost = own('AlertsLost');
    const undelivered = combined('Undelivered', 'SUM', [
      process.messages.metricNumberOfNotificationsFailed({ period: five }),
      own('AlertsRefused'),
    ]);
    const alertsFail = combined('AlertsFail', 'SUM', [errors(alerts.handler), waiting(alerts.undelivered)]);
    const modelAge = own('ModelAgeHours', five, Stats.MAXIMUM);

    this.#alarm('ProcessBehind', behind, 300_000, 'Records wait for five minutes: process fails or is too slow', 3);
    this.#alarm('ProcessFails', batchesFailed, 3, 'Batches fail and are retried: a store is down');
    this.#alarm('RecordsGivenUp', givenUp, 1, 'Records were given up and are in the failure bucket');
    this.#alarm('RecordsLost', dropped, 1, 'Records were given up and could not be put into the failure bucket');
    this.#alarm('Quarantine', own('Quarantined'), 20, 'Events that cannot be understood are quarantined');
    this.#alarm('StreamFull', refused, 1, 'The stream refuses records: give it more shards', 2);
    const collectFailures = failures('Collect', collect.handler, collect.registry);
    const collectFails = this.#alarm('CollectFails', collectFailures, 1, 'Collect fails: registries hold events back');
    for (const name of ['collect', 'registry'] as const) rollout.backOn(name, collectFails);
    if (collect.servers) {
      const { failures, healthy, processor } = collect.servers;
      this.#alarm('CollectorFails', failures, 5, 'The servers of collect respond 5xx');
      this.#alarm('CollectorMissing', healthy, settings.collectTasks.least, 'Servers of collect are missing', 5, {
        comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
        treatMissingData: TreatMissingData.BREACHING,
      });
      this.#alarm('CollectorBusy', processor, 85, 'The servers of collect are busy, and no more may start', 3);
    }
    const throttles = [collect.handler, collect.registry].map((one) => one.metricThrottles({ period: five }));
    const collectThrottled = combined('CollectThrottled', 'SUM', throttles);
    this.#alarm('CollectThrottled', collectThrottled, 1, 'Lambda has no room for collect: raise the quota');
    this.#alarm('Throttled', throttled, 10, 'Lambda has no room for all functions at once: raise the quota', 2);
    rollout.backOn('serve', this.#alarm('ServeFails', failures('Serve', serve.handler), 3, 'Readers get errors'));
    rollout.backOn('tiles', this.#alarm('TilesFail', failures('Tiles', serve.tiles), 3, 'The map gets no tiles'));
    this.#alarm('ApiFails', api.api.metricServerError({ period: five }), 5, 'The API responds 5xx');
    this.#alarm('ExportFails', errors(process.export), 2, 'Export fails');
    this.#alarm('PointsStale', own('Exported', exportMissing), 1, 'The map is not updated', 1, {
      comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD,
      treatMissingData: TreatMissingData.BREACHING,
    });
    this.#alarm('ExportMissed', waiting(process.undelivered), 1, 'The scheduler could not start export');
    this.#alarm('TrainMissed', waiting(train.undelivered), 1, 'The scheduler could not start training');
    this.#alarm('TrainFails', train.trainer.failures, 1, 'Training fails: recommendations get old');
    this.#alarm('ModelStale', modelAge, 2 * settings.trainEvery + 2, 'The model in service is old', 3);
    const worse = own('ModelRefused', Duration.hours(1));
    this.#alarm('ModelRefused', worse, 1, 'A new model was not put in service');
    this.#alarm('AlertsLost', lost, 1, 'Alerts of the rules could not be stored or passed on');
    this.#alarm('AlertsFail', alertsFail, 3, 'Alerts are not sent: their function fails or is not called');
    this.#alarm('AlertsRefused', undelivered, 1, 'A receiver does not accept alerts');
    if (stores.domain) this.#search(stores.domain, settings);
    if (settings.alarmEmail) this.#budget(settings.alarmEmail, settings);
    this.#dashboard(
      ['Behind, ms', [behind]],
      [
        'In',
        [collect.handler, collect.registry].flatMap((one) => [
          one.metricInvocations(),
          one.metricDuration({ statistic: 'p99' }),
        ]),
      ],
      [
        'Errors',
        [
          collectFailures,
          failures('Serve', serve.handler),
          failures('Tiles', serve.tiles),
          batchesFailed,
          errors(process.export),
          errors(alerts.handler),
          train.trainer.failures,
        ],
      ],
      ['Throttled', [collectThrottled, throttled, refused]],
      ['Quarantined, given up, lost', [own('Quarantined'), givenUp, dropped, lost, undelivered]],
      ['Export', [own('Exported'), own('Folded'), process.export.metricDuration()]],
      ['Model, hours old', [modelAge]],
      ['Serve', [serve.handler.metricInvocations(), serve.handler.metricDuration({ statistic: 'p99' })]],
      ['Tiles', [serve.tiles.metricInvocations(), serve.tiles.metricDuration({ statistic: 'p99' })]],
    );
  }

  #alarmTopic(): Topic {
    const topic = new Topic(this, 'Alarms', { enforceSSL: true });
    // A topic policy replaces the default one, which lets CloudWatch publish: without this statement no alarm arrives.
    topic.addToResourcePolicy(
      new PolicyStatement({
        effect: Effect.ALLOW,
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account } },
      }),
    );
    return topic;
  }

  #alarm(name: string, metric: IMetric, threshold: number, says: string, periods = 1, more: object = {}): Alarm {
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
    return alarm;
  }

  /** Alarms of the search domain, at AWS's recommended thresholds; earlier for the disk: writes stop at about a fifth. */
  #search(domain: Domain, { search }: ResolvedSettings): void {
    const { instanceType = '', gigabytes = 10 } = search as { instanceType?: string; gigabytes?: number };
    const most = (metricName: string, period = five) => domain.metric(metricName, { period, statistic: Stats.MAXIMUM });
    const least = (metricName: string) => domain.metric(metricName, { period: five, statistic: Stats.MINIMUM });
    const below = { comparisonOperator: ComparisonOperator.LESS_THAN_THRESHOLD };
    const megabytes = gigabytes * 1024;
    this.#alarm(
      'SearchFull',
      least('FreeStorageSpace'),
      0.35 * megabytes,
      'Search: a third of the disk is free',
      1,
      below,
    );
    this.#alarm('SearchBlocked', most('ClusterIndexWritesBlocked'), 1, 'Search accepts no more writes');
    this.#alarm('SearchRed', most('ClusterStatus.red', minute), 1, 'Search has lost data', 5);
    this.#alarm('SearchMemory', most('JVMMemoryPressure'), 95, 'Search is running out of memory', 3);
    this.#alarm(
      'SearchSnapshot',
      most('AutomatedSnapshotFailure', minute),
      1,
      'Search could not save its hourly snapshot',
    );
    if (/^(|t\d\..*)$/.test(instanceType))
      this.#alarm('SearchCredits', least('CPUCreditBalance'), 10, 'Search used up its processor credits', 3, below);
  }

  #budget(address: string, { monthlyBudget, tags }: ResolvedSettings): void {
    const [tag] = Object.entries(tags);
    new CfnBudget(this, 'Budget', {
      budget: {
        budgetType: 'COST',
        timeUnit: 'MONTHLY',
        budgetLimit: { amount: monthlyBudget, unit: 'USD' },
        ...(tag && { costFilters: { TagKeyValue: [`user:${tag[0]}$${tag[1]}`] } }),
      },
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
