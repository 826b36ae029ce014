// The levels of a pyramid from its points: the same steps, with the same results, as cluster
// (functions/core/map/cluster.ts). Each call of a function does a part of its work, so that V8 can switch to optimised
// code between calls. An item has 16 bytes: x, y, count << 5 | formed, and the index of its remainder until the level
// above puts the item's parent there.
import { ITEMS } from './layout';

const COORDINATE_BITS: u32 = 28;
const SIZE: i32 = 1 << 28;
const SINGLE: u32 = 31;
/** Bytes for the sort: a count for each digit of each pass. */
const DIGITS: usize = ITEMS;
const PASS_BYTES: usize = 4 << 12;
const PASSES: i32 = 5;
/** Where free memory begins; a snapshot's file is not in this memory. */
export const freeAt: usize = DIGITS + PASS_BYTES * PASSES;

// Arrays with an entry per point; those of merges and their remainders have half as many.
let points: u32 = 0;
let order: usize = 0;
let orderB: usize = 0;
let keysA: usize = 0;
let keysB: usize = 0;
/** Positions in (row, x) order of the level to make, and the fine item each came from. */
let placesX: usize = 0;
let placesY: usize = 0;
let source: usize = 0;
/** First item of the row above / below with x >= own x - radius. */
let above: usize = 0;
let below: usize = 0;
/** 0: free; k: member of merge k - 1. */
let claim: usize = 0;
let queue: usize = 0;
/** A list of the marked items, later of those that are still free. */
let list: usize = 0;
let near: usize = 0;
let rows: usize = 0;
/** 24 bytes per merge: x, y, count, the two remainders, its index in the new level. */
let merges: usize = 0;
let mergeKeys: usize = 0;
let mergeOrder: usize = 0;
let spareOrder: usize = 0;
/** Two numbers per merged item: of the level to make, and of the level it is made from. */
let remainders: usize = 0;
let fineRemainders: usize = 0;

const MERGE: usize = 24;

/**
 * Lays the arrays out from `at`; `mostRows` of a level. Returns where they end; x and y of the points go to
 * `columns()`.
 */
export function begin(count: u32, mostRows: u32, at: usize): usize {
  const half = <usize>(count >> 1) + 1;
  // Code that reads four at a time reads beyond the ends.
  const all = (<usize>count + 12) & ~3;
  points = count;
  order = at;
  keysA = placesX = order + 4 * all;
  placesY = placesX + 4 * all;
  keysB = source = keysA + 8 * all;
  orderB = list = keysB + 8 * all;
  above = orderB + 4 * all;
  below = above + 4 * all;
  claim = below + 4 * all;
  queue = claim + 4 * all;
  near = queue + 4 * all;
  rows = near + all;
  merges = rows + ((4 * (<usize>mostRows + 1) + 15) & ~15);
  mergeOrder = merges + MERGE * half;
  spareOrder = mergeOrder + 4 * half;
  remainders = (spareOrder + 4 * half + 15) & ~15;
  fineRemainders = remainders + 8 * half;
  return (fineRemainders + 8 * half + 15) & ~15;
}

export function columns(): usize {
  return keysA;
}

// Keys are (row, x, y within the row): 56 bits, sorted from the lowest digit up: one of 12 bits and four of 11.

export function clearDigits(): void {
  memory.fill(DIGITS, 0, PASS_BYTES * PASSES);
}

@inline function digitShift(pass: i32): u64 {
  return pass == 0 ? 0 : <u64>(1 + 11 * pass);
}

@inline function digitMask(pass: i32): u64 {
  return pass == 0 ? 4095 : 2047;
}

@inline function countDigit(pass: i32, key: u64): void {
  const slot = DIGITS + PASS_BYTES * <usize>pass + (<usize>((key >> digitShift(pass)) & digitMask(pass)) << 2);
  store<u32>(slot, load<u32>(slot) + 1);
}

