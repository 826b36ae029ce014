// The layout of a snapshot's memory; the file comes last. Untouched memory costs nothing.

/** For each level 16 bytes: starts, items, row bits, column bits. */
export const LEVELS: usize = 0x2000;
/** The layer's first fields, preceded by room for its tag and length. */
export const HEAD: usize = 0x2200;
/** A cache of written days: the day's number, and its text in 24 characters. */
export const DAYS: usize = 0x3000;
/** For each count or zoom: the stamp of the last tile with it, and the index of its value there. */
export const ZOOM_VALUES: usize = 0x4000;
export const COUNT_VALUES: usize = 0x8000;
/** Counts below this share one value. */
export const SHARED_COUNTS: u32 = 4096;
/** A byte for each block of a file that is read in blocks: 1 where it is in memory. */
export const HERE: usize = 0x10000;
export const ITEMS: usize = 0x20000;
/** The most items of a tile; larger ones are made in TypeScript. */
export const MOST_ITEMS: usize = 32768;
export const OUT: usize = ITEMS + 16 * MOST_ITEMS;
const OUT_BYTES: usize = 16 << 20;
export const OUT_END: usize = OUT + OUT_BYTES;
export const FILE: usize = OUT_END + 0x10000;
