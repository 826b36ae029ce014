// Facts about alarms, metrics and logs.
import { type Check, each, ofType, type Resources, statementsOf, target } from './check.ts';

const metrics = (properties: Record<string, unknown>): Record<string, unknown>[] => {
  const several = (properties.Metrics ?? []) as { MetricStat?: { Metric: Record<string, unknown> } }[];
  const found = several.flatMap(({ MetricStat }) => (MetricStat ? [MetricStat.Metric] : []));
  return properties.MetricName ? [properties, ...found] : found;
};

/** The alarm exists wherever a resource of `beside` does. */
const alarmOn =
  (name: string, beside: string, right: (properties: Record<string, unknown>) => unknown = () => true) =>
  (resources: Resources): string[] =>
    ofType(resources, beside).length === 0 ||
    ofType(resources, 'CloudWatch::Alarm').some(
      ([, { Properties }]) => metrics(Properties).some(({ MetricName }) => MetricName === name) && right(Properties),
    )
      ? []
      : [`no alarm on ${name}`];

const alarmTopics = (resources: Resources) =>
  new Set(
    ofType(resources, 'CloudWatch::Alarm').flatMap(([, { Properties }]) =>
      (Properties.AlarmActions ?? []).map((action: unknown) => target(action)),
    ),
  );

const cloudWatchMay = (resources: Resources, topic: unknown) =>
  ofType(resources, 'SNS::TopicPolicy')
    .filter(([, { Properties }]) => Properties.Topics.some((of: unknown) => target(of) === topic))
    .flatMap(([, { Properties }]) => statementsOf(Properties.PolicyDocument))
    .filter(
      ({ Effect, Principal, Action }) =>
        Effect === 'Allow' &&
        JSON.stringify(Principal) === '{"Service":"cloudwatch.amazonaws.com"}' &&
        Action.includes('sns:Publish'),
    );

const searchDomain = 'OpenSearchService::Domain';
const recommended = 'opensearch-service/latest/developerguide/cloudwatch-alarms.html';
const mappingMetrics = 'lambda/latest/dg/monitoring-metrics-types.html#event-source-mapping-metrics';