export function makeKeys(rowBits: u32, from: u32, to: u32): void {
  const columnX = keysA;
  const columnY = keysA + 4 * <usize>points;
  const low = <u64>((1 << rowBits) - 1);
  for (let i = <usize>from; i < <usize>to; i++) {
    const x = <u64>load<u32>(columnX + (i << 2));
    const y = <u64>load<u32>(columnY + (i << 2));
    const key = ((y >> rowBits) << (COORDINATE_BITS + rowBits)) | (x << rowBits) | (y & low);
    store<u64>(keysB + (i << 3), key);
    store<u32>(orderB + (i << 2), <u32>i);
    countDigit(0, key);
    countDigit(1, key);
    countDigit(2, key);
    countDigit(3, key);
    countDigit(4, key);
  }
}

/** Turns counts of digits into the positions where each begins. */
export function startDigits(): void {
  startsOf(DIGITS, PASS_BYTES * PASSES);
}

/** Turns each pass's counts, PASS_BYTES long, into the sums of the counts before. */
function startsOf(at: usize, bytes: usize): void {
  for (let pass: usize = 0; pass < bytes; pass += PASS_BYTES) {
    let sum: u32 = 0;
    for (let digit: usize = 0; digit < PASS_BYTES; digit += 4) {
      const slot = at + pass + digit;
      const count = load<u32>(slot);
      store<u32>(slot, sum);
      sum += count;
    }
  }
}

/** A stable pass of the sort. The last one ends in keysA and order. */
export function sortPass(pass: i32, from: u32, to: u32): void {
  const even = (pass & 1) == 0;
  const keys = even ? keysB : keysA;
  const rank = even ? orderB : order;
  const toKeys = even ? keysA : keysB;
  const toRank = even ? order : orderB;
  const shift = digitShift(pass);
  const mask = digitMask(pass);
  const starts = DIGITS + PASS_BYTES * <usize>pass;
  for (let i = <usize>from; i < <usize>to; i++) {
    const key = load<u64>(keys + (i << 3));
    const slot = starts + (<usize>((key >> shift) & mask) << 2);
    const at = <usize>load<u32>(slot);
    store<u32>(slot, <u32>at + 1);
    store<u64>(toKeys + (at << 3), key);
    store<u32>(toRank + (at << 2), load<u32>(rank + (i << 2)));
  }
}

let spotEnd: usize = 0;
let spotKey: u64 = 0;

/** The deepest level from sorted keys: one item for each distinct unit. Returns how many there are so far. */
export function spots(rowBits: u32, zoom: u32, items: usize, from: u32, to: u32): u32 {
  if (from == 0) {
    spotEnd = items - 16;
    spotKey = u64.MAX_VALUE;
  }
  const low = <u64>((1 << rowBits) - 1);
  for (let i = <usize>from; i < <usize>to; i++) {
    const key = load<u64>(keysA + (i << 3));
    if (key != spotKey) {
      spotKey = key;
      spotEnd += 16;
      store<u32>(spotEnd, <u32>(key >> rowBits) & (SIZE - 1));
      store<u32>(spotEnd, <u32>(((key >> (COORDINATE_BITS + rowBits)) << rowBits) | (key & low)), 4);
      store<u64>(spotEnd, (1 << 5) | SINGLE, 8);
    } else store<u32>(spotEnd, ((((load<u32>(spotEnd, 8) >> 5) + 1) << 5) | zoom), 8);
  }
  return <u32>((spotEnd + 16 - items) >> 4);
}

/** The remainders of a spot: none. */
export function clearRemainders(): void {
  store<u64>(fineRemainders, 0);
}

/** Notes in the table of row and column starts, initially zeros, where each bucket ends; `startsFrom` completes it. */
export function index(items: usize, rowBits: u32, columnBits: u32, starts: usize, from: u32, to: u32): void {
  const columnShift = COORDINATE_BITS - columnBits;
  for (let i = from; i < to; i++) {
    const item = items + (<usize>i << 4);
    endBucket(starts, ((load<u32>(item, 4) >> rowBits) << columnBits) | (load<u32>(item) >> columnShift), i);
  }
}

@inline function endBucket(starts: usize, bucket: u32, i: u32): void {
  store<u32>(starts + (<usize>bucket << 2), i + 1, 4);
}

