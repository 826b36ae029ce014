// infra/app.ts as MiniStack can deploy it: what the emulator lacks is removed from the template after synthesis, so
// that the constructs need not know about it. docs/deploy.md lists what is removed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Resource, Resources } from '../../infra/checks/check.ts';

await import('../../infra/app.ts');

const { CDK_OUTDIR = '', EMULATOR = '{}' } = process.env;
/**
 * Where the IP table is, as MiniStack does not unpack layers under /opt; where S3 is, as its buckets have no host names
 * of their own.
 */
const { ipTable, s3 } = JSON.parse(EMULATOR) as { ipTable: string; s3: string };

/**
 * CDK's own functions need the AWS CLI of Python and the SDK of the Lambda runtime (npm run destroy empties the pages
 * itself); the others are types that MiniStack does not know, as are alarms on a sum of metrics.
 */
const lacking = /^(Custom::CDKBucketDeployment|Custom::S3AutoDeleteObjects|AWS::CodeDeploy::.*|AWS::Budgets::Budget)$/;
const uploader = /^CustomCDKBucketDeployment/;

const file = join(CDK_OUTDIR, 'Whalewatch.template.json');
const template = JSON.parse(readFileSync(file, 'utf8')) as { Resources: Resources };
for (const [id, resource] of Object.entries(template.Resources)) {
  const onSum = resource.Type === 'AWS::CloudWatch::Alarm' && resource.Properties.Metrics;
  if (lacking.test(resource.Type) || uploader.test(id) || onSum) delete template.Resources[id];
  else adapt(resource);
}
for (const resource of Object.values(template.Resources) as (Resource & { DependsOn?: string[] })[])
  if (resource.DependsOn) resource.DependsOn = [resource.DependsOn].flat().filter((id) => id in template.Resources);
writeFileSync(file, JSON.stringify(template));

function adapt({ Type, Properties }: Resource): void {
  // MiniStack speaks plain HTTP.
  if (Type === 'AWS::S3::BucketPolicy' || Type === 'AWS::SNS::TopicPolicy' || Type === 'AWS::SQS::QueuePolicy') {
    const { PolicyDocument } = Properties;
    PolicyDocument.Statement = PolicyDocument.Statement.filter(({ Effect }: { Effect: string }) => Effect === 'Allow');
  }
  if (Type === 'AWS::Lambda::Function') {
    const variables = Properties.Environment?.Variables ?? {};
    if (variables.IP_TABLE) variables.IP_TABLE = ipTable;
    if (variables.BUCKET_URL) {
      const [bucket] =
        JSON.stringify(variables.BUCKET_URL)
          .match(/"Fn::GetAtt":\["(\w+)"/)
          ?.slice(1) ?? [];
      variables.BUCKET_URL = { 'Fn::Join': ['', [`${s3}/`, { Ref: bucket }]] };
    }
  }
}
