// IP addresses as text: layers/geo/table.ts defines which texts are addresses.
import { LEASTS, NIBBLES, SHUFFLES, WORDS } from './layout';

/**
 * For each combination of the four parts' lengths in an IPv4 address: a shuffle of the digits, the last part first, and
 * the least value of each part.
 */
export function fillPatterns(): void {
  for (let pattern: u32 = 0; pattern < 81; pattern++) {
    let rest = pattern;
    let at: u32 = 0;
    for (let part: u32 = 0; part < 4; part++) {
      const unit: u32 = part == 0 ? 27 : part == 1 ? 9 : part == 2 ? 3 : 1;
      const length = rest / unit + 1;
      rest %= unit;
      const lane = SHUFFLES + (<usize>pattern << 4) + ((3 - part) << 2);
      store<u8>(lane, 0x80);
      for (let digit: u32 = 0; digit < 3; digit++)
        store<u8>(lane + 1 + digit, digit + length < 3 ? 0x80 : <u8>(at + digit + length - 3));
      at += length + 1;
      // A part of several digits has no leading zero.
      store<u32>(LEASTS + (<usize>pattern << 4) + ((3 - part) << 2), length == 3 ? 100 : length == 2 ? 10 : 0);
    }
  }
}

/** Returns the 32 bits of an IPv4 address; -1 for anything else. Reads sixteen bytes. */
@inline export function readV4(at: usize, end: usize): i64 {
  const length = <u32>(end - at);
  if (length > 15) return -1;
  const text = v128.load(at);
  const digits = i8x16.sub(text, i8x16.splat(48));
  const within = (<u32>1 << length) - 1;
  const dots = <u32>i8x16.bitmask(i8x16.eq(text, i8x16.splat(46))) & within;
  if (((<u32>i8x16.bitmask(i8x16.le_u(digits, i8x16.splat(9))) | dots) & within) != within || popcnt(dots) != 3) return -1;
  const first = ctz(dots);
  const two = dots & (dots - 1);
  const second = ctz(two);
  const third = ctz(two & (two - 1));
  const a = <u32>(first - 1);
  const b = <u32>(second - first - 2);
  const c = <u32>(third - second - 2);
  const d = <u32>(length - third - 2);
  // Each is 0 to 2; a negative number becomes large as unsigned.
  if (a > 2 || b > 2 || c > 2 || d > 2) return -1;
  const pattern: usize = a * 27 + b * 9 + c * 3 + d;
  const places = i8x16.swizzle(digits, v128.load(SHUFFLES + (pattern << 4)));
  const weights = i16x8(0, 100, 10, 1, 0, 100, 10, 1);
  const low = i32x4.dot_i16x8_s(i16x8.extend_low_i8x16_u(places), weights);
  const high = i32x4.dot_i16x8_s(i16x8.extend_high_i8x16_u(places), weights);
  const parts = i32x4.add(
    v128.shuffle<i32>(low, high, 0, 2, 4, 6),
    v128.shuffle<i32>(low, high, 1, 3, 5, 7),
  );
  const wrong = v128.or(i32x4.gt_s(parts, i32x4.splat(255)), i32x4.lt_s(parts, v128.load(LEASTS + (pattern << 4))));
  if (v128.any_true(wrong)) return -1;
  const bytes = i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(parts, parts), parts);
  return <i64><u32>i32x4.extract_lane(bytes, 0);
}

/** Reads an IPv6 address into WORDS, eight of 16 bits; false if it is not one. */
export function readV6(at: usize, end: usize): bool {
  const length = end - at;
  if (length < 2 || length > 45) return false;
  let colons: u64 = 0;
  let letters: u64 = 0;
  for (let from: usize = 0; from < length; from += 16) {
    const text = v128.load(at + from);
    const digit = i8x16.sub(text, i8x16.splat(48));
    const isDigit = i8x16.le_u(digit, i8x16.splat(9));
    const letter = i8x16.sub(v128.or(text, i8x16.splat(0x20)), i8x16.splat(97));
    const isLetter = i8x16.le_u(letter, i8x16.splat(5));
    v128.store(NIBBLES + 16 + from, v128.bitselect(digit, i8x16.add(letter, i8x16.splat(10)), isDigit));
    letters |= <u64>i8x16.bitmask(v128.or(isDigit, isLetter)) << from;
    colons |= <u64>i8x16.bitmask(i8x16.eq(text, i8x16.splat(58))) << from;
  }
  const within = (<u64>1 << length) - 1;
  colons &= within;
  letters &= within;
  // A tail in IPv4 notation follows a colon.
  let tail: i64 = -1;
  let most: u32 = 8;
  let limit = length;
  if ((colons | letters) != within) {
    if (!colons) return false;
    limit = 64 - <usize>clz(colons);
    tail = readV4(at + limit, end);
    if (tail < 0) return false;
    most = 6;
    const before = (<u64>1 << limit) - 1;
    letters &= before;
    if ((colons | letters) != before) return false;
  }
  let count: u32 = 0;
  let gap: i32 = -1;
  let place: usize = 0;
  if (colons & 1) {
    if (!(colons & 2)) return false;
    gap = 0;
    place = 2;
  }
  while (place < limit) {
    if (count == most) return false;
    const next = min<usize>(<usize>ctz(colons >> place | (<u64>1 << (limit - place))), limit - place);
    if (next == 0 || next > 4) return false;
    const stop = place + next;
    const nibbles = load<u32>(NIBBLES + 12 + stop) & (<u32>-1 << (<u32>(4 - next) << 3));
    const pairs = ((nibbles & 0x000f_000f) << 4) | ((nibbles >> 8) & 0x000f_000f);
    store<u16>(WORDS + (<usize>count << 1), <u16>((pairs << 8) | (pairs >> 16)));
    count++;
    place = stop;
    if (place == limit) break;
    // A colon: between two groups, doubled at most once, or before the tail.
    place++;
    if (place == limit) {
      if (tail < 0) return false;
      break;
    }
    if (colons >> place & 1) {
      if (gap >= 0) return false;
      gap = count;
      place++;
    }
  }
  if (tail >= 0) {
    store<u16>(WORDS + (<usize>count << 1), <u16>(tail >> 16));
    store<u16>(WORDS + (<usize>count << 1), <u16>tail, 2);
    count += 2;
  }
  if (gap < 0) return count == 8;
  if (count >= 8) return false;
  const behind = count - <u32>gap;
  memory.copy(WORDS + (<usize>(8 - behind) << 1), WORDS + (<usize>gap << 1), <usize>behind << 1);
  memory.fill(WORDS + (<usize>gap << 1), 0, <usize>(8 - count) << 1);
  return true;
}
