// Ids seen within the last hour: a hit with an id counts once, and a repeated id adds nothing.
//
// Ids are stored as 64-bit hashes: among a million ids of an hour, the chance that two collide is 1 in 37 million. What
// matters is when the records arrived, never the wall clock. Within an hour exactly one of an id's hits counts, in
// whatever order they are folded. (If a sender gives different hits the same id, it is the one folded first; the order
// within a shard is fixed, and a sender's retries are equal.)
import { packColumns, unpackColumns } from '../bytes/columns.ts';
import { grown } from '../bytes/names.ts';

/** How long a repeated id is recognised. */
export const seenMs = 3_600_000;
/** Ids are kept longer than that, so that a shard which lags behind still finds them. */
const lagMs = seenMs;

type SeenColumns = { low: Int32Array; high: Int32Array; arrivedAt: Float64Array };

const kind = 'seen/1';

export class Seen {
  #count = 0;
  #low: Int32Array;
  #high: Int32Array;
  #arrivedAt: Float64Array;
  /** Entry + 1, or 0; open addressing, at most half full. */
  #slots: Int32Array;

  private constructor({ low, high, arrivedAt }: SeenColumns) {
    this.#count = low.length;
    const capacity = Math.max(512, Math.ceil(low.length * 1.05));
    this.#low = grown(low, capacity);
    this.#high = grown(high, capacity);
    this.#arrivedAt = grown(arrivedAt, capacity);
    let size = 1024;
    while (size < this.#count * 2) size *= 2;
    this.#slots = this.#fill(size);
  }

  static empty(): Seen {
    return new Seen({ low: new Int32Array(0), high: new Int32Array(0), arrivedAt: new Float64Array(0) });
  }

  /** Throws Torn if the bytes are not such a window, or are truncated. */
  static decode(bytes: Uint8Array): Seen {
    return new Seen(unpackColumns<SeenColumns>(kind, bytes).columns);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const count = this.#count;
    return packColumns(kind, null, {
      low: this.#low.subarray(0, count),
      high: this.#high.subarray(0, count),
      arrivedAt: this.#arrivedAt.subarray(0, count),
    });
  }

  get size(): number {
    return this.#count;
  }

  /** Returns true if no hit with this hashed id counted within an hour of `arrivedAt` (ms): then this one counts. */
  add(low: number, high: number, arrivedAt: number): boolean {
    const mask = this.#slots.length - 1;
    let slot = low & mask;
    for (let held = this.#slots[slot]; held !== 0; slot = (slot + 1) & mask, held = this.#slots[slot]) {
      const entry = held - 1;
      if (this.#low[entry] !== low || this.#high[entry] !== high) continue;
      if (Math.abs(arrivedAt - this.#arrivedAt[entry]) < seenMs) return false;
      if (arrivedAt > this.#arrivedAt[entry]) this.#arrivedAt[entry] = arrivedAt;
      return true;
    }
    const entry = this.#count++;
    if (entry === this.#low.length) this.#grow(entry * 2);
    this.#low[entry] = low;
    this.#high[entry] = high;
    this.#arrivedAt[entry] = arrivedAt;
    this.#slots[slot] = entry + 1;
    if (this.#count * 2 > this.#slots.length) this.#slots = this.#fill(this.#slots.length * 2);
    return true;
  }

  /** Drops ids that are older than an hour plus an hour of lag at `now` (ms); returns how many. */
  expire(now: number): number {
    let kept = 0;
    for (let entry = 0; entry < this.#count; entry++) {
      if (this.#arrivedAt[entry] < now - seenMs - lagMs) continue;
      this.#low[kept] = this.#low[entry];
      this.#high[kept] = this.#high[entry];
      this.#arrivedAt[kept++] = this.#arrivedAt[entry];
    }
    const gone = this.#count - kept;
    this.#count = kept;
    if (gone > 0) this.#slots = this.#fill(this.#slots.length);
    return gone;
  }

  #grow(length: number): void {
    this.#low = grown(this.#low, length);
    this.#high = grown(this.#high, length);
    this.#arrivedAt = grown(this.#arrivedAt, length);
  }

  #fill(size: number): Int32Array {
    const slots = new Int32Array(size);
    for (let entry = 0; entry < this.#count; entry++) {
      let slot = this.#low[entry] & (size - 1);
      while (slots[slot] !== 0) slot = (slot + 1) & (size - 1);
      slots[slot] = entry + 1;
    }
    return slots;
  }
}
