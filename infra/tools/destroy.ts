// npm run destroy [-- --force -c stackName=…]: says what stays and how to delete it, then CDK deletes the rest.
// --delete-bucket NAME: deletes a bucket that stayed, with every version in it.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import {
  CloudFormationClient,
  GetTemplateCommand,
  paginateListStackResources,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';
import { fixOf } from './errors.ts';

interface Template {
  Resources: Record<
    string,
    {
      Type: string;
      DeletionPolicy?: string;
      Metadata?: { 'aws:cdk:path'?: string };
      // biome-ignore lint/suspicious/noExplicitAny: properties differ from type to type
      Properties?: Record<string, any>;
    }
  >;
}

const deleteTable = (name: string) => `aws dynamodb delete-table --table-name ${name}`;
/** `aws s3 rb --force` does not delete versions of objects, and so can't delete the bucket. */
const deleteBucket = (name: string) => `npm run destroy -- --delete-bucket ${name}`;
const deleting: Record<string, (name: string) => string> = {
  'AWS::DynamoDB::Table': deleteTable,
  'AWS::S3::Bucket': deleteBucket,
  'AWS::Cognito::UserPool': (id) => `aws cognito-idp delete-user-pool --user-pool-id ${id}`,
  'AWS::OpenSearchService::Domain': (name) => `aws opensearch delete-domain --domain-name ${name}`,
};
const line = (place: string, command: string) => `${place.padEnd(20)} ${command}`;

/** What CloudFormation keeps of a deleted stack: a line each, with the command that deletes it. */
function kept({ Resources }: Template, names: Map<string, string>): string[] {
  return Object.entries(Resources)
    .filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain' || DeletionPolicy === 'RetainExceptOnCreate')
    .flatMap(([id, { Type, Metadata }]) => {
      const name = names.get(id);
      if (name === undefined) return [];
      const place = Metadata?.['aws:cdk:path']?.split('/').slice(2, -1).join('/') ?? id;
      return [line(place, deleting[Type]?.(name) ?? `${Type} ${name}`)];
    })
    .sort();
}

/**
 * What the functions use but the stack does not own (the setting `existing`): names of tables and buckets, and of the
 * tables that restored ones came from, which may be gone.
 */
export function besides({ Resources }: Template): { tables: string[]; buckets: string[]; restoredFrom: string[] } {
  const given = (...variables: string[]) => {
    const values = Object.values(Resources).flatMap(({ Properties }) =>
      variables.map((name) => Properties?.Environment?.Variables?.[name]),
    );
    // The stack's own resources are references.
    return [...new Set(values.filter((value): value is string => typeof value === 'string'))].sort();
  };
  const tables = given('EVENTS_TABLE', 'CHECKPOINTS_TABLE');
  return { tables, buckets: given('BUCKET'), restoredFrom: [...new Set(tables.flatMap(origins))].sort() };
}

/** A restored table is named by the one it came from and a time (npm run restore:aws), over and over. */
function origins(table: string): string[] {
  const [, from] = /^(.+)-\d{14}$/.exec(table) ?? [];
  return from === undefined ? [] : [from, ...origins(from)];
}

/** A custom endpoint has no host names for buckets. */
const openS3 = () => new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });

/** Empties the buckets that are deleted with the stack: CloudFormation deletes no bucket with objects. */
async function emptied(StackName: string): Promise<void> {
  const client = new CloudFormationClient({});
  const s3 = openS3();
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName }));
  const { Resources } = JSON.parse(TemplateBody) as Template;
  for await (const page of paginateListStackResources({ client }, { StackName }))
    for (const { LogicalResourceId = '', PhysicalResourceId: Bucket, ResourceType } of page.StackResourceSummaries ??
      []) {
      if (ResourceType !== 'AWS::S3::Bucket' || Resources[LogicalResourceId].DeletionPolicy !== 'Delete') continue;
      for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket }))
        if (Contents.length > 0)
          await s3.send(
            new DeleteObjectsCommand({ Bucket, Delete: { Objects: Contents.map(({ Key = '' }) => ({ Key })) } }),
          );
    }
}

