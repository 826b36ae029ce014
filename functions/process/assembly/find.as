// Look-ups in the IP table (layers/geo/table.ts) of a block's addresses, in passes, so that the waits for memory
// overlap and no branch depends on an address.
import { readV4, readV6 } from './address';
import { ACTIVE, ADDRESSES, ADDRESS_ENDS, BITS4, BITS6, FOUND, FROM4, FROM6, LEFT4, LEFT6, ROWS6, WHICH4, WHICH6, WORDS, WORDS6 } from './layout';

const DEEPER: u32 = 0x8000_0000;
/** How many range starts the last step compares at once. */
const LAST4: u32 = 16;
const LAST6: u32 = 8;

let v4Bounds: usize = 0;
let v4Starts: usize = 0;
let v4Values: usize = 0;
let v6Bounds: usize = 0;
let v6Starts: usize = 0;
let v6Values: usize = 0;

export function openTable(bounds4: usize, starts4: usize, values4: usize, bounds6: usize, starts6: usize, values6: usize): void {
  v4Bounds = bounds4;
  v4Starts = starts4;
  v4Values = values4;
  v6Bounds = bounds6;
  v6Starts = starts6;
  v6Values = values6;
}

@inline function at32(column: usize, index: usize): usize {
  return column + (index << 2);
}

/** Fills FOUND with the number of each address's location, or -1. */
export function findAll(count: usize): void {
  let four: usize = 0;
  let six: usize = 0;
  for (let at: usize = 0; at < count; at++) {
    const start: usize = load<u32>(at32(ADDRESSES, at));
    const end: usize = load<u32>(at32(ADDRESS_ENDS, at));
    let address = readV4(start, end);
    if (address < 0) {
      if (!readV6(start, end)) {
        store<i32>(at32(FOUND, at), -1);
        continue;
      }
      // ::ffff:0:0/96 is IPv4.
      if (load<u64>(WORDS) == 0 && load<u32>(WORDS, 8) == 0xffff_0000) address = (<i64>load<u16>(WORDS, 12) << 16) | load<u16>(WORDS, 14);
      else {
        store<u32>(at32(WHICH6, six), <u32>at);
        v128.store(WORDS6 + (six << 4), v128.load(WORDS));
        six++;
        continue;
      }
    }
    store<u32>(at32(WHICH4, four), <u32>at);
    store<u32>(at32(BITS4, four), <u32>address);
    four++;
  }
  if (four) findV4(four);
  if (six) findV6(six);
}

function findV4(count: usize): void {
  let active: usize = 0;
  for (let at: usize = 0; at < count; at++) {
    const bounds = at32(v4Bounds, load<u16>(at32(BITS4, at), 2));
    const from = load<u32>(bounds);
    const left = load<u32>(bounds, 4) - from;
    store<u32>(at32(FROM4, at), from);
    store<u32>(at32(LEFT4, at), left);
    store<u32>(at32(ACTIVE, active), <u32>at);
    active += <usize>(left > LAST4);
  }
  while (active) {
    let still: usize = 0;
    for (let index: usize = 0; index < active; index++) {
      const at: usize = load<u32>(at32(ACTIVE, index));
      const from = load<u32>(at32(FROM4, at));
      const left = load<u32>(at32(LEFT4, at));
      const half = left >> 1;
      const middle = from + half;
      store<u32>(at32(FROM4, at), load<u16>(v4Starts + (<usize>middle << 1)) <= load<u16>(at32(BITS4, at)) ? middle : from);
      store<u32>(at32(LEFT4, at), left - half);
      store<u32>(at32(ACTIVE, still), <u32>at);
      still += <usize>(left - half > LAST4);
    }
    active = still;
  }
  const lanes = i16x8(0, 1, 2, 3, 4, 5, 6, 7);
  for (let at: usize = 0; at < count; at++) {
    const from = load<u32>(at32(FROM4, at));
    const left = load<u32>(at32(LEFT4, at));
    const starts = v4Starts + (<usize>from << 1);
    const bits = i16x8.splat(load<i16>(at32(BITS4, at)));
    // Counts the ranges among the first `left` that begin at or before the address; the last of these contains it.
    const lowInside = i16x8.lt_s(lanes, i16x8.splat(<i16>left));
    const highInside = i16x8.lt_s(lanes, i16x8.splat(<i16>left - 8));
    const low = v128.and(i16x8.le_u(v128.load(starts), bits), lowInside);
    const high = v128.and(i16x8.le_u(v128.load(starts, 16), bits), highInside);
    store<u32>(at32(FROM4, at), from - 1 + popcnt(i16x8.bitmask(low)) + popcnt(i16x8.bitmask(high)));
  }
  for (let at: usize = 0; at < count; at++)
    store<u32>(at32(FOUND, load<u32>(at32(WHICH4, at))), load<u32>(at32(v4Values, load<u32>(at32(FROM4, at)))) - 1);
}

