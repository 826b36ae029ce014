// What a deployment reports about the account's quotas before it begins.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { before, type TestContext, test } from 'node:test';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import { needsOf, type Quotas, quotasOf, shortfalls } from '../../../infra/tools/preflight.ts';
import { buildPages } from '../../../web/build.ts';
import { configurations, resourcesOf, synthesise } from '../../support/synthesise.ts';

before(() => buildPages());

const needs = (name: keyof typeof configurations) => needsOf(resourcesOf(synthesise(configurations[name]).stack));
const quota = (value: number) => ({ value, service: 'lambda', code: 'L-1' });
const plenty: Quotas = {
  concurrency: quota(10_000),
  requests: quota(10_000),
  shards: quota(500),
  fargate: quota(1000),
  spark: quota(1000),
};

test('what a template needs is counted from its resources', () => {
  const { shards, background, requests, fargate, spark } = needs('default');
  assert.equal(background, shards + 3, 'one batch per shard, export, training and alerts');
  assert.ok(requests >= 2200, "the sum of the stage's throttles");
  assert.deepEqual([fargate, spark], [0, 0]);
  // Ten servers of one vCPU, and a training of four.
  assert.equal(needs('fargate').fargate, 14);
  assert.equal(needs('spark').spark, 16);
});

test('an account whose quotas are large enough gets no message', () => {
  assert.deepEqual(shortfalls(needs('fargate'), plenty), { throttled: [], refused: [] });
});

test('each quota that is too small is named, with its consequence and how to request more', () => {
  const { throttled, refused } = shortfalls(
    { background: 3, reserved: 0, requests: 2200, shards: 4, fargate: 14, spark: 32 },
    { concurrency: quota(10), requests: quota(2000), shards: quota(2), fargate: quota(6), spark: quota(16) },
  );
  assert.equal(throttled.length, 4);
  assert.match(throttled[0], /runs 10 functions at once.* 3 are process.* 7 are left.* 350 a second, of the 2200/);
  for (const line of [...throttled, ...refused]) assert.match(line, /service-quotas request-service-quota-increase/);
  assert.match(throttled[1], /2000 requests a second/);
  assert.match(throttled[2], /6 processors; servers and training need 14/);
  assert.match(throttled[3], /16 processors; trainSpark allows 32/);
  assert.match(refused.join(), /need 4 shards; this account may have 2/);
});

test("a concurrency reservation that leaves the account less than Lambda's minimum is refused in advance", () => {
  const reserved = { background: 3, reserved: 5, requests: 0, shards: 1, fargate: 0, spark: 0 };
  const { refused } = shortfalls(reserved, { ...plenty, concurrency: quota(10) });
  assert.match(refused.join(), /reservedConcurrency is 5 together: this account runs 10.* --desired-value 105/);
  assert.deepEqual(shortfalls(reserved, { ...plenty, concurrency: quota(105) }).refused, []);
});

/** Stands in for Service Quotas and Lambda: speaks their protocol over HTTP. */
async function account(t: TestContext, concurrent: number, listed: Record<string, [string, number][]>) {
  const server = createServer(async (request, reply) => {
    reply.setHeader('content-type', 'application/x-amz-json-1.1');
    if (request.method === 'GET')
      return reply.end(JSON.stringify({ AccountLimit: { ConcurrentExecutions: concurrent } }));
    const { ServiceCode, NextToken } = (await json(request)) as { ServiceCode: string; NextToken?: string };
    const quotas = listed[ServiceCode];
    if (!quotas)
      return reply.writeHead(400).end(JSON.stringify({ __type: 'AccessDeniedException', message: 'no right' }));
    // One quota a page.
    const at = Number(NextToken ?? 0);
    const [QuotaName, Value] = quotas[at];
    const next = at + 1 < quotas.length ? { NextToken: String(at + 1) } : {};
    reply.end(JSON.stringify({ Quotas: [{ QuotaName, Value, QuotaCode: `L-${at}` }], ...next }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const client = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-west-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
  };
  return { quotas: new ServiceQuotasClient(client), lambda: new LambdaClient(client) };
}

test('quotas are read by name, page by page; the concurrency limit comes from Lambda itself', async (t) => {
  const clients = await account(t, 10, {
    lambda: [
      ['Asynchronous payload', 256],
      ['Concurrent executions', 1000],
    ],
    apigateway: [['Throttle rate', 10_000]],
    kinesis: [['Shards per Region', 200]],
  });
  const { quotas, unread } = await quotasOf(needs('default'), clients);
  assert.deepEqual(unread, []);
  assert.deepEqual(quotas.concurrency, { service: 'lambda', code: 'L-1', value: 10 });
  assert.equal(quotas.shards?.value, 200);
  assert.equal(quotas.fargate, undefined, 'not requested: nothing needs it');
});

test('a quota that may not be read is reported, and stops nothing', async (t) => {
  const clients = await account(t, 1000, { lambda: [['Concurrent executions', 1000]], kinesis: [['Other', 1]] });
  const { quotas, unread } = await quotasOf(needs('default'), clients);
  assert.equal(quotas.concurrency?.value, 1000);
  assert.match(unread.join('\n'), /Throttle rate \(apigateway\): .*no right/);
  assert.match(unread.join('\n'), /Shards per Region \(kinesis\): Service Quotas does not list it/);
  assert.deepEqual(shortfalls(needs('default'), quotas).refused, []);
});
