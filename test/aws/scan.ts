// Searches every byte that a deployment stores for a text: tables, buckets, search, logs.
import { gunzipSync } from 'node:zlib';
import { DynamoDBClient, paginateListTables, paginateScan } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListBucketsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';

export interface ClientSettings {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
}

/**
 * Reads everything once. The function it returns says where a text is: `table NAME`, `object BUCKET/KEY`, `index NAME`,
 * `log GROUP`.
 */
export async function readEverything(settings: ClientSettings, opensearch: string) {
  const found: [string, Buffer][] = [];
  const add = (place: string, bytes: Uint8Array | string) => found.push([place, Buffer.from(bytes as Uint8Array)]);

  const dynamo = new DynamoDBClient(settings);
  for await (const { TableNames = [] } of paginateListTables({ client: dynamo }, {}))
    for (const TableName of TableNames)
      for await (const { Items = [] } of paginateScan({ client: dynamo }, { TableName }))
        add(`table ${TableName}`, JSON.stringify(Items));

  const s3 = new S3Client({ ...settings, forcePathStyle: true });
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}));
  for (const { Name: Bucket } of Buckets)
    for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket }))
      for (const { Key = '' } of Contents.filter(({ Size = 0 }) => Size < 20e6)) {
        const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
        const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
        add(`object ${Bucket}/${Key}`, bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes);
      }

  const indices = (await (await fetch(`${opensearch}/_cat/indices?format=json`)).json()) as { index: string }[];
  for (const { index } of indices) {
    await fetch(`${opensearch}/${index}/_refresh`, { method: 'POST' });
    add(`index ${index}`, await (await fetch(`${opensearch}/${index}/_search?size=10000`)).text());
  }

  const logs = async <T>(action: string, body: object) => {
    const answer = await fetch(settings.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': `Logs_20140328.${action}`, 'Content-Type': 'application/x-amz-json-1.1' },
      body: JSON.stringify(body),
    });
    return (await answer.json()) as T;
  };
  const { logGroups } = await logs<{ logGroups: { logGroupName: string }[] }>('DescribeLogGroups', {});
  for (const { logGroupName } of logGroups)
    for (let nextToken: string | undefined; ; ) {
      const page = await logs<{ events: { message: string }[]; nextToken?: string }>('FilterLogEvents', {
        logGroupName,
        nextToken,
      });
      for (const { message } of page.events) add(`log ${logGroupName}`, `${message}\n`);
      nextToken = page.nextToken;
      if (!nextToken) break;
    }

  const places = [...new Set(found.map(([place]) => place))];
  return {
    places,
    holding: (text: string) => [...new Set(found.flatMap(([place, bytes]) => (bytes.includes(text) ? [place] : [])))],
  };
}
