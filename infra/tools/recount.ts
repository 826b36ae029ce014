// npm run recount:aws [-- --stack Whalewatch]: recomputes pulls and rewrites search from the stored events, by the
// rules of this version and of the deployment, with the credentials of the environment, while the stack runs. It may be
// stopped: the next run continues.
import { parseArgs } from 'node:util';
import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { dynamoClient, searchStore } from '#aws/clients.ts';
import { clock } from '#aws/clock.ts';
import { openAlerts } from '#aws/dynamodb/alerts.ts';
import { openEvents } from '#aws/dynamodb/events.ts';
import { number } from '#aws/env.ts';
import { openObjects } from '#aws/s3/objects.ts';
import { classifier, type OwnClassRule } from '#core/registry/classify.ts';
import type { Variables } from '#process/env.ts';
import { type Recounted, recount } from '#process/recount.ts';
import { runTool } from './errors.ts';

/** Recounts the deployment whose process function has these variables. */
export function recountDeployed(
  variables: Pick<Variables, RecountVariable>,
  s3: S3Client,
  progress: (done: Recounted) => void,
): Promise<Recounted> {
  const client = dynamoClient();
  const { EVENTS_TABLE: table, KEYS_TABLE: keyTable, ALERTS_TABLE, BUCKET: bucket } = variables;
  return recount({
    events: openEvents({ client, table, keyTable, clock }),
    alerts: openAlerts({ client, table: ALERTS_TABLE, clock }),
    search: searchStore(variables.SEARCH_ENDPOINT, variables.SEARCH_SIGNED === 'true', 'process'),
    objects: openObjects({ client: s3, bucket }),
    classify: classifier(JSON.parse(variables.CLASS_RULES) as OwnClassRule[]),
    pullWindowSeconds: number('PULL_WINDOW_SECONDS', variables.PULL_WINDOW_SECONDS),
    clock,
    continues: progress,
    progress,
  });
}

export type RecountVariable =
  | 'EVENTS_TABLE'
  | 'KEYS_TABLE'
  | 'ALERTS_TABLE'
  | 'BUCKET'
  | 'SEARCH_ENDPOINT'
  | 'SEARCH_SIGNED'
  | 'CLASS_RULES'
  | 'PULL_WINDOW_SECONDS';

/** The variables of the stack's process function. Throws if there is none. */
async function processVariables(
  stack: string,
  clients: { cloudFormation: CloudFormationClient; lambda: LambdaClient },
): Promise<Variables> {
  for await (const page of paginateListStackResources({ client: clients.cloudFormation }, { StackName: stack }))
    for (const { LogicalResourceId = '', PhysicalResourceId, ResourceType } of page.StackResourceSummaries ?? [])
      if (ResourceType === 'AWS::Lambda::Function' && /ProcessRegistry/.test(LogicalResourceId)) {
        const found = await clients.lambda.send(
          new GetFunctionConfigurationCommand({ FunctionName: PhysicalResourceId }),
        );
        return found.Environment?.Variables as Variables;
      }
  throw new Error(`the stack ${stack} has no process function: name another with --stack`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { stack: { type: 'string', default: 'Whalewatch' } } });
  const clients = { cloudFormation: new CloudFormationClient({}), lambda: new LambdaClient({}) };
  const variables = await processVariables(values.stack, clients);
  let shown = 0;
  const { events, pairs, changed } = await recountDeployed(variables, new S3Client({}), (done) => {
    if (clock() - shown < 1000) return;
    shown = clock();
    console.error(`${done.events} events of ${done.pairs} users' repositories`);
  });
  console.log(`${events} events of ${pairs} users' repositories are in search again; ${changed} pulls changed`);
}

if (import.meta.main) await runTool(main);
