// Reads one S3 bucket with Node's own HTTP client, for tiles: the SDK's client would add 70 ms to a cold start that
// somebody waits for, and fetch takes three times as long to deliver a body of 3 MB
// (docs/decisions/0004-tiles-are-a-function.md). Code that writes uses objects.ts.
import { request as overHttp } from 'node:http';
import { request as overHttps } from 'node:https';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { ObjectStore } from '#core/stores.ts';
import type { Signer } from '../signed.ts';
import { noBytesOf, rangeHeader } from './ranges.ts';

export interface ReadsOptions {
  /** `https://BUCKET.s3.REGION.amazonaws.com`, or with the bucket in its path. */
  bucketUrl: string;
  /** Must sign for the service s3. */
  sign: Signer;
}

interface Reply {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Uint8Array;
}

const attempts = 3;
const timeoutMs = 8000;

/** Same contract as `openObjects`, get and head only. */
export function openReads({ bucketUrl, sign }: ReadsOptions): Pick<ObjectStore, 'get' | 'head'> {
  const once = async (method: string, key: string, given: Record<string, string>): Promise<Reply> => {
    const url = new URL(`${bucketUrl}/${key.split('/').map(encodeURIComponent).join('/')}`);
    const headers = await sign(url, { method, headers: given });
    const signal = AbortSignal.timeout(timeoutMs);
    return new Promise((resolve, reject) => {
      const send = url.protocol === 'http:' ? overHttp : overHttps;
      const request = send(url, { method, headers, signal }, (response) => {
        const { statusCode: status = 0, headers } = response;
        buffer(response).then((body) => resolve({ status, headers, body }), reject);
      });
      request.on('error', reject).end();
    });
  };

  /** Returns undefined if the object does not exist. Throttled, failed and timed-out calls are tried again. */
  const ask = async (method: string, key: string, headers: Record<string, string> = {}) => {
    for (let attempt = 1; ; attempt++) {
      const response = await once(method, key, headers).catch((cause: Error) => cause);
      if (response instanceof Error) {
        if (attempt === attempts) throw new Error(`S3 does not respond to ${method} ${key}`, { cause: response });
      } else {
        const { status } = response;
        if (status < 300 || status === 416) return response;
        if (status === 404) return undefined;
        if (attempt === attempts || (status !== 429 && status < 500))
          throw new Error(`S3 responds ${status} to ${method} ${key}`);
      }
      await wait(Math.random() * 50 * 4 ** attempt);
    }
  };

  const head: ObjectStore['head'] = async (key) => {
    const { headers } = (await ask('HEAD', key)) ?? {};
    if (!headers) return undefined;
    const modified = Date.parse(String(headers['last-modified'])) || 0;
    return { key, etag: String(headers.etag ?? ''), size: Number(headers['content-length']), modified };
  };

  return {
    head,
    async get(key, range) {
      if (range && range.end <= range.start) return noBytesOf(await head(key));
      const found = await ask('GET', key, range && { range: rangeHeader(range) });
      if (found?.status === 416) return noBytesOf(await head(key));
      return found && { body: found.body, etag: String(found.headers.etag ?? '') };
    },
  };
}