/** An empty bucket starts where the one before ends. */
export function startsFrom(starts: usize, from: u32, to: u32): void {
  let last = from == 0 ? 0 : load<u32>(starts + (<usize>(from - 1) << 2));
  for (let bucket = <usize>from; bucket < <usize>to; bucket++) {
    last = max(last, load<u32>(starts + (bucket << 2)));
    store<u32>(starts + (bucket << 2), last);
  }
}

let placed: usize = 0;

@inline function place(out: usize, items: usize, from: usize): void {
  const item = items + (from << 4);
  store<u32>(placesX + (out << 2), load<u32>(item));
  store<u32>(placesY + (out << 2), load<u32>(item, 4));
  store<u32>(source + (out << 2), <u32>from);
}

/** Merges two neighbouring fine rows, both sorted by x, into one; if `both` is false, each stays one. */
export function mergeRows(items: usize, starts: usize, columnBits: u32, both: bool, from: u32, to: u32): void {
  if (from == 0) {
    placed = 0;
    store<u32>(rows, 0);
  }
  let out = placed;
  for (let row = from; row < to; row++) {
    const first = both ? 2 * row : row;
    let a = <usize>load<u32>(starts + (<usize>(first << columnBits) << 2));
    const endA = <usize>load<u32>(starts + (<usize>((first + 1) << columnBits) << 2));
    let b = endA;
    const endB = both ? <usize>load<u32>(starts + (<usize>((first + 2) << columnBits) << 2)) : endA;
    while (a < endA && b < endB) {
      const isA = load<u32>(items + (a << 4)) <= load<u32>(items + (b << 4));
      place(out++, items, select<usize>(a, b, isA));
      a += <usize>isA;
      b += <usize>!isA;
    }
    while (a < endA) place(out++, items, a++);
    while (b < endB) place(out++, items, b++);
    store<u32>(rows + (<usize>row << 2), <u32>out, 4);
  }
  placed = out;
}

@inline function rowStart(row: u32): u32 {
  return load<u32>(rows + (<usize>row << 2));
}

@inline function placeX(at: u32): i32 {
  return load<i32>(placesX + (<usize>at << 2));
}

@inline function placeY(at: u32): i32 {
  return load<i32>(placesY + (<usize>at << 2));
}

@inline function within(dx: i32, dy: i32, square: f64): bool {
  return <f64>dx * <f64>dx + <f64>dy * <f64>dy <= square;
}

/** The first of the items from..to, up to an x of `east`, within the radius; -1 if none is. */
@inline function firstWithin(from: u32, to: u32, east: i32, ownX: i32, ownY: i32, square: f64): u32 {
  for (let j = from; j < to; j++) {
    const x = placeX(j);
    if (x > east) return -1;
    if (within(x - ownX, placeY(j) - ownY, square)) return j;
  }
  return -1;
}

/** The first of from..to-1 with x >= west, found by a search that starts at `from`. */
@inline function firstFrom(from: u32, to: u32, west: v128): u32 {
  while (from < to) {
    const smaller = i32x4.bitmask(i32x4.lt_s(v128.load(placesX + (<usize>from << 2)), west));
    from += ctz(~smaller);
    if (smaller != 15) break;
  }
  return min(from, to);
}

/** How many of the four items from `from` on, before `to`, have x <= east. */
@inline function upToEast(from: u32, to: u32, east: v128): u32 {
  return min(to - from, ctz(~i32x4.bitmask(i32x4.le_s(v128.load(placesX + (<usize>from << 2)), east))));
}

/** Which of the four items from `from` on are within the radius. */
@inline function nearOfFour(from: u32, ownX: v128, ownY: v128, square: v128): u32 {
  const dx = i32x4.sub(v128.load(placesX + (<usize>from << 2)), ownX);
  const dy = i32x4.sub(v128.load(placesY + (<usize>from << 2)), ownY);
  return nearOfTwo(dx, dy, square) | (nearOfTwo(v128.shuffle<i32>(dx, dx, 2, 3, 2, 3), v128.shuffle<i32>(dy, dy, 2, 3, 2, 3), square) << 2);
}

@inline function nearOfTwo(dx: v128, dy: v128, square: v128): u32 {
  const x = f64x2.convert_low_i32x4_s(dx);
  const y = f64x2.convert_low_i32x4_s(dy);
  return i64x2.bitmask(f64x2.le(f64x2.add(f64x2.mul(x, x), f64x2.mul(y, y)), square));
}

