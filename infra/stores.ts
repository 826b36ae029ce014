import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { EbsDeviceVolumeType } from 'aws-cdk-lib/aws-ec2';
import { Domain, EngineVersion, TLSSecurityPolicy } from 'aws-cdk-lib/aws-opensearchservice';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import { newestIndex } from '#aws/events.ts';
import type { ResolvedSettings } from '#settings/schema.ts';
import type { Emulated } from './emulated.ts';
import { explain } from './explain.ts';

const keyed = {
  partitionKey: { name: 'pk', type: AttributeType.STRING },
  sortKey: { name: 'sk', type: AttributeType.STRING },
};

/** Kept when the stack goes or a change replaces them; removed when their first deployment fails: nobody would know of them. */
export const keep = RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE;
/** How long an overwritten or removed object can be had back: each export writes the map's state anew, so each day costs. */
const restorable = Duration.days(7);
const unfinished = { abortIncompleteMultipartUploadAfter: Duration.days(1) };

export class Stores extends Construct {
  readonly checkpoints: Table;
  readonly events: Table;
  readonly keys: Table;
  /** Claims and messages. */
  readonly notices: Table;
  /** Sessions, API tokens and registries' tokens: digests only. */
  readonly credentials: Table;
  readonly bucket: Bucket;
  readonly search: { endpoint: string; signed: boolean; arn?: string };
  /** The search domain, where it is the deployment's own. */
  domain?: Domain;
  /** Namespace of the metrics: each deployment has its own. */
  readonly metrics: string;

  constructor(scope: Construct, id: string, settings: ResolvedSettings, emulated: Emulated) {
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
    this.checkpoints = table('Checkpoints', true);
    this.events = table('Events', true);
    this.events.addGlobalSecondaryIndex({
      indexName: newestIndex,
      partitionKey: { name: 'list', type: AttributeType.STRING },
      sortKey: { name: 'at', type: AttributeType.STRING },
      projectionType: ProjectionType.ALL,
    });
    this.keys = table('Keys', false);
    this.notices = table('Notices', false);
    this.credentials = table('Credentials', true, true);
    for (const [of, reason] of [
      [this.keys, 'A backup would keep the key of a day beyond its day, against the privacy rule'],
      [this.notices, 'Claims only keep a message from going out twice, and messages are gone after 30 days'],
    ] as const)
      explain(of, { DDB3: reason });

    this.bucket = new Bucket(this, 'Data', {
      // SSE-S3: the ETag is then the MD5 that the objects adapter compares with.
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      enforceSSL: !emulated.plainHttp,
      // What was overwritten or removed can be had back for days (npm run restore:aws).
      versioned: true,
      removalPolicy: keep,
      // Export removes what it has folded; this catches what a crash left. A delta that is named is folded within days.
      lifecycleRules: [
        { prefix: 'deltas/', expiration: Duration.days(30), noncurrentVersionExpiration: restorable, ...unfinished },
        // What training hands to Spark names people: it is removed once the model is published, and its versions a day later.
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
        // Snapshots of the map follow from the state: an old version is of no use. points/ and points*.json.
        { prefix: 'points', noncurrentVersionExpiration: Duration.days(1), expiredObjectDeleteMarker: true },
      ],
    });
    explain(this.bucket, {
      S1: 'Only our functions and CloudFront read it; CloudTrail data events can be switched on, an access log would hold addresses',
    });
    this.search = this.#search(settings);
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
      // Without it a newer engine version replaces the domain, and its documents are gone.
      enableVersionUpgrade: true,
    });
    const reasons = {
      OS1: 'A network would need NAT gateways or endpoints ($33 a month); every call is signed, and a role may use its paths only',
      OS3: 'No address list: the callers are functions without fixed addresses; roles decide',
      OS4: 'One node keeps the default under $30 a month; the setting search takes a larger instance',
      OS5: 'Without an access policy only roles with rights of their own get in; there is no anonymous access',
      OS7: 'Everything searched can be made again from the events table (npm run replay)',
      'OS9[LogExport::SEARCH_SLOW_LOGS]': 'Slow logs hold queries, which name people',
      'OS9[LogExport::INDEX_SLOW_LOGS]': 'Slow logs hold documents, which name people',
    };
    explain(domain, reasons);
    this.domain = domain;
    return { endpoint: `https://${domain.domainEndpoint}`, signed: true, arn: domain.domainArn };
  }

  /** Lets a function call paths of search. */
  allowSearch(to: { may(actions: string[], resources: string[]): void }, calls: Record<string, string[]>): void {
    const { arn } = this.search;
    if (!arn) return;
    for (const [method, paths] of Object.entries(calls))
      to.may(
        [`es:ESHttp${method}`],
        paths.map((path) => `${arn}/${path}`),
      );
  }

  searchVariables() {
    return { SEARCH_ENDPOINT: this.search.endpoint, SEARCH_SIGNED: String(this.search.signed) };
  }
}
