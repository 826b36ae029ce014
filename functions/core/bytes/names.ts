// A hash table of names, keyed by their bytes, so that no name becomes a string or object.
//
// Open addressing, linear probing, at most half full: slots[hash & mask] is a name's number + 1, or 0. A name is the
// bytes utf8[offsets[n] .. offsets[n + 1]) together with its tag (a day, or 0). Numbers are given in order of first
// sight.
import type { Names } from '../map/cluster.ts';

/**
 * A hash of bytes[start .. end), four bytes at a step; the last step may read some bytes again. The table mixes it once
 * more, so that its low bits are well distributed.
 */
export function hashBytes(view: DataView, start: number, end: number): number {
  let hash = end - start;
  const words = end - 4;
  for (let at = start; at < words; at += 4) hash = step(hash, view.getInt32(at, true));
  if (words >= start) return step(hash, view.getInt32(words, true));
  for (let at = start; at < end; at++) hash = step(hash, view.getUint8(at));
  return hash;
}

/** The rotation makes a word's upper bits affect more than those of the next word. */
function step(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, 0x9e3779b1);
  return (product << 15) | (product >>> 17);
}

/** Whether two stretches of the same length are equal. */
function sameBytes(a: DataView, start: number, end: number, b: DataView, from: number): boolean {
  const words = end - 4;
  const shift = from - start;
  for (let at = start; at < words; at += 4) if (a.getInt32(at, true) !== b.getInt32(at + shift, true)) return false;
  if (words >= start) return a.getInt32(words, true) === b.getInt32(words + shift, true);
  for (let at = start; at < end; at++) if (a.getUint8(at) !== b.getUint8(at + shift)) return false;
  return true;
}

export const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A separate name, with its hash. */
export interface Name {
  view: DataView;
  hash: number;
}

export function nameOf(text: string): Name {
  const view = viewOf(new TextEncoder().encode(text));
  return { view, hash: hashBytes(view, 0, view.byteLength) };
}

export class NameTable {
  count = 0;
  offsets: Uint32Array<ArrayBuffer>;
  tags: Int32Array<ArrayBuffer>;
  #utf8: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #hashes: Int32Array<ArrayBuffer>;
  #slots: Int32Array<ArrayBuffer> | undefined;

  constructor(capacity = 512) {
    this.offsets = new Uint32Array(capacity + 1);
    this.#utf8 = new Uint8Array(capacity * 16);
    this.#view = viewOf(this.#utf8);
    this.tags = new Int32Array(capacity);
    this.#hashes = new Int32Array(capacity);
  }

  /**
   * A table of these names, which must differ, with tag 0 if no tags are given. Copies them, and hashes them at the
   * first look-up.
   */
  static from({ offsets, utf8 }: Names, tags?: Int32Array): NameTable {
    const count = offsets.length - 1;
    // Room for more, so that a fold that adds a few does not copy everything again.
    const table = new NameTable(Math.max(512, Math.ceil(count * 1.05)));
    table.count = count;
    table.offsets.set(offsets);
    if (table.#utf8.length < utf8.length * 1.05) table.#holdBytes(new Uint8Array(Math.ceil(utf8.length * 1.05)));
    table.#utf8.set(utf8);
    if (tags) table.tags.set(tags.subarray(0, count));
    return table;
  }

  /** The table has room for this many names. Columns beside the table must grow with it. */
  get capacity(): number {
    return this.tags.length;
  }

  #holdBytes(utf8: Uint8Array<ArrayBuffer>): void {
    this.#utf8 = utf8;
    this.#view = viewOf(utf8);
  }