/** The first item within the radius on the other side of the antimeridian; -1 if none is. */
function firstAcross(rowCount: u32, row: u32, reach: i32, square: f64, ownX: i32, ownY: i32): u32 {
  const last = min(row + 1, rowCount - 1);
  for (let at = row > 0 ? row - 1 : 0; at <= last; at++) {
    const start = rowStart(at);
    const end = rowStart(at + 1);
    for (let j = end; j-- > start && placeX(j) - SIZE >= ownX - reach; )
      if (within(placeX(j) - SIZE - ownX, placeY(j) - ownY, square)) return j;
    for (let j = start; j < end && placeX(j) + SIZE <= ownX + reach; j++)
      if (within(placeX(j) + SIZE - ownX, placeY(j) - ownY, square)) return j;
  }
  return -1;
}

/** Marks items with a neighbour within the radius; returns how many in these rows. */
export function findNear(radius: f64, rowCount: u32, from: u32, to: u32): u32 {
  if (from == 0) memory.fill(near, 0, placed + 8);
  const reach = <i32>radius;
  const square = radius * radius;
  const squares = f64x2.splat(square);
  let marked: u32 = 0;
  for (let row = from; row < to; row++) {
    const start = rowStart(row);
    const end = rowStart(row + 1);
    if (start == end) continue;
    let up = row > 0 ? rowStart(row - 1) : start;
    let down = end;
    const downEnd = row + 1 < rowCount ? rowStart(row + 2) : end;
    for (let i = start; i < end; i++) {
      const ownX = placeX(i);
      const ownY = placeY(i);
      const west = ownX - reach;
      const east = ownX + reach;
      const wests = i32x4.splat(west);
      up = firstFrom(up, start, wests);
      down = firstFrom(down, downEnd, wests);
      store<u32>(above + (<usize>i << 2), up);
      store<u32>(below + (<usize>i << 2), down);
      if (load<u8>(near + <usize>i)) continue;
      // Checks the first few of each row together: most items have no neighbour, and no branch is mispredicted.
      const easts = i32x4.splat(east);
      const own = upToEast(i + 1, end, easts);
      const ofDown = upToEast(down, downEnd, easts);
      const ofUp = upToEast(up, start, easts);
      const before = i > start && placeX(i - 1) >= west;
      let found: u32 = -1;
      if (own | ofDown | ofUp | <u32>before) {
        const xs = i32x4.splat(ownX);
        const ys = i32x4.splat(ownY);
        const hits =
          (nearOfFour(i + 1, xs, ys, squares) & ((1 << own) - 1)) |
          ((nearOfFour(down, xs, ys, squares) & ((1 << ofDown) - 1)) << 4) |
          ((nearOfFour(up, xs, ys, squares) & ((1 << ofUp) - 1)) << 8);
        if (hits) {
          const lane = ctz(hits);
          found = (lane < 4 ? i + 1 : lane < 8 ? down : up) + (lane & 3);
        } else {
          // One neighbour is enough, so a crowd costs no more than a pair.
          if (own == 4) found = firstWithin(i + 5, end, east, ownX, ownY, square);
          if (found == -1 && ofDown == 4) found = firstWithin(down + 4, downEnd, east, ownX, ownY, square);
          if (found == -1 && ofUp == 4) found = firstWithin(up + 4, start, east, ownX, ownY, square);
          if (found == -1 && before)
            for (let j = i; j-- > start && placeX(j) >= west; )
              if (within(placeX(j) - ownX, placeY(j) - ownY, square)) {
                found = j;
                break;
              }
        }
      }
      if (found == -1 && (west < 0 || east >= SIZE)) found = firstAcross(rowCount, row, reach, square, ownX, ownY);
      if (found == -1) continue;
      marked += 2 - <u32>load<u8>(near + <usize>found);
      store<u8>(near + <usize>i, 1);
      store<u8>(near + <usize>found, 1);
    }
  }
  return marked;
}

let listed: u32 = 0;

