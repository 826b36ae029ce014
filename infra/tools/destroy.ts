// npm run destroy [-- --force -c stackName=…]: says what stays and how to delete it, then CDK takes the rest down.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import {
  CloudFormationClient,
  GetTemplateCommand,
  paginateListStackResources,
  UpdateTerminationProtectionCommand,
} from '@aws-sdk/client-cloudformation';
import { DeleteObjectsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';

interface Template {
  Resources: Record<string, { Type: string; DeletionPolicy?: string; Metadata?: { 'aws:cdk:path'?: string } }>;
}

const deleting: Record<string, (name: string) => string> = {
  'AWS::DynamoDB::Table': (name) => `aws dynamodb delete-table --table-name ${name}`,
  'AWS::S3::Bucket': (name) => `aws s3 rb --force s3://${name}`,
  'AWS::OpenSearchService::Domain': (name) => `aws opensearch delete-domain --domain-name ${name}`,
};

/** What CloudFormation keeps of a stack when it is deleted: a line each, with the command that deletes it. */
export function kept({ Resources }: Template, names: Map<string, string>): string[] {
  return Object.entries(Resources)
    .filter(([, { DeletionPolicy }]) => DeletionPolicy === 'Retain' || DeletionPolicy === 'RetainExceptOnCreate')
    .flatMap(([id, { Type, Metadata }]) => {
      const name = names.get(id);
      if (name === undefined) return [];
      const place = Metadata?.['aws:cdk:path']?.split('/').slice(2, -1).join('/') ?? id;
      return [`${place.padEnd(20)} ${deleting[Type]?.(name) ?? `${Type} ${name}`}`];
    })
    .sort();
}

/** Empties the buckets that go with the stack: CloudFormation deletes no bucket that holds objects. */
async function emptied(StackName: string): Promise<void> {
  const client = new CloudFormationClient({});
  const s3 = new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });
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

/** Why the stack could not be read, and the mend. */
export function unread(stack: string, { name, message }: Error): string {
  const mend =
    message === 'Region is missing'
      ? ': set AWS_REGION, or AWS_PROFILE to a profile that has one'
      : name === 'CredentialsProviderError'
        ? ': run aws configure sso, or set AWS_PROFILE'
        : / does not exist$/.test(message)
          ? ': name another with -c stackName=NAME, or its region with AWS_REGION'
          : '';
  return `${stack} can not be read: ${message}${mend}`;
}

async function keptOf(StackName: string): Promise<string[]> {
  const client = new CloudFormationClient({});
  const { TemplateBody = '' } = await client.send(new GetTemplateCommand({ StackName }));
  const names = new Map<string, string>();
  for await (const page of paginateListStackResources({ client }, { StackName }))
    for (const { LogicalResourceId = '', PhysicalResourceId = '' } of page.StackResourceSummaries ?? [])
      names.set(LogicalResourceId, PhysicalResourceId);
  return kept(JSON.parse(TemplateBody), names);
}

if (import.meta.main) {
  const given = process.argv.slice(2);
  const stack = given.find((text) => text.startsWith('stackName='))?.slice('stackName='.length) ?? 'Whalewatch';
  try {
    const lines = await keptOf(stack);
    console.log(`Of ${stack} this stays, and is billed until you delete it yourself:`);
    for (const line of lines) console.log(`  ${line}`);
  } catch (cause) {
    console.error(unread(stack, cause as Error));
    process.exit(1);
  }
  if (!given.includes('--force')) {
    const terminal = createInterface({ input: process.stdin, output: process.stdout });
    const name = await terminal.question(`Type ${stack} to delete all the rest: `);
    terminal.close();
    if (name !== stack) {
      console.error(`${stack} stays as it is`);
      process.exit(1);
    }
  }
  // Until here nothing could delete it by mistake.
  const EnableTerminationProtection = false;
  await new CloudFormationClient({}).send(
    new UpdateTerminationProtectionCommand({ StackName: stack, EnableTerminationProtection }),
  );
  await emptied(stack);
  const cdk = join(import.meta.dirname, '../../node_modules/aws-cdk/bin/cdk');
  const flags = given.includes('--force') ? given : [...given, '--force'];
  const { status } = spawnSync(process.execPath, [cdk, 'destroy', ...flags], { stdio: 'inherit' });
  process.exit(status ?? 1);
}