export const watchChecks: Check[] = [
  {
    id: 'alarm-topic-policy',
    fact: "A topic's policy replaces the default one: CloudWatch publishes alarms only where it is allowed to",
    document: 'sns/latest/dg/sns-access-policy-use-cases.html#publish-alarms-to-sns-topic',
    faults: (resources) =>
      [...alarmTopics(resources)].filter((topic) => cloudWatchMay(resources, topic).length === 0).map(String),
  },
  {
    id: 'alarm-topic-account',
    fact: "A service principal acts for every account: a condition limits CloudWatch to this account's alarms",
    document: 'IAM/latest/UserGuide/confused-deputy.html',
    faults: (resources) =>
      [...alarmTopics(resources)]
        .filter((topic) =>
          cloudWatchMay(resources, topic).some(
            ({ Condition }) => !JSON.stringify(Condition)?.includes('aws:SourceAccount'),
          ),
        )
        .map(String),
  },
  {
    id: 'alarm-action',
    fact: 'An alarm without an action changes its colour and notifies nobody',
    document: 'AmazonCloudWatch/latest/monitoring/alarm-actions.html',
    faults: each('CloudWatch::Alarm', ({ AlarmActions }) => AlarmActions?.length > 0),
  },
  {
    id: 'alarm-missing-data',
    fact: 'Without data an alarm keeps its state unless it defines how missing data counts',
    document: 'AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html',
    faults: each('CloudWatch::Alarm', ({ TreatMissingData }) => /^(notB|b)reaching$/.test(TreatMissingData)),
  },
  {
    id: 'alarm-period',
    fact: 'A period is a multiple of 60 s; periods below an hour are evaluated over one day at most, others over seven',
    document: 'AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html',
    faults: each('CloudWatch::Alarm', ({ Period, Metrics, EvaluationPeriods }) => {
      const seconds: number =
        Period ??
        Metrics.find((one: { Period?: number }) => one.Period)?.Period ??
        Metrics.find((one: { MetricStat?: { Period: number } }) => one.MetricStat).MetricStat.Period;
      return seconds % 60 === 0 && seconds * EvaluationPeriods <= (seconds < 3600 ? 86_400 : 604_800);
    }),
  },
  {
    id: 'alarm-description',
    fact: 'The mail of an alarm holds its description: 1,024 characters that say what to do',
    document: 'AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html',
    faults: each(
      'CloudWatch::Alarm',
      ({ AlarmDescription: text = '' }) => text.length <= 1024 && /docs\/runbook\.md#\w+$/.test(text),
    ),
  },
  ...['Collect', 'Serve', 'Tiles'].map((name) => ({
    id: `handled-5xx-${name.toLowerCase()}`,
    fact: `Lambda's Errors counts exceptions, not the 5xx responses of ${name.toLowerCase()}: these have their own metric, with an alarm`,
    document: 'lambda/latest/dg/monitoring-metrics-types.html#invocation-metrics',
    faults: alarmOn(`${name}5xx`, 'ApiGatewayV2::Api'),
  })),
  {
    id: 'mapping-metrics',
    fact: 'A mapping counts its events only if MetricsConfig has EventCount',
    document: mappingMetrics,
    faults: each(
      'Lambda::EventSourceMapping',
      ({ MetricsConfig, StartingPosition }) => !StartingPosition || MetricsConfig?.Metrics?.includes('EventCount'),
    ),
  },
  {
    id: 'records-given-up',
    fact: 'Events that the failure destination took are counted in OnFailureDestinationDeliveredEventCount',
    document: mappingMetrics,
    faults: alarmOn('OnFailureDestinationDeliveredEventCount', 'Kinesis::Stream'),
  },
  {
    id: 'records-dropped',
    fact: 'DroppedEventCount does not include events that a failure destination took',
    document: mappingMetrics,
    faults: alarmOn('DroppedEventCount', 'Kinesis::Stream'),
  },
  {
    id: 'records-undelivered',
    fact: 'Events that a failure destination refused are counted only in DestinationDeliveryFailures',
    document: 'lambda/latest/dg/monitoring-metrics-types.html#invocation-metrics',
    faults: alarmOn('DestinationDeliveryFailures', 'Kinesis::Stream'),
  },
  {
    id: 'stream-full',
    fact: 'A stream that refuses records counts them in WriteProvisionedThroughputExceeded',
    document: 'streams/latest/dev/monitoring-with-cloudwatch.html',
    faults: alarmOn('WriteProvisionedThroughputExceeded', 'Kinesis::Stream'),
  },
  {
    id: 'search-disk',
    fact: 'AWS advises an alarm at 25 % free disk; writes stop at about 20 %, so our alarm comes earlier',
    document: recommended,
    faults: (resources) =>
      ofType(resources, searchDomain).flatMap(([id, { Properties }]) => {
        const megabytes = Properties.EBSOptions.VolumeSize * 1024;
        const early = ({ Threshold = 0 }) => Threshold >= 0.25 * megabytes && Threshold <= 0.4 * megabytes;
        return alarmOn('FreeStorageSpace', searchDomain, early)(resources).map(() => id);
      }),
  },
  {
    id: 'search-blocked',
    fact: 'A domain that blocks writes reports it in ClusterIndexWritesBlocked',
    document: recommended,
    faults: alarmOn('ClusterIndexWritesBlocked', searchDomain),
  },
  {
    id: 'search-red',
    fact: 'ClusterStatus.red: a primary shard is on no node',
    document: recommended,
    faults: alarmOn('ClusterStatus.red', searchDomain),
  },
  {
    id: 'search-memory',
    fact: 'AWS advises an alarm at 95 % of JVM memory, three times in a row',
    document: recommended,
    faults: alarmOn(
      'JVMMemoryPressure',
      searchDomain,
      ({ Threshold, EvaluationPeriods }) => Threshold === 95 && EvaluationPeriods === 3,
    ),
  },
  {
    id: 'search-snapshot',
    fact: 'A snapshot that failed is counted in AutomatedSnapshotFailure',
    document: recommended,
    faults: alarmOn('AutomatedSnapshotFailure', searchDomain),
  },
  {
    id: 'search-credits',
    fact: 'Burstable instances are slow once CPUCreditBalance is used up',
    document: 'opensearch-service/latest/developerguide/managedomains-cloudwatchmetrics.html',
    faults: (resources) =>
      ofType(resources, searchDomain)
        .filter(([, { Properties }]) => /^t\d\./.test(Properties.ClusterConfig.InstanceType))
        .flatMap(() => alarmOn('CPUCreditBalance', searchDomain)(resources)),
  },
  {
    id: 'search-dimensions',
    fact: "A domain's metrics have the account as a dimension: without ClientId an alarm sees nothing",
    document: 'opensearch-service/latest/developerguide/managedomains-cloudwatchmetrics.html',
    faults: each('CloudWatch::Alarm', (properties) =>
      metrics(properties).every(
        ({ Namespace, Dimensions = [] }) =>
          Namespace !== 'AWS/ES' || (Dimensions as { Name: string }[]).some(({ Name }) => Name === 'ClientId'),
      ),
    ),
  },
  {
    id: 'embedded-metrics',
    fact: "Metrics in the embedded format are lines of their own: Lambda's JSON log format would wrap them",
    document: 'lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html',
    faults: each('Lambda::Function', ({ LoggingConfig }) => LoggingConfig?.LogFormat === 'Text'),
  },
  {
    id: 'log-retention',
    fact: 'A log group keeps everything forever unless it has a retention',
    document: 'AmazonCloudWatch/latest/logs/Working-with-log-groups-and-streams.html#SettingLogRetention',
    faults: each('Logs::LogGroup', ({ RetentionInDays }) => RetentionInDays > 0),
  },
  {
    id: 'log-group-named',
    fact: 'A function without its own log group creates one that no stack removes',
    document: 'lambda/latest/dg/monitoring-cloudwatchlogs-loggroups.html',
    faults: (resources) => {
      const used = ofType(resources, 'Lambda::Function').map(
        ([id, { Properties }]) => [id, target(Properties.LoggingConfig?.LogGroup)] as const,
      );
      return used
        .filter(([, group]) => !group || used.filter(([, other]) => other === group).length > 1)
        .map(([id]) => id);
    },
  },
  {
    id: 'budget-mail',
    fact: 'A budget needs no topic: it mails its subscribers itself',
    document: 'cost-management/latest/userguide/budgets-sns-policy.html',
    faults: each('Budgets::Budget', ({ NotificationsWithSubscribers }) =>
      NotificationsWithSubscribers?.every(({ Subscribers }: { Subscribers: { SubscriptionType: string }[] }) =>
        Subscribers.every(({ SubscriptionType }) => SubscriptionType === 'EMAIL'),
      ),
    ),
  },
  {
    id: 'topic-tls',
    fact: 'A topic takes plain HTTP unless its policy denies it',
    document: 'sns/latest/dg/sns-security-best-practices.html',
    faults: (resources) =>
      ofType(resources, 'SNS::Topic')
        .filter(
          ([topic]) =>
            !ofType(resources, 'SNS::TopicPolicy').some(
              ([, { Properties }]) =>
                Properties.Topics.some((of: unknown) => target(of) === topic) &&
                JSON.stringify(Properties.PolicyDocument).includes('"aws:SecureTransport":"false"'),
            ),
        )
        .map(([id]) => id),
  },
];