/** Lists the marked items; eight unmarked ones are skipped at once. Items beyond `to` are not marked. */
export function listNear(from: u32, to: u32): void {
  let out = from == 0 ? 0 : listed;
  for (let i = from; i < to; i += 8) {
    if (load<u64>(near + <usize>i) == 0) continue;
    for (let j = i; j < i + 8; j++) {
      store<u32>(list + (<usize>out << 2), j);
      out += <u32>load<u8>(near + <usize>j);
    }
  }
  listed = out;
}

// The number of marked items by the leading zeros of their count; then where each group begins in the queue.
const WEIGHTS: usize = DIGITS;

@inline function weightSlot(fine: usize, i: usize): usize {
  return WEIGHTS + (<usize>clz(load<u32>(fine + (<usize>load<u32>(source + (i << 2)) << 4), 8) >> 5) << 2);
}

export function countWeights(fine: usize, from: u32, to: u32): void {
  if (from == 0) memory.fill(WEIGHTS, 0, 4 * 33);
  for (let k = <usize>from; k < <usize>to; k++) {
    const slot = weightSlot(fine, <usize>load<u32>(list + (k << 2)));
    store<u32>(slot, load<u32>(slot) + 1);
  }
}

export function startWeights(): void {
  let sum: u32 = 0;
  for (let slot = WEIGHTS; slot < WEIGHTS + 4 * 33; slot += 4) {
    const count = load<u32>(slot);
    store<u32>(slot, sum);
    sum += count;
  }
}

/** Puts the marked items into the queue, the heaviest power of two first, each group in (row, x) order. */
export function fillQueue(fine: usize, from: u32, to: u32): void {
  for (let k = <usize>from; k < <usize>to; k++) {
    const i = load<u32>(list + (k << 2));
    const slot = weightSlot(fine, <usize>i);
    const at = load<u32>(slot);
    store<u32>(slot, at + 1);
    store<u32>(queue + (<usize>at << 2), i);
  }
}

let merged: u32 = 0;
let taken: u32 = 0;
let members: u32 = 0;
let weightSum: i64 = 0;
let sumX: i64 = 0;
let sumY: i64 = 0;

export function mergeCount(): u32 {
  return merged;
}

/** How many fine items went into merges. */
export function takenCount(): u32 {
  return taken;
}

@inline function take(fine: usize, j: u32, dx: i32, dy: i32, mark: u32): void {
  const item = fine + (<usize>load<u32>(source + (<usize>j << 2)) << 4);
  const weight = <i64>(load<u32>(item, 8) >> 5);
  store<u32>(claim + (<usize>j << 2), mark);
  members++;
  weightSum += weight;
  let x = <i64>dx * weight;
  let y = <i64>dy * weight;
  if (weight > 1) {
    const remainder = fineRemainders + (<usize>load<u32>(item, 12) << 3);
    x += <i64>load<u32>(remainder);
    y += <i64>load<u32>(remainder, 4);
  }
  sumX += x;
  sumY += y;
}

/** Which of the four items from `from` on are free and within the radius. */
@inline function freeOfFour(from: u32, ownX: v128, ownY: v128, square: v128): u32 {
  const free = i32x4.bitmask(i32x4.eq(v128.load(claim + (<usize>from << 2)), i32x4.splat(0)));
  return free & nearOfFour(from, ownX, ownY, square);
}

@inline function takeLanes(fine: usize, from: u32, lanes: u32, ownX: i32, ownY: i32, mark: u32): void {
  for (; lanes; lanes &= lanes - 1) {
    const j = from + ctz(lanes);
    take(fine, j, placeX(j) - ownX, placeY(j) - ownY, mark);
  }
}

/** Takes the free items from `from` on, before `to` and up to an x of east, that are within the radius. */
@inline function takeWithin(
  fine: usize, from: u32, to: u32, easts: v128, xs: v128, ys: v128, squares: v128, ownX: i32, ownY: i32, mark: u32,
): void {
  for (; from < to; from += 4) {
    const count = upToEast(from, to, easts);
    takeLanes(fine, from, freeOfFour(from, xs, ys, squares) & ((1 << count) - 1), ownX, ownY, mark);
    if (count < 4) return;
  }
}

