// The contracts of the stores on AWS: the adapters against MiniStack and a real OpenSearch.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { CreateTableCommand, DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  CreateStreamCommand,
  DescribeStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
} from '@aws-sdk/client-kinesis';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { DynamoDBDocumentClient } from '@aws-sdk/lib-dynamodb';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { alertRights, openAlerts } from '#aws/dynamodb/alerts.ts';
import { checkpointRights, openCheckpoints } from '#aws/dynamodb/checkpoints.ts';
import { credentialRights, openCredentials } from '#aws/dynamodb/credentials.ts';
import { eventIndexRights, eventKeyRights, eventRights, newestIndex, openEvents } from '#aws/dynamodb/events.ts';
import { openRefusals, refusalRights } from '#aws/dynamodb/refusals.ts';
import { openStream, streamRights } from '#aws/kinesis/stream.ts';
import { openSearchCall } from '#aws/opensearch/opensearch.ts';
import { openSearch } from '#aws/opensearch/search.ts';
import { bucketRights, objectRights, openObjects } from '#aws/s3/objects.ts';
import { openLargeObjects, replyBytes } from '#aws/s3/presign.ts';
import type { SearchStore } from '#core/stores.ts';
import { openSearch as openLocalSearch } from '#local/stores/search/search.ts';
import { storeEvents } from '#process/pulls.ts';
import { rightsOf } from '../../infra/checks/check.ts';
import { alertContract } from '../contracts/alerts.ts';
import { checkpointContract } from '../contracts/checkpoints.ts';
import { claimContract } from '../contracts/claims.ts';
import { credentialContract } from '../contracts/credentials.ts';
import { eventContract } from '../contracts/events.ts';
import { objectContract } from '../contracts/objects.ts';
import { refusalContract } from '../contracts/refusals.ts';
import { pull, start, storedEvent } from '../contracts/samples.ts';
import { searchContract } from '../contracts/search.ts';
import { streamContract } from '../contracts/stream.ts';
import { resourcesOf, synthesise } from '../support/synthesise.ts';
import { onIndex, watchCalls, watchSearch } from './rights.ts';
import { notInstalled, startMiniStack, startOpenSearch } from './servers.ts';

if (notInstalled) test(`the stores on AWS (install the servers with ${notInstalled})`, { skip: true });
else await contracts();

/** Rights for situations that no contract can cause. */
const beyondContract = new Set([
  // After a put whose reply was lost, the adapter reads whose object is stored.
  'objects.put needs no s3:GetObject',
]);

/** The methods of search that serve calls. */
const ofServe: string[] = [
  ...([
    'users',
    'repositories',
    'catalogue',
    'pulledDays',
    'pulled',
    'pushed',
    'counts',
    'pullers',
    'unused',
    'images',
  ] satisfies (keyof SearchStore)[]),
  ...(['deleted', 'imageUse', 'recommendations', 'shown', 'saveShown', 'forget'] satisfies (keyof SearchStore)[]),
];

