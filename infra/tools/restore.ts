// npm run restore:aws -- --to TIME: restores tables and data bucket as they were at a time within `restoreDays`, for
// which the bucket keeps versions. Prints the setting `existing` for the deployment that uses them. --resume: lets
// export and process run again.
import { setTimeout as wait } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CloudFormationClient, GetTemplateCommand, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import {
  DescribeTableCommand,
  DynamoDBClient,
  RestoreTableToPointInTimeCommand,
  UpdateContinuousBackupsCommand,
} from '@aws-sdk/client-dynamodb';
import { DeleteFunctionConcurrencyCommand, LambdaClient, PutFunctionConcurrencyCommand } from '@aws-sdk/client-lambda';
import {
  CopyObjectCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  S3Client,
} from '@aws-sdk/client-s3';
import { runTool } from './errors.ts';

interface Clients {
  cloudFormation: CloudFormationClient;
  dynamo: DynamoDBClient;
  s3: S3Client;
  lambda: LambdaClient;
}

export interface RestoreOptions {
  stack: string;
  /** The moment to go back to. */
  to: Date;
  clients: Clients;
  log: (line: string) => void;
}

/** The manifest comes after the objects that it refers to, and before those that refer to it. */
const prefixes = ['deltas/', 'models/', 'state/'];
const manifest = /^state\/manifest/;
/** The pointers, which may name removed snapshots, are removed: without a pointer export publishes a new snapshot. */
const pointer = 'points/latest.json';

/**
 * Restores beside the existing tables, and returns the setting `existing`. Export and process are paused until
 * `resume`.
 */
export async function restore({ stack, to, clients, log }: RestoreOptions) {
  const found = await resourcesOf(stack, clients.cloudFormation);
  for (const { name } of paused(found))
    await clients.lambda.send(
      new PutFunctionConcurrencyCommand({ FunctionName: name, ReservedConcurrentExecutions: 0 }),
    );
  log('export and process are paused until --resume');
  const [events, checkpoints, bucket] = [/StoresEvents/, /StoresCheckpoints/, /StoresData/].map((id) => one(found, id));
  const mark = to.toISOString().replace(/\D/g, '').slice(0, 14);
  const tables = { events: `${events}-${mark}`, checkpoints: `${checkpoints}-${mark}` };
  for (const [from, into] of [
    [events, tables.events],
    [checkpoints, tables.checkpoints],
  ])
    await clients.dynamo.send(
      new RestoreTableToPointInTimeCommand({ SourceTableName: from, TargetTableName: into, RestoreDateTime: to }),
    );
  for (const name of Object.values(tables)) await settled(clients.dynamo, name, log);
  const { copied, removed } = await bucketAt(clients.s3, bucket, to);
  log(`${bucket}: ${copied} objects restored, ${removed} newer ones removed`);
  return { ...tables, since: `${to.toISOString().slice(0, 19)}Z` };
}

export async function resume({
  stack,
  clients,
}: {
  stack: string;
  clients: Pick<Clients, 'cloudFormation' | 'lambda'>;
}) {
  const { TemplateBody = '' } = await clients.cloudFormation.send(new GetTemplateCommand({ StackName: stack }));
  const { Resources } = JSON.parse(TemplateBody) as {
    Resources: Record<string, { Properties: { ReservedConcurrentExecutions?: number } }>;
  };
  for (const { id, name: FunctionName } of paused(await resourcesOf(stack, clients.cloudFormation))) {
    // Resets it to the template's value (reservedConcurrency): CloudFormation sees no change there and would not set
    // it.
    const { ReservedConcurrentExecutions } = Resources[id].Properties;
    if (ReservedConcurrentExecutions === undefined)
      await clients.lambda.send(new DeleteFunctionConcurrencyCommand({ FunctionName }));
    else await clients.lambda.send(new PutFunctionConcurrencyCommand({ FunctionName, ReservedConcurrentExecutions }));
  }
}

/** A restored table has neither point-in-time recovery nor time to live of the old one. */
async function settled(dynamo: DynamoDBClient, TableName: string, log: (line: string) => void): Promise<void> {
  for (;;) {
    const { Table } = await dynamo.send(new DescribeTableCommand({ TableName }));
    if (Table?.TableStatus === 'ACTIVE') break;
    log(`${TableName} is ${Table?.TableStatus}`);
    await wait(10_000);
  }
  await dynamo.send(
    new UpdateContinuousBackupsCommand({
      TableName,
      PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
    }),
  );
}