/** The same backwards from `to`, down to `from` and an x of west. */
@inline function takeBefore(
  fine: usize, from: u32, to: u32, wests: v128, xs: v128, ys: v128, squares: v128, ownX: i32, ownY: i32, mark: u32,
): void {
  while (to > from) {
    // The memory before the first row belongs to another array.
    const at = max(to, 4) - 4;
    const smaller = i32x4.bitmask(i32x4.lt_s(v128.load(placesX + (<usize>at << 2)), wests)) & ((1 << (to - at)) - 1);
    // Lanes after the last smaller one, and after the row's start.
    const skipped = max(32 - clz(smaller), from > at ? from - at : 0);
    const lanes = ((1 << (to - at)) - 1) & ~((1 << skipped) - 1);
    takeLanes(fine, at, freeOfFour(at, xs, ys, squares) & lanes, ownX, ownY, mark);
    if (skipped) return;
    to = at;
  }
}

/** takeWithin for the other side of the antimeridian. */
function takeAcross(fine: usize, rowCount: u32, row: u32, reach: i32, square: f64, ownX: i32, ownY: i32, mark: u32): void {
  const last = min(row + 1, rowCount - 1);
  for (let at = row > 0 ? row - 1 : 0; at <= last; at++) {
    const start = rowStart(at);
    const end = rowStart(at + 1);
    for (let j = end; j-- > start && placeX(j) - SIZE >= ownX - reach; ) {
      const dx = placeX(j) - SIZE - ownX;
      const dy = placeY(j) - ownY;
      if (load<u32>(claim + (<usize>j << 2)) == 0 && within(dx, dy, square)) take(fine, j, dx, dy, mark);
    }
    for (let j = start; j < end && placeX(j) + SIZE <= ownX + reach; j++) {
      const dx = placeX(j) + SIZE - ownX;
      const dy = placeY(j) - ownY;
      if (load<u32>(claim + (<usize>j << 2)) == 0 && within(dx, dy, square)) take(fine, j, dx, dy, mark);
    }
  }
}

/** Every queued item that is still free takes its free neighbours. */
export function takeNeighbours(fine: usize, radius: f64, rowBits: u32, rowCount: u32, from: u32, to: u32): void {
  if (from == 0) {
    merged = taken = 0;
    memory.fill(claim, 0, placed << 2);
  }
  const reach = <i32>radius;
  const square = radius * radius;
  const squares = f64x2.splat(square);
  for (let q = from; q < to; q++) {
    const centre = load<u32>(queue + (<usize>q << 2));
    if (load<u32>(claim + (<usize>centre << 2))) continue;
    const ownX = placeX(centre);
    const ownY = placeY(centre);
    const west = ownX - reach;
    const east = ownX + reach;
    const xs = i32x4.splat(ownX);
    const ys = i32x4.splat(ownY);
    const easts = i32x4.splat(east);
    const row = <u32>ownY >> rowBits;
    const start = rowStart(row);
    const end = rowStart(row + 1);
    const mark = merged + 1;
    members = 0;
    weightSum = sumX = sumY = 0;
    takeBefore(fine, start, centre, i32x4.splat(west), xs, ys, squares, ownX, ownY, mark);
    takeWithin(fine, centre, end, easts, xs, ys, squares, ownX, ownY, mark);
    takeWithin(fine, load<u32>(above + (<usize>centre << 2)), start, easts, xs, ys, squares, ownX, ownY, mark);
    const downEnd = row + 1 < rowCount ? rowStart(row + 2) : end;
    takeWithin(fine, load<u32>(below + (<usize>centre << 2)), downEnd, easts, xs, ys, squares, ownX, ownY, mark);
    if (west < 0 || east >= SIZE) takeAcross(fine, rowCount, row, reach, square, ownX, ownY, mark);
    // The centre is always taken; if it stays alone, it is released.
    if (members == 1) {
      store<u32>(claim + (<usize>centre << 2), 0);
      continue;
    }
    const merge = merges + MERGE * <usize>merged;
    merged++;
    taken += members;
    const meanX = <i64>Math.floor(<f64>sumX / <f64>weightSum);
    const meanY = <i64>Math.floor(<f64>sumY / <f64>weightSum);
    // Past the antimeridian the other side of the world begins.
    store<u32>(merge, (ownX + <i32>meanX) & (SIZE - 1));
    store<u32>(merge, ownY + <i32>meanY, 4);
    store<u32>(merge, <u32>weightSum, 8);
    store<u32>(merge, <u32>(sumX - meanX * weightSum), 12);
    store<u32>(merge, <u32>(sumY - meanY * weightSum), 16);
  }
}

