// Facts about schedules, asynchronous calls and the stream's mapping.
import { type Check, each, isKept, ofType, type Resources, rightsOf, target } from './check.ts';

const invokeConfig = 'lambda/latest/dg/invocation-async-error-handling.html';
const stream = 'lambda/latest/dg/services-kinesis-parameters.html';
const mapping = 'lambda/latest/api/API_CreateEventSourceMapping.html';
const schedule = 'scheduler/latest/APIReference/API_RetryPolicy.html';

/** The functions that a schedule calls. */
const scheduled = (resources: Resources) =>
  ofType(resources, 'Scheduler::Schedule')
    .map(([, { Properties }]) => target(Properties.Target.Arn) ?? '')
    .filter((id) => resources[id]?.Type === 'AWS::Lambda::Function');

const configOf = (resources: Resources, id: string) =>
  ofType(resources, 'Lambda::EventInvokeConfig').find(
    ([, { Properties }]) => target(Properties.FunctionName) === id,
  )?.[1].Properties;

const asyncCall = (right: (config: Record<string, unknown>) => unknown) => (resources: Resources) =>
  scheduled(resources).filter((id) => !right(configOf(resources, id) ?? {}));

const ofStream = (test: (properties: Record<string, never>) => unknown) =>
  each('Lambda::EventSourceMapping', (properties) => !properties.StartingPosition || test(properties as never));

