/** As Distribution distinguishes them: every other media type is a blob's. */
export function isManifest(mediaType: unknown): boolean {
  return typeof mediaType === 'string' && (mediaType.includes('manifest') || mediaType.includes('image.index'));
}

/** An OCI index or a Docker manifest list. */
export function isIndex(mediaType = ''): boolean {
  return mediaType.includes('image.index') || mediaType.includes('manifest.list');
}

/** The most manifests of an index that are kept, so that an event fits into an item of DynamoDB (400 KB). */
export const mostReferences = 2000;
