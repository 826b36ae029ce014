// Facts about what must last: tables, buckets, search, secrets.
import { type Check, each, isKept, ofType, type Resource, type Resources, statementsOf, target } from './check.ts';

const stateful = ['DynamoDB::Table', 'S3::Bucket', 'OpenSearchService::Domain', 'Cognito::UserPool'];
const holdsData = (resources: Resources): [string, Resource][] =>
  stateful.flatMap((type) => ofType(resources, type)).filter(([, resource]) => isKept(resource));

const attribute = (name: string) => `AWSCloudFormation/latest/TemplateReference/aws-attribute-${name}.html`;
const rulesOf = ({ Properties }: Resource): Record<string, unknown>[] => Properties.LifecycleConfiguration?.Rules ?? [];
const isOn = ({ Properties }: Resource) => Properties.PointInTimeRecoverySpecification?.PointInTimeRecoveryEnabled;
const isVersioned = ({ Properties }: Resource) => Properties.VersioningConfiguration?.Status === 'Enabled';

export const dataChecks: Check[] = [
  {
    id: 'kept-on-delete',
    fact: 'When a stack is deleted, so are its tables and buckets unless they are retained: those whose data does not expire are',
    document: attribute('deletionpolicy'),
    faults: (resources) => [
      ...each(
        'DynamoDB::Table',
        ({ TimeToLiveSpecification }, table) => isKept(table) || TimeToLiveSpecification,
      )(resources),
      ...each('OpenSearchService::Domain', (_, domain) => isKept(domain))(resources),
      ...each('Cognito::UserPool', (_, pool) => isKept(pool))(resources),
    ],
  },
  {
    id: 'kept-not-orphaned',
    fact: 'Retain also holds when a first deployment fails and leaves billed orphans; RetainExceptOnCreate does not',
    document: attribute('deletionpolicy'),
    faults: (resources) =>
      holdsData(resources)
        .filter(([, { DeletionPolicy }]) => DeletionPolicy !== 'RetainExceptOnCreate')
        .map(([id]) => id),
  },
  {
    id: 'kept-on-replace',
    fact: 'DeletionPolicy says nothing about a replacement: UpdateReplacePolicy keeps the old one',
    document: attribute('updatereplacepolicy'),
    faults: (resources) =>
      holdsData(resources)
        .filter(([, { UpdateReplacePolicy }]) => UpdateReplacePolicy !== 'Retain')
        .map(([id]) => id),
  },
  {
    id: 'kept-names',
    fact: 'A resource with a fixed name cannot be replaced, nor deployed again beside a retained one',
    document: 'AWSCloudFormation/latest/TemplateReference/aws-properties-name.html',
    faults: (resources) =>
      stateful
        .flatMap((type) => ofType(resources, type))
        .filter(
          ([, { Properties }]) =>
            Properties.TableName ?? Properties.BucketName ?? Properties.DomainName ?? Properties.UserPoolName,
        )
        .map(([id]) => id),
  },
  {
    id: 'search-upgrade',
    fact: 'Without EnableVersionUpgrade a new EngineVersion replaces the domain',
    document: attribute('updatepolicy'),
    faults: each('OpenSearchService::Domain', (_, { UpdatePolicy }) => UpdatePolicy?.EnableVersionUpgrade === true),
  },
  {
    id: 'search-tls',
    fact: 'A domain takes plain HTTP unless EnforceHTTPS is set',
    document: 'opensearch-service/latest/developerguide/createupdatedomains.html',
    faults: each('OpenSearchService::Domain', ({ DomainEndpointOptions }) => DomainEndpointOptions?.EnforceHTTPS),
  },
  {
    id: 'search-encryption',
    fact: 'Encryption at rest and between nodes is off by default, and cannot be switched off again',
    document: 'opensearch-service/latest/developerguide/encryption-at-rest.html',
    faults: each(
      'OpenSearchService::Domain',
      ({ EncryptionAtRestOptions, NodeToNodeEncryptionOptions }) =>
        EncryptionAtRestOptions?.Enabled && NodeToNodeEncryptionOptions?.Enabled,
    ),
  },
  {
    id: 'search-anonymous',
    fact: 'Without an access policy only roles with their own rights have access',
    document: 'opensearch-service/latest/developerguide/ac.html',
    faults: each('OpenSearchService::Domain', ({ AccessPolicies }) => AccessPolicies === undefined),
  },
  {
    id: 'search-standby',
    fact: 'Multi-AZ with standby needs three zones and dedicated masters: a single node must switch it off',
    document: 'opensearch-service/latest/developerguide/managedomains-multiaz.html',
    faults: each(
      'OpenSearchService::Domain',
      ({ ClusterConfig }) => ClusterConfig.InstanceCount > 1 || ClusterConfig.MultiAZWithStandbyEnabled === false,
    ),
  },
  {
    id: 'tables-recoverable',
    fact: 'Point-in-time recovery is off by default',
    document: 'amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html',
    faults: each('DynamoDB::Table', (_, table) => !isKept(table) || isOn(table)),
  },
  {
    id: 'tables-forget',
    fact: 'A backup keeps deleted rows for 35 days: a table whose rows must be forgotten has none, and a time to live',
    document: 'amazondynamodb/latest/developerguide/TTL.html',
    faults: each(
      'DynamoDB::Table',
      ({ TimeToLiveSpecification }, table) => isKept(table) || (!isOn(table) && TimeToLiveSpecification?.Enabled),
    ),
  },
  {
    id: 'tables-on-demand',
    fact: 'A provisioned table throttles above its capacity; on demand each call is billed',
    document: 'amazondynamodb/latest/developerguide/capacity-mode.html',
    faults: each('DynamoDB::Table', ({ BillingMode }) => BillingMode === 'PAY_PER_REQUEST'),
  },
  {
    id: 'tables-index',
    fact: 'An index holds only the attributes it projects: lists are read from it alone',
    document: 'amazondynamodb/latest/developerguide/GSI.html#GSI.Projections',
    faults: each('DynamoDB::Table', ({ GlobalSecondaryIndexes = [] }) =>
      GlobalSecondaryIndexes.every(
        ({ Projection }: { Projection: { ProjectionType: string } }) => Projection.ProjectionType === 'ALL',
      ),
    ),
  },
  {
    id: 'bucket-versions',
    fact: 'S3 can restore an overwritten or removed object only if versions are kept',
    document: 'AmazonS3/latest/userguide/Versioning.html',
    faults: each(
      'S3::Bucket',
      (_, bucket) => !rulesOf(bucket).some(({ Prefix }) => Prefix === 'state/') || isVersioned(bucket),
    ),
  },
  {
    id: 'bucket-versions-expire',
    fact: 'Versions are kept and billed forever unless a rule expires them, under every prefix that is written',
    document: 'AmazonS3/latest/userguide/lifecycle-configuration-examples.html#lifecycle-config-conceptual-ex6',
    faults: (resources) =>
      ofType(resources, 'S3::Bucket')
        .filter(([, bucket]) => isVersioned(bucket))
        .flatMap(([id, bucket]) => {
          const expires = (prefix: string) =>
            rulesOf(bucket).some(
              ({ Prefix = '', NoncurrentVersionExpiration }) =>
                prefix.startsWith(String(Prefix)) && NoncurrentVersionExpiration,
            );
          return ['state/', 'deltas/', 'points/', 'points.json', 'points-anonymous.json', 'models/', 'training/']
            .filter((prefix) => !expires(prefix))
            .map((prefix) => `${id}: versions under ${prefix} never expire`);
        }),
  },
  {
    id: 'bucket-people',
    fact: 'Versions stay after an object is removed: those under training/, which name people, for at most a day',
    document: 'AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-actions',
    faults: (resources) =>
      ofType(resources, 'S3::Bucket')
        .filter(([, bucket]) => isVersioned(bucket))
        .filter(([, bucket]) => {
          const rule = rulesOf(bucket).find(({ Prefix }) => Prefix === 'training/');
          const days = (rule?.NoncurrentVersionExpiration as { NoncurrentDays?: number } | undefined)?.NoncurrentDays;
          return rule?.ExpirationInDays !== 1 || days !== 1;
        })
        .map(([id]) => id),
  },
  {
    id: 'bucket-multipart',
    fact: 'Parts of an incomplete upload are billed but not listed until a rule aborts it',
    document: 'AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html',
    faults: each(
      'S3::Bucket',
      (_, bucket) =>
        !isKept(bucket) || rulesOf(bucket).some(({ AbortIncompleteMultipartUpload }) => AbortIncompleteMultipartUpload),
    ),
  },
  {
    id: 'bucket-failures',
    fact: 'Failed batches hold addresses: S3 removes them after seven days, in whole days and about a day late',
    document: 'AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html',
    faults: (resources) =>
      ofType(resources, 'Lambda::EventSourceMapping')
        .map(([, { Properties }]) => target(Properties.DestinationConfig) ?? '')
        .filter((id) => resources[id]?.Type === 'AWS::S3::Bucket')
        .filter(
          (id) => !rulesOf(resources[id]).some(({ ExpirationInDays, Prefix }) => ExpirationInDays === 7 && !Prefix),
        ),
  },
  {
    id: 'bucket-private',
    fact: 'A bucket policy or ACL could make objects public unless all four blocks are set',
    document: 'AmazonS3/latest/userguide/access-control-block-public-access.html',
    faults: each(
      'S3::Bucket',
      ({ PublicAccessBlockConfiguration: blocks = {} }) => Object.values(blocks).filter(Boolean).length === 4,
    ),
  },
  {
    id: 'bucket-tls',
    fact: 'S3 takes plain HTTP unless the bucket policy denies it',
    document: 'AmazonS3/latest/userguide/security-best-practices.html#transit',
    faults: (resources) =>
      ofType(resources, 'S3::Bucket')
        .filter(
          ([id]) =>
            !ofType(resources, 'S3::BucketPolicy').some(
              ([, { Properties }]) =>
                target(Properties.Bucket) === id &&
                statementsOf(Properties.PolicyDocument).some(
                  ({ Effect, Condition }) =>
                    Effect === 'Deny' && JSON.stringify(Condition)?.includes('"aws:SecureTransport":"false"'),
                ),
            ),
        )
        .map(([id]) => id),
  },
  {
    id: 'bucket-etag',
    fact: 'Only with SSE-S3 is an ETag the MD5 of the body, which shows whose conditional put won',
    document: 'AmazonS3/latest/API/API_Object.html',
    faults: each('S3::Bucket', ({ BucketEncryption }) => JSON.stringify(BucketEncryption)?.includes('"AES256"')),
  },
  {
    id: 'bucket-empties',
    fact: 'CloudFormation cannot delete a bucket with objects: a bucket that is deleted with the stack is emptied first',
    document: 'AWSCloudFormation/latest/UserGuide/troubleshooting.html#troubleshooting-errors-delete-stack-fails',
    faults: (resources) => {
      const emptied = Object.values(resources)
        .filter(({ Type }) => Type === 'Custom::S3AutoDeleteObjects')
        .map(({ Properties }) => target(Properties.BucketName));
      return ofType(resources, 'S3::Bucket')
        .filter(([id, bucket]) => !isKept(bucket) && !emptied.includes(id))
        .map(([id]) => id);
    },
  },
  {
    id: 'secret-kept',
    fact: 'A generated secret changes if its generation settings change: only its length and characters are set',
    document: 'AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html',
    faults: each(
      'SecretsManager::Secret',
      ({ GenerateSecretString, SecretString }) => GenerateSecretString?.PasswordLength >= 32 && !SecretString,
    ),
  },
];