export const callChecks: Check[] = [
  {
    id: 'async-retries',
    fact: 'Scheduler invokes asynchronously, and Lambda then retries an error twice unless EventInvokeConfig says otherwise',
    document: invokeConfig,
    faults: asyncCall(({ MaximumRetryAttempts }) => MaximumRetryAttempts === 0),
  },
  {
    id: 'async-age',
    fact: 'A throttled asynchronous call is retried for up to six hours; the shortest limit is 60 s',
    document: invokeConfig,
    faults: asyncCall(({ MaximumEventAgeInSeconds: age = 21_600 }) => (age as number) >= 60 && (age as number) <= 3600),
  },
  {
    id: 'async-failures',
    fact: 'An asynchronous call that Lambda gives up is lost unless there is a failure destination',
    document: 'lambda/latest/dg/invocation-async-retain-records.html',
    faults: asyncCall(({ DestinationConfig }) => JSON.stringify(DestinationConfig)?.includes('OnFailure')),
  },
  {
    id: 'async-failures-right',
    fact: "The function's own role sends to its failure destination",
    document: 'lambda/latest/dg/invocation-async-retain-records.html#invocation-async-destinations',
    faults: (resources) =>
      scheduled(resources).filter(
        (id) =>
          !rightsOf(resources, target(resources[id].Properties.Role) ?? '').some(({ Action }) =>
            Action.includes('sqs:SendMessage'),
          ),
      ),
  },
  {
    id: 'schedule-retries',
    fact: 'A schedule retries 185 times by default',
    document: schedule,
    faults: each('Scheduler::Schedule', ({ Target }) => Target.RetryPolicy?.MaximumRetryAttempts <= 2),
  },
  {
    id: 'schedule-age',
    fact: 'A schedule retries for 24 hours by default; the shortest limit is 60 s',
    document: schedule,
    faults: each(
      'Scheduler::Schedule',
      ({ Target: { RetryPolicy } }) =>
        RetryPolicy?.MaximumEventAgeInSeconds >= 60 && RetryPolicy.MaximumEventAgeInSeconds <= 3600,
    ),
  },
  {
    id: 'schedule-failures',
    fact: 'A call that a schedule could not make is lost unless there is a dead-letter queue',
    document: 'scheduler/latest/UserGuide/configuring-schedule-dlq.html',
    faults: each('Scheduler::Schedule', ({ Target }) => Target.DeadLetterConfig?.Arn),
  },
  {
    id: 'schedule-rate',
    fact: 'A rate is whole minutes, hours or days, singular for one',
    document: 'scheduler/latest/UserGuide/schedule-types.html#rate-based',
    faults: each('Scheduler::Schedule', ({ ScheduleExpression }) =>
      /^rate\((1 (minute|hour|day)|([2-9]|[1-9]\d+) (minutes|hours|days))\)$/.test(ScheduleExpression),
    ),
  },
  {
    id: 'schedule-window',
    fact: 'A flexible window would call up to that much later: it must be OFF',
    document: 'scheduler/latest/UserGuide/managing-schedule-flexible-time-windows.html',
    faults: each('Scheduler::Schedule', ({ FlexibleTimeWindow }) => FlexibleTimeWindow.Mode === 'OFF'),
  },
  {
    id: 'queue-visibility',
    fact: "A queue's visibility timeout must not be shorter than its function's time-out",
    document: 'lambda/latest/dg/services-sqs-configure.html',
    faults: (resources) =>
      ofType(resources, 'Lambda::EventSourceMapping')
        .filter(([, { Properties }]) => {
          const queue = resources[target(Properties.EventSourceArn) ?? ''];
          const called = resources[target(Properties.FunctionName) ?? ''];
          return queue?.Type === 'AWS::SQS::Queue' && queue.Properties.VisibilityTimeout < called.Properties.Timeout;
        })
        .map(([id]) => id),
  },
  {
    id: 'queue-concurrency',
    fact: 'A queue starts as many functions as the account allows unless MaximumConcurrency, at least 2, limits it',
    document: 'lambda/latest/dg/services-sqs-scaling.html',
    faults: each(
      'Lambda::EventSourceMapping',
      ({ StartingPosition, ScalingConfig }) => StartingPosition || ScalingConfig?.MaximumConcurrency === 2,
    ),
  },
  {
    id: 'queue-ticks',
    fact: 'Messages wait for days unless the queue has a shorter retention; 60 s is the shortest, and a tick is useless after that',
    document: 'AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html',
    faults: (resources) =>
      ofType(resources, 'Lambda::EventSourceMapping')
        .map(([, { Properties }]) => target(Properties.EventSourceArn) ?? '')
        .filter(
          (id) => resources[id]?.Type === 'AWS::SQS::Queue' && resources[id].Properties.MessageRetentionPeriod !== 60,
        ),
  },
  {
    id: 'queue-encryption',
    fact: 'A queue is encrypted with a free key if SqsManagedSseEnabled is set',
    document: 'AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-sqs-sse-queue.html',
    faults: each('SQS::Queue', ({ SqsManagedSseEnabled }) => SqsManagedSseEnabled),
  },
  {
    id: 'mapping-start',
    fact: 'LATEST loses records that arrive while the mapping is made; a change of the position replaces the mapping',
    document: stream,
    faults: ofStream(({ StartingPosition }) => /^(TRIM_HORIZON|AT_TIMESTAMP)$/.test(StartingPosition)),
  },
  {
    id: 'mapping-batch',
    fact: 'A batch has up to 10,000 records; with more than ten, the window must be 1 to 300 seconds',
    document: mapping,
    faults: ofStream(
      ({ BatchSize, MaximumBatchingWindowInSeconds: window }) => BatchSize <= 10_000 && window >= 1 && window <= 300,
    ),
  },
  {
    id: 'mapping-retries',
    fact: 'MaximumRetryAttempts -1 means no limit: a store that is down must not lose a record',
    document: stream,
    faults: ofStream(({ MaximumRetryAttempts }) => MaximumRetryAttempts === -1),
  },
  {
    id: 'mapping-age',
    fact: 'A record older than the retention vanishes silently: the mapping gives it up earlier',
    document: stream,
    faults: (resources) =>
      ofType(resources, 'Lambda::EventSourceMapping')
        .filter(([, { Properties }]) => {
          const source = resources[target(Properties.EventSourceArn) ?? ''];
          const age = Properties.MaximumRecordAgeInSeconds ?? -1;
          return (
            source?.Type === 'AWS::Kinesis::Stream' &&
            !(age >= 60 && age <= 604_800 && age < source.Properties.RetentionPeriodHours * 3600)
          );
        })
        .map(([id]) => id),
  },
  {
    id: 'mapping-bisect',
    fact: 'With BisectBatchOnFunctionError a failing batch is halved, so that few records are given up',
    document: 'lambda/latest/dg/kinesis-on-failure-destination.html',
    faults: ofStream(({ BisectBatchOnFunctionError }) => BisectBatchOnFunctionError),
  },
  {
    id: 'mapping-partial',
    fact: 'Partial failures count only if ReportBatchItemFailures is set; otherwise any response is a success',
    document: 'lambda/latest/dg/services-kinesis-batchfailurereporting.html',
    faults: ofStream(({ FunctionResponseTypes = [] }) =>
      FunctionResponseTypes.includes('ReportBatchItemFailures' as never),
    ),
  },
  {
    id: 'mapping-order',
    fact: 'A parallelization factor above 1 runs batches of one shard at once: the commit protocol needs order',
    document: stream,
    faults: ofStream(({ ParallelizationFactor }) => ParallelizationFactor === 1),
  },
  {
    id: 'mapping-filter',
    fact: 'A filter or a tumbling window drops records silently',
    document: 'lambda/latest/dg/invocation-eventfiltering.html',
    faults: ofStream(({ FilterCriteria, TumblingWindowInSeconds }) => !FilterCriteria && !TumblingWindowInSeconds),
  },
  {
    id: 'mapping-failures',
    fact: 'Only a bucket gets the records whole; a queue or topic gets their positions',
    document: 'lambda/latest/dg/kinesis-on-failure-destination.html',
    faults: (resources) =>
      ofStream(({ DestinationConfig }) => {
        const bucket = resources[target(DestinationConfig) ?? ''];
        return bucket?.Type === 'AWS::S3::Bucket' && isKept(bucket);
      })(resources),
  },
  {
    id: 'mapping-failures-right',
    fact: "The function's own role puts into the failure bucket, and must be able to list it",
    document: 'lambda/latest/dg/kinesis-on-failure-destination.html',
    faults: (resources) =>
      ofStream(({ DestinationConfig, FunctionName }) => {
        const bucket = target(DestinationConfig);
        const called = resources[target(FunctionName) ?? ''];
        const rights = rightsOf(resources, target(called.Properties.Role) ?? '');
        return ['s3:PutObject', 's3:ListBucket'].every((action) =>
          rights.some(
            ({ Action, Resource }) => Action.includes(action) && Resource.some((of) => of.includes(`<${bucket}.`)),
          ),
        );
      })(resources),
  },
  {
    id: 'stream-retention',
    fact: 'A stream keeps records for 24 to 8,760 hours',
    document: 'streams/latest/dev/kinesis-extended-retention.html',
    faults: each(
      'Kinesis::Stream',
      ({ RetentionPeriodHours }) => RetentionPeriodHours >= 24 && RetentionPeriodHours <= 8760,
    ),
  },
  {
    id: 'stream-encryption',
    fact: 'A stream is not encrypted unless it names a key; alias/aws/kinesis is free',
    document: 'streams/latest/dev/what-is-sse.html',
    faults: each('Kinesis::Stream', ({ StreamEncryption }) => StreamEncryption?.KeyId === 'alias/aws/kinesis'),
  },
  {
    id: 'stream-record',
    fact: "A record above 1 MiB would not fit Lambda's 6 MB as base64: the limit is not raised",
    document: 'streams/latest/dev/large-records.html',
    faults: each('Kinesis::Stream', ({ MaxRecordSizeInKiB = 1024 }) => MaxRecordSizeInKiB <= 1024),
  },
  {
    id: 'stream-mode',
    fact: 'A provisioned stream needs a shard count, one on demand must have none',
    document: 'streams/latest/dev/how-do-i-size-a-stream.html',
    faults: each(
      'Kinesis::Stream',
      ({ StreamModeDetails, ShardCount }) => (StreamModeDetails.StreamMode === 'PROVISIONED') === ShardCount >= 1,
    ),
  },
];
