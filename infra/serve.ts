// The function serve responds from the stores; the function tiles serves the map's pointer and tiles, from points only.
import type { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { alertRights } from '#aws/dynamodb/alerts.ts';
import { checkpointRights } from '#aws/dynamodb/checkpoints.ts';
import { credentialRights } from '#aws/dynamodb/credentials.ts';
import { eventIndexRights, eventKeyRights, eventRights } from '#aws/dynamodb/events.ts';
import { refusalRights } from '#aws/dynamodb/refusals.ts';
import { lagRights } from '#aws/kinesis/lag.ts';
import { bucketRights, objectRights } from '#aws/s3/objects.ts';
import { secretRights } from '#aws/secret.ts';
import type { AccessSettings } from '#core/access.ts';
import type { TileVariables, Variables } from '#serve/env.ts';
import { token } from './collect.ts';
import { rightsTo, StageFunction } from './function.ts';
import { ipTable, type ProcessProps } from './process.ts';

export class Serve extends Construct {
  readonly handler: StageFunction<Variables>;
  readonly tiles: StageFunction<TileVariables>;
  readonly token: Secret;

  constructor(scope: Construct, id: string, { settings, stores }: Omit<ProcessProps, 'streams'>) {
    super(scope, id);
    const { keepDays, exportEvery, batchWindow, ipDatabase, logDays, tracing, reservedConcurrency } = settings;
    this.token = token(this, 'Token', 'The owner\'s API token: what scripts send as "Authorization: Bearer TOKEN"');
    this.handler = new StageFunction<Variables>(this, 'Function', {
      name: 'serve',
      does: 'Serve: history, recommendations, counts, health',
      environment: {
        CHECKPOINTS_TABLE: stores.checkpoints.tableName,
        EVENTS_TABLE: stores.events.tableName,
        KEYS_TABLE: stores.keys.tableName,
        ALERTS_TABLE: stores.alerts.tableName,
        BUCKET: stores.bucket.bucketName,
        ...stores.searchVariables(),
        CREDENTIALS_TABLE: stores.credentials.tableName,
        OWNER_TOKEN_ID: this.token.secretArn,
        CLIENT_SECRET_ID: settings.clientSecretArn ?? '',
        // Set by opens() once the site's name is known.
        ACCESS: '',
        REGISTRIES: JSON.stringify(settings.registries),
        KEEP_DAYS: String(keepDays),
        UNHEALTHY_AFTER_SECONDS: String(3 * (exportEvery + batchWindow)),
        IP_TABLE_BUILT_AT: String(ipTable(ipDatabase).builtAt),
        METRICS: stores.metrics,
      },
      memory: 1769,
      timeoutSeconds: 29,
      logDays,
      tracing,
      reserved: reservedConcurrency.serve,
    });
    const { handler } = this;
    handler.may(
      [...rightsTo(checkpointRights, 'shards', 'after'), ...rightsTo(lagRights, 'read')],
      [stores.checkpoints.tableArn],
    );
    handler.may(rightsTo(eventRights, 'version', 'quarantineState', 'release', 'forget', 'markForgotten'), [
      stores.events.tableArn,
    ]);
    handler.may(rightsTo(eventKeyRights, 'quarantined', 'forget'), [stores.keys.tableArn]);
    handler.may(rightsTo(eventIndexRights, 'history', 'quarantined', 'forget'), [`${stores.events.tableArn}/index/*`]);
    handler.may(rightsTo(alertRights, 'alerts', 'forget'), [stores.alerts.tableArn]);
    handler.may(
      [
        ...rightsTo(credentialRights, 'put', 'find', 'list', 'used', 'remove', 'forget'),
        ...rightsTo(refusalRights, 'list'),
      ],
      [stores.credentials.tableArn],
    );
    handler.may(bucketRights, [stores.bucket.bucketArn]);
    handler.may(
      rightsTo(objectRights, 'get', 'head'),
      ['state/*', 'points/*', 'points.json', 'models/*'].map((keys) => stores.bucket.arnForObjects(keys)),
    );
    // For rollbacks to an earlier model.
    handler.may(rightsTo(objectRights, 'put'), [stores.bucket.arnForObjects('models/latest.json')]);
    handler.may(secretRights, [this.token.secretArn]);
    const indices = ['whalewatch-documents', 'whalewatch-recommendations'];
    stores.allowSearch(handler, {
      Get: ['whalewatch-recommendations/_doc/*'],
      // It writes what users were shown, and what remains of a forgotten user's events.
      Post: indices.flatMap((index) =>
        ['_search', '_refresh', '_delete_by_query', '_bulk'].map((call) => `${index}/${call}`),
      ),
    });

    if (settings.clientSecretArn) handler.may(secretRights, [settings.clientSecretArn]);

    // Every visitor waits for this function, so it loads a tenth of serve's code; it can read only points.
    const { bucketRegionalDomainName } = stores.bucket;
    this.tiles = new StageFunction<TileVariables>(this, 'Tiles', {
      name: 'tiles',
      does: 'Tiles: the pointer to the newest points, and tiles of them',
      environment: {
        BUCKET_URL: `https://${bucketRegionalDomainName}`,
        METRICS: stores.metrics,
      },
      memory: 1769,
      timeoutSeconds: 29,
      logDays,
      tracing,
      reserved: reservedConcurrency.tiles,
    });
    // Without the right to list, S3 responds 403 for a missing key.
    this.tiles.may(bucketRights, [stores.bucket.bucketArn]);
    this.tiles.may(rightsTo(objectRights, 'get', 'head'), [stores.bucket.arnForObjects('points/*')]);
  }

  /** Sets how people sign in and what they see, at the site's address. */
  opens(access: AccessSettings): void {
    this.handler.addEnvironment('ACCESS', JSON.stringify(access));
  }
}
