// Reads lines of hits as encodeHit writes them (functions/core/hits/hit.ts), sixteen bytes at a step. Accepts a subset
// of what the reader in TypeScript accepts, with the same values; stops at any other line.
import { ADDRESSES, ADDRESS_ENDS, ACTIONS_AT, ACTION_LENGTHS, BLOCK, HASHES, IDS_AT, ID_LENGTHS, NAMES_AT, NAME_LENGTHS, RIGHTS, TIMES } from './layout';
import { hashName } from './names';

const QUOTE: i8 = 34;

/** For each number of digits, a shuffle that right-aligns them with leading zeros. */
export function fillRights(): void {
  for (let digits = 0; digits < 16; digits++)
    for (let at = 0; at < 16; at++) {
      const from = at - 16 + digits;
      store<u8>(RIGHTS + (<usize>digits << 4) + at, <u8>(from < 0 ? 0x80 : from));
    }
}

/** The end of the printable ASCII other than " and \. */
@inline function plainEnd(at: usize): usize {
  let mask = 0;
  for (; ; at += 16) {
    const text = v128.load(at);
    const odd = v128.or(
      i8x16.ge_u(i8x16.sub(text, i8x16.splat(0x20)), i8x16.splat(0x5f)),
      v128.or(i8x16.eq(text, i8x16.splat(QUOTE)), i8x16.eq(text, i8x16.splat(0x5c))),
    );
    mask = i8x16.bitmask(odd);
    if (mask) break;
  }
  return at + <usize>ctz(mask);
}

/** Whether these twelve bytes are at a position. */
@inline function key(at: usize, text: v128): bool {
  return (i8x16.bitmask(i8x16.eq(v128.load(at), text)) & 0xfff) == 0xfff;
}

/** Where `scan` stopped: at a line that it does not accept, or at the end. */
export let stoppedAt: usize = 0;

/** Reads at most a block of lines; returns how many. Zeros must follow `last`. */
export function scan(at: usize, last: usize): u32 {
  // {"type":"hit","time":
  const head = i8x16(123, 34, 116, 121, 112, 101, 34, 58, 34, 104, 105, 116, 34, 44, 34, 116);
  const headEnd = i8x16(101, 34, 58, 34, 104, 105, 116, 34, 44, 34, 116, 105, 109, 101, 34, 58);
  // ,"address":"   ","domain":"   ","action":"
  const addressKey = i8x16(44, 34, 97, 100, 100, 114, 101, 115, 115, 34, 58, 34, 0, 0, 0, 0);
  const domainKey = i8x16(34, 44, 34, 100, 111, 109, 97, 105, 110, 34, 58, 34, 0, 0, 0, 0);
  const actionKey = i8x16(34, 44, 34, 97, 99, 116, 105, 111, 110, 34, 58, 34, 0, 0, 0, 0);
  // ","id":"
  const idKey: u64 = 0x223a_2264_6922_2c22;
  stoppedAt = at;
  let count: usize = 0;
  for (; count < BLOCK && at < last; count++) {
    if (!i8x16.all_true(v128.and(i8x16.eq(v128.load(at), head), i8x16.eq(v128.load(at, 5), headEnd)))) break;
    at += 21;

    // 1 to 15 digits: exact in a double, and below 8.64e15.
    const digits = i8x16.sub(v128.load(at), i8x16.splat(48));
    const many = ctz(i8x16.bitmask(i8x16.gt_u(digits, i8x16.splat(9))) | 0x10000);
    if (many == 0 || many > 15 || load<u8>(at) == 48) break;
    const right = i8x16.swizzle(digits, v128.load(RIGHTS + (<usize>many << 4)));
    const twos = i16x8.add(i16x8.mul(v128.and(right, i16x8.splat(0xff)), i16x8.splat(10)), i16x8.shr_u(right, 8));
    const fours = i32x4.dot_i16x8_s(twos, i16x8(100, 1, 100, 1, 100, 1, 100, 1));
    const upper = i32x4.extract_lane(fours, 0) * 10000 + i32x4.extract_lane(fours, 1);
    const lower = i32x4.extract_lane(fours, 2) * 10000 + i32x4.extract_lane(fours, 3);
    store<f64>(TIMES + (count << 3), <f64>upper * 1e8 + <f64>lower);
    at += many;

    if (!key(at, addressKey)) break;
    at += 12;
    store<u32>(ADDRESSES + (count << 2), <u32>at);
    at = plainEnd(at);
    store<u32>(ADDRESS_ENDS + (count << 2), <u32>at);

    if (!key(at, domainKey)) break;
    at += 12;
    const domain = at;
    let dots: u64 = 0;
    let hyphens: u64 = 0;
    let length: u64 = 0;
    for (; length < 64; length += 16) {
      const text = v128.load(at + <usize>length);
      const low = i8x16.sub(text, i8x16.splat(45));
      const dot = i8x16.eq(text, i8x16.splat(46));
      const hyphen = i8x16.eq(text, i8x16.splat(45));
      // a-z, _ and the range from - to 9 without the slash.
      const name = v128.or(
        v128.or(i8x16.le_u(i8x16.sub(text, i8x16.splat(97)), i8x16.splat(25)), i8x16.eq(text, i8x16.splat(95))),
        v128.andnot(i8x16.le_u(low, i8x16.splat(12)), i8x16.eq(low, i8x16.splat(2))),
      );
      dots |= <u64>i8x16.bitmask(dot) << length;
      hyphens |= <u64>i8x16.bitmask(hyphen) << length;
      const odd = ~i8x16.bitmask(name) & 0xffff;
      if (odd) {
        length += ctz(odd);
        break;
      }
    }
    // The labels of a longer name must be measured.
    if (length == 0 || length > 63) break;
    const within = (<u64>1 << length) - 1;
    dots &= within;
    const starts = (dots << 1) | 1;
    const ends = (dots >> 1) | (<u64>1 << (length - 1));
    // A label must not be empty, nor begin or end with a hyphen.
    if ((starts & (dots | hyphens)) & within || ends & hyphens || (dots >> (length - 1)) & 1) break;
    store<u32>(NAMES_AT + (count << 2), <u32>domain);
    store<u32>(NAME_LENGTHS + (count << 2), <u32>length);
    store<u32>(HASHES + (count << 2), hashName(domain, <u32>length));
    at = domain + <usize>length;

    if (!key(at, actionKey)) break;
    at += 12;
    const action = at;
    at = plainEnd(at);
    if (at == action || at - action > 64) break;
    store<u32>(ACTIONS_AT + (count << 2), <u32>action);
    store<u32>(ACTION_LENGTHS + (count << 2), <u32>(at - action));

    let id: usize = 0;
    if (load<u64>(at) == idKey) {
      at += 8;
      id = at;
      at = plainEnd(at);
      if (at == id || at - id > 128) break;
      store<u32>(ID_LENGTHS + (count << 2), <u32>(at - id));
    }
    store<u32>(IDS_AT + (count << 2), <u32>id);
    // "} and then a line feed or the end.
    if (load<u16>(at) != 0x7d22) break;
    at += 2;
    if (at > last || (at < last && load<u8>(at) != 10)) break;
    at++;
    stoppedAt = at;
  }
  return <u32>count;
}
