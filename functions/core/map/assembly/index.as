// Tiles of a snapshot straight from its file's bytes: the same bytes as Pyramid.tile (functions/core/map/pyramid.ts)
// and encodeTile (functions/core/map/mvt.ts). Returns -1 if these must be used: a block of the file is not in memory,
// or the tile has too many items.
import { COUNT_VALUES, DAYS, FILE, HEAD, HERE, ITEMS, LEVELS, MOST_ITEMS, OUT, OUT_END, SHARED_COUNTS, ZOOM_VALUES } from './layout';

export * from './cluster';

const COORDINATE_BITS: i32 = 28;
const EXTENT_BITS: i32 = 12;
const SIZE: f64 = 268_435_456;
const SINGLE: u32 = 31;
const NONE: u32 = 0xffff_ffff;
/** An upper bound of a feature's bytes with its values, except the name, plus what is copied in excess. */
const FEATURE_BYTES: usize = 128;

let radius: f64 = 0;
let maxZoom: i32 = 0;
let blockBits: usize = 0;
let timeBase: f64 = 0;
let timeUnit: f64 = 1;
let times: usize = 0;
let nameOffsets: usize = 0;
let names: usize = 0;
let headLength: usize = 0;
let stamp: u32 = 0;
let missing: bool = false;
/** A sum of the bytes touched, so that the reads are not optimised away. */
let touched: u32 = 0;

/** Blocks of 2^bits bytes are looked up in HERE; 0: all of the file is in memory. */
export function open(
  ofRadius: f64, ofMaxZoom: i32, bits: u32, base: f64, unit: f64, timesAt: usize, offsetsAt: usize, namesAt: usize, head: u32,
): void {
  radius = ofRadius;
  maxZoom = ofMaxZoom;
  blockBits = bits;
  timeBase = base;
  timeUnit = unit;
  times = timesAt;
  nameOffsets = offsetsAt;
  names = namesAt;
  headLength = head;
  for (let day: usize = 0; day < 64; day++) store<f64>(DAYS + (day << 5), -1);
}

/** Notes whether the bytes from..to-1 of the memory are here. */
@inline function holds(from: usize, to: usize): bool {
  if (blockBits == 0) return true;
  let all = true;
  const last = (to - FILE + (<usize>1 << blockBits) - 1) >> blockBits;
  for (let block = (from - FILE) >> blockBits; block < last; block++) if (!load<u8>(HERE + block)) all = false;
  if (!all) missing = true;
  return all;
}

/** The tile's items from ITEMS on, in its own grid; how many, or -1. */
export function tile(z: i32, x: i32, y: i32): i32 {
  missing = false;
  const span = <f64>(<i32>1 << (COORDINATE_BITS - z));
  const margin = (radius * span) / 512;
  const level = LEVELS + (<usize>min(z, maxZoom + 1) << 4);
  const west = <f64>x * span - margin;
  const east = (<f64>x + 1) * span + margin;
  const north = max(0, <f64>y * span - margin);
  const south = min(SIZE, (<f64>y + 1) * span + margin);
  const left = <i64>x << EXTENT_BITS;
  const top = <i64>y << EXTENT_BITS;
  const around = <i64>1 << (EXTENT_BITS + z);
  let end = scan(level, max(0, west), north, min(SIZE, east), south, ITEMS, z, left, top);
  // The world wraps: the first and last column show the margin from the other side.
  if (west < 0) end = scan(level, SIZE + west, north, SIZE, south, end, z, left + around, top);
  if (east > SIZE) end = scan(level, 0, north, east - SIZE, south, end, z, left - around, top);
  if (missing || end == 0) return -1;
  return <i32>((end - ITEMS) >> 4);
}

/**
 * Items of [west, east) x [north, south) to `out`, in the grid of the tile with this corner; where they end, 0: too
 * many.
 */
