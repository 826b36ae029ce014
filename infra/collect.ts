// collect: what comes in goes to the stream.
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
import { CollectServers } from './collect-fargate.ts';
import { explain } from './explain.ts';
import { rightsTo, StageFunction } from './function.ts';
import type { Network } from './network.ts';
import type { Stores } from './stores.ts';

export interface CollectProps {
  settings: ResolvedSettings;
  stores: Stores;
  network?: Network;
}

export class Collect extends Construct {
  /** Hits, and what was put here before registries had a stream of their own. */
  readonly hitsStream: Stream;
  /** What registries report: no flood of hits fills it, or delays what reads it. */
  readonly registryStream: Stream;
  readonly token: Secret;
  /** Takes hits. */
  readonly handler: StageFunction<Variables>;
  /** Takes what registries report, at a concurrency of its own. */
  readonly registry: StageFunction<Variables>;

  /** Beside the functions, where the setting says so. */
  readonly servers?: CollectServers;

  constructor(scope: Construct, id: string, { settings, stores, network }: CollectProps) {
    super(scope, id);
    const { stream, retentionHours, trustedProxies, addressHeader, networks, domains, refuseHits, logDays } = settings;
    const kept = {
      retentionPeriod: Duration.hours(retentionHours),
      // They hold addresses for their retention: encrypted, by the key that costs nothing.
      encryption: StreamEncryption.MANAGED,
      removalPolicy: RemovalPolicy.DESTROY,
    };
    this.hitsStream = new Stream(this, 'Stream', {
      ...(stream === 'onDemand'
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: stream.shards }),
      ...kept,
    });
    // 1,000 records a second are more pulls than a registry serves.
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
      // Tokens of registries are looked up, and their last use and what is refused noted.
      takes?.may(
        [...rightsTo(credentialRights, 'find', 'used'), ...rightsTo(refusalRights, 'add')],
        [stores.credentials.tableArn],
      );
    }
  }
}

/** A random secret of 32 characters, made at the first deploy and kept. */
export function token(scope: Construct, id: string, description: string): Secret {
  const secret = new Secret(scope, id, {
    description,
    generateSecretString: { passwordLength: 32, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  explain(secret, { SMG4: 'Rotating it means changing the registries as well; the runbook says how' });
  return secret;
}
