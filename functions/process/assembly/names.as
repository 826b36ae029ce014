// A hash table of names with tags, like functions/core/bytes/names.ts. Numbers are given in order of first occurrence,
// so the result does not depend on the hash. The hash is seeded here, so that nobody can choose names that collide.

// Fields of a table's head.
const COUNT: usize = 0;
const MASK: usize = 4;
const END: usize = 8;
const SLOTS: usize = 12;
const ROWS: usize = 16;
const NAMES: usize = 20;
const MOST: usize = 24;

// Fields of a row.
export const NAME: usize = 0;
export const LENGTH: usize = 4;
export const TAG: usize = 8;
export const HITS: usize = 12;
export const TIME: usize = 16;
export const LOCATION: usize = 24;
const HASH: usize = 28;
/** A flag in a row's length: the name is `other`. */
export const IS_OTHER: u32 = 0x8000_0000;

const FIRST_SLOTS: u32 = 8192;
const K: u64 = 0x9e37_79b9_7f4a_7c15;
const L: u64 = 0xd6e8_feb8_6659_fd93;

let seed: u64 = 0;
let otherAt: usize = 0;
let otherLength: u32 = 0;

export function seedNames(low: u32, high: u32, at: usize, length: u32): void {
  seed = (<u64>high << 32) | low;
  otherAt = at;
  otherLength = length;
}

export function emptyNames(table: usize, slots: usize, rows: usize, names: usize, most: u32): void {
  store<u32>(table, 0, COUNT);
  store<u32>(table, FIRST_SLOTS - 1, MASK);
  store<u32>(table, <u32>names, END);
  store<u32>(table, <u32>slots, SLOTS);
  store<u32>(table, <u32>rows, ROWS);
  store<u32>(table, <u32>names, NAMES);
  store<u32>(table, most, MOST);
  memory.fill(slots, 0, <usize>FIRST_SLOTS << 3);
}

@inline export function countOf(table: usize): u32 {
  return load<u32>(table, COUNT);
}

@inline export function rowAt(table: usize, number: u32): usize {
  return <usize>load<u32>(table, ROWS) + (<usize>number << 5);
}

@inline export function namesEnd(table: usize): usize {
  return load<u32>(table, END);
}

/** Reads up to 7 bytes past the name. */
@inline export function hashName(at: usize, length: u32): u32 {
  let hash = seed ^ length;
  if (length < 8) {
    const word = length ? load<u64>(at) & (<u64>-1 >> ((8 - <u64>length) << 3)) : 0;
    hash = (hash ^ word) * K;
  } else {
    const last = at + length - 8;
    for (; at < last; at += 8) {
      hash = (hash ^ load<u64>(at)) * K;
      hash ^= hash >> 32;
    }
    hash = (hash ^ load<u64>(last)) * K;
  }
  return <u32>((hash ^ (hash >> 29)) >> 3);
}

@inline export function tagged(hash: u32, tag: i32): u32 {
  return <u32>(((<u64>hash | (<u64><u32>tag << 32)) * L) >> 31);
}

/** Reads up to 15 bytes past both. */
@inline function same(a: usize, b: usize, length: u32): bool {
  if (length <= 16) {
    const equal = i8x16.bitmask(i8x16.eq(v128.load(a), v128.load(b)));
    return ((~equal << (16 - length)) & 0xffff) == 0;
  }
  const last = a + length - 16;
  const shift = b - a;
  for (; a < last; a += 16) if (!i8x16.all_true(i8x16.eq(v128.load(a), v128.load(a + shift)))) return false;
  return i8x16.all_true(i8x16.eq(v128.load(last), v128.load(last + shift)));
}

/**
 * Returns the row of a name, and makes it if it is new. `mixed` is the hash of name and tag. Beyond the limit, a new
 * name is `other`.
 */
export function intern(table: usize, at: usize, length: u32, mixed: u32, tag: i32): u32 {
  const slots: usize = load<u32>(table, SLOTS);
  const rows: usize = load<u32>(table, ROWS);
  const mask = load<u32>(table, MASK);
  let slot = mixed & mask;
  for (; ; slot = (slot + 1) & mask) {
    const held = slots + (<usize>slot << 3);
    const number = load<u32>(held, 4);
    if (!number) break;
    if (load<u32>(held) != mixed) continue;
    const row = rows + (<usize>(number - 1) << 5);
    if (load<i32>(row, TAG) != tag || (load<u32>(row, LENGTH) & ~IS_OTHER) != length) continue;
    if (same(at, load<u32>(row, NAME), length)) return number - 1;
  }
  const isOther = length == otherLength && same(at, otherAt, length);
  if (!isOther && load<u32>(table, COUNT) >= load<u32>(table, MOST))
    return intern(table, otherAt, otherLength, tagged(hashName(otherAt, otherLength), tag), tag);
  return add(table, at, length, mixed, tag, slot, isOther);
}

function add(table: usize, at: usize, length: u32, mixed: u32, tag: i32, slot: u32, isOther: bool): u32 {
  const number = load<u32>(table, COUNT);
  const name: usize = load<u32>(table, END);
  memory.copy(name, at, length);
  const row = rowAt(table, number);
  store<u32>(row, <u32>name, NAME);
  store<u32>(row, isOther ? length | IS_OTHER : length, LENGTH);
  store<i32>(row, tag, TAG);
  store<u32>(row, 0, HITS);
  store<f64>(row, -1, TIME);
  store<i32>(row, 0, LOCATION);
  store<u32>(row, mixed, HASH);
  store<u32>(table, number + 1, COUNT);
  store<u32>(table, <u32>(name + length), END);
  const held = <usize>load<u32>(table, SLOTS) + (<usize>slot << 3);
  store<u32>(held, mixed);
  store<u32>(held, number + 1, 4);
  if ((number + 1) * 2 > load<u32>(table, MASK)) widen(table);
  return number;
}

function widen(table: usize): void {
  const slots: usize = load<u32>(table, SLOTS);
  const size = (load<u32>(table, MASK) + 1) * 2;
  const mask = size - 1;
  memory.fill(slots, 0, <usize>size << 3);
  const count = load<u32>(table, COUNT);
  for (let number: u32 = 0; number < count; number++) {
    const mixed = load<u32>(rowAt(table, number), HASH);
    let slot = mixed & mask;
    while (load<u32>(slots + (<usize>slot << 3), 4)) slot = (slot + 1) & mask;
    store<u32>(slots + (<usize>slot << 3), mixed);
    store<u32>(slots + (<usize>slot << 3), number + 1, 4);
  }
  store<u32>(table, mask, MASK);
}

/** Touches the slots of many names, so that the waits for memory overlap. */
@inline export function touch(table: usize, mixed: u32): u32 {
  return load<u32>(<usize>load<u32>(table, SLOTS) + (<usize>(mixed & load<u32>(table, MASK)) << 3), 4);
}
