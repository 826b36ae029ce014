// The search index of a deployment is lost, and rebuilt from its events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { dynamoClient, searchStore } from '#aws/clients.ts';
import { newestIndex, openEvents } from '#aws/dynamodb/events.ts';
import { readWebhook } from '#collect/webhook.ts';
import type { RegistryLine } from '#core/event.ts';
import { classifier } from '#core/registry/classify.ts';
import { storeEvents } from '#process/pulls.ts';
import { recountDeployed } from '../../infra/tools/recount.ts';
import { pullOf } from '../support/registry-event.ts';
import { eventually } from '../support/run.ts';
import { awsEnvironment, notInstalled, startMiniStack, startOpenSearch } from './servers.ts';

test('an empty search index gets every pull back', { skip: notInstalled, timeout: 300_000 }, async (t) => {
  const [ministack, opensearch] = await Promise.all([startMiniStack(), startOpenSearch()]);
  t.after(() => Promise.all([ministack.stop(), opensearch.stop()]));
  Object.assign(process.env, awsEnvironment(ministack.url));
  const dynamo = new DynamoDBClient({});
  const text = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' as const });
  const keys = (hash: string, range: string) => [
    { AttributeName: hash, KeyType: 'HASH' as const },
    { AttributeName: range, KeyType: 'RANGE' as const },
  ];
  for (const TableName of ['events', 'keys', 'alerts'])
    await dynamo.send(
      new CreateTableCommand({
        ...{ TableName, BillingMode: 'PAY_PER_REQUEST', KeySchema: keys('pk', 'sk') },
        AttributeDefinitions: ['pk', 'sk', 'list', 'at'].map(text),
        GlobalSecondaryIndexes: [
          { IndexName: newestIndex, KeySchema: keys('list', 'at'), Projection: { ProjectionType: 'ALL' } },
        ],
      }),
    );
  const s3 = new S3Client({ forcePathStyle: true });
  await s3.send(new CreateBucketCommand({ Bucket: 'data' }));
  const variables = {
    ...{ EVENTS_TABLE: 'events', KEYS_TABLE: 'keys', ALERTS_TABLE: 'alerts', BUCKET: 'data', CLASS_RULES: '[]' },
    ...{ SEARCH_ENDPOINT: opensearch.url, SEARCH_SIGNED: 'false', PULL_WINDOW_SECONDS: '2' },
  };
  const clock = () => Date.now();
  const search = searchStore(opensearch.url, false, 'process');
  const events = Array.from({ length: 40 }, (_, n) =>
    pullOf(`user-${n % 3}`, `team/app-${n % 2}`, { n, time: Date.UTC(2026, 9, 1) + n * 3_600_000 }),
  );
  const lines = readWebhook(JSON.stringify({ events }), clock()).records.flatMap(({ data }) =>
    Buffer.from(data).toString().split('\n'),
  );
  await storeEvents(
    lines.map((line, n) => ({ event: (JSON.parse(line) as RegistryLine).event, origin: `s:1:${n}` })),
    {
      ...{ search, classify: classifier(), pullWindowSeconds: 2 },
      events: openEvents({ client: dynamoClient(), table: 'events', keyTable: 'keys', clock }),
      locator: { locate: () => undefined } as never,
    },
  );
  const pulls = () => search.counts({ by: 'class' });
  const before = await eventually(60, pulls, ({ total }) => total.pulls === 40);
  for (const name of Object.keys((await (await fetch(`${opensearch.url}/_aliases`)).json()) as object))
    await fetch(`${opensearch.url}/${name}`, { method: 'DELETE' });
  const done = await recountDeployed(variables, s3, () => {});
  assert.deepEqual([done.events, done.pairs], [40, 6]);
  const after = await eventually(60, pulls, ({ total }) => total.pulls === 40);
  assert.deepEqual(after, before);
});
