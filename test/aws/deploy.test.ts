// npm run test:aws: the real stacks, deployed by the real CDK to MiniStack, beside a real OpenSearch: traffic through the
// HTTP API, export and training, everything read back; an update that keeps the data; and the end.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { tablePath } from '#geo/keep.ts';
import { verify } from '../../infra/verify.ts';
import { captures, eventsOf, readCapture } from '../captured.ts';
import { awsEnvironment, notInstalled, startMiniStack, startOpenSearch } from './servers.ts';

const root = join(import.meta.dirname, '../..');
const skip = notInstalled && `install the servers with ${notInstalled}`;

test('the whole system deploys, works, takes an update and goes', { skip, timeout: 600_000 }, async (t) => {
  const [ministack, opensearch] = await Promise.all([startMiniStack(), startOpenSearch()]);
  const folder = mkdtempSync(join(tmpdir(), 'deploy-'));
  t.after(async () => {
    await Promise.all([ministack.stop(), opensearch.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });
  const environment = { ...process.env, ...awsEnvironment(ministack.url) };
  const client = {
    endpoint: ministack.url,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };

  const cdk = async (...args: string[]) => {
    const child = spawn(process.execPath, [join(root, 'node_modules/aws-cdk/bin/cdk'), ...args, '--output', folder], {
      cwd: root,
      env: environment,
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    const code = await new Promise((resolve) => child.on('close', resolve));
    assert.equal(code, 0, output.slice(-4000));
    return output;
  };
  // What the emulator lacks, and nothing else: docs/deploy.md.
  const flags = (settings: object) => {
    const emulated = { withoutPages: true, plainHttp: true, ipTable: tablePath(), s3: ministack.url };
    const search = { endpoint: opensearch.url, signed: false };
    return Object.entries({ emulated, search, batchWindow: 1, ...settings }).flatMap(([name, value]) => [
      '-c',
      `${name}=${JSON.stringify(value)}`,
    ]);
  };
  const deploy = async (settings: object) => {
    const file = join(folder, 'outputs.json');
    await cdk('deploy', '--require-approval', 'never', '--outputs-file', file, ...flags(settings));
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

  await cdk('bootstrap', 'aws://000000000000/us-east-1');
  const outputs = await deploy({});
  const [token, reader] = [await secret(outputs.WebhookToken), await secret(outputs.ReadToken)];
  const [apiId] = new URL(outputs.Api).host.split('.');
  const url = `${ministack.url}/_aws/execute-api/${apiId}/$default`;
  const get = async <T>(path: string) => {
    const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${reader}` } });
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return (await answer.json()) as T;
  };
  const exported = async () => {
    // The schedule's smallest rate is a minute; invoking is quicker, and twice at once is harmless.
    await invoke(outputs.ExportFunction);
    return true;
  };
  const eventually = async <T>(read: () => Promise<T>, right: (value: T) => boolean) => {
    for (let tries = 0; ; tries++) {
      const value = await read();
      if (right(value)) return value;
      assert.ok(tries < 60, JSON.stringify(value).slice(0, 1000));
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  };
  type Pulls = { total: { pulls: number; raw: number; pushes: number } };
  const pulls = () => get<Pulls>('/v1/pulls');

  await t.test('captured registry traffic comes out as its counts', async () => {
    const posts = captures.flatMap((name) => readCapture(name));
    for (const { headers, body } of posts) {
      const type = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
      const answer = await fetch(`${url}/v1/registry-events`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${token}`, 'Content-Type': type },
        body,
      });
      assert.equal(answer.status, 202, await answer.text());
    }
    const manifests = eventsOf(posts).filter(({ kind }) => kind === 'manifest');
    const of = (action: string) => manifests.filter((event) => event.action === action).length;
    const { total } = await eventually(pulls, ({ total }) => total.raw === of('pull') && total.pushes === of('push'));
    assert.ok(total.pulls > 0 && total.pulls < total.raw, JSON.stringify(total));
  });

  const check = async () => {
    const stop = setInterval(() => exported().catch(() => {}), 3000);
    try {
      await verify({ url, token, reader, seconds: 60, log: (line) => t.diagnostic(line) });
    } finally {
      clearInterval(stop);
    }
  };

  await t.test('hits and pulls go in, map, history and counts come out', check);

  await t.test('training publishes a model, and recommendations come of it', async () => {
    const { id, refused } = await invoke(outputs.TrainFunction);
    assert.equal(refused, undefined);
    const { current } = await get<{ current: { id: string } }>('/v1/model');
    assert.equal(current.id, id);
    const { items } = await get<{ items: { repository: string }[] }>('/v1/recommendations?user=nobody-yet');
    assert.ok(items.length > 0, 'a new person gets what is popular');
  });

  await t.test('an update keeps the data', async () => {
    const before = await pulls();
    const again = await deploy({ keepDays: 3 });
    assert.deepEqual(again, outputs);
    assert.deepEqual(await pulls(), before);
    await check();
  });

  await t.test('destroy ends it', async () => {
    await cdk('destroy', '--force', ...flags({}));
    await assert.rejects(
      new CloudFormationClient(client).send(new DescribeStacksCommand({ StackName: 'Whalewatch' })),
      /does not exist/,
    );
  });
});
