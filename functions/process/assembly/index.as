// Sums the hits of a batch, as DeltaBuilder (functions/core/hits/delta.ts) does, in columns in one memory. Hits are
// processed in blocks: read, locate, look up names, add up.
import { fillPatterns } from './address';
import { findAll, openTable } from './find';
import { ACTIONS, ACTIONS_AT, ACTION_LENGTHS, ACTION_NAMES, ACTION_ROWS, ACTION_SLOTS, ADDRESSES, ADDRESS_ENDS, COUNTRIES, COUNTRY_ORDER, COUNTRY_SLOTS, DATA, DAYS, DOMAINS, DOMAIN_NAMES, DOMAIN_ROWS, DOMAIN_SLOTS, FOUND, HASHES, IDS_AT, ID_ACTION, ID_ARRIVED, ID_DOMAIN, ID_HIGH, ID_LENGTHS, ID_LOCATION, ID_LOW, ID_TIME, MOST_BYTES, NAMES_AT, NAME_LENGTHS, OTHER, RANKS, TABLE, TEXTS, TIMES } from './layout';
import { countOf, emptyNames, hashName, HITS, intern, IS_OTHER, LENGTH, LOCATION, namesEnd, rowAt, seedNames, tagged, TIME, touch } from './names';
import { fillRights, scan, stoppedAt } from './scan';

const DAY_MS: f64 = 86_400_000;
const FUTURE_MS: f64 = 300_000;
const ROW_BITS: u32 = 22;
const COUNTRY_ONLY: u32 = (1 << ROW_BITS) - 1;

let lat: usize = 0;
let lon: usize = 0;

let hits: u32 = 0;
let unlocated: u32 = 0;
let late: u32 = 0;
let future: u32 = 0;
let others: u32 = 0;
let identified: usize = 0;
let countries: u32 = 0;
let nextLine: usize = 0;

export function open(
  bounds4: usize, starts4: usize, values4: usize, bounds6: usize, starts6: usize, values6: usize,
  latitudes: usize, longitudes: usize, seedLow: u32, seedHigh: u32, otherLength: u32,
): void {
  openTable(bounds4, starts4, values4, bounds6, starts6, values6);
  lat = latitudes;
  lon = longitudes;
  fillPatterns();
  fillRights();
  seedNames(seedLow, seedHigh, OTHER, otherLength);
}

/** Starts a new batch. */
export function begin(mostDomains: u32, mostActions: u32): void {
  hits = unlocated = late = future = others = 0;
  identified = 0;
  for (let at: usize = 0; at < countries; at++) store<u64>(load<u32>(COUNTRY_ORDER + (at << 2)), 0, 8);
  countries = 0;
  emptyNames(DOMAINS, DOMAIN_SLOTS, DOMAIN_ROWS, DOMAIN_NAMES, mostDomains);
  emptyNames(ACTIONS, ACTION_SLOTS, ACTION_ROWS, ACTION_NAMES, mostActions);
}

/**
 * Adds the hits from `at` on, with their record's arrival, and returns how many lines it read: all up to `last`, or up
 * to one that TypeScript must read, at nextAt().
 */
export function read(at: usize, last: usize, arrivedAt: f64): u32 {
  let lines: u32 = 0;
  for (;;) {
    const count = scan(at, last);
    if (count) addBlock(count, arrivedAt);
    lines += count;
    at = stoppedAt;
    if (at >= last || count < 256) break;
  }
  nextLine = at;
  return lines;
}

export function nextAt(): usize {
  return nextLine;
}

/** Adds one hit whose texts are one after another in TEXTS. */
export function readOne(time: f64, address: u32, domain: u32, action: u32, id: usize, idLength: u32, arrivedAt: f64): void {
  store<f64>(TIMES, time);
  store<u32>(ADDRESSES, <u32>TEXTS);
  store<u32>(ADDRESS_ENDS, <u32>TEXTS + address);
  store<u32>(NAMES_AT, <u32>TEXTS + address);
  store<u32>(NAME_LENGTHS, domain);
  store<u32>(HASHES, hashName(TEXTS + address, domain));
  store<u32>(ACTIONS_AT, <u32>TEXTS + address + domain);
  store<u32>(ACTION_LENGTHS, action);
  store<u32>(IDS_AT, <u32>id);
  store<u32>(ID_LENGTHS, idLength);
  addBlock(1, arrivedAt);
}

let touched: u32 = 0;

