import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConditionalCheckFailedException, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, NoSuchKey, S3Client } from '@aws-sdk/client-s3';
import { withUnavailable } from '#aws/unavailable.ts';
import { StoreUnavailable } from '#core/stores.ts';
import { startService } from '../support/service.ts';

const options = {
  ...{ region: 'us-east-1', maxAttempts: 1, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } },
};

const readFrom = (endpoint: string) => {
  const client = withUnavailable(new DynamoDBClient({ ...options, endpoint }));
  return client.send(new GetItemCommand({ TableName: 'events', Key: { pk: { S: 'a' } } }));
};

test("a table that fails, throttles or can't be reached is unavailable; an invalid call is not", async (t) => {
  const rows: [number, string, boolean][] = [
    [500, 'InternalServerError', true],
    [503, 'ServiceUnavailable', true],
    [400, 'ThrottlingException', true],
    [400, 'ProvisionedThroughputExceededException', true],
    [400, 'RequestLimitExceeded', true],
    [400, 'ValidationException', false],
    [400, 'ResourceNotFoundException', false],
    [400, 'AccessDeniedException', false],
  ];
  for (const [status, name, unavailable] of rows) {
    const endpoint = await startService(t, (_, response) => {
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'because' }));
    });
    await assert.rejects(readFrom(endpoint), (cause: Error) => {
      assert.equal(cause instanceof StoreUnavailable, unavailable, `${name}: ${cause.name}`);
      assert.match(unavailable ? cause.message : cause.name, new RegExp(name));
      return true;
    });
  }
  await assert.rejects(readFrom('http://127.0.0.1:1'), StoreUnavailable);
  const broken = await startService(t, (request) => request.socket.destroy());
  await assert.rejects(readFrom(broken), StoreUnavailable);
});

test('a failed condition and a missing key are not reported as unavailable', async (t) => {
  const conditional = await startService(t, (_, response) => {
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify({ __type: 'com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException' }));
  });
  await assert.rejects(readFrom(conditional), ConditionalCheckFailedException);
  const bucket = await startService(t, (_, response) => {
    response.writeHead(404, { 'content-type': 'application/xml' });
    response.end('<Error><Code>NoSuchKey</Code><Message>none</Message></Error>');
  });
  const client = withUnavailable(new S3Client({ ...options, endpoint: bucket, forcePathStyle: true }));
  await assert.rejects(client.send(new GetObjectCommand({ Bucket: 'b', Key: 'k' })), NoSuchKey);
});