/**
 * Makes the version of each object that was current at `to` the current one; removes objects that did not exist then.
 */
async function bucketAt(s3: S3Client, Bucket: string, to: Date): Promise<{ copied: number; removed: number }> {
  let [copied, removed] = [0, 0];
  for (const Prefix of prefixes) {
    const keys = new Map<string, { at: number; id?: string; latest: boolean; gone: boolean }[]>();
    for await (const { Versions = [], DeleteMarkers = [] } of versionPages(s3, Bucket, Prefix))
      for (const [list, gone] of [
        [Versions, false],
        [DeleteMarkers, true],
      ] as const)
        for (const { Key = '', VersionId, LastModified, IsLatest = false } of list) {
          const versions = keys.get(Key) ?? [];
          keys.set(Key, versions);
          versions.push({ at: LastModified?.getTime() ?? 0, id: VersionId, latest: IsLatest, gone });
        }
    const order = [...keys].sort(([a], [b]) => Number(manifest.test(a)) - Number(manifest.test(b)));
    for (const [Key, versions] of order) {
      const then = versions
        .filter(({ at }) => at <= to.getTime())
        .sort((a, b) => b.at - a.at || Number(b.latest) - Number(a.latest))[0];
      const now = versions.find(({ latest }) => latest);
      if (then && !then.gone) {
        if (then === now) continue;
        const CopySource = `${Bucket}/${encodeURIComponent(Key)}?versionId=${then.id}`;
        await s3.send(new CopyObjectCommand({ Bucket, Key, CopySource }));
        copied++;
      } else if (now && !now.gone) {
        await s3.send(new DeleteObjectCommand({ Bucket, Key }));
        removed++;
      }
    }
  }
  await s3.send(new DeleteObjectCommand({ Bucket, Key: pointer }));
  return { copied, removed };
}

/** The SDK has no paginator for this list. */
async function* versionPages(s3: S3Client, Bucket: string, Prefix: string) {
  let [KeyMarker, VersionIdMarker]: (string | undefined)[] = [];
  do {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      new ListObjectVersionsCommand({ Bucket, Prefix, KeyMarker, VersionIdMarker }),
    );
    yield page;
    KeyMarker = page.IsTruncated ? page.NextKeyMarker : undefined;
    VersionIdMarker = page.NextVersionIdMarker;
  } while (KeyMarker);
}

type Found = { id: string; type: string; name: string }[];

async function resourcesOf(StackName: string, client: CloudFormationClient): Promise<Found> {
  const found: Found = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName }))
    for (const {
      LogicalResourceId: id = '',
      ResourceType: type = '',
      PhysicalResourceId: name = '',
    } of StackResourceSummaries)
      found.push({ id, type, name });
  return found;
}

/** The functions that write the restored data. */
const paused = (found: Found) =>
  found.filter(({ id, type }) => type === 'AWS::Lambda::Function' && /Process(Function|Registry|Export)/.test(id));

function one(found: Found, id: RegExp): string {
  const resource = found.find((one) => id.test(one.id) && /Table$|Bucket$/.test(one.type));
  if (!resource)
    throw new Error(
      `the stack has no ${id.source}: is it the right one, and were its tables given by the setting existing?`,
    );
  return resource.name;
}

const help = `usage: npm run restore:aws -- --to 2026-11-28T12:00:00Z [--stack Whalewatch]
       npm run restore:aws -- --resume [--stack Whalewatch]

Restores tables and data bucket as they were at a time, then prints the setting for the deployment that uses them.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { to: { type: 'string' }, stack: { type: 'string', default: 'Whalewatch' }, resume: { type: 'boolean' } },
  });
  const { to = '', stack } = values;
  const clients = {
    cloudFormation: new CloudFormationClient({}),
    dynamo: new DynamoDBClient({}),
    s3: new S3Client({}),
    lambda: new LambdaClient({}),
  };
  if (values.resume) {
    await resume({ stack, clients });
    console.log('export and process run again');
  } else if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(to)) {
    console.error(`--to is "${to}": must be a time such as 2026-11-28T12:00:00Z\n\n${help}`);
    process.exitCode = 2;
  } else {
    const existing = await restore({ stack, to: new Date(to), clients, log: console.log });
    console.log(`\nNow, in whalewatch.config.ts:\n\n  existing: ${JSON.stringify(existing)},\n`);
    console.log('then npm run deploy, then npm run restore:aws -- --resume');
  }
}

if (import.meta.main) await runTool(main);