function addBlock(count: usize, arrivedAt: f64): void {
  let sum: u32 = 0;
  for (let at: usize = 0; at < count; at++) {
    const stamp = load<f64>(TIMES + (at << 3));
    // Never later than the arrival, so that a hit from a sender whose clock is ahead does not stay the newest.
    const time = min(stamp, arrivedAt);
    if (stamp > arrivedAt + FUTURE_MS) future++;
    else if (time < arrivedAt - DAY_MS) late++;
    const day = <i32>Math.floor(time / DAY_MS);
    store<f64>(TIMES + (at << 3), time);
    store<i32>(DAYS + (at << 2), day);
    const mixed = tagged(load<u32>(HASHES + (at << 2)), day);
    store<u32>(HASHES + (at << 2), mixed);
    sum += touch(DOMAINS, mixed);
  }
  touched = sum;
  findAll(count);
  for (let at: usize = 0; at < count; at++) {
    const four = at << 2;
    const day = load<i32>(DAYS + four);
    const time = load<f64>(TIMES + (at << 3));
    const location = load<i32>(FOUND + four);
    const domain = intern(DOMAINS, load<u32>(NAMES_AT + four), load<u32>(NAME_LENGTHS + four), load<u32>(HASHES + four), day);
    const actionAt: usize = load<u32>(ACTIONS_AT + four);
    const actionLength = load<u32>(ACTION_LENGTHS + four);
    const action = intern(ACTIONS, actionAt, actionLength, tagged(hashName(actionAt, actionLength), day), day);
    const row = rowAt(DOMAINS, domain);
    if (load<u32>(row, LENGTH) & IS_OTHER) others++;
    const id: usize = load<u32>(IDS_AT + four);
    if (id) {
      identify(id, load<u32>(ID_LENGTHS + four), arrivedAt, time, domain, action, location);
      continue;
    }
    hits++;
    store<u32>(row, load<u32>(row, HITS) + 1, HITS);
    const actionRow = rowAt(ACTIONS, action);
    store<u32>(actionRow, load<u32>(actionRow, HITS) + 1, HITS);
    if (location < 0) {
      unlocated++;
      countCountry(day, 0);
      continue;
    }
    countCountry(day, (<u32>location >> ROW_BITS) + 1);
    if ((<u32>location & COUNTRY_ONLY) == COUNTRY_ONLY) {
      unlocated++;
      continue;
    }
    const held = load<f64>(row, TIME);
    if (time > held || (time == held && winsTie(location, load<i32>(row, LOCATION)))) {
      store<f64>(row, time, TIME);
      store<i32>(row, location, LOCATION);
    }
  }
}

function winsTie(location: u32, held: u32): bool {
  const row: usize = (location & COUNTRY_ONLY) << 2;
  const heldRow: usize = (held & COUNTRY_ONLY) << 2;
  const latitude = load<i32>(lat + row);
  const heldLatitude = load<i32>(lat + heldRow);
  if (latitude != heldLatitude) return latitude > heldLatitude;
  const longitude = load<i32>(lon + row);
  const heldLongitude = load<i32>(lon + heldRow);
  if (longitude != heldLongitude) return longitude > heldLongitude;
  return load<u16>(RANKS + (<usize>(location >> ROW_BITS) << 1)) > load<u16>(RANKS + (<usize>(held >> ROW_BITS) << 1));
}

/** A slot has day and country, hits, and 1 if it is in use. */
@inline function countCountry(day: i32, country: u32): void {
  const key = (<u64><u32>day << 10) | country;
  let slot = (<u32>(key ^ (key >> 10) * 0x9e3779b1)) & (COUNTRY_SLOTS - 1);
  for (; ; slot = (slot + 1) & (COUNTRY_SLOTS - 1)) {
    const at = COUNTRIES + (<usize>slot << 4);
    if (!load<u32>(at, 12)) {
      store<u64>(at, key);
      store<u32>(at, 1, 12);
      store<u32>(COUNTRY_ORDER + (<usize>countries << 2), <u32>at);
      countries++;
    } else if (load<u64>(at) != key) continue;
    store<u32>(at, load<u32>(at, 8) + 1, 8);
    return;
  }
}

/** The finalizer of MurmurHash3 (public domain), with a second word mixed in. */
@inline function stir(word: u32, other: u32): u32 {
  let mixed = word ^ (other * 0x9e3779b1);
  mixed = (mixed ^ (mixed >> 16)) * 0x85ebca6b;
  mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35;
  return mixed ^ (mixed >> 16);
}

function identify(at: usize, length: u32, arrivedAt: f64, time: f64, domain: u32, action: u32, location: i32): void {
  let low: u32 = 0x9747b28c;
  let high: u32 = 0x3c6ef372;
  for (let end = at + length; at < end; at++) {
    const byte: u32 = load<u8>(at);
    low = (low ^ byte) * 0x01000193;
    high = high * 0x2c1b3c6d + byte;
  }
  low = stir(low ^ length, high);
  const four = identified << 2;
  const eight = identified << 3;
  store<u32>(ID_LOW + four, low);
  store<u32>(ID_HIGH + four, stir(high, low));
  store<f64>(ID_ARRIVED + eight, arrivedAt);
  store<f64>(ID_TIME + eight, time);
  store<u32>(ID_DOMAIN + four, domain);
  store<u32>(ID_ACTION + four, action);
  store<i32>(ID_LOCATION + four, location);
  identified++;
}

export const dataAt: usize = DATA;
export const textsAt: usize = TEXTS;
export const tableAt: usize = TABLE;
export const otherAt: usize = OTHER;
export const ranksAt: usize = RANKS;
export const mostBytes: usize = MOST_BYTES;

/** hits, unlocated, late, future, other, identified, countries; rows and end of names of domains and of actions. */
export function figure(which: u32): u32 {
  switch (which) {
    case 0: return hits;
    case 1: return unlocated;
    case 2: return late;
    case 3: return future;
    case 4: return others;
    case 5: return <u32>identified;
    case 6: return countries;
    case 7: return countOf(DOMAINS);
    case 8: return countOf(ACTIONS);
    case 9: return <u32>(namesEnd(DOMAINS) - DOMAIN_NAMES);
    default: return <u32>(namesEnd(ACTIONS) - ACTION_NAMES);
  }
}

/** Where the columns begin, in this order: rows and names of domains and of actions, hits with an id, countries. */
export function place(which: u32): usize {
  switch (which) {
    case 0: return DOMAIN_ROWS;
    case 1: return DOMAIN_NAMES;
    case 2: return ACTION_ROWS;
    case 3: return ACTION_NAMES;
    case 4: return ID_LOW;
    case 5: return ID_HIGH;
    case 6: return ID_ARRIVED;
    case 7: return ID_TIME;
    case 8: return ID_DOMAIN;
    case 9: return ID_ACTION;
    case 10: return ID_LOCATION;
    default: return COUNTRY_ORDER;
  }
}