async function keptOf(StackName: string): Promise<string[]> {
  const client = new CloudFormationClient({});
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName }));
  const template = JSON.parse(TemplateBody) as Template;
  const names = new Map<string, string>();
  for await (const page of paginateListStackResources({ client }, { StackName }))
    for (const { LogicalResourceId = '', PhysicalResourceId = '' } of page.StackResourceSummaries ?? [])
      names.set(LogicalResourceId, PhysicalResourceId);
  const { tables, buckets, restoredFrom } = besides(template);
  const owned = new Set(names.values());
  const dynamo = new DynamoDBClient({});
  const old: string[] = [];
  for (const table of restoredFrom) if (!owned.has(table) && (await exists(dynamo, table))) old.push(table);
  return [
    ...kept(template, names),
    ...tables.map((table) => line('existing', deleteTable(table))),
    ...old.map((table) => line('before a restore', deleteTable(table))),
    ...buckets.map((bucket) => line('existing', deleteBucket(bucket))),
  ];
}

const exists = (dynamo: DynamoDBClient, TableName: string) =>
  dynamo.send(new DescribeTableCommand({ TableName })).then(
    () => true,
    (cause: Error) => {
      if (cause.name === 'ResourceNotFoundException') return false;
      throw cause;
    },
  );

/** Removes a bucket with every version of every object. Returns how many versions that were. */
async function removeBucket(Bucket: string): Promise<number> {
  const s3 = openS3();
  let removed = 0;
  for (;;) {
    // Listed objects are removed, so the next list starts from the beginning.
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key = '', VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) break;
    const { Errors = [] } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
    if (Errors.length > 0) throw new Error(`${Errors[0].Key}: ${Errors[0].Message}`);
    removed += Objects.length;
  }
  await s3.send(new DeleteBucketCommand({ Bucket }));
  return removed;
}

/** The name must be typed, unless --force is given. */
async function isMeant(name: string, question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const typed = await terminal.question(question);
  terminal.close();
  if (typed !== name) console.error(`${name} was not changed`);
  return typed === name;
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));

async function main(given: string[]): Promise<number> {
  const forced = given.includes('--force');
  const bucket = given[given.indexOf('--delete-bucket') + 1];
  if (given.includes('--delete-bucket')) {
    if (!bucket || bucket.startsWith('-')) {
      console.error('--delete-bucket is missing its bucket: npm run destroy lists the ones that are kept');
      return 2;
    }
    if (!forced && !(await isMeant(bucket, `Type ${bucket} to delete it with all versions of its objects: `))) return 1;
    console.log(`${bucket} is deleted, with ${await removeBucket(bucket)} versions of objects`);
    return 0;
  }
  const stack = given.find((text) => text.startsWith('stackName='))?.slice('stackName='.length) ?? 'Whalewatch';
  try {
    const lines = await keptOf(stack);
    console.log(`These resources of ${stack} stay, and are billed until you delete them yourself:`);
    for (const line of lines) console.log(`  ${line}`);
  } catch (cause) {
    console.error(`${stack} can't be read: ${(cause as Error).message}${fixOf(cause as Error, '-c stackName=NAME')}`);
    return 1;
  }
  if (!forced && !(await isMeant(stack, `Type ${stack} to delete all the rest: `))) return 1;
  // Only from here on can the stack be deleted.
  const EnableTerminationProtection = false;
  await new CloudFormationClient({}).send(
    new UpdateTerminationProtectionCommand({ StackName: stack, EnableTerminationProtection }),
  );
  await emptied(stack);
  const cdk = join(import.meta.dirname, '../../node_modules/aws-cdk/bin/cdk');
  const flags = forced ? given : [...given, '--force'];
  const { status } = spawnSync(process.execPath, [cdk, 'destroy', ...flags], { stdio: 'inherit' });
  return status ?? 1;
}
