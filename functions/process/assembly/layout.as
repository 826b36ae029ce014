// The layout of the kernel's memory. Everything is bounded by the limits of a batch (kernel.ts), and untouched memory
// costs nothing.

/** How many hits go through the passes together: their data stays in the first-level cache. */
export const BLOCK: usize = 256;
/** The most bytes of all records in a batch. */
export const MOST_BYTES: usize = 8_000_000;
/** The most hits of such a batch: the shortest line of a hit has 61 characters. */
const MOST_ROWS: usize = 1 << 17;

// Tables of constants, written by `open`.
export const SHUFFLES: usize = 0x2000;
export const LEASTS: usize = 0x2800;
export const RIGHTS: usize = 0x3000;
/** The text `other`. */
export const OTHER: usize = 0x3200;
/** Values of an IPv6 address's characters, with room before and after, followed by its words. */
export const NIBBLES: usize = 0x3300;
export const WORDS: usize = 0x33c0;
/** Heads of the tables of names. */
export const DOMAINS: usize = 0x3400;
export const ACTIONS: usize = 0x3440;
/** For each country, its rank in order of text: two bytes for each of at most 512. */
export const RANKS: usize = 0x3500;

// Columns of a block.
export const TIMES: usize = 0x4000;
export const ADDRESSES: usize = TIMES + 8 * BLOCK;
export const ADDRESS_ENDS: usize = ADDRESSES + 4 * BLOCK;
export const NAMES_AT: usize = ADDRESS_ENDS + 4 * BLOCK;
export const NAME_LENGTHS: usize = NAMES_AT + 4 * BLOCK;
export const HASHES: usize = NAME_LENGTHS + 4 * BLOCK;
export const ACTIONS_AT: usize = HASHES + 4 * BLOCK;
export const ACTION_LENGTHS: usize = ACTIONS_AT + 4 * BLOCK;
/** Where the id begins; 0 if there is none. */
export const IDS_AT: usize = ACTION_LENGTHS + 4 * BLOCK;
export const ID_LENGTHS: usize = IDS_AT + 4 * BLOCK;
export const DAYS: usize = ID_LENGTHS + 4 * BLOCK;
export const FOUND: usize = DAYS + 4 * BLOCK;
// For the look-up: IPv4 addresses, then IPv6 ones.
export const WHICH4: usize = FOUND + 4 * BLOCK;
export const BITS4: usize = WHICH4 + 4 * BLOCK;
export const FROM4: usize = BITS4 + 4 * BLOCK;
export const LEFT4: usize = FROM4 + 4 * BLOCK;
export const WHICH6: usize = LEFT4 + 4 * BLOCK;
export const WORDS6: usize = WHICH6 + 4 * BLOCK;
export const BITS6: usize = WORDS6 + 16 * BLOCK;
export const FROM6: usize = BITS6 + 4 * BLOCK;
export const LEFT6: usize = FROM6 + 4 * BLOCK;
export const ROWS6: usize = LEFT6 + 4 * BLOCK;
export const ACTIVE: usize = ROWS6 + 4 * BLOCK;

// Hits with an id, in columns.
export const ID_LOW: usize = 0x20000;
export const ID_HIGH: usize = ID_LOW + 4 * MOST_ROWS;
export const ID_ARRIVED: usize = ID_HIGH + 4 * MOST_ROWS;
export const ID_TIME: usize = ID_ARRIVED + 8 * MOST_ROWS;
export const ID_DOMAIN: usize = ID_TIME + 8 * MOST_ROWS;
export const ID_ACTION: usize = ID_DOMAIN + 4 * MOST_ROWS;
export const ID_LOCATION: usize = ID_ACTION + 4 * MOST_ROWS;

// Hits by day and country: slots, and which of them are in use, in order of first occurrence.
export const COUNTRY_SLOTS: u32 = 2 * <u32>MOST_ROWS;
export const COUNTRIES: usize = ID_LOCATION + 4 * MOST_ROWS;
export const COUNTRY_ORDER: usize = COUNTRIES + 16 * <usize>COUNTRY_SLOTS;

// Names: slots of 8 bytes, rows of 32, and their bytes. An invalid UTF-8 byte becomes three bytes.
const SLOT_BYTES: usize = 8 * 4 * MOST_ROWS;
const ROW_BYTES: usize = 32 * MOST_ROWS;
export const DOMAIN_SLOTS: usize = COUNTRY_ORDER + 4 * MOST_ROWS;
export const DOMAIN_ROWS: usize = DOMAIN_SLOTS + SLOT_BYTES;
export const DOMAIN_NAMES: usize = DOMAIN_ROWS + ROW_BYTES;
export const ACTION_SLOTS: usize = DOMAIN_NAMES + 3 * MOST_BYTES;
export const ACTION_ROWS: usize = ACTION_SLOTS + SLOT_BYTES;
export const ACTION_NAMES: usize = ACTION_ROWS + ROW_BYTES;

/** The texts of a hit that TypeScript read. */
export const TEXTS: usize = ACTION_NAMES + 3 * MOST_BYTES;
/** A record, with room after it. */
export const DATA: usize = TEXTS + 4096;
/** The IP table. */
export const TABLE: usize = (DATA + MOST_BYTES + 4096) & ~<usize>4095;
