// Copies a database's log into its main file, as SQLite's own checkpoint, and leaves no bytes of removed rows there.
// secure_delete overwrites removed rows, but not copies that SQLite left in the unused middle of pages when it moved
// rows; SQLite never reads these. All is done with the write lock held and the whole log copied: nothing can be
// appended then, so nobody else has anything to copy, and nobody can begin the log again.
import { fdatasyncSync, fstatSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { frameAt, frameHeaderBytes, withLog } from './log.ts';
import { mostPages, unusedOf, zeros } from './pages.ts';
import { readScrubbed, stateOf, whole, writeScrubbed } from './scrubbed.ts';

const readBytes = 4 * 1024 * 1024;
const busyCode = 5;
/** How much of a file is read while writers wait. */
export const sliceBytes = 16 * 1024 * 1024;

/** `pinned`: a reader needs what the log would overwrite. `part`: more of the file must be read. */
export type Outcome = 'pinned' | 'part' | 'whole';

/**
 * Never closed, because closing any descriptor of a file releases the locks of all connections of the process on it,
 * and another process could then use the file.
 */
const descriptors = new Map<string, number>();

/** Returns this thread's descriptor of a file, for all that scrubs it. */
export function descriptorOf(file: string): number {
  let descriptor = descriptors.get(file);
  // Another file may have this name now.
  if (descriptor === undefined || fstatSync(descriptor).ino !== statSync(file).ino) descriptor = openSync(file, 'r+');
  descriptors.set(file, descriptor);
  return descriptor;
}

export interface Checkpointed {
  outcome: Outcome;
  /** Of the log. */
  salts?: string;
  /** Changes when another connection commits. */
  dataVersion: unknown;
}

export class Checkpointer {
  readonly lock: DatabaseSync;
  readonly #copier: DatabaseSync;
  readonly #file: string;
  readonly #descriptor: number;

  /** `timeout`: how long to wait for the write lock, milliseconds. `descriptor`: of the file, from `descriptorOf`. */
  constructor(file: string, descriptor: number, timeout: number) {
    this.#file = file;
    this.#descriptor = descriptor;
    this.lock = new DatabaseSync(file, { timeout });
    this.lock.exec('PRAGMA cache_size = 8');
    this.#copier = new DatabaseSync(file, { timeout: 0 });
    // The main file is flushed once, after it is scrubbed.
    this.#copier.exec('PRAGMA synchronous = OFF');
  }

  close(): void {
    this.#copier.close();
    this.lock.close();
  }

  pragma(name: string): number {
    return Number(this.lock.prepare(`PRAGMA ${name}`).get()?.[name]);
  }

  /** Whether pages can be told from their bytes. */
  get canScrub(): boolean {
    return this.pragma('auto_vacuum') === 0 && this.pragma('page_count') <= mostPages;
  }

  /**
   * Copies the log and scrubs what was copied. If the file was written otherwise since it was read whole, `sliceBytes`
   * more of it are scrubbed. `copied`: called when all is, with the write lock held. `patienceMs`:
   * how long to wait for readers with the write lock held. Throws if the lock stays taken.
   */
  run(sliceBytes: number, copied?: () => void, patienceMs = 0): Checkpointed {
    this.lock.exec('BEGIN IMMEDIATE');
    try {
      const salts = withLog(this.#file, (_, header) => header.salts);
      const outcome = this.#scrubbed(salts ?? '', sliceBytes, patienceMs);
      if (outcome === 'whole') copied?.();
      return { outcome, salts, dataVersion: this.pragma('data_version') };
    } finally {
      this.lock.exec('COMMIT');
    }
  }

  #scrubbed(salts: string, sliceBytes: number, patienceMs: number): Outcome {
    const { isSame, ...known } = readScrubbed(this.#file, stateOf(this.#descriptor), salts);
    // Before the main file is written, so that it is still known after a crash.
    if (isSame) writeScrubbed(this.#file, known);
    let frames = this.#copied();
    for (const end = performance.now() + patienceMs; frames === undefined && performance.now() < end; ) {
      sleep(5);
      frames = this.#copied();
    }
    if (frames === undefined) return 'pinned';
    let clean = known.clean;
    // Nobody can begin the log again before the main file is on the disk.
    try {
      if (!this.canScrub) return 'part';
      // After a crash, SQLite copies again what it has copied before.
      if (frames !== known.frames || stateOf(this.#descriptor) !== known.file) this.#scrubFrames(frames);
      // A log that others have emptied, but not yet begun again: they have copied it.
      if (frames === 0 && !isSame) clean = 0;
      clean = this.#scrubSlice(clean, sliceBytes);
    } finally {
      fdatasyncSync(this.#descriptor);
    }
    writeScrubbed(this.#file, { clean, file: stateOf(this.#descriptor), salts, frames });
    return clean === whole ? 'whole' : 'part';
  }

  /** Copies the log; returns how many frames it has, or undefined if not all could be copied. */
  #copied(): number | undefined {
    const { busy, log, checkpointed } = this.#copier.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() ?? {};
    return busy === 0 && log === checkpointed ? Number(log) : undefined;
  }

  /** Scrubs the pages of the log's frames, by the last frame of each: the main file has the same. */
  #scrubFrames(frames: number): void {
    const pages = this.pragma('page_count');
    const seen = new Set<number>();
    withLog(this.#file, (log, { pageBytes }) => {
      const frameBytes = frameHeaderBytes + pageBytes;
      const most = Math.max(1, Math.floor(readBytes / frameBytes));
      const bytes = Buffer.allocUnsafe(most * frameBytes);
      for (let end = frames; end > 0; end -= most) {
        const first = Math.max(0, end - most);
        const length = (end - first) * frameBytes;
        if (readSync(log, bytes, 0, length, frameAt(first, pageBytes)) < length) throw new Error('the log is cut off');
        for (let at = length - frameBytes; at >= 0; at -= frameBytes) {
          const page = bytes.readUInt32BE(at);
          // Pages that the file no longer has are not copied.
          if (page > pages || seen.has(page)) continue;
          seen.add(page);
          const from = at + frameHeaderBytes;
          this.#overwrite(bytes.subarray(from, from + pageBytes), (page - 1) * pageBytes);
        }
      }
    });
  }

  /** Scrubs the main file's pages from `from` on; returns up to where. */
  #scrubSlice(from: number, sliceBytes: number): number {
    if (from === whole) return whole;
    const { size } = fstatSync(this.#descriptor);
    const pageBytes = this.pragma('page_size');
    const bytes = Buffer.allocUnsafe(readBytes);
    const end = Math.min(size, from + sliceBytes);
    for (let at = from; at < end; at += readBytes) {
      const length = readSync(this.#descriptor, bytes, 0, Math.min(readBytes, end - at), at);
      for (let page = 0; page + pageBytes <= length; page += pageBytes)
        this.#overwrite(bytes.subarray(page, page + pageBytes), at + page);
    }
    return end === size ? whole : end;
  }

  /** Zeroes the unused bytes of a page that the main file has at `at`. */
  #overwrite(page: Buffer, at: number): void {
    const unused = unusedOf(page, at === 0);
    if (unused) writeSync(this.#descriptor, zeros, 0, unused.to - unused.from, at + unused.from);
  }
}

/** As `Checkpointer.run`, once; returns `pinned` as well if the write lock stays taken. */
export function checkpoint(file: string, timeout: number): Outcome {
  const checkpointer = new Checkpointer(file, descriptorOf(file), timeout);
  try {
    return unlessBusy(() => checkpointer.run(sliceBytes).outcome) ?? 'pinned';
  } finally {
    checkpointer.close();
  }
}

/** Stops this thread. */
export function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Returns undefined if others keep the write lock. */
export function unlessBusy<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode !== busyCode) throw cause;
    return undefined;
  }
}