async function contracts() {
  const [ministack, opensearch] = await Promise.all([startMiniStack(), startOpenSearch()]);
  after(() => Promise.all([ministack.stop(), opensearch.stop()]));
  const settings = {
    endpoint: ministack.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  // Over HTTP/2, the default, MiniStack truncates responses at 64 KiB.
  const kinesis = new KinesisClient({ ...settings, requestHandler: new NodeHttpHandler() });
  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const dynamo = new DynamoDBClient(settings);
  const client = DynamoDBDocumentClient.from(dynamo, { marshallOptions: { removeUndefinedValues: true } });
  const watch = watchCalls(kinesis, s3, client);
  let count = 0;
  const fresh = () => `made-${++count}`;

  const makeTable = async (keys: string[], index?: { name: string; keys: string[] }) => {
    const table = fresh();
    const schema = (names: string[]) =>
      names.map((AttributeName, n) => ({ AttributeName, KeyType: (['HASH', 'RANGE'] as const)[n] }));
    await dynamo.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [...keys, ...(index?.keys ?? [])].map((AttributeName) => ({
          AttributeName,
          AttributeType: 'S',
        })),
        KeySchema: schema(keys),
        GlobalSecondaryIndexes: index && [
          { IndexName: index.name, KeySchema: schema(index.keys), Projection: { ProjectionType: 'ALL' } },
        ],
      }),
    );
    return table;
  };

  streamContract('Kinesis', async () => {
    const stream = fresh();
    await kinesis.send(new CreateStreamCommand({ StreamName: stream, ShardCount: 2 }));
    return {
      stream: watch.store('stream', openStream({ client: kinesis, stream }), { put: streamRights }),
      async read() {
        const { StreamDescription } = await kinesis.send(new DescribeStreamCommand({ StreamName: stream }));
        const records = [];
        for (const { ShardId = '' } of StreamDescription?.Shards ?? []) {
          let { ShardIterator } = await kinesis.send(
            new GetShardIteratorCommand({ StreamName: stream, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
          );
          for (;;) {
            const { Records = [], NextShardIterator } = await kinesis.send(new GetRecordsCommand({ ShardIterator }));
            if (Records.length === 0) break;
            for (const { SequenceNumber = '', PartitionKey = '', Data } of Records)
              records.push({
                shard: ShardId,
                // MiniStack's sequence numbers have leading zeros, those of Kinesis do not.
                sequenceNumber: SequenceNumber.replace(/^0+/, ''),
                key: PartitionKey,
                data: Data ?? new Uint8Array(),
              });
            ShardIterator = NextShardIterator;
          }
        }
        return records;
      },
    };
  });

  checkpointContract('DynamoDB checkpoints', async () =>
    watch.store('checkpoints', openCheckpoints({ client, table: await makeTable(['pk', 'sk']) }), checkpointRights),
  );

  eventContract('DynamoDB events', async (clock, bounds) =>
    watch.store(
      'events',
      openEvents({
        client,
        table: await makeTable(['pk', 'sk'], { name: newestIndex, keys: ['list', 'at'] }),
        keyTable: await makeTable(['pk', 'sk']),
        clock,
        ...bounds,
      }),
      ...[eventRights, onIndex(eventIndexRights), eventKeyRights],
    ),
  );

  credentialContract('DynamoDB credentials', async (clock) =>
    watch.store(
      'credentials',
      openCredentials({ client, table: await makeTable(['pk', 'sk']), clock }),
      credentialRights,
    ),
  );

  refusalContract('DynamoDB refusals', async (clock) =>
    watch.store('refusals', openRefusals({ client, table: await makeTable(['pk', 'sk']), clock }), refusalRights),
  );

  claimContract('DynamoDB claims', async () =>
    watch.store(
      'alerts',
      openAlerts({ client, table: await makeTable(['pk', 'sk']), clock: () => Date.now() }),
      alertRights,
    ),
  );

  alertContract('DynamoDB alerts', async (clock) =>
    watch.store('alerts', openAlerts({ client, table: await makeTable(['pk', 'sk']), clock }), alertRights),
  );

  objectContract('S3 objects', async () => {
    const bucket = fresh();
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    return watch.store('objects', openObjects({ client: s3, bucket }), objectRights, { list: bucketRights });
  });

  test('an object too large for a reply has a signed URL, for GET and for HEAD, which needs no credentials', async () => {
    const bucket = fresh();
    await s3.send(new CreateBucketCommand({ Bucket: bucket }));
    const objects = openObjects({ client: s3, bucket });
    const address = openLargeObjects({ client: s3, bucket, objects });
    await objects.put('small.json', 'x'.repeat(replyBytes));
    await objects.put('points/large one+.json', 'x'.repeat(replyBytes + 1), { contentType: 'application/json' });
    assert.equal(await address('none.json', 'GET'), undefined);
    assert.equal(await address('small.json', 'GET'), undefined);
    for (const method of ['GET', 'HEAD']) {
      const url = (await address('points/large one+.json', method)) ?? '';
      assert.match(url, /X-Amz-Expires=60\b/);
      const answer = await fetch(url, { method });
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('content-type'), 'application/json');
      assert.equal((await answer.text()).length, method === 'GET' ? replyBytes + 1 : 0);
    }
  });

  test('a batch of events takes few calls: keys and rows are sent as lists, and only queries go one by one', async () => {
    const [table, keyTable] = [
      await makeTable(['pk', 'sk'], { name: newestIndex, keys: ['list', 'at'] }),
      await makeTable(['pk', 'sk']),
    ];
    const calls = new Map<string, number>();
    const counted = DynamoDBDocumentClient.from(new DynamoDBClient(settings), {
      marshallOptions: { removeUndefinedValues: true },
    });
    counted.middlewareStack.add(
      (next, { commandName = '' }) =>
        (args) => {
          calls.set(commandName, (calls.get(commandName) ?? 0) + 1);
          return next(args);
        },
      { step: 'initialize', name: 'count' },
    );
    const options = {
      events: openEvents({ client: counted, table, keyTable, clock: () => start }),
      search: openLocalSearch(':memory:'),
      ...{ locator: { locate: () => undefined }, classify: () => 'human' as const, pullWindowSeconds: 2 },
    };
    const [pairs, count] = [50, 500];
    const batch = Array.from({ length: count }, (_, n) => {
      const {
        addressDigests,
        country,
        client,
        class: kind,
        origin,
        ...event
      } = storedEvent(`e${n}`, start + n * 120_000, {
        ...{ user: `user-${n % pairs}`, repository: `app-${n % pairs}` },
      });
      return { event: { ...event, address: '' }, origin: `shard-0:${n}:0` };
    });
    await storeEvents(batch, options);
    const pulls = (await options.search.counts({})).total.pulls;
    assert.equal(pulls, count);
    assert.deepEqual(Object.fromEntries([...calls].sort()), {
      // Lists of users' repositories, events and versions: 100 keys a call.
      BatchGetItemCommand: 1 + count / 100 + 1,
      // 25 rows a call.
      BatchWriteItemCommand: count / 25,
      // For each user and repository: the events and the pulls around them.
      QueryCommand: 2 * pairs,
      // Conditional writes are transactions: 50 new entries of lists each; versions and pulls, at most 99 rows, never
      // splitting a user.
      TransactWriteItemsCommand: 1 + Math.ceil(pairs / Math.floor(100 / (1 + count / pairs))),
    });
    const all = [...calls.values()].reduce((sum, number) => sum + number, 0);
    assert.ok(all / count < 0.3, `${all / count} calls an event`);

    // A repeated batch writes nothing.
    calls.clear();
    await storeEvents(batch, options);
    assert.deepEqual([...calls.keys()].sort(), ['BatchGetItemCommand', 'QueryCommand']);
  });

  test('each method of an adapter lists exactly the rights that its calls need', () => {
    assert.ok(watch.called().length >= 30, String(watch.called()));
    const faults = watch.faults().filter((line) => !beyondContract.has(line));
    assert.deepEqual(faults, []);
  });

  const searches: ReturnType<typeof watchSearch>[] = [];
  searchContract('OpenSearch', async () => {
    const prefix = fresh();
    const call = openSearchCall({ endpoint: opensearch.url });
    const watched = watchSearch(prefix);
    searches.push(watched);
    return {
      store: watched.store(openSearch({ endpoint: opensearch.url, prefix, sign: watched.sign })),
      async settled() {
        await call('POST', `/${prefix}-*/_refresh`);
      },
    };
  });

  /** Whether a function may make a call of OpenSearch. */
  const rightsOfFunction = (name: string) => {
    const resources = resourcesOf(synthesise().stack);
    const role = Object.keys(resources).find((id) => new RegExp(`^Whalewatch${name}Role[0-9A-F]{8}$`).test(id)) ?? '';
    const allowed = rightsOf(resources, role).flatMap(({ Action, Resource }) =>
      Action.filter((action) => action.startsWith('es:ESHttp')).flatMap((action) =>
        Resource.map((resource) => `${action.slice(9).toUpperCase()} ${resource.replace(/^.*\.Arn>/, '')}`),
      ),
    );
    assert.ok(allowed.length > 5, String(allowed));
    return (made: string) =>
      allowed.some((one) => (one.endsWith('*') ? made.startsWith(one.slice(0, -1)) : made === one));
  };

  test('serve may make each call of OpenSearch that its reads make', () => {
    const mayCall = rightsOfFunction('ServeFunction');
    const found = searches.flatMap(({ calls }) => [...calls]).filter(([method]) => ofServe.includes(method));
    for (const method of ofServe)
      assert.ok(
        found.some(([called]) => called === method),
        `${method} was not called`,
      );
    const beyond = found.flatMap(([method, made]) =>
      [...made].filter((one) => !mayCall(one)).map((one) => `${method}: ${one}`),
    );
    assert.deepEqual(beyond, []);
  });

  test('training may make each call of OpenSearch that sums need', async () => {
    const watched = watchSearch(fresh());
    const prefix = `made-${count}`;
    const store = watched.store(openSearch({ endpoint: opensearch.url, prefix, sign: watched.sign }));
    await store.write([{ kind: 'pull', id: '1', version: 1, doc: pull('1', start) }]);
    await store.sumUp(start + 3 * 86_400_000);
    const mayCall = rightsOfFunction('TrainFunction');
    const made = [...(watched.calls.get('sumUp') ?? [])];
    assert.ok(made.length >= 4, String(made));
    assert.deepEqual(
      made.filter((one) => !mayCall(one)),
      [],
    );
  });
}
