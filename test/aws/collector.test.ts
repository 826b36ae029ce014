// The collector's server as Fargate runs it: the bundle in a process of its own, with Kinesis and Secrets Manager of
// MiniStack.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CreateStreamCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { ServerVariables } from '#collect/env.ts';
import { bundleFolder } from '../../infra/bundles.ts';
import { bundle } from '../../infra/tools/bundle.ts';
import { awsEnvironment, notInstalled, startMiniStack } from './servers.ts';

const skip = notInstalled && `install the servers with ${notInstalled}`;

test('a server stopped under load has put exactly the hits that it answered with 202', {
  skip,
  timeout: 120_000,
}, async (t) => {
  const [ministack] = await Promise.all([startMiniStack(), bundle()]);
  t.after(() => ministack.stop());
  const client = {
    endpoint: ministack.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  const kinesis = new KinesisClient(client);
  await kinesis.send(new CreateStreamCommand({ StreamName: 'hits', ShardCount: 2 }));
  await new SecretsManagerClient(client).send(new CreateSecretCommand({ Name: 'token', SecretString: 'secret-token' }));

  const server = spawn(process.execPath, [join(bundleFolder('collect-server'), 'index.mjs')], {
    env: {
      ...process.env,
      ...awsEnvironment(ministack.url),
      ...({
        REGISTRY_STREAM: 'hits',
        HITS_STREAM: 'hits',
        WEBHOOK_TOKEN_ID: 'token',
        TRUSTED_PROXIES: '127.0.0.0/8',
        ADDRESS_HEADER: 'X-Forwarded-For',
        NETWORKS: '{}',
        DOMAINS: '',
        REFUSE_HITS: 'false',
        PORT: '0',
        METRICS: 'whalewatch',
        CREDENTIALS_TABLE: 'credentials',
        REGISTRIES: '[]',
      } satisfies ServerVariables),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => server.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve));
  const port = await new Promise<string>((resolve, reject) => {
    ended.then((code) => reject(new Error(`the server ended with ${code} before it listened`)));
    let output = '';
    server.stdout.on('data', (chunk) => {
      output += chunk;
      const [, found] = /listening on (\d+)/.exec(output) ?? [];
      if (found) resolve(found);
    });
  });

  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body: JSON.stringify(body), headers });
  assert.equal((await post('/v1/registry-events', { events: [] })).status, 401);
  const known = await post('/v1/registry-events', { events: [] }, { authorization: 'Bearer secret-token' });
  assert.equal(known.status, 202);

  const answered = new Set<string>();
  let sent = 0;
  const send = async () => {
    while (sent < 20_000) {
      const domain = `d${sent++}.example`;
      const status = await post('/v1/hits', { domain }, { 'x-forwarded-for': '198.51.100.7' }).then(
        async (answer) => {
          await answer.arrayBuffer();
          return answer.status;
        },
        () => 0,
      );
      if (status === 202) answered.add(domain);
      if (answered.size === 1000) server.kill('SIGTERM');
      // New connections are refused by now.
      if (status === 0) return;
      assert.equal(status, 202);
    }
  };
  await Promise.all(Array.from({ length: 32 }, send));
  assert.equal(await ended, 0);
  assert.ok(answered.size >= 1000 && sent < 20_000, `${answered.size} of ${sent}`);

  const found: string[] = [];
  let records = 0;
  const { Shards = [] } = await kinesis.send(new ListShardsCommand({ StreamName: 'hits' }));
  for (const { ShardId } of Shards) {
    let { ShardIterator } = await kinesis.send(
      new GetShardIteratorCommand({ StreamName: 'hits', ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    for (;;) {
      // The emulator truncates longer responses.
      const { Records = [], NextShardIterator } = await kinesis.send(
        new GetRecordsCommand({ ShardIterator, Limit: 5 }),
      );
      if (Records.length === 0) break;
      records += Records.length;
      for (const { Data } of Records)
        for (const line of Buffer.from(Data as Uint8Array)
          .toString()
          .split('\n'))
          found.push(JSON.parse(line).domain);
      ShardIterator = NextShardIterator;
    }
  }
  assert.equal(new Set(found).size, found.length, 'no hit is there twice');
  assert.deepEqual(new Set(found), answered);
  t.diagnostic(`${answered.size} hits answered, ${found.length} in ${records} records`);
});
