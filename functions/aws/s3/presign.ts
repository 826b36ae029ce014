// Addresses of objects that a function's reply can't hold: Lambda sends 6 MB at most, and base64 is a third longer.
import { GetObjectCommand, HeadObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import type { ObjectStore } from '#core/stores.ts';

/** Bytes of a body that fit into a reply, with its headers around it. */
export const replyBytes = 4_000_000;
const expiresIn = 60;

export interface LargeObjectsOptions {
  client: S3Client;
  bucket: string;
  objects: Pick<ObjectStore, 'head'>;
}

/**
 * Returns where an object above `replyBytes` is had with a method (GET or HEAD), for a minute and without further
 * credentials; undefined for one that fits into a reply, and for one that is not there.
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
