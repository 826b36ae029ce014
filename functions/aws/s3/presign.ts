// URLs of objects that are too large for a function's response: Lambda sends at most 6 MB, and base64 adds a third.
import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ObjectStore } from '#core/stores.ts';

/** The most bytes of a body that fit into a response with its headers. */
export const replyBytes = 4_000_000;
const expiresIn = 60;

export interface LargeObjectsOptions {
  client: S3Client;
  bucket: string;
  objects: Pick<ObjectStore, 'head'>;
}

/**
 * Returns a URL for an object above `replyBytes`, for one method (GET or HEAD), that is valid for a minute without
 * further credentials; undefined for an object that fits into a response or does not exist.
 */
export function openLargeObjects({ client, bucket, objects }: LargeObjectsOptions) {
  return async (key: string, method: string): Promise<string | undefined> => {
    const found = await objects.head(key);
    if (!found || found.size <= replyBytes) return;
    const object = { Bucket: bucket, Key: key };
    const command = method === 'HEAD' ? new HeadObjectCommand(object) : new GetObjectCommand(object);
    return getSignedUrl(client, command as GetObjectCommand, { expiresIn });
  };
}