  /** The number of a name. A new name gets the next number, the old `count`. `hash` is its hashBytes. */
  intern(bytes: DataView, start: number, end: number, hash: number, tag: number): number {
    const slots = this.#slots ?? this.#rehash();
    const { offsets, tags } = this;
    const hashes = this.#hashes;
    const mixed = mix(hash, tag);
    const mask = slots.length - 1;
    let slot = mixed & mask;
    for (let held = slots[slot]; held !== 0; slot = (slot + 1) & mask, held = slots[slot]) {
      const number = held - 1;
      if (hashes[number] !== mixed || tags[number] !== tag) continue;
      const from = offsets[number];
      if (offsets[number + 1] - from !== end - start) continue;
      if (sameBytes(bytes, start, end, this.#view, from)) return number;
    }
    return this.#add(bytes, start, end, mixed, tag, slot);
  }

  /** Like intern, but once there are `most` names a new one gets the number of `other`. */
  internUpTo(
    most: number,
    other: Name,
    bytes: DataView,
    start: number,
    end: number,
    hash: number,
    tag: number,
  ): number {
    if (this.count < most) return this.intern(bytes, start, end, hash, tag);
    return (
      this.find(bytes, start, end, hash, tag) ?? this.intern(other.view, 0, other.view.byteLength, other.hash, tag)
    );
  }

  /** The number of a name; undefined if it is not in the table. */
  find(bytes: DataView, start: number, end: number, hash: number, tag: number): number | undefined {
    const slots = this.#slots ?? this.#rehash();
    const mixed = mix(hash, tag);
    for (let slot = mixed & (slots.length - 1); slots[slot] !== 0; slot = (slot + 1) & (slots.length - 1)) {
      const number = slots[slot] - 1;
      const from = this.offsets[number];
      if (
        this.#hashes[number] === mixed &&
        this.tags[number] === tag &&
        this.offsets[number + 1] - from === end - start
      )
        if (sameBytes(bytes, start, end, this.#view, from)) return number;
    }
    return undefined;
  }

  /** Whether the name with this number equals that one. */
  isNamed(number: number, { view }: Name): boolean {
    const from = this.offsets[number];
    const length = this.offsets[number + 1] - from;
    return length === view.byteLength && sameBytes(view, 0, length, this.#view, from);
  }

  #add(bytes: DataView, start: number, end: number, mixed: number, tag: number, slot: number): number {
    const number = this.count;
    if (number === this.tags.length) this.#grow();
    const from = this.offsets[number];
    const to = from + end - start;
    if (to > this.#utf8.length) this.#holdBytes(grown(this.#utf8, Math.max(to, this.#utf8.length * 2)));
    for (let at = start, into = from; at < end; at++, into++) this.#utf8[into] = bytes.getUint8(at);
    this.offsets[number + 1] = to;
    this.tags[number] = tag;
    this.#hashes[number] = mixed;
    this.count++;
    const slots = this.#slots as Int32Array<ArrayBuffer>;
    slots[slot] = number + 1;
    if (this.count * 2 > slots.length) this.#fill(slots.length * 2);
    return number;
  }

  #grow(): void {
    const capacity = this.tags.length * 2;
    this.offsets = grown(this.offsets, capacity + 1);
    this.tags = grown(this.tags, capacity);
    this.#hashes = grown(this.#hashes, capacity);
  }

  #rehash(): Int32Array<ArrayBuffer> {
    for (let number = 0; number < this.count; number++)
      this.#hashes[number] = mix(
        hashBytes(this.#view, this.offsets[number], this.offsets[number + 1]),
        this.tags[number],
      );
    let size = 1024;
    while (size < this.count * 2) size *= 2;
    return this.#fill(size);
  }

  #fill(size: number): Int32Array<ArrayBuffer> {
    const slots = new Int32Array(size);
    const mask = size - 1;
    for (let number = 0; number < this.count; number++) {
      let slot = this.#hashes[number] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
    return slots;
  }

  text(number: number): string {
    return decoder.decode(this.#utf8.subarray(this.offsets[number], this.offsets[number + 1]));
  }

  /** Views of the names so far. */
  names(): Names {
    return {
      offsets: this.offsets.subarray(0, this.count + 1),
      utf8: this.#utf8.subarray(0, this.offsets[this.count]),
    };
  }

  /** The names of `order`, in that order. */
  gather(order: Uint32Array): { offsets: Uint32Array<ArrayBuffer>; utf8: Uint8Array<ArrayBuffer> } {
    const offsets = new Uint32Array(order.length + 1);
    for (let row = 0; row < order.length; row++)
      offsets[row + 1] = offsets[row] + this.offsets[order[row] + 1] - this.offsets[order[row]];
    const utf8 = new Uint8Array(offsets[order.length]);
    for (let row = 0; row < order.length; row++) {
      let into = offsets[row];
      for (let at = this.offsets[order[row]]; at < this.offsets[order[row] + 1]; at++) utf8[into++] = this.#utf8[at];
    }
    return { offsets, utf8 };
  }
}

// Keeps a byte order mark: with it, a name is another name.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const nameAt = ({ offsets, utf8 }: Names, number: number): string =>
  decoder.decode(utf8.subarray(offsets[number], offsets[number + 1]));

/** A longer copy. */
export function grown<T extends Uint8Array | Uint16Array | Int32Array | Uint32Array | Float64Array>(
  column: T,
  length: number,
): T {
  const longer = new (column.constructor as new (length: number) => T)(length);
  longer.set(column);
  return longer;
}

/** The finalizer of MurmurHash3 (public domain). */
function mix(hash: number, tag: number): number {
  let mixed = hash ^ Math.imul(tag, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