function scan(level: usize, west: f64, north: f64, east: f64, south: f64, out: usize, z: i32, left: i64, top: i64): usize {
  if (out == 0 || west >= east || north >= south) return out;
  const first = <u32>Math.ceil(west);
  const behind = <u32>Math.ceil(east);
  const upper = <u32>Math.ceil(north);
  const lower = <u32>Math.ceil(south);
  if (<f64>first >= SIZE || <f64>upper >= SIZE) return out;
  const starts: usize = load<u32>(level);
  const items: usize = load<u32>(level, 4);
  const rowBits = load<u32>(level, 8);
  const columnBits = load<u32>(level, 12);
  const columnShift = <u32>COORDINATE_BITS - columnBits;
  const lastRow = (lower - 1) >> rowBits;
  const most = ITEMS + (MOST_ITEMS << 4);
  const shift = COORDINATE_BITS - EXTENT_BITS - z;
  const corner = i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(0), 0, <i32>left), 1, <i32>top);
  // Touches all rows first, if the whole file is in memory, so that the waits for memory overlap.
  if (blockBits == 0) {
    const column = first >> columnShift;
    let sum: u32 = 0;
    for (let row = upper >> rowBits; row <= lastRow; row++) {
      const bucket = starts + (<usize>((row << columnBits) | column) << 2);
      sum += load<u32>(items + (<usize>load<u32>(bucket) << 4));
    }
    touched = sum;
  }
  for (let row = upper >> rowBits; row <= lastRow; row++) {
    const rowStart = starts + (<usize>(row << columnBits) << 2);
    const rowEnd = starts + (<usize>((row + 1) << columnBits) << 2);
    if (!holds(rowStart, rowEnd + 4)) continue;
    const bucket = rowStart + (<usize>(first >> columnShift) << 2);
    let low = load<u32>(bucket);
    if (blockBits) {
      const to = load<u32>(rowStart + (<usize>((behind - 1) >> columnShift) << 2), 4);
      if (!holds(items + (<usize>low << 4), items + (<usize>to << 4))) continue;
    }
    // The first few items may be before the tile: they are skipped one by one.
    for (let high = load<u32>(bucket, 4); high - low > 4; ) {
      const middle = (low + high) >> 1;
      if (load<u32>(items + (<usize>middle << 4)) < first) low = middle + 1;
      else high = middle;
    }
    const end = items + (<usize>load<u32>(rowEnd) << 4);
    for (let at = items + (<usize>low << 4); at < end; at += 16) {
      const item = v128.load(at);
      const x = <u32>i32x4.extract_lane(item, 0);
      if (x >= behind) break;
      const y = <u32>i32x4.extract_lane(item, 1);
      if (shift >= 0) v128.store(out, i32x4.sub(v128.shuffle<i32>(i32x4.shr_u(item, shift), item, 0, 1, 6, 7), corner));
      else {
        store<i32>(out, <i32>((<i64>x << -shift) - left));
        store<i32>(out, <i32>((<i64>y << -shift) - top), 4);
        store<u64>(out, load<u64>(at, 8), 8);
      }
      out += <usize>(x >= first && y - upper < lower - upper) << 4;
      if (out >= most) return 0;
    }
  }
  return out;
}

/** Makes the tile as MVT from tileStart() on. Returns its number of bytes, 0 for a tile without items, or -1. */
export function encode(z: i32, x: i32, y: i32): i32 {
  const count = tile(z, x, y);
  if (count <= 0) return count;
  stamp++;
  let at = OUT + 8;
  memory.copy(at, HEAD, headLength);
  at += headLength;
  let values: u32 = 0;
  const last = ITEMS + (<usize>count << 4);
  for (let item = ITEMS; item < last; item += 16) {
    const weight = load<u32>(item, 8);
    const formed = weight & 31;
    const leaf = load<u32>(item, 12);
    const single = formed == SINGLE;
    let first: u32;
    let second: u32 = NONE;
    if (single) {
      const offset = nameOffsets + (<usize>leaf << 2);
      const time = times + (<usize>leaf << 2);
      if (!holds(time, time + 4) || !holds(offset, offset + 8)) return -1;
      const name = names + <usize>load<u32>(offset);
      const length: usize = load<u32>(offset, 4) - load<u32>(offset);
      if (!holds(name, name + length) || at + FEATURE_BYTES + length > OUT_END) return -1;
      first = values;
      second = values + 1;
      values += 2;
      at = writeName(at, name, length);
      at = writeTime(at, timeBase + timeUnit * <f64>load<u32>(time));
      if (at == 0) return -1;
    } else {
      if (at + FEATURE_BYTES > OUT_END) return -1;
      const points = weight >> 5;
      const counted = COUNT_VALUES + (<usize>points << 3);
      if (points < SHARED_COUNTS && load<u32>(counted) == stamp) first = load<u32>(counted, 4);
      else {
        first = values++;
        at = writeNumber(at, points);
        if (points < SHARED_COUNTS) {
          store<u32>(counted, stamp);
          store<u32>(counted, first, 4);
        }
      }
      const zoom = ZOOM_VALUES + (<usize>formed << 3);
      if (load<u32>(zoom) == stamp) second = load<u32>(zoom, 4);
      else if (<i32>formed <= maxZoom) {
        second = values++;
        at = writeNumber(at, formed + 1);
        store<u32>(zoom, stamp);
        store<u32>(zoom, second, 4);
      }
    }
    // Feature { id = 1, tags = 2, type = 3, geometry = 4 }: at most 40 bytes, so each length is one byte.
    store<u8>(at, (2 << 3) | 2);
    const feature = at + 1;
    store<u8>(at, 1 << 3, 2);
    at = writeVarint(at + 3, (leaf << 5) + formed);
    store<u8>(at, (2 << 3) | 2);
    const tags = at + 1;
    store<u8>(at, single ? 2 : 0, 2);
    at = writeVarint(at + 3, first);
    if (second != NONE) {
      store<u8>(at, single ? 3 : 1);
      at = writeVarint(at + 1, second);
    }
    store<u8>(tags, <u8>(at - tags - 1));
    // Type 3: POINT; geometry: MoveTo, once.
    store<u32>(at, 0x0022_0118);
    const geometry = at + 3;
    store<u8>(at, 9, 4);
    const place = load<i32>(item);
    at = writeVarint(at + 5, <u32>((place << 1) ^ (place >> 31)));
    const placeY = load<i32>(item, 4);
    at = writeVarint(at, <u32>((placeY << 1) ^ (placeY >> 31)));
    store<u8>(geometry, <u8>(at - geometry - 1));
    store<u8>(feature, <u8>(at - feature - 1));
  }
  // The layer's tag and length go right before its fields, once that is known.
  const layer = <u32>(at - OUT - 8);
  start = OUT + 8 - 1 - varintLength(layer);
  store<u8>(start, (3 << 3) | 2);
  writeVarint(start + 1, layer);
  return <i32>(at - start);
}

