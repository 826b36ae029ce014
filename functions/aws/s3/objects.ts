// Objects in one S3 bucket. Its encryption is SSE-S3, whose ETag is the body's MD5.
import { createHash } from 'node:crypto';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  type S3Client,
  S3ServiceException,
} from '@aws-sdk/client-s3';
import { type ObjectInfo, type ObjectStore, PreconditionFailed } from '#core/stores.ts';
import { noBytesOf, rangeHeader } from './ranges.ts';

export interface ObjectsOptions {
  client: S3Client;
  bucket: string;
}

/**
 * The rights that each method needs on the keys. S3 responds 404 for a missing key only to callers that may list the
 * bucket, and 403 to others. `put` needs GetObject for a HEAD: if its response was lost, it checks whether its own
 * object was stored.
 */
export const objectRights = {
  get: ['s3:GetObject'],
  head: ['s3:GetObject'],
  put: ['s3:PutObject', 's3:GetObject'],
  list: [],
  remove: ['s3:DeleteObject'],
} satisfies Record<keyof ObjectStore, string[]>;
/** The right on the bucket, for every method. */
export const bucketRights = ['s3:ListBucket'];

const keysAtOnce = 1000;

export function openObjects({ client, bucket }: ObjectsOptions): ObjectStore {
  const Bucket = bucket;

  const head = (Key: string) =>
    ifThere(async () => {
      const found = await client.send(new HeadObjectCommand({ Bucket, Key }));
      return {
        key: Key,
        etag: found.ETag ?? '',
        size: found.ContentLength ?? 0,
        modified: found.LastModified?.getTime() ?? 0,
      };
    });

  return {
    async get(Key, range) {
      if (range && range.end <= range.start) return noBytesOf(await head(Key));
      const Range = range && rangeHeader(range);
      try {
        return await ifThere(async () => {
          const { Body, ETag = '' } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
          return { body: (await Body?.transformToByteArray()) ?? new Uint8Array(), etag: ETag };
        });
      } catch (cause) {
        if (statusOf(cause) === 416) return noBytesOf(await head(Key));
        throw cause;
      }
    },
    head,
    async put(Key, body, { ifMatch, ifNoneMatch, contentType, cacheControl, contentEncoding } = {}) {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      try {
        const { ETag = '' } = await client.send(
          new PutObjectCommand({
            ...{ Bucket, Key, Body: bytes, IfMatch: ifMatch, IfNoneMatch: ifNoneMatch },
            ...{ ContentType: contentType, CacheControl: cacheControl, ContentEncoding: contentEncoding },
          }),
        );
        return { etag: ETag };
      } catch (cause) {
        // 409: another conditional put of this key was in progress. 404: the object to match does not exist.
        const status = statusOf(cause);
        if (status !== 412 && status !== 409 && !(status === 404 && ifMatch !== undefined)) throw cause;
        // The client's first attempt may have succeeded without a response, so that its second one met its own object:
        // then the put succeeded.
        if (triesOf(cause) > 1) {
          const held = await head(Key);
          const etag = `"${createHash('md5').update(bytes).digest('hex')}"`;
          if (held?.etag === etag) return { etag };
        }
        const expected = ifMatch === undefined ? 'already exists' : `is not ${ifMatch}, or no longer`;
        throw new PreconditionFailed(`${Key} ${expected}`, { cause });
      }
    },
    async list(Prefix) {
      const found: ObjectInfo[] = [];
      let ContinuationToken: string | undefined;
      do {
        const page = await client.send(
          new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken, MaxKeys: keysAtOnce }),
        );
        for (const { Key = '', ETag = '', Size = 0, LastModified } of page.Contents ?? [])
          found.push({ key: Key, etag: ETag, size: Size, modified: LastModified?.getTime() ?? 0 });
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken);
      return found;
    },
    async remove(keys) {
      for (let start = 0; start < keys.length; start += keysAtOnce) {
        const Objects = keys.slice(start, start + keysAtOnce).map((Key) => ({ Key }));
        const { Errors = [] } = await client.send(
          new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
        );
        if (Errors.length > 0) throw new Error(`${Errors.length} objects were not removed: ${Errors[0].Code}`);
      }
    },
  };
}

async function ifThere<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (cause) {
    if (statusOf(cause) === 404) return undefined;
    throw cause;
  }
}

const statusOf = (cause: unknown) => (cause instanceof S3ServiceException ? cause.$metadata.httpStatusCode : undefined);
const triesOf = (cause: unknown) => (cause instanceof S3ServiceException ? (cause.$metadata.attempts ?? 1) : 1);
