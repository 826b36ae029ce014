import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import {
  AttributeType,
  BillingMode,
  type ITable,
  ProjectionType,
  Table,
  TableEncryption,
} from 'aws-cdk-lib/aws-dynamodb';
import { EbsDeviceVolumeType } from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Domain, EngineVersion, TLSSecurityPolicy } from 'aws-cdk-lib/aws-opensearchservice';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  BucketPolicy,
  type IBucket,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { newestIndex } from '#aws/dynamodb/events.ts';
import { documentsIndex, indexNamed, recommendationsIndex } from '#aws/opensearch/mapping.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import { explain } from './explain.ts';

const keyed = {
  partitionKey: { name: 'pk', type: AttributeType.STRING },
  sortKey: { name: 'sk', type: AttributeType.STRING },
};

/**
 * Kept when the stack is deleted or a change replaces them, but removed if their first deployment fails, because nobody
 * would know about them.
 */
export const keep = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
const unfinished = { abortIncompleteMultipartUploadAfter: Duration.days(1) };

/** The index paths that readers and writers of search may create: indices behind aliases of these names. */
const madeIndices = [
  ['whalewatch-documents', documentsIndex] as const,
  ['whalewatch-recommendations', recommendationsIndex] as const,
].flatMap(([alias, index]) => [`${alias}/_mapping`, `_index_template/${alias}`, indexNamed(alias, index)]);

export class Stores extends Construct {
  readonly checkpoints: ITable;
  readonly events: ITable;
  readonly keys: Table;
  /** Claims and alerts. */
  readonly alerts: Table;
  /** Sessions, API tokens and registries' tokens: digests only. */
  readonly credentials: Table;
  readonly bucket: IBucket;
  readonly search: { endpoint: string; signed: boolean; arn?: string };
  /** The search domain, if it is the deployment's own. */
  domain?: Domain;
  /** Namespace of the metrics: each deployment has its own. */
  readonly metrics: string;

  constructor(scope: Construct, id: string, settings: ResolvedSettings) {
    super(scope, id);
    this.metrics = scope.node.path;
    const table = (name: string, kept: boolean, expires = !kept) =>
      new Table(this, name, {
        ...keyed,
        billingMode: BillingMode.PAY_PER_REQUEST,
        encryption: TableEncryption.DEFAULT,
        pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: kept },
        removalPolicy: kept ? keep : RemovalPolicy.DESTROY,
        ...(expires ? { timeToLiveAttribute: 'expires' } : {}),
      });
    const { existing } = settings;
    const eventTable = () => {
      const made = table('Events', true, settings.keepEventsDays !== undefined);
      made.addGlobalSecondaryIndex({
        indexName: newestIndex,
        partitionKey: { name: 'list', type: AttributeType.STRING },
        sortKey: { name: 'at', type: AttributeType.STRING },
        projectionType: ProjectionType.ALL,
      });
      return made;
    };
    const named = (id: string, name: string) => Table.fromTableName(this, id, name);
    this.checkpoints = existing.checkpoints
      ? named('OwnCheckpoints', existing.checkpoints)
      : table('Checkpoints', true);
    this.events = existing.events ? named('OwnEvents', existing.events) : eventTable();
    this.keys = table('Keys', false);
    this.alerts = table('Notices', false);
    this.credentials = table('Credentials', true, true);
    for (const [of, reason] of [
      [this.keys, 'A backup would keep the key of a day beyond its day, against the privacy rule'],
      [this.alerts, 'Claims only prevent an alert from being sent twice, and alerts are kept for 30 days only'],
    ] as const)
      explain(of, { DDB3: reason });

