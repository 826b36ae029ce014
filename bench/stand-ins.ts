// What stands in for AWS while a bundled function is measured.
import type { Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Server } from 'node:net';

/** Listens on a free port of this machine; returns the URL. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The response of Kinesis to a put of one record. */
export function onePut(reply: Http2ServerResponse): void {
  reply.setHeader('Content-Type', 'application/x-amz-json-1.1');
  reply.end('{"FailedRecordCount":0,"Records":[{"SequenceNumber":"1","ShardId":"s"}]}');
}
