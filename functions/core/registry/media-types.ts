/** Distribution's own split: every other media type is a blob's. */
export function isManifest(mediaType: unknown): boolean {
  return typeof mediaType === 'string' && (mediaType.includes('manifest') || mediaType.includes('image.index'));
}

/** An OCI index or a Docker manifest list. */
export function isIndex(mediaType = ''): boolean {
  return mediaType.includes('image.index') || mediaType.includes('manifest.list');
}

/** So many manifests of an index are kept at most: an event must fit in an item of DynamoDB (400 KB). */
export const mostReferences = 2000;
