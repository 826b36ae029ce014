// The process stage (from the streams to the stores, one batch of one shard at a time) and export (from the stores to
// the map).

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Duration, Stack } from 'aws-cdk-lib';
import type { Stream } from 'aws-cdk-lib/aws-kinesis';
import {
  Code,
  type DlqDestinationConfig,
  type IEventSourceDlq,
  type IEventSourceMapping,
  type IFunction,
  LayerVersion,
  MetricType,
  StartingPosition,
} from 'aws-cdk-lib/aws-lambda';
import { KinesisEventSource, SqsEventSource } from 'aws-cdk-lib/aws-lambda-event-sources';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { Schedule, ScheduleExpression, ScheduleTargetInput } from 'aws-cdk-lib/aws-scheduler';
import { LambdaInvoke, Universal } from 'aws-cdk-lib/aws-scheduler-targets';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { alertRights } from '#aws/dynamodb/alerts.ts';
import { checkpointRights } from '#aws/dynamodb/checkpoints.ts';
import { eventIndexRights, eventKeyRights, eventRights } from '#aws/dynamodb/events.ts';
import { lagRights, streamLagRights } from '#aws/kinesis/lag.ts';
import { bucketRights, objectRights } from '#aws/s3/objects.ts';
import { packedTable, tablePath } from '#geo/keep.ts';
import { IpTable } from '#geo/table.ts';
import type { ExportVariables, Variables } from '#process/env.ts';
import { registryShards } from '#process/handler.ts';
import { accessOf, anonymousLeast, privateHostsOn } from '#settings/access.ts';
import { SettingError } from '#settings/error.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain, wildcard } from './explain.ts';
import { allow, rightsTo, StageFunction } from './function.ts';
import { keep, type Stores } from './stores.ts';

export interface ProcessProps {
  settings: ResolvedSettings;
  stores: Stores;
  streams: { hits: Stream; registry: Stream };
}

export class Process extends Construct {
  /** The function that processes hits. */
  readonly handler: StageFunction<Variables>;
  /** The function that processes registry events. */
  readonly registry: StageFunction<Variables>;
  readonly export: StageFunction<ExportVariables>;
  readonly failures: Bucket;
  /** Ids of the event source mappings. */
  readonly mappings: string[];
  /** The topic of alerts. It keeps the name of its first version, so that subscriptions stay. */
  readonly messages: Topic;
  /** The queue of the schedules' failed calls. */
  readonly undelivered: Queue;

  constructor(scope: Construct, id: string, props: ProcessProps) {
    super(scope, id);
    const { settings, stores } = props;
    this.messages = new Topic(this, 'Messages', { enforceSSL: true });
    const layer = new LayerVersion(this, 'IpTable', {
      code: Code.fromAsset(ipTable(settings.ipDatabase).folder),
      description: 'Where addresses are (layers/geo)',
    });
    this.handler = this.#process(props, layer, 'Function', '');
    this.registry = this.#process(props, layer, 'Registry', registryShards);
    this.failures = this.#failures();
    this.mappings = [
      this.#mapping(settings, props.streams.hits, this.handler),
      this.#mapping(settings, props.streams.registry, this.registry),
    ];

    this.export = new StageFunction<ExportVariables>(this, 'Export', {
      name: 'export',
      does: 'Export: folds what is committed into the map',
      environment: {
        CHECKPOINTS_TABLE: stores.checkpoints.tableName,
        BUCKET: stores.bucket.bucketName,
        REGISTRY_STREAM: props.streams.registry.streamName,
        HITS_STREAM: props.streams.hits.streamName,
        KEEP_DAYS: String(settings.keepDays),
        MOST_DOMAINS: String(settings.mostDomains),
        POINTS: settings.points,
        ALERTS_TABLE: stores.alerts.tableName,
        ANONYMOUS_LEAST: String(anonymousLeast(settings, accessOf(settings, true)) ?? ''),
        PRIVATE_HOSTS_ON: privateHostsOn(settings, accessOf(settings, true)).join(),
        METRICS: stores.metrics,
      },
      memory: settings.exportMemory,
      timeoutSeconds: 300,
      logDays: settings.logDays,
      tracing: settings.tracing,
      reserved: settings.reservedConcurrency.export,
    });
    this.export.may(rightsTo(checkpointRights, 'latest', 'shards', 'after', 'remove'), [stores.checkpoints.tableArn]);
    this.export.may(rightsTo(alertRights, 'add'), [stores.alerts.tableArn]);
    this.export.may(bucketRights, [stores.bucket.bucketArn]);
    this.export.may(
      rightsTo(objectRights, 'get', 'head', 'put', 'list', 'remove'),
      ['state/*', 'deltas/*', 'points/*', 'points.json'].map((keys) => stores.bucket.arnForObjects(keys)),
    );
    // To measure how far process is behind, for the health page.
    this.export.may(
      streamLagRights,
      Object.values(props.streams).map(({ streamArn }) => streamArn),
    );
    this.export.may(rightsTo(lagRights, 'write'), [stores.checkpoints.tableArn]);
    // To read the model's age, for an alarm.
    this.export.may(rightsTo(objectRights, 'get'), [stores.bucket.arnForObjects('models/latest.json')]);
    this.undelivered = queue(this, 'Undelivered', Duration.minutes(1));
    callOnce(this.export, this.undelivered);
    this.#schedule(settings.exportEvery);
  }