/** Sorts merges by (row, x) into mergeOrder, and their keys into mergeKeys, which reuse the arrays above and below. */
export function sortMerges(rowBits: u32): void {
  const bits = COORDINATE_BITS + COORDINATE_BITS - rowBits;
  const passes = (bits + 10) / 11;
  memory.fill(DIGITS, 0, PASS_BYTES * <usize>passes);
  let from = above;
  let to = below;
  let rank = mergeOrder;
  let toRank = spareOrder;
  for (let i: usize = 0; i < <usize>merged; i++) {
    const merge = merges + MERGE * i;
    const key = (<u64>(load<u32>(merge, 4) >> rowBits) << COORDINATE_BITS) | <u64>load<u32>(merge);
    store<u64>(from + (i << 3), key);
    store<u32>(rank + (i << 2), <u32>i);
    for (let pass: u32 = 0; pass < passes; pass++) {
      const slot = DIGITS + PASS_BYTES * <usize>pass + (<usize>((key >> (11 * pass)) & 2047) << 2);
      store<u32>(slot, load<u32>(slot) + 1);
    }
  }
  startsOf(DIGITS, PASS_BYTES * <usize>passes);
  for (let pass: u32 = 0; pass < passes; pass++) {
    const starts = DIGITS + PASS_BYTES * <usize>pass;
    for (let i: usize = 0; i < <usize>merged; i++) {
      const key = load<u64>(from + (i << 3));
      const slot = starts + (<usize>((key >> (11 * pass)) & 2047) << 2);
      const at = <usize>load<u32>(slot);
      store<u32>(slot, <u32>at + 1);
      store<u64>(to + (at << 3), key);
      store<u32>(toRank + (at << 2), load<u32>(rank + (i << 2)));
    }
    const keys = from;
    from = to;
    to = keys;
    const ranks = rank;
    rank = toRank;
    toRank = ranks;
  }
  mergeOrder = rank;
  spareOrder = toRank;
  mergeKeys = from;
  // Behind them all.
  store<u64>(mergeKeys + (<usize>merged << 3), u64.MAX_VALUE);
}

let free: u32 = 0;

/** Lists the free items. */
export function listFree(from: u32, to: u32): void {
  let out = from == 0 ? 0 : free;
  for (let i = from; i < to; i++) {
    store<u32>(list + (<usize>out << 2), i);
    out += <u32>(load<u32>(claim + (<usize>i << 2)) == 0);
  }
  // emit reads one entry past the last, and its item.
  store<u32>(list + (<usize>out << 2), 0);
  free = out;
}

let nextFree: usize = 0;
let nextMerge: usize = 0;
let withRemainder: usize = 0;

@inline function placeKey(i: usize, rowBits: u32): u64 {
  return (<u64>(load<u32>(placesY + (i << 2)) >> rowBits) << COORDINATE_BITS) | <u64>load<u32>(placesX + (i << 2));
}

/**
 * Writes items from..to-1 of the new level: unchanged free items and merges, in (row, x) order, and the ends of their
 * buckets in the table of starts. Fine items get their parent. Without branches, because the next kind of item can't be
 * predicted.
 */
