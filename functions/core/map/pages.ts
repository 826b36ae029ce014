// A file in memory of which only some blocks have been read. The bytes have the file's full length from the start, so
// views over them stay valid while blocks arrive; untouched zero pages cost no memory.

/** Bytes start <= i < end of the file. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

interface View {
  byteOffset: number;
  BYTES_PER_ELEMENT: number;
}

/** A reader of the bytes calls holds() first; missing blocks are `lacking` until the next begin(). */
export class Pages {
  readonly bytes: Uint8Array<ArrayBuffer>;
  private readonly read: ReadRange;
  private readonly blockBytes: number;
  private readonly here: Uint8Array;
  private readonly coming = new Map<number, Promise<void>>();
  private missing = new Set<number>();

  /** `room`: zeroed memory for the bytes, and for a byte per block that says whether it is in memory. */
  constructor(
    length: number,
    read: ReadRange,
    blockBytes: number,
    room?: { bytes: Uint8Array<ArrayBuffer>; here: Uint8Array<ArrayBuffer> },
  ) {
    this.bytes = room?.bytes ?? new Uint8Array(length);
    this.read = read;
    this.blockBytes = blockBytes;
    this.here = room?.here ?? new Uint8Array(Math.ceil(length / blockBytes));
  }

  /** Adds bytes that were read already; blocks that they cover completely are in memory from now on. */
  fill(start: number, part: Uint8Array): void {
    this.bytes.set(part, start);
    const end = start + part.length;
    const last = end === this.bytes.length ? this.here.length : Math.floor(end / this.blockBytes);
    this.here.fill(1, Math.ceil(start / this.blockBytes), last);
  }

  begin(): void {
    if (this.missing.size > 0) this.missing = new Set();
  }

  get lacking(): boolean {
    return this.missing.size > 0;
  }

  /** Whether elements from..to-1 of a view over the bytes are in memory. */
  holds(view: View, from: number, to: number): boolean {
    const size = view.BYTES_PER_ELEMENT;
    const start = view.byteOffset - this.bytes.byteOffset;
    const last = Math.ceil((start + to * size) / this.blockBytes);
    let all = true;
    for (let block = Math.floor((start + from * size) / this.blockBytes); block < last; block++) {
      if (this.here[block] === 1) continue;
      this.missing.add(block);
      all = false;
    }
    return all;
  }

  /**
   * Reads the lacking blocks: a run of neighbouring blocks in one read, all reads at the same time. A block that is
   * being read is not read again.
   */
  async load(): Promise<void> {
    const blocks = [...this.missing].sort((a, b) => a - b);
    for (let i = 0; i < blocks.length; ) {
      const first = blocks[i];
      let end = first;
      while (i < blocks.length && blocks[i] === end && !this.coming.has(end)) {
        end++;
        i++;
      }
      if (end === first) i++;
      else this.fetch(first, end);
    }
    await Promise.all(blocks.map((block) => this.coming.get(block)));
  }

  private fetch(first: number, end: number): void {
    const [start, stop] = [first * this.blockBytes, Math.min(this.bytes.length, end * this.blockBytes)];
    const done = this.read(start, stop)
      .then((part) => {
        if (part.length !== stop - start)
          throw new Error(`asked for bytes ${start} to ${stop}, got ${part.length} of ${stop - start}`);
        this.fill(start, part);
      })
      .finally(() => {
        for (let block = first; block < end; block++) this.coming.delete(block);
      });
    for (let block = first; block < end; block++) this.coming.set(block, done);
  }
}
