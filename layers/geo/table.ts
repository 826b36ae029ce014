// The IP table: a City database flattened to sorted columns, so that a look-up is one index and one binary search.
//
// An address is split into a first step of 16 bits, then steps of 32 bits (IPv4: only the last 16 bits). A step has
// ranges of equal value, stored by their starts; `bounds` says where a step's ranges are. A value is
//   0                no location
//   n < 2^31         location n - 1; a location's upper 9 bits are its country, so that hits are summed by country
//                    without reading its row; the last row number stands for "somewhere in this country"
//   n >= 2^31        the location differs further down: step n - 2^31 decides by the next 32 bits
//
// Steps: IPv4 0..65535 by the first 16 bits; IPv6 0..65535 likewise, followed by those further down. A range ends where
// the next begins; each step's first range begins at 0.
//
// The file, little-endian: magic, version, head (JSON: columns, countries, sources), columns at multiples of 8.
import { unpackColumns } from '#core/bytes/columns.ts';
import type { Location, Locations } from '#core/hits/delta.ts';
import { degree } from './city.ts';

export const kind = 'ip-table/3';
export const deeper = 0x80000000;
/** A location's number is country << rowBits | row. */
export const rowBits = 22;
/** The row number of locations of which only the country is known; the table has no such row. */
export const countryOnly = (1 << rowBits) - 1;
/** Numbers from here on are never used by a table, so they are free for locations of other sources. */
export const beyondTable = 511 << rowBits;
const rowMask = countryOnly;
/** Every 16th start of IPv6 is stored once more, close together, so that most of a search stays in the cache. */
const stride = 16;

export type TableColumns = {
  v4Bounds: Uint32Array;
  v4Starts: Uint16Array;
  v4Values: Uint32Array;
  v6Bounds: Uint32Array;
  v6Starts: Uint32Array;
  v6Values: Uint32Array;
  lat: Int32Array;
  lon: Int32Array;
};

export interface TableMeta {
  countries: string[];
  /** When the oldest database it was made from was built: milliseconds since the epoch. */
  builtAt: number;
  /** Types and build times of those databases. */
  sources: string[];
}

/** Locations of a table by number; `find` reads an address from bytes and allocates nothing. */
export class IpTable implements Locations {
  readonly countries: readonly string[];
  readonly meta: TableMeta;
  readonly columns: TableColumns;
  readonly #v4Bounds: Uint32Array;
  readonly #v4Starts: Uint16Array;
  readonly #v4Values: Uint32Array;
  readonly #v6Bounds: Uint32Array;
  readonly #v6Starts: Uint32Array;
  readonly #v6Values: Uint32Array;
  readonly #v6Sample: Uint32Array;

