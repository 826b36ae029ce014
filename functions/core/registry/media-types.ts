/** Distribution's own split: every other media type is a blob's. */
export function isManifest(mediaType: unknown): boolean {
  return typeof mediaType === 'string' && (mediaType.includes('manifest') || mediaType.includes('image.index'));
}