/** Each round settles the addresses that these bits decide; the others go one step further. */
function findV6(count: usize): void {
  for (let at: usize = 0; at < count; at++) {
    store<u32>(at32(ROWS6, at), <u32>at);
    store<u32>(at32(FROM6, at), load<u16>(WORDS6 + (at << 4)));
  }
  for (let word: usize = 1; count > 0; word += 2) {
    let active: usize = 0;
    for (let at: usize = 0; at < count; at++) {
      const words = WORDS6 + (<usize>load<u32>(at32(ROWS6, at)) << 4) + (word << 1);
      // In the last step only 16 bits are left, in the upper half.
      store<u32>(at32(BITS6, at), (<u32>load<u16>(words) << 16) | (word < 7 ? <u32>load<u16>(words, 2) : 0));
      const bounds = at32(v6Bounds, load<u32>(at32(FROM6, at)));
      const from = load<u32>(bounds);
      const left = load<u32>(bounds, 4) - from;
      store<u32>(at32(FROM6, at), from);
      store<u32>(at32(LEFT6, at), left);
      store<u32>(at32(ACTIVE, active), <u32>at);
      active += <usize>(left > LAST6);
    }
    while (active) {
      let still: usize = 0;
      for (let index: usize = 0; index < active; index++) {
        const at: usize = load<u32>(at32(ACTIVE, index));
        const from = load<u32>(at32(FROM6, at));
        const left = load<u32>(at32(LEFT6, at));
        const half = left >> 1;
        const middle = from + half;
        store<u32>(at32(FROM6, at), load<u32>(at32(v6Starts, middle)) <= load<u32>(at32(BITS6, at)) ? middle : from);
        store<u32>(at32(LEFT6, at), left - half);
        store<u32>(at32(ACTIVE, still), <u32>at);
        still += <usize>(left - half > LAST6);
      }
      active = still;
    }
    const lanes = i32x4(0, 1, 2, 3);
    for (let at: usize = 0; at < count; at++) {
      const from = load<u32>(at32(FROM6, at));
      const left = load<i32>(at32(LEFT6, at));
      const starts = at32(v6Starts, from);
      const bits = i32x4.splat(load<i32>(at32(BITS6, at)));
      const low = v128.and(i32x4.le_u(v128.load(starts), bits), i32x4.lt_s(lanes, i32x4.splat(left)));
      const high = v128.and(i32x4.le_u(v128.load(starts, 16), bits), i32x4.lt_s(lanes, i32x4.splat(left - 4)));
      store<u32>(at32(FROM6, at), from - 1 + popcnt(i32x4.bitmask(low)) + popcnt(i32x4.bitmask(high)));
    }
    let deeper: usize = 0;
    for (let at: usize = 0; at < count; at++) {
      const value = load<u32>(at32(v6Values, load<u32>(at32(FROM6, at))));
      const row = load<u32>(at32(ROWS6, at));
      if (value < DEEPER) store<u32>(at32(FOUND, load<u32>(at32(WHICH6, row))), value - 1);
      else {
        store<u32>(at32(FROM6, deeper), value - DEEPER);
        store<u32>(at32(ROWS6, deeper), row);
        deeper++;
      }
    }
    count = deeper;
  }
}