  #process({ settings, stores }: ProcessProps, layer: LayerVersion, id: string, shardPrefix: string) {
    const handler = new StageFunction<Variables>(this, id, {
      name: 'process',
      does: 'Process: locates, sums up, recognises pulls, stores, commits',
      environment: {
        CHECKPOINTS_TABLE: stores.checkpoints.tableName,
        EVENTS_TABLE: stores.events.tableName,
        KEEP_EVENTS_DAYS: String(settings.keepEventsDays ?? ''),
        KEYS_TABLE: stores.keys.tableName,
        ALERTS_TABLE: stores.alerts.tableName,
        BUCKET: stores.bucket.bucketName,
        ...stores.searchVariables(),
        RULES: JSON.stringify(settings.rules),
        NETWORKS: JSON.stringify(settings.networks),
        CLASS_RULES: JSON.stringify(settings.classRules),
        PULL_WINDOW_SECONDS: String(settings.pullWindow),
        METRICS: stores.metrics,
        IP_TABLE: `/opt/${ipTable(settings.ipDatabase).file}`,
        POINTS: settings.points,
        SHARD_PREFIX: shardPrefix,
      },
      memory: 1769,
      timeoutSeconds: 120,
      logDays: settings.logDays,
      tracing: settings.tracing,
      reserved: settings.reservedConcurrency.process,
      layers: [layer],
    });
    handler.may(rightsTo(checkpointRights, 'latest', 'commit', 'after'), [stores.checkpoints.tableArn]);
    handler.may(
      rightsTo(
        eventRights,
        ...(['put', 'events', 'versions', 'pulls', 'replacePulls', 'quarantine', 'forgotten', 'forget'] as const),
      ),
      [stores.events.tableArn],
    );
    handler.may(rightsTo(eventIndexRights, 'history', 'quarantine', 'forget'), [`${stores.events.tableArn}/index/*`]);
    handler.may(rightsTo(eventKeyRights, 'digestKey', 'quarantine', 'forget'), [stores.keys.tableArn]);
    // To remove a user who is forgotten while a batch with their events is being stored, as serve does.
    handler.may(rightsTo(alertRights, 'claim', 'claimAll', 'tally', 'add', 'forget'), [stores.alerts.tableArn]);
    handler.may(rightsTo(objectRights, 'put'), [stores.bucket.arnForObjects('deltas/*')]);
    handler.may(bucketRights, [stores.bucket.bucketArn]);
    stores.allowSearch(handler, {
      Post: [
        'whalewatch-documents/_bulk',
        ...['whalewatch-documents', 'whalewatch-recommendations'].flatMap((index) =>
          ['_refresh', '_delete_by_query'].map((call) => `${index}/${call}`),
        ),
      ],
    });
    return handler;
  }

  /**
   * Keeps whole batches that could not be processed in the stream's retention time, for a week: one of the two stores
   * with addresses.
   */
  #failures() {
    const bucket = new Bucket(this, 'Failures', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      removalPolicy: keep,
      lifecycleRules: [{ expiration: Duration.days(7), abortIncompleteMultipartUploadAfter: Duration.days(1) }],
    });
    explain(bucket, { S1: 'Emptied after a week; an access log would outlive it' });
    return bucket;
  }

  /**
   * process itself quarantines records that can never be processed, so a failure here means that a store is down. A
   * batch is therefore retried for as long as the stream keeps its records, minus four hours, while the shard waits.
   */
  #mapping(settings: ResolvedSettings, stream: Stream, handler: StageFunction<Variables>): string {
    const mapping = new KinesisEventSource(stream, {
      // A restored deployment reads the stream again from the restored time; changing this replaces the mapping.
      ...(settings.existing.since
        ? {
            startingPosition: StartingPosition.AT_TIMESTAMP,
            startingPositionTimestamp: Date.parse(settings.existing.since) / 1000,
          }
        : { startingPosition: StartingPosition.TRIM_HORIZON }),
      batchSize: 10_000,
      maxBatchingWindow: Duration.seconds(settings.batchWindow),
      parallelizationFactor: 1,
      bisectBatchOnError: true,
      reportBatchItemFailures: true,
      retryAttempts: -1,
      maxRecordAge: Duration.hours(settings.retentionHours - 4),
      metricsConfig: { metrics: [MetricType.EVENT_COUNT] },
      onFailure: new WholeRecords(this.failures, handler),
    });
    handler.addEventSource(mapping);
    return mapping.eventSourceMappingId;
  }

  /** Two exports at once are harmless, and the next makes up for a lost one, so retries are short. */
  #schedule(everySeconds: number): void {
    if (everySeconds >= 60) {
      new Schedule(this, 'Every', {
        schedule: ScheduleExpression.rate(Duration.seconds(everySeconds)),
        target: new LambdaInvoke(this.export, {
          retryAttempts: 0,
          maxEventAge: Duration.seconds(60),
          deadLetterQueue: this.undelivered,
        }),
        description: 'Export',
      });
      versions(this.export);
      return;
    }
    // EventBridge Scheduler supports only whole minutes: once a minute it sends messages with delays of 0, 15, 30 ...
    // seconds. Messages expire after a minute, because a later one makes up for them and they must not pile up.
    const ticks = queue(this, 'Ticks', Duration.seconds(360), Duration.minutes(1));
    this.export.addEventSource(new SqsEventSource(ticks, { batchSize: 1, maxConcurrency: 2 }));
    const delays = Array.from({ length: 60 / everySeconds }, (_, n) => n * everySeconds);
    new Schedule(this, 'Every', {
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      target: new Universal({
        service: 'sqs',
        action: 'sendMessageBatch',
        policyStatements: [allow(['sqs:SendMessage'], [ticks.queueArn])],
        retryAttempts: 0,
        maxEventAge: Duration.seconds(60),
        deadLetterQueue: this.undelivered,
        input: ScheduleTargetInput.fromObject({
          QueueUrl: ticks.queueUrl,
          Entries: delays.map((seconds) => ({ Id: `after${seconds}`, MessageBody: 'export', DelaySeconds: seconds })),
        }),
      }),
      description: 'Export, several times a minute',
    });
  }
}