let start: usize = 0;
export function tileStart(): usize {
  return start;
}

@inline function writeVarint(at: usize, value: u32): usize {
  while (value > 127) {
    store<u8>(at++, <u8>(value | 128));
    value >>= 7;
  }
  store<u8>(at++, <u8>value);
  return at;
}

@inline function varintLength(value: u32): u32 {
  return (38 - clz(value | 1)) / 7;
}

/** Value { uint_value = 5 } as the layer's field 4. */
@inline function writeNumber(at: usize, value: u32): usize {
  store<u8>(at, (4 << 3) | 2);
  store<u8>(at, <u8>(1 + varintLength(value)), 1);
  store<u8>(at, 5 << 3, 2);
  return writeVarint(at + 3, value);
}

/** Value { string_value = 1 }; up to 15 bytes after the name are copied too, and overwritten later. */
@inline function writeName(at: usize, name: usize, length: usize): usize {
  store<u8>(at, (4 << 3) | 2);
  at = writeVarint(at + 1, 1 + varintLength(<u32>length) + <u32>length);
  store<u8>(at, (1 << 3) | 2);
  at = writeVarint(at + 1, <u32>length);
  for (let from: usize = 0; from < length; from += 16) v128.store(at + from, v128.load(name + from));
  return at + length;
}

const DAY_MS: f64 = 86_400_000;

/** Value { string_value } of a time as RFC 3339; 0 for a year beyond 9999. */
@inline function writeTime(at: usize, time: f64): usize {
  const day = Math.floor(time / DAY_MS);
  if (!(day >= 0 && day < 2_932_897)) return 0;
  const held = DAYS + ((<usize><u32>day & 63) << 5);
  if (load<f64>(held) != day) writeDay(held, day);
  store<u32>(at, 0x180a_1a22);
  v128.store(at, v128.load(held, 8), 4);
  store<u64>(at, load<u64>(held, 24), 20);
  const rest = <u32>Math.floor(time - day * DAY_MS);
  const seconds = rest / 1000;
  const minutes = seconds / 60;
  const hours = minutes / 60;
  const milliseconds = rest - seconds * 1000;
  two(at + 15, hours);
  two(at + 18, minutes - hours * 60);
  two(at + 21, seconds - minutes * 60);
  store<u8>(at, <u8>(48 + milliseconds / 100), 24);
  two(at + 25, milliseconds % 100);
  return at + 28;
}

@inline function two(at: usize, value: u32): void {
  const tens = value / 10;
  store<u16>(at, <u16>(0x3030 + tens + ((value - tens * 10) << 8)));
}

/** YYYY-MM-DDT00:00:00.000Z of days since the epoch: Howard Hinnant's civil_from_days (public domain). */
function writeDay(held: usize, day: f64): void {
  store<f64>(held, day);
  const shifted = <u32>day + 719_468;
  const era = shifted / 146_097;
  const ofEra = shifted - era * 146_097;
  const yearOfEra = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365;
  const ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const part = (5 * ofYear + 2) / 153;
  const dayOfMonth = ofYear - (153 * part + 2) / 5 + 1;
  const month = part < 10 ? part + 3 : part - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  two(held + 8, year / 100);
  two(held + 10, year % 100);
  store<u8>(held, 45, 12);
  two(held + 13, month);
  store<u8>(held, 45, 15);
  two(held + 16, dayOfMonth);
  // T00:00:00.000Z
  store<u64>(held, 0x303a_3030_3a30_3054, 18);
  store<u64>(held, 0x5a30_3030_2e30_303a, 24);
}

export const levelsAt: usize = LEVELS;
export const headAt: usize = HEAD;
export const hereAt: usize = HERE;
export const itemsAt: usize = ITEMS;
export const fileAt: usize = FILE;