export function emit(fine: usize, items: usize, zoom: u32, rowBits: u32, columnBits: u32, starts: usize, from: u32, to: u32): void {
  if (from == 0) nextFree = nextMerge = withRemainder = 0;
  const columnShift = COORDINATE_BITS - columnBits;
  const formed = i32x4.replace_lane(i32x4.splat(0), 2, zoom);
  let f = nextFree;
  let m = nextMerge;
  let remainder = withRemainder;
  for (let out = from; out < to; out++) {
    const i = <usize>load<u32>(list + (f << 2));
    const merge = merges + MERGE * <usize>load<u32>(mergeOrder + (m << 2));
    const isMerge = load<u64>(mergeKeys + (m << 3)) < (f < <usize>free ? placeKey(i, rowBits) : u64.MAX_VALUE);
    const own = fine + (<usize>load<u32>(source + (i << 2)) << 4);
    // A merge holds its plain count in the word where an item holds count << 5 | formed, and its remainders themselves
    // where an item holds the index of its remainders.
    const made = v128.or(i32x4.replace_lane(v128.load(merge), 2, load<u32>(merge, 8) << 5), formed);
    const item = v128.bitselect(made, v128.load(own), i32x4.splat(-<i32>isMerge));
    const kept = select<usize>(merge + 12, fineRemainders + (<usize>load<u32>(own, 12) << 3), isMerge);
    const heavy = <u32>i32x4.extract_lane(item, 2) >> 5 > 1;
    store<u64>(remainders + (remainder << 3), load<u64>(kept));
    const at = items + (<usize>out << 4);
    v128.store(at, i32x4.replace_lane(item, 3, heavy ? <u32>remainder : 0));
    store<u32>(select<usize>(merge + 20, own + 12, isMerge), out);
    endBucket(starts, ((<u32>i32x4.extract_lane(item, 1) >> rowBits) << columnBits) | (<u32>i32x4.extract_lane(item, 0) >> columnShift), out);
    remainder += <usize>heavy;
    m += <usize>isMerge;
    f += <usize>!isMerge;
  }
  nextFree = f;
  nextMerge = m;
  withRemainder = remainder;
}

/** The parents of the fine items that were merged. */
export function claimed(fine: usize, from: u32, to: u32): void {
  for (let q = from; q < to; q++) {
    const i = <usize>load<u32>(queue + (<usize>q << 2));
    const mark = <usize>load<u32>(claim + (i << 2));
    if (mark) store<u32>(fine + (<usize>load<u32>(source + (i << 2)) << 4), load<u32>(merges + MERGE * (mark - 1), 20), 12);
  }
}

/** The new level becomes the one to make the next from. */
export function swapRemainders(): void {
  const own = remainders;
  remainders = fineRemainders;
  fineRemainders = own;
}

/** After a second round at one zoom, fine items skip the draft level in between and point at its items' parents. */
export function passParents(fine: usize, count: u32, draft: usize): void {
  for (let i: usize = 0; i < <usize>count; i++) {
    const item = fine + (i << 4);
    store<u32>(item, load<u32>(draft + (<usize>load<u32>(item, 12) << 4), 12), 12);
  }
}

/**
 * Replaces the parents of a level's items by their first leaves, which are kept for the level below; `top`: the items
 * have no parents.
 */
export function firstLeaves(items: usize, top: bool, flip: bool, from: u32, to: u32): void {
  const next = flip ? claim : source;
  const own = flip ? source : claim;
  if (top && from == 0) store<u32>(next, 0);
  for (let i = from; i < to; i++) {
    const item = items + (<usize>i << 4);
    const slot = next + (top ? 0 : <usize>load<u32>(item, 12) << 2);
    const leaf = load<u32>(slot);
    store<u32>(own + (<usize>i << 2), leaf);
    store<u32>(item, leaf, 12);
    store<u32>(slot, leaf + (load<u32>(item, 8) >> 5));
  }
}

let point: usize = 0;

/** The points in leaf order: x, y and row, each a column from `leaves()` on. */
export function lineUp(items: usize, from: u32, to: u32): void {
  if (from == 0) point = 0;
  for (let spot = from; spot < to; spot++) {
    const item = items + (<usize>spot << 4);
    const first = <usize>load<u32>(item, 12);
    const last = first + <usize>(load<u32>(item, 8) >> 5);
    for (let leaf = first; leaf < last; leaf++) {
      store<u32>(above + (leaf << 2), load<u32>(item));
      store<u32>(below + (leaf << 2), load<u32>(item, 4));
      store<u32>(queue + (leaf << 2), load<u32>(order + (point++ << 2)));
    }
  }
}

export function leafX(): usize {
  return above;
}

export function leafY(): usize {
  return below;
}

export function leafOrder(): usize {
  return queue;
}
