import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openReads } from '#aws/s3/reads.ts';
import { openSigner } from '#aws/signed.ts';

const credentials = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const sign = openSigner({
  ...{ service: 's3', region: 'us-east-1', credentials },
  clock: () => Date.UTC(2013, 4, 24),
});

// The first example of "Signature Calculations for the Authorization Header" in the Amazon S3 API Reference.
test("the signature of Amazon's own example is reproduced", async () => {
  const headers = { range: 'bytes=0-9' };
  const signed = await sign(new URL('https://examplebucket.s3.amazonaws.com/test.txt'), { method: 'GET', headers });
  assert.match(signed.authorization, /SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, /);
  assert.match(signed.authorization, /Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41$/);
});

/**
 * A bucket `b` with one object of ten bytes. It first responds with the statuses in `failures`; 0 breaks the
 * connection.
 */
async function bucket(t: TestContext, failures: number[] = []) {
  const asked: { url?: string; method?: string; headers: IncomingHttpHeaders }[] = [];
  const body = Buffer.from('0123456789');
  const server = createServer(({ url, method, headers, socket }, reply) => {
    asked.push({ url, method, headers });
    const failure = failures.shift();
    if (failure === 0) return socket.destroy();
    if (failure) return reply.writeHead(failure).end('<Error/>');
    if (url !== '/b/points/a%20b%2B/points.bin') return reply.writeHead(404).end();
    const [, start, end] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
    if (Number(start) >= body.length) return reply.writeHead(416).end('<Error/>');
    const part = start ? body.subarray(Number(start), end ? Number(end) + 1 : undefined) : body;
    reply.writeHead(start ? 206 : 200, {
      ...{ ETag: '"e"', 'Last-Modified': 'Sat, 21 Nov 2026 00:00:00 GMT', 'Content-Length': part.length },
    });
    reply.end(method === 'HEAD' ? undefined : part);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { asked, server, reads: openReads({ bucketUrl: `http://127.0.0.1:${port}/b`, sign }) };
}
const key = 'points/a b+/points.bin';

test('objects and ranges are read by signed requests; a missing object is undefined', async (t) => {
  const { asked, reads } = await bucket(t);
  const text = async (...range: [{ start: number; end: number }?]) => {
    const found = await reads.get(key, ...range);
    assert.equal(found?.etag, '"e"');
    return Buffer.from(found?.body ?? []).toString();
  };
  assert.equal(await text(), '0123456789');
  assert.equal(await text({ start: 2, end: 4 }), '23');
  assert.equal(await text({ start: 8, end: Number.POSITIVE_INFINITY }), '89');
  assert.equal(await text({ start: 3, end: 3 }), '', 'an empty range');
  assert.equal(await text({ start: 10, end: 20 }), '', 'behind the end');
  const modified = Date.UTC(2026, 10, 21);
  assert.deepEqual(await reads.head(key), { key, etag: '"e"', size: 10, modified });
  assert.equal(await reads.get('points/gone'), undefined);
  assert.equal(await reads.get('points/gone', { start: 0, end: 1 }), undefined);
  assert.equal(await reads.head('points/gone'), undefined);
  for (const { headers } of asked) assert.match(headers.authorization ?? '', /^AWS4-HMAC-SHA256 Credential=AKIAI/);
});

test('a temporary failure is tried again; a lasting one is reported with its key', async (t) => {
  const passing = await bucket(t, [503, 0]);
  assert.equal((await passing.reads.get(key))?.body.length, 10);
  assert.equal(passing.asked.length, 3);
  const down = await bucket(t, [500, 500, 500]);
  await assert.rejects(down.reads.get(key), /S3 responds 500 to GET points\/a b\+/);
  const denied = await bucket(t, [403]);
  await assert.rejects(denied.reads.head(key), /S3 responds 403 to HEAD points\/a b\+/);
  assert.equal(denied.asked.length, 1);
  const broken = await bucket(t, [0, 0, 0]);
  await assert.rejects(broken.reads.get(key), /S3 does not respond to GET/);
});