    this.bucket = existing.bucket ? Bucket.fromBucketName(this, 'OwnData', existing.bucket) : this.#data(settings);
    this.search = this.#search(settings);
  }

  #data({ restoreDays }: ResolvedSettings): Bucket {
    /** How long an overwritten or removed object can be recovered: each export writes the map's state anew. */
    const restorable = Duration.days(restoreDays);
    const bucket = new Bucket(this, 'Data', {
      // SSE-S3: the ETag is then the MD5 that the objects adapter compares with.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: true,
      // Overwritten and removed objects can be restored for days (npm run restore:aws).
      versioned: true,
      removalPolicy: keep,
      // Export removes what it has folded; this rule removes what a crash left. A delta that is in use is folded within
      // days.
      lifecycleRules: [
        { prefix: 'deltas/', expiration: Duration.days(30), noncurrentVersionExpiration: restorable, ...unfinished },
        // The pairs that training passes to Spark contain user names: they are removed once the model is published, and
        // their versions a day later.
        {
          prefix: 'training/',
          expiration: Duration.days(1),
          noncurrentVersionExpiration: Duration.days(1),
          ...unfinished,
        },
        ...['state/', 'models/'].map((prefix) => ({
          prefix,
          noncurrentVersionExpiration: restorable,
          expiredObjectDeleteMarker: true,
        })),
        // Snapshots of the map (points/ and points*.json) follow from the state, so old versions are useless.
        { prefix: 'points', noncurrentVersionExpiration: Duration.days(1), expiredObjectDeleteMarker: true },
      ],
    });
    explain(bucket, {
      S1: 'Only our functions and CloudFront read it; CloudTrail data events can be switched on, an access log would hold addresses',
    });
    return bucket;
  }

  #search({ search }: ResolvedSettings): Stores['search'] {
    if ('endpoint' in search) return search;
    const { instanceType = 't3.small.search', gigabytes = 10 } = search;
    const domain = new Domain(this, 'Search', {
      version: EngineVersion.openSearch('2.19'),
      capacity: { dataNodes: 1, dataNodeInstanceType: instanceType, multiAzWithStandbyEnabled: false },
      ebs: { volumeSize: gigabytes, volumeType: EbsDeviceVolumeType.GP3 },
      encryptionAtRest: { enabled: true },
      nodeToNodeEncryption: true,
      enforceHttps: true,
      tlsSecurityPolicy: TLSSecurityPolicy.TLS_1_2_PFS,
      removalPolicy: keep,
      // Without it a newer engine version replaces the domain, and its documents are lost.
      enableVersionUpgrade: true,
    });
    const reasons = {
      OS1: 'A network would need NAT gateways or endpoints ($33 a month); every call is signed, and a role may use its paths only',
      OS3: 'No address list: the callers are functions without fixed addresses; roles decide',
      OS4: 'One node keeps the default under $30 a month; the setting search takes a larger instance',
      OS5: 'Without an access policy only roles with rights of their own get in; there is no anonymous access',
      OS7: 'Everything searched can be made again from the events table (npm run recount:aws)',
      'OS9[LogExport::SEARCH_SLOW_LOGS]': 'Slow logs hold queries, which name people',
      'OS9[LogExport::INDEX_SLOW_LOGS]': 'Slow logs hold documents, which name people',
    };
    explain(domain, reasons);
    this.domain = domain;
    return { endpoint: `https://${domain.domainEndpoint}`, signed: true, arn: domain.domainArn };
  }

  /** Adds a statement to the data bucket's policy; an existing bucket gets our policy instead of its own. */
  allowData(statement: PolicyStatement): void {
    if (this.bucket.addToResourcePolicy(statement).statementAdded) return;
    const { document } = new BucketPolicy(this, 'OwnDataPolicy', { bucket: this.bucket });
    document.addStatements(
      statement,
      new PolicyStatement({
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:*'],
        resources: [this.bucket.bucketArn, this.bucket.arnForObjects('*')],
        conditions: { Bool: { 'aws:SecureTransport': 'false' } },
      }),
    );
  }

  /** Lets a function create the indices of search and call these paths. */
  allowSearch(to: { may(actions: string[], resources: string[]): void }, calls: Record<string, string[]>): void {
    const { arn } = this.search;
    if (!arn) return;
    for (const [method, paths] of Object.entries({ Put: madeIndices, ...calls }))
      to.may(
        [`es:ESHttp${method}`],
        paths.map((path) => `${arn}/${path}`),
      );
  }

  searchVariables() {
    return { SEARCH_ENDPOINT: this.search.endpoint, SEARCH_SIGNED: String(this.search.signed) };
  }
}