  /** `bytes` are from buildTable; the columns are views of them. Throws Torn. */
  constructor(bytes: Uint8Array) {
    const { meta, columns } = unpackColumns<TableColumns>(kind, bytes);
    this.meta = meta as TableMeta;
    this.countries = this.meta.countries;
    this.columns = columns;
    this.#v4Bounds = columns.v4Bounds;
    this.#v4Starts = columns.v4Starts;
    this.#v4Values = columns.v4Values;
    this.#v6Bounds = columns.v6Bounds;
    this.#v6Starts = columns.v6Starts;
    this.#v6Values = columns.v6Values;
    this.#v6Sample = new Uint32Array(Math.ceil(columns.v6Starts.length / stride));
    for (let at = 0; at < this.#v6Sample.length; at++) this.#v6Sample[at] = columns.v6Starts[at * stride];
  }

  hasCoordinates(location: number): boolean {
    return (location & rowMask) !== countryOnly;
  }

  lat(location: number): number {
    return this.columns.lat[location & rowMask] / degree;
  }

  lon(location: number): number {
    return this.columns.lon[location & rowMask] / degree;
  }

  country(location: number): number {
    return location >>> rowBits;
  }

  /**
   * Returns the location of an address, perhaps only its country; undefined if it is private, unknown or not an
   * address.
   */
  locate(address: string): Location | undefined {
    const bytes = new TextEncoder().encode(address);
    const location = this.find(bytes, 0, bytes.length);
    if (location < 0) return undefined;
    return { lat: this.lat(location), lon: this.lon(location), country: this.countries[this.country(location)] };
  }

  find(bytes: Uint8Array, start: number, end: number): number {
    const address = readV4(bytes, start, end);
    if (address >= 0) return this.findV4(address >>> 16, address & 0xffff);
    return readV6(bytes, start, end) ? this.findV6(words) : -1;
  }

  /**
   * In passes over many addresses, so that the waits for memory overlap, which they would not if each address were
   * finished before the next.
   */
  findAll(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, found: Int32Array): void {
    for (let begin = 0; begin < count; begin += blockSize) {
      const end = Math.min(count, begin + blockSize);
      let four = 0;
      let six = 0;
      for (let at = begin; at < end; at++) {
        const address = readV4(bytes, starts[at], ends[at]);
        if (address >= 0) {
          block.which4[four] = at;
          block.upper[four] = address >>> 16;
          block.lower[four++] = address & 0xffff;
        } else if (!readV6(bytes, starts[at], ends[at])) found[at] = -1;
        else if (isMapped(words)) {
          block.which4[four] = at;
          block.upper[four] = words[6];
          block.lower[four++] = words[7];
        } else {
          block.which6[six] = at;
          for (let word = 0; word < 8; word++) block.words[8 * six + word] = words[word];
          block.steps[six] = words[0];
          block.rows[six] = six++;
        }
      }
      this.#findAllV4(four, found);
      this.#findAllV6(six, found);
    }
  }

  #findAllV4(count: number, found: Int32Array): void {
    const { which4, upper, lower, from, to } = block;
    const bounds = this.#v4Bounds;
    const values = this.#v4Values;
    for (let at = 0; at < count; at++) {
      from[at] = bounds[upper[at]];
      to[at] = bounds[upper[at] + 1];
    }
    for (let at = 0; at < count; at++) from[at] = searchV4(this.#v4Starts, from[at], to[at], lower[at]);
    for (let at = 0; at < count; at++) found[which4[at]] = values[from[at]] - 1;
  }

  /** Each round settles the addresses that these bits decide; the others go one step further. */
  #findAllV6(count: number, found: Int32Array): void {
    const { which6, words, steps, rows, from, to } = block;
    const bounds = this.#v6Bounds;
    const values = this.#v6Values;
    for (let word = 1, left = count; left > 0; word += 2) {
      for (let at = 0; at < left; at++) {
        from[at] = bounds[steps[at]];
        to[at] = bounds[steps[at] + 1];
      }
      for (let at = 0; at < left; at++) from[at] = this.#searchV6(from[at], to[at], bitsAt(words, 8 * rows[at], word));
      let deeperOnes = 0;
      for (let at = 0; at < left; at++) {
        const value = values[from[at]];
        if (value < deeper) found[which6[rows[at]]] = value - 1;
        else {
          steps[deeperOnes] = value - deeper;
          rows[deeperOnes++] = rows[at];
        }
      }
      left = deeperOnes;
    }
  }

  /** Location number of an IPv4 address by its upper and lower 16 bits, or -1. */
  findV4(upper: number, lower: number): number {
    return this.#v4Values[searchV4(this.#v4Starts, this.#v4Bounds[upper], this.#v4Bounds[upper + 1], lower)] - 1;
  }

  /** Location number of an IPv6 address in eight words of 16 bits, or -1. */
  findV6(words: Uint16Array): number {
    // An IPv4-mapped IPv6 address (::ffff:0:0/96) has the location of the IPv4 address.
    if (isMapped(words)) return this.findV4(words[6], words[7]);
    let step = words[0];
    for (let word = 1; ; word += 2) {
      const at = this.#searchV6(this.#v6Bounds[step], this.#v6Bounds[step + 1], bitsAt(words, 0, word));
      const value = this.#v6Values[at];
      if (value < deeper) return value - 1;
      step = value - deeper;
    }
  }

  #searchV6(from: number, to: number, bits: number): number {
    if (to - from <= 2 * stride) return searchV6(this.#v6Starts, from, to, bits);
    const sample = this.#v6Sample;
    // Entry `low` is known to begin at or before `bits`, entry `high` after it.
    let low = Math.floor(from / stride);
    let high = Math.ceil(to / stride);
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (sample[middle] <= bits) low = middle;
      else high = middle;
    }
    return searchV6(this.#v6Starts, Math.max(from, low * stride), Math.min(to, high * stride), bits);
  }
}

const blockSize = 256;
/** Scratch for findAll: the index of an address in the call, and its state. */
const block = {
  which4: new Int32Array(blockSize),
  upper: new Uint16Array(blockSize),
  lower: new Uint16Array(blockSize),
  which6: new Int32Array(blockSize),
  words: new Uint16Array(8 * blockSize),
  rows: new Int32Array(blockSize),
  steps: new Uint32Array(blockSize),
  from: new Uint32Array(blockSize),
  to: new Uint32Array(blockSize),
};