/**
 * Limits Lambda's own retries of a schedule's calls: by default it retries errors twice and throttled calls for six
 * hours, so that calls pile up. Here a call is tried once, within a minute; failed calls go to the queue.
 */
export function callOnce(handler: StageFunction<never>, failures: Queue): void {
  handler.configureAsyncInvoke({
    retryAttempts: 0,
    maxEventAge: Duration.seconds(60),
    // Not CDK's own SqsDestination, which also grants reading the queue.
    onFailure: { bind: () => ({ destination: failures.queueArn }) },
  });
  handler.may(['sqs:SendMessage'], [failures.queueArn]);
}

export function queue(
  scope: Construct,
  id: string,
  visibilityTimeout: Duration,
  retentionPeriod = Duration.hours(12),
): Queue {
  const made = new Queue(scope, id, {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    visibilityTimeout,
    retentionPeriod,
  });
  explain(made, { SQS3: 'It is the last queue: the next run makes up for a message that is lost' });
  return made;
}

/** Stores failed batches with their records, without the right to delete, which CDK's own destination grants. */
class WholeRecords implements IEventSourceDlq {
  readonly #bucket: Bucket;
  readonly #handler: StageFunction<Variables>;
  constructor(bucket: Bucket, handler: StageFunction<Variables>) {
    this.#bucket = bucket;
    this.#handler = handler;
  }
  bind(_mapping: IEventSourceMapping, _handler: IFunction): DlqDestinationConfig {
    this.#handler.may(['s3:PutObject'], [this.#bucket.arnForObjects('*')]);
    this.#handler.may(['s3:ListBucket'], [this.#bucket.bucketArn]);
    return { destination: this.#bucket.bucketArn };
  }
}

/** The folder of the layer, the table's file in it, and when it was built. */
export function ipTable(file = tablePath()): { folder: string; file: string; builtAt: number } {
  if (!existsSync(file)) {
    if (file !== tablePath())
      throw new SettingError(`ipDatabase is "${file}": must be the path of a file; node layers/geo/build.ts makes one`);
    const build = join(import.meta.dirname, '../layers/geo/build.ts');
    mkdirSync(dirname(file), { recursive: true });
    execFileSync(process.execPath, [build, file], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  if (file === packedTable) return { folder: dirname(file), file: basename(file), builtAt: builtAtOf(file) };
  const folder = join(import.meta.dirname, '../build/layer-geo');
  const copy = join(folder, basename(file));
  if (!existsSync(copy) || statSync(copy).mtimeMs < statSync(file).mtimeMs) {
    mkdirSync(folder, { recursive: true });
    copyFileSync(file, copy);
  }
  return { folder, file: basename(file), builtAt: builtAtOf(file) };
}

const builtAt = new Map<string, number>();

/** When a table was built: its 68 MB are read once per run of CDK, for any number of constructs. Throws Torn. */
function builtAtOf(file: string): number {
  const version = `${file} ${statSync(file).mtimeMs}`;
  if (!builtAt.has(version)) builtAt.set(version, new IpTable(readFileSync(file)).meta.builtAt);
  return builtAt.get(version) as number;
}

/** Accepts CDK's own grant, which lets a schedule's role call every version of its function. */
export function versions(handler: StageFunction<never>): void {
  explain(Stack.of(handler), { [wildcard(handler, `${handler.functionArn}:*`)]: 'All versions of one function' });
}
