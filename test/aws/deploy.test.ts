// npm run test:aws: the real stacks, deployed by the real CDK to MiniStack, beside a real OpenSearch: traffic through the
// HTTP API, export and training, everything read back; a person forgotten; an update of the code that keeps the data;
// removal.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { CloudWatchClient, DescribeAlarmsCommand } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { GetAliasCommand, InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import {
  DeleteObjectCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';
import { pullsOf } from '#core/registry/pull.ts';
import { tablePath } from '#geo/keep.ts';
import { IpTable } from '#geo/table.ts';
import { alarmsRing } from '../../infra/tools/alarms.ts';
import { bundle } from '../../infra/tools/bundle.ts';
import { restore, resume } from '../../infra/tools/restore.ts';
import { verify } from '../../infra/tools/verify.ts';
import { buildPages } from '../../web/build.ts';
import { byPersonAndRepository, captures, eventsOf, readCapture, readFixture } from '../support/captured.ts';
import { pullOf } from '../support/registry-event.ts';
import { readEverything } from './scan.ts';
import { awsEnvironment, notInstalled, type Server, startMiniStack, startOpenSearch } from './servers.ts';

const root = join(import.meta.dirname, '../..');
const skip = notInstalled && `install the servers with ${notInstalled}`;

/** The address that each hit comes from, and the domain it is for. */
const visits = [
  ['london.example', '81.2.69.142'],
  ['linkoping.example', '89.160.20.112'],
  ['dns.example', '8.8.8.8'],
  ['six.example', '2a02:d280::1'],
];
const person = 'zoë.to-be-forgotten';