// The last of starts[from .. to) that is not after `bits`; the first is not. One function for each kind of column,
// because a shared one would be compiled to slower code.
function searchV4(starts: Uint16Array, from: number, to: number, bits: number): number {
  while (to - from > 1) {
    const middle = (from + to) >>> 1;
    if (starts[middle] <= bits) from = middle;
    else to = middle;
  }
  return from;
}
function searchV6(starts: Uint32Array, from: number, to: number, bits: number): number {
  while (to - from > 1) {
    const middle = (from + to) >>> 1;
    if (starts[middle] <= bits) from = middle;
    else to = middle;
  }
  return from;
}

/** The 32 bits from a word on. The last step has only 16 bits left, which become the upper ones. */
const bitsAt = (words: Uint16Array, at: number, word: number): number =>
  ((words[at + word] << 16) | (word < 7 ? words[at + word + 1] : 0)) >>> 0;

const isMapped = (words: Uint16Array): boolean =>
  (words[0] | words[1] | words[2] | words[3] | words[4]) === 0 && words[5] === 0xffff;

/** Returns the 32 bits of an IPv4 address in dotted decimal; -1 for anything else. */
function readV4(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  let address = 0;
  for (let part = 0; ; part++) {
    let number = bytes[at] - 48;
    if (!(number >= 0 && number <= 9)) return -1;
    const first = at++;
    for (let digit = bytes[at] - 48; at < end && digit >= 0 && digit <= 9; digit = bytes[++at] - 48)
      number = number * 10 + digit;
    const length = at - first;
    if (number > 255 || length > 3 || (length > 1 && bytes[first] === 48)) return -1;
    address = (address << 8) | number;
    if (part === 3) return at === end ? address >>> 0 : -1;
    if (at >= end || bytes[at] !== 46) return -1;
    at++;
  }
}

const words = new Uint16Array(8);

/**
 * Reads an IPv6 address (RFC 4291: hexadecimal groups, one `::`, perhaps an IPv4 tail; no zone) into `words`. Returns
 * false if it is not one.
 */
export function readV6(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  let count = 0;
  /** The number of groups before the `::`; -1 if there was none. */
  let gap = -1;
  if (end - start < 2 || end - start > 45) return false;
  if (bytes[at] === colon) {
    if (bytes[at + 1] !== colon) return false;
    gap = 0;
    at += 2;
  }
  while (at < end) {
    if (count === 8) return false;
    const first = at;
    let group = 0;
    for (let value = hex(bytes[at]); at < end && value >= 0; value = hex(bytes[++at])) group = (group << 4) | value;
    if (at < end && bytes[at] === 46) {
      if (count > 6 || !readTail(bytes, first, end, count)) return false;
      count += 2;
      break;
    }
    if (at === first || at - first > 4) return false;
    words[count++] = group;
    if (at === end) break;
    if (bytes[at] !== colon || ++at === end) return false;
    if (bytes[at] === colon) {
      if (gap >= 0) return false;
      gap = count;
      at++;
    }
  }
  if (gap < 0) return count === 8;
  if (count === 8) return false;
  words.copyWithin(8 - (count - gap), gap, count);
  words.fill(0, gap, 8 - (count - gap));
  return true;
}

const colon = 58;
const hexValues = new Int8Array(256).fill(-1);
for (let value = 0; value < 16; value++) {
  hexValues[value.toString(16).charCodeAt(0)] = value;
  hexValues[value.toString(16).toUpperCase().charCodeAt(0)] = value;
}
const hex = (code: number) => hexValues[code];

/** An IPv4 address as the last two groups. */
function readTail(bytes: Uint8Array, start: number, end: number, count: number): boolean {
  let at = start;
  let address = 0;
  for (let part = 0; part < 4; part++) {
    if (part > 0 && bytes[at++] !== 46) return false;
    const first = at;
    let number = 0;
    for (let digit = bytes[at] - 48; at < end && digit >= 0 && digit <= 9; digit = bytes[++at] - 48)
      number = number * 10 + digit;
    const length = at - first;
    if (length === 0 || length > 3 || number > 255 || (length > 1 && bytes[first] === 48)) return false;
    address = (address << 8) | number;
  }
  words[count] = address >>> 16;
  words[count + 1] = address & 0xffff;
  return at === end;
}
