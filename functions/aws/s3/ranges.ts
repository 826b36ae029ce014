// What both readers of S3 know about ranges.
import type { ObjectInfo } from '#core/stores.ts';

/** The header of a range of bytes whose end may be infinite. */
export const rangeHeader = ({ start, end }: { start: number; end: number }) =>
  `bytes=${start}-${Number.isFinite(end) ? end - 1 : ''}`;

/** S3 has no empty range and responds 416 to one past the end: both are read as no bytes. */
export const noBytesOf = (found?: ObjectInfo) => found && { body: new Uint8Array(), etag: found.etag };