test('the whole system is deployed, works, is updated and is removed', { skip, timeout: 720_000 }, async (t) => {
  const folder = join(root, `build/deploy-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  /** Stopped at the end, even if the other server did not start. */
  const started = async <Started extends Server>(starting: Promise<Started>) => {
    const server = await starting;
    t.after(() => server.stop());
    return server;
  };
  // The bundles that CDK packs are built while the servers start.
  const servers = [started(startMiniStack()), started(startOpenSearch())] as const;
  const [ministack, opensearch] = await Promise.all([...servers, buildPages(), bundle()]);
  const emulator = JSON.stringify({ ipTable: tablePath(), s3: ministack.url });
  const environment = { ...process.env, ...awsEnvironment(ministack.url), EMULATOR: emulator };
  const client = {
    endpoint: ministack.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };

  const run = async (project: string, script: string, args: string[]) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: project, env: environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, output.slice(-4000));
    return output;
  };
  const cdk = 'node_modules/aws-cdk/bin/cdk';
  const settings = {
    search: { endpoint: opensearch.url, signed: false },
    batchWindow: 1,
    // The test's hits come over loopback and name their client's address in a header.
    trustedProxies: ['127.0.0.1'],
    rules: [{ name: 'people', when: 'first-pull' }],
  };
  const flags = (more: object = {}) => [
    // The app, without what the emulator lacks.
    ...['--output', join(folder, 'cdk.out'), '--app', 'node test/aws/app.ts'],
    ...Object.entries({ ...settings, ...more }).flatMap(([name, value]) => ['-c', `${name}=${JSON.stringify(value)}`]),
  ];
  /** The output of the last deployment. */
  let said = '';
  const deploy = async (project: string, more?: object) => {
    const file = join(folder, 'outputs.json');
    said = await run(project, join(project, 'infra/tools/deploy.ts'), [
      '--yes',
      '--outputs-file',
      file,
      ...flags(more),
    ]);
    return JSON.parse(readFileSync(file, 'utf8')).Whalewatch as Record<string, string>;
  };
  const secret = async (id: string) => {
    const { SecretString } = await new SecretsManagerClient(client).send(new GetSecretValueCommand({ SecretId: id }));
    return SecretString ?? '';
  };
  const invoke = async (name: string) => {
    const answer = await new LambdaClient(client).send(new InvokeCommand({ FunctionName: name }));
    const text = new TextDecoder().decode(answer.Payload);
    assert.equal(answer.FunctionError, undefined, text);
    return JSON.parse(text);
  };

  await run(root, cdk, ['bootstrap', 'aws://000000000000/us-east-1', ...flags()]);
  const outputs = await deploy(root);
  const [token, reader] = [await secret(outputs.WebhookToken), await secret(outputs.OwnerToken)];
  const [apiId] = new URL(outputs.Api).host.split('.');
  const url = `${ministack.url}/_aws/execute-api/${apiId}/$default`;

  const get = async <T>(path: string) => {
    const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${reader}` } });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
    return (await answer.json()) as T;
  };
  const notify = async (body: string, type = 'application/vnd.docker.distribution.events.v2+json') => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': type };
    const answer = await fetch(`${url}/v1/registry-events`, { method: 'POST', headers, body });
    assert.equal(answer.status, 202, await answer.text());
  };
  const hit = async (domain: string, address: string) => {
    const headers = { 'Content-Type': 'text/plain', 'X-Forwarded-For': address };
    const body = JSON.stringify([{ domain }, { domain }]);
    const answer = await fetch(`${url}/v1/hits`, { method: 'POST', headers, body });
    assert.equal(answer.status, 202, await answer.text());
  };
  const eventually = async <T>(read: () => Promise<T>, right: (value: T) => boolean, seconds = 60) => {
    for (const end = performance.now() + seconds * 1000; ; ) {
      const value = await read();
      if (right(value)) return value;
      assert.ok(performance.now() < end, JSON.stringify(value).slice(0, 1000));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  };
  const cloudFormation = new CloudFormationClient(client);
  const resources = async () => {
    const { StackResources = [] } = await cloudFormation.send(
      new DescribeStackResourcesCommand({ StackName: 'Whalewatch' }),
    );
    return StackResources;
  };
  /** Resources that hold data, by their names in the account. */
  const stateful = async () =>
    (await resources())
      .filter(({ ResourceType = '' }) => /Table|Bucket$|Stream|Secret$/.test(ResourceType))
      .map(({ LogicalResourceId, PhysicalResourceId }) => `${LogicalResourceId} ${PhysicalResourceId}`)
      .sort();
  /** The versions that the aliases of collect, serve and tiles point to; collect has two. */
  const live = async () => {
    const lambda = new LambdaClient(client);
    const functions = (await resources()).filter(
      ({ ResourceType, LogicalResourceId = '' }) =>
        ResourceType === 'AWS::Lambda::Function' &&
        /Collect(Function|Registry)|ServeFunction|ServeTiles/.test(LogicalResourceId),
    );
    assert.equal(functions.length, 4);
    return Promise.all(
      functions.map(async ({ PhysicalResourceId }) => {
        const { FunctionVersion } = await lambda.send(
          new GetAliasCommand({ FunctionName: PhysicalResourceId, Name: 'live' }),
        );
        return `${PhysicalResourceId} ${FunctionVersion}`;
      }),
    );
  };
  type Point = { domain: string; lat: number; lon: number };
  const map = () => get<{ keepDays: number; points: Point[] }>('/points.json');
  type Pulls = { total: { pulls: number; raw: number; rawPushes: number } };
  const pulls = (query: Record<string, string> = {}) => get<Pulls>(`/v1/pulls?${new URLSearchParams(query)}`);

  await t.test("before it begins, a deployment shows its changes and the account's quotas that are too small", () => {
    const at = ['AWS::Kinesis::Stream', 'Quotas of the account', 'Outputs:'].map((text) => said.indexOf(text));
    assert.ok(at[0] >= 0 && at[0] < at[1] && at[1] < at[2], `${at} in ${said.slice(0, 4000)}`);
  });

  await t.test('hits are sent; the export schedule puts them on the map while the other tests go on', async () => {
    for (const [domain, address] of visits) await hit(domain, address);
  });

  await t.test('captured registry traffic gives the expected counts', async () => {
    const posts = captures.flatMap((name) => readCapture(name));
    for (const { headers, body } of posts)
      await notify(body, headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1]);

    type Expected = { push?: number; pullGet?: number; pullHead?: number };
    const expected = new Map<string, { user: string; repository: string; raw: number; rawPushes: number }>();
    for (const name of captures)
      for (const [user, repositories] of Object.entries<Record<string, Expected>>(
        readFixture('expected-counts.json')[name].manifests,
      ))
        for (const [repository, { push = 0, pullGet = 0, pullHead = 0 }] of Object.entries(repositories)) {
          const pair = JSON.stringify([user, repository]);
          const sum = expected.get(pair) ?? { user, repository, raw: 0, rawPushes: 0 };
          expected.set(pair, { ...sum, raw: sum.raw + pullGet + pullHead, rawPushes: sum.rawPushes + push });
        }
    const sum = (of: 'raw' | 'rawPushes') => [...expected.values()].reduce((total, row) => total + row[of], 0);
    const { total } = await eventually(
      pulls,
      ({ total }) => total.raw === sum('raw') && total.rawPushes === sum('rawPushes'),
    );

    const honest = byPersonAndRepository(eventsOf(posts)).flatMap((events) => pullsOf(events));
    assert.equal(total.pulls, honest.length);
    for (const { user, repository, raw, rawPushes } of expected.values()) {
      if (user === '(none)') continue;
      const { total } = await pulls({ user, repository });
      const own = honest.filter((pull) => pull.user === user && pull.repository === repository).length;
      assert.deepEqual([total.pulls, total.raw, total.rawPushes], [own, raw, rawPushes], `${user} ${repository}`);
    }
  });

  await t.test("the map has each domain at its visitors' location, with its hits", async () => {
    // The test does not invoke export: its schedule does, once a minute.
    const { points } = await eventually(map, ({ points }) => points.length === visits.length, 130);
    const table = new IpTable(readFileSync(tablePath()));
    for (const [domain, address] of visits) {
      const point = points.find((point) => point.domain === domain);
      const place = table.locate(address);
      assert.ok(point && place, domain);
      assert.ok(Math.abs(point.lat - place.lat) < 1e-4 && Math.abs(point.lon - place.lon) < 1e-4, domain);
    }
    const { features } = await get<{ features: { properties: { point_count?: number } }[] }>(
      '/v1/tiles/latest/0/0/0.json',
    );
    const counted = features.reduce((sum, { properties }) => sum + (properties.point_count ?? 1), 0);
    assert.equal(counted, visits.length);
    const { items } = await get<{ items: { key: string; hits: number }[] }>('/v1/hits?by=domain');
    for (const [domain] of visits) assert.equal(items.find(({ key }) => key === domain)?.hits, 2, domain);
  });

  const check = async () => {
    // Invoked while its schedule runs too: two exports at once are harmless.
    const stop = setInterval(() => invoke(outputs.ExportFunction).catch(() => {}), 3000);
    try {
      await verify({ url, token, reader, address: '8.8.8.8', seconds: 60, log: (line) => t.diagnostic(line) });
    } finally {
      clearInterval(stop);
    }
  };

  await t.test('the check for accounts passes', check);

  const asked = { id: 'r', addr: '203.0.113.200:55555', method: 'GET', useragent: 'docker/27.3.1' };
  const pull = (repository: string, more: object = {}) => pullOf(person, repository, { request: asked, ...more });
  type Advice = { items: { repository: string; source: string }[] };
  const recommended = (user: string) =>
    get<Advice>(`/v1/recommendations?${new URLSearchParams({ user })}`).then(({ items }) =>
      // A function caches the catalogue for a while: it may still have what the check for accounts pulled and forgot.
      items.map(({ repository }) => repository).filter((repository) => !repository.startsWith('verify/')),
    );

  await t.test('training publishes a model, and recommendations come from it', async () => {
    await notify(JSON.stringify({ events: [pull('team-a/api'), pull('own/image'), pull('odd', { action: 5 })] }));
    await eventually(
      () => get<{ items: { text: string }[] }>('/v1/alerts?limit=200'),
      ({ items }) => items.some(({ text }) => text.startsWith(`${person} pulls for the first time`)),
    );
    await eventually(
      () => pulls({ user: person }),
      ({ total }) => total.pulls === 2,
    );
    const { id, refused } = await invoke(outputs.TrainFunction);
    assert.equal(refused, undefined);
    const { current } = await get<{ current: { id: string } }>('/v1/model');
    assert.equal(current.id, id);
    assert.ok((await recommended('nobody-yet')).length > 0, 'a new person gets what is popular');
    const { items } = await get<Advice>(`/v1/recommendations?${new URLSearchParams({ user: person })}`);
    assert.ok(items.length > 0 && items.every(({ repository }) => !['team-a/api', 'own/image'].includes(repository)));
    assert.ok(
      ['trending', 'popular'].includes(items[0].source),
      'with too few pulls to judge models, popularity is served',
    );
  });

  await t.test('a forgotten person is no longer in any table, bucket, index or log; an address never was', async () => {
    const before = await readEverything(client, opensearch.url);
    const kinds = new Set(
      before.holding(person).map((place) => place.replace(/(table .*(Events|Notices)|index \S+).*/, '$1')),
    );
    for (const kind of [/Events/, /Notices/, /index .*documents/, /index .*recommendations/])
      assert.ok(
        [...kinds].some((place) => kind.test(place)),
        `${kind} in ${[...kinds]}`,
      );
    assert.ok(
      before.places.some((place) => place.startsWith('log ')),
      'logs are read too',
    );
    for (const address of [...visits.map(([, address]) => address), '203.0.113.200'])
      assert.deepEqual(before.holding(address), [], address);

    const answer = await fetch(`${url}/v1/users?${new URLSearchParams({ user: person })}`, {
      method: 'DELETE',
      headers: { Authorization: `Bearer ${reader}` },
    });
    assert.equal(answer.status, 200, await answer.text());
    const after = await readEverything(client, opensearch.url);
    assert.deepEqual(after.holding(person), []);
    assert.deepEqual(after.holding(JSON.stringify(person).slice(1, -1)), []);
  });

  await t.test('no function failed', async () => {
    const { holding } = await readEverything(client, opensearch.url);
    assert.deepEqual(holding('"level":"error"'), []);
  });

  await t.test('every alarm rings, and then returns to its state', async () => {
    const cloudWatch = new CloudWatchClient(client);
    const states = async () => {
      const { MetricAlarms = [] } = await cloudWatch.send(new DescribeAlarmsCommand({}));
      return MetricAlarms.map(({ AlarmName, StateValue }) => `${AlarmName} ${StateValue}`).sort();
    };
    const before = await states();
    const rung: string[] = [];
    await alarmsRing({
      stack: 'Whalewatch',
      clients: { cloudFormation, cloudWatch, sns: new SNSClient(client), sqs: new SQSClient(client) },
      log: (line) => rung.push(line),
    });
    // Without the alarms on a sum of metrics, which MiniStack does not support.
    assert.ok(rung.length >= 11, rung.join());
    assert.equal(rung.length, before.length);
    assert.deepEqual(await states(), before);
  });

  await t.test('CloudFront allows only /embed in a frame', async () => {
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    for (const page of ['index', 'embed', 'people'])
      await s3.send(
        new PutObjectCommand({ Bucket: outputs.Pages, Key: `${page}.html`, Body: page, ContentType: 'text/html' }),
      );
    const { host } = new URL(outputs.Site);
    const { port } = new URL(ministack.url);
    const edge = (path: string, method = 'GET') =>
      new Promise<{ status?: number; headers: Record<string, unknown>; body: string }>((resolve, reject) =>
        request({ port, path, method, headers: { host, 'x-forwarded-proto': 'https' } }, (answer) => {
          let body = '';
          answer.on('data', (chunk) => {
            body += chunk;
          });
          answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body }));
        })
          .on('error', reject)
          .end(),
      );
    for (const [path, page, ancestors] of [
      ['/', 'index', "frame-ancestors 'none'"],
      ['/people', 'people', "frame-ancestors 'none'"],
      ['/embed', 'embed', 'frame-ancestors *'],
    ]) {
      const { status, headers, body } = await edge(path);
      assert.equal(status, 200, path);
      assert.equal(body, page);
      assert.ok(String(headers['content-security-policy']).includes(ancestors), path);
      assert.equal(headers['x-frame-options'], path === '/embed' ? undefined : 'DENY', path);
      assert.match(String(headers['strict-transport-security']), /max-age=31536000/);
    }
    const points = await edge('/points.json');
    assert.equal(points.status, 200);
    assert.equal(points.headers['content-encoding'], 'gzip');
  });

  await t.test('an update of the code keeps the data', async () => {
    const project = join(folder, 'project');
    for (const part of [
      'infra',
      'functions',
      'layers',
      'web',
      'settings',
      'test/aws',
      'package.json',
      'package-lock.json',
      'cdk.json',
      'whalewatch.config.ts',
    ])
      cpSync(join(root, part), join(project, part), { recursive: true });
    mkdirSync(join(project, 'build'));
    // A copy, not a link: the names of bundled files depend on the paths of their modules, and only serve may change.
    execFileSync('cp', ['-al', realpathSync(join(root, 'node_modules')), join(project, 'node_modules')]);
    for (const part of ['build/geo', 'build/layer-geo', 'build/web'])
      symlinkSync(realpathSync(join(root, part)), join(project, part));
    const file = join(project, 'functions/serve/openapi.ts');
    const code = readFileSync(file, 'utf8');
    const changed = code.replace("title: 'Whalewatch'", "title: 'Whalewatch, changed'");
    assert.notEqual(changed, code);
    writeFileSync(file, changed);

    const title = () => get<{ info: { title: string } }>('/v1/openapi.json').then(({ info }) => info.title);
    const read = async () => ({
      map: (await map()).points,
      pulls: await pulls(),
      history: await get<{ items: unknown[] }>('/v1/history?user=alice&limit=1000'),
      recommendations: await recommended('alice'),
      model: await get('/v1/model'),
      alerts: await get('/v1/alerts'),
    });
    await invoke(outputs.ExportFunction);
    // Only the forgotten person had pulled it; the function's cached catalogue is at most seconds old.
    await eventually(
      () => recommended('alice'),
      (list) => !list.includes('own/image'),
    );
    const before = await read();
    assert.ok(before.history.items.length > 0 && before.recommendations.length > 0);
    assert.equal(await title(), 'Whalewatch');
    const [keptBefore, liveBefore] = [await stateful(), await live()];
    assert.ok(keptBefore.length >= 8, String(keptBefore));
    assert.deepEqual(await deploy(project, { keepDays: 3 }), outputs);
    assert.deepEqual(await stateful(), keptBefore);
    // Only serve has new code: its alias moved to a new version, the others did not.
    const moved = (await live()).filter((version, at) => version !== liveBefore[at]);
    assert.equal(moved.length, 1, String(moved));
    assert.equal(await eventually(title, (title) => title !== 'Whalewatch'), 'Whalewatch, changed');
    assert.deepEqual(await read(), before);
    await check();
    await hit('after.example', '81.2.69.142');
    const old = before.map.map(({ domain }) => domain);
    // The hits of the check for accounts are on the map as well.
    const isThere = (points: Point[], domain: string) => points.some((point) => point.domain === domain);
    await eventually(
      map,
      ({ keepDays, points }) => keepDays === 3 && [...old, 'after.example'].every((domain) => isThere(points, domain)),
      90,
    );
  });

  await t.test('a restore recovers a lost table and a lost object', async () => {
    await invoke(outputs.ExportFunction);
    const before = { map: (await map()).points, pulls: await pulls(), history: await get('/v1/history?user=alice') };
    const moment = new Date(Date.now() + 1000);
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: outputs.Data, Prefix: 'state/' }));
    for (const { Key } of Contents) await s3.send(new DeleteObjectCommand({ Bucket: outputs.Data, Key }));
    const steps: string[] = [];
    const existing = await restore({
      stack: 'Whalewatch',
      to: moment,
      log: (line) => steps.push(line),
      clients: {
        cloudFormation,
        dynamo: new DynamoDBClient(client),
        s3,
        lambda: new LambdaClient(client),
      },
    });
    const { TableNames = [] } = await new DynamoDBClient(client).send(new ListTablesCommand({}));
    assert.ok(
      [existing.events, existing.checkpoints].every((name) => TableNames.includes(name)),
      steps.join('\n'),
    );
    // Without `since`: MiniStack does not support AT_TIMESTAMP when it replaces a mapping.
    const { since: _, ...tables } = existing;
    await deploy(root, { keepDays: 3, existing: tables });
    await resume({ stack: 'Whalewatch', clients: { cloudFormation, lambda: new LambdaClient(client) } });
    await invoke(outputs.ExportFunction);
    assert.deepEqual((await map()).points, before.map);
    assert.deepEqual(await pulls(), before.pulls);
    assert.deepEqual(await get('/v1/history?user=alice'), before.history);
  });

  await t.test('destroy lists what it keeps, and keeps nothing else', async () => {
    const s3 = new S3Client({ ...client, forcePathStyle: true });
    const { KeyCount = 0 } = await s3.send(new ListObjectsV2Command({ Bucket: outputs.Pages }));
    assert.ok(KeyCount > 0, 'there are pages');
    const said = await run(root, join(root, 'infra/tools/destroy.ts'), ['--force', ...flags()]);
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: outputs.Pages })));
    const { TableNames = [] } = await new DynamoDBClient(client).send(new ListTablesCommand({}));
    assert.deepEqual(
      TableNames.filter((name) => said.includes(`delete-table --table-name ${name}`)),
      TableNames,
    );
    // Events and checkpoints (the stack's own tables and the restored ones), and credentials.
    assert.equal(TableNames.length, 5, String(TableNames));
    const [, command] = said.match(/Stores\/Data +npm run destroy -- (.+)/) ?? [];
    assert.equal(command, `--delete-bucket ${outputs.Data}`);
    await assert.rejects(
      new CloudFormationClient(client).send(new DescribeStacksCommand({ StackName: 'Whalewatch' })),
      /does not exist/,
    );
    // The bucket has several versions of its objects.
    await run(root, join(root, 'infra/tools/destroy.ts'), ['--force', ...command.split(' ')]);
    await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: outputs.Data })));
  });
});
