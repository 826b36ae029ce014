/** Distribution's own split: every other media type is a blob's. */
export function isManifest(mediaType: unknown): boolean {
  return typeof mediaType === 'string' && (mediaType.includes('manifest') || mediaType.includes('image.index'));
}

/** An OCI index or a Docker manifest list. */
export function isIndex(mediaType = ''): boolean {
  return mediaType.includes('image.index') || mediaType.includes('manifest.list');
}

/** Of an index with more manifests only so many are kept: an event must fit in an item of DynamoDB (400 KB). */
export const mostReferences = 2000;
