// The collect stage: puts incoming hits and registry events into the streams.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { credentialRights } from '#aws/dynamodb/credentials.ts';
import { refusalRights } from '#aws/dynamodb/refusals.ts';
import { streamRights } from '#aws/kinesis/stream.ts';
import { secretRights } from '#aws/secret.ts';
import type { Variables } from '#collect/env.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain } from './explain.ts';
import { CollectServers } from './fargate/collect.ts';
import type { Network } from './fargate/network.ts';
import { rightsTo, StageFunction } from './function.ts';
import type { Stores } from './stores.ts';

export interface CollectProps {
  settings: ResolvedSettings;
  stores: Stores;
  network?: Network;
}

export class Collect extends Construct {
  /** The stream of hits, and of registry events that were put here before these had their own stream. */
  readonly hitsStream: Stream;
  /** The stream of registry events: a flood of hits can't fill it or delay its readers. */
  readonly registryStream: Stream;
  readonly token: Secret;
  /** The function that accepts hits. */
  readonly handler: StageFunction<Variables>;
  /** The function that accepts registry events, with its own concurrency. */
  readonly registry: StageFunction<Variables>;

  /** The servers beside the functions, if the setting collector says so. */
  readonly servers?: CollectServers;

  constructor(scope: Construct, id: string, { settings, stores, network }: CollectProps) {
    super(scope, id);
    const { stream, retentionHours, trustedProxies, addressHeader, networks, domains, refuseHits, logDays } = settings;
    const kept = {
      retentionPeriod: Duration.hours(retentionHours),
      // The streams contain addresses for their retention time, so they are encrypted, with the free AWS key.
      encryption: StreamEncryption.MANAGED,
      removalPolicy: RemovalPolicy.DESTROY,
    };
    this.hitsStream = new Stream(this, 'Stream', {
      ...(stream === 'onDemand'
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: stream.shards }),
      ...kept,
    });
    // One shard takes 1,000 records a second, more than a registry serves pulls.
    this.registryStream = new Stream(this, 'RegistryStream', {
      ...{ streamMode: StreamMode.PROVISIONED, shardCount: 1 },
      ...kept,
    });
    this.token = token(this, 'Token', 'What registries send as "Authorization: Bearer TOKEN"');
    const environment = {
      REGISTRY_STREAM: this.registryStream.streamName,
      HITS_STREAM: this.hitsStream.streamName,
      WEBHOOK_TOKEN_ID: this.token.secretArn,
      TRUSTED_PROXIES: trustedProxies.join(),
      ADDRESS_HEADER: addressHeader,
      NETWORKS: JSON.stringify(networks),
      DOMAINS: domains.join(),
      REFUSE_HITS: String(refuseHits),
      METRICS: stores.metrics,
      CREDENTIALS_TABLE: stores.credentials.tableName,
      REGISTRIES: JSON.stringify(settings.registries),
    };
    const collects = (id: string, what: string) =>
      new StageFunction<Variables>(this, id, {
        name: 'collect',
        does: `Collect: takes ${what} into the stream`,
        environment,
        memory: 256,
        timeoutSeconds: 10,
        logDays,
        tracing: settings.tracing,
        reserved: settings.reservedConcurrency.collect,
      });
    this.handler = collects('Function', 'hits');
    this.registry = collects('Registry', 'notifications');
    if (settings.collector === 'fargate' && network)
      this.servers = new CollectServers(this, 'Servers', { settings, network, environment });
    for (const takes of [this.handler, this.registry, this.servers?.task]) {
      takes?.may(streamRights, [this.hitsStream.streamArn, this.registryStream.streamArn]);
      takes?.may(secretRights, [this.token.secretArn]);
      // Looks up registries' tokens, and stores their last use and refused posts.
      takes?.may(
        [...rightsTo(credentialRights, 'find', 'used'), ...rightsTo(refusalRights, 'add')],
        [stores.credentials.tableArn],
      );
    }
  }
}

/** A random secret of 32 characters, made at the first deployment and kept. */
export function token(scope: Construct, id: string, description: string): Secret {
  const secret = new Secret(scope, id, {
    description,
    generateSecretString: { passwordLength: 32, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  explain(secret, { SMG4: 'Rotating it means changing the registries as well; the runbook says how' });
  return secret;
}
