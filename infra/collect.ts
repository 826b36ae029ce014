// collect: what comes in goes to the stream.
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Stream, StreamEncryption, StreamMode } from 'aws-cdk-lib/aws-kinesis';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { credentialRights } from '#aws/credentials.ts';
import { refusalRights } from '#aws/refusals.ts';
import { secretRights } from '#aws/secret.ts';
import { streamRights } from '#aws/stream.ts';
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
  readonly stream: Stream;
  readonly token: Secret;
  readonly handler: StageFunction<Variables>;

  /** Beside the function, where the setting says so: it goes on for registries, whose throttle no flood of hits shares. */
  readonly servers?: CollectServers;

  constructor(scope: Construct, id: string, { settings, stores, network }: CollectProps) {
    super(scope, id);
    const { stream, retentionHours, trustedProxies, addressHeader, networks, logDays } = settings;
    this.stream = new Stream(this, 'Stream', {
      ...(stream === 'onDemand'
        ? { streamMode: StreamMode.ON_DEMAND }
        : { streamMode: StreamMode.PROVISIONED, shardCount: stream.shards }),
      retentionPeriod: Duration.hours(retentionHours),
      // It holds addresses for its retention: encrypted, by the key that costs nothing.
      encryption: StreamEncryption.MANAGED,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.token = token(this, 'Token', 'What registries send as "Authorization: Bearer TOKEN"');
    const environment = {
      STREAM: this.stream.streamName,
      WEBHOOK_TOKEN_ID: this.token.secretArn,
      TRUSTED_PROXIES: trustedProxies.join(),
      ADDRESS_HEADER: addressHeader,
      NETWORKS: JSON.stringify(networks),
      METRICS: stores.metrics,
      CREDENTIALS_TABLE: stores.credentials.tableName,
      REGISTRIES: JSON.stringify(settings.registries),
    };
    this.handler = new StageFunction<Variables>(this, 'Function', {
      name: 'collect',
      does: 'Collect: takes notifications and hits into the stream',
      environment,
      memory: 256,
      timeoutSeconds: 10,
      logDays,
      tracing: settings.tracing,
      reserved: settings.reservedConcurrency.collect,
    });
    if (settings.collector === 'fargate' && network)
      this.servers = new CollectServers(this, 'Servers', { settings, network, environment });
    for (const takes of [this.handler, this.servers?.task]) {
      takes?.may(streamRights, [this.stream.streamArn]);
      takes?.may(secretRights, [this.token.secretArn]);
      // Tokens of registries are looked up, and their last use and what is refused noted.
      takes?.may(
        [...rightsTo(credentialRights, 'find', 'used'), ...rightsTo(refusalRights, 'add')],
        [stores.credentials.tableArn],
      );
    }
  }
}

/** A random secret of 32 letters, made at the first deploy and kept. */
export function token(scope: Construct, id: string, description: string): Secret {
  const secret = new Secret(scope, id, {
    description,
    generateSecretString: { passwordLength: 32, excludePunctuation: true },
    removalPolicy: RemovalPolicy.DESTROY,
  });
  explain(secret, { SMG4: 'Whoever rotates it must change the registries with it; the runbook says how' });
  return secret;
}
