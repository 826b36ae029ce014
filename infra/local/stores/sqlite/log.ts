// The write-ahead log of a SQLite file: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
import { closeSync, fdatasyncSync, openSync, readSync, statSync } from 'node:fs';

const headerBytes = 32;
export const frameHeaderBytes = 24;
const magic = 0x377f0682;

/** A log's header. */
export interface LogHeader {
  pageBytes: number;
  /** Differs each time the log is written from its beginning again. */
  salts: string;
}

/** Runs a read of the log of a database; undefined if the log is missing or empty. */
export function withLog<T>(file: string, read: (log: number, header: LogHeader) => T): T | undefined {
  const path = `${file}-wal`;
  if (!statSync(path, { throwIfNoEntry: false })?.size) return undefined;
  const log = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(headerBytes);
    if (readSync(log, bytes, 0, headerBytes, 0) < headerBytes) return undefined;
    // The lowest bit says how checksums are computed.
    if ((bytes.readUInt32BE(0) & ~1) !== magic) return undefined;
    return read(log, { pageBytes: bytes.readUInt32BE(8), salts: bytes.toString('hex', 16, 24) });
  } finally {
    closeSync(log);
  }
}

/** Where a frame begins, in bytes; the first is 0. */
export const frameAt = (frame: number, pageBytes: number) => headerBytes + frame * (frameHeaderBytes + pageBytes);

/** Whether a frame was written since the log was last begun: then so were all before it. */
function isCurrent(log: number, frame: number, { pageBytes, salts }: LogHeader): boolean {
  const bytes = Buffer.alloc(frameHeaderBytes);
  const length = readSync(log, bytes, 0, frameHeaderBytes, frameAt(frame, pageBytes));
  return length === frameHeaderBytes && bytes.toString('hex', 8, 16) === salts;
}

/** Whether the log has more than `bytes` of frames to copy. The file alone does not tell: its end may be older. */
export function isLongerThan(file: string, bytes: number): boolean {
  if ((statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) <= bytes) return false;
  const long = (log: number, header: LogHeader) =>
    isCurrent(log, Math.floor(bytes / (frameHeaderBytes + header.pageBytes)), header);
  return withLog(file, long) ?? false;
}

/** Whether the log was begun again since it had these salts, and nothing older is left behind its end; flushes it. */
export function isBegunAgain(file: string, salts: string | undefined): boolean {
  const begun = (log: number, header: LogHeader) => {
    fdatasyncSync(log);
    const frames = (statSync(`${file}-wal`).size - headerBytes) / (frameHeaderBytes + header.pageBytes);
    return header.salts !== salts && Number.isInteger(frames) && isCurrent(log, frames - 1, header);
  };
  return withLog(file, begun) ?? true;
}
