// What the host writes before the first thread starts: 64 words at a fixed place, the same for every thread.
// Addresses and sizes are bytes unless said otherwise. functions/train/kernel.ts holds the other half of this table.
export const BASE: usize = 1024;

@inline export function word(index: usize): u32 {
  return load<u32>(BASE + (index << 2));
}

export const RANK: usize = 0;
/** Floats from one row of factors to the next: the rank rounded up to whole vectors, the rest zero. */
export const STRIDE: usize = 1;
/** People first, then images, in turns. */
export const HALF_STEPS: usize = 2;
/** 0 exact, 1 conjugate gradients. */
export const SOLVER: usize = 3;
/** 1: lambda times the number of a row's entries, as Spark has it. */
export const WEIGHTED: usize = 4;
export const CG_STEPS: usize = 5;
/** Rows of more entries are spread over the four lanes. */
export const SPLIT_AT: usize = 6;
/** Pairs of u32 a phase: chunks handed out, chunks done. */
export const PHASES: usize = 7;
export const GRAM_PARTS: usize = 8;
export const GRAM: usize = 9;
/** L of the other side's Gram matrix and lambda, L^-1, and its transpose. */
export const LOWER: usize = 10;
export const INVERSE: usize = 11;
export const WHITENER: usize = 12;
/** L^-1 y for each of the other side's rows. */
export const WHITENED: usize = 13;
export const SCRATCH: usize = 14;
export const SCRATCH_BYTES: usize = 15;
export const FAILED: usize = 16;
/** A row of zeros, for lanes that have run out of entries. */
export const ZEROS: usize = 17;
/** Two f64. */
export const LAMBDA: usize = 18;
export const ALPHA: usize = 20;
/** The whole Gram matrix in f64, lower triangle. */
export const GRAM_DOUBLE: usize = 22;
export const IDENTITY: usize = 23;
/** 1: four rows at once, one a lane. */
export const LANES: usize = 24;

// Of lists for everybody (top.ts).
export const LIST_LENGTH: usize = 25;
/** Columns of factors that are multiplied out for all images, a multiple of 8. */
export const HEAD: usize = 26;
/** Turns factors so that most of their length is in the head; panels. */
export const TURN: usize = 27;
/** Images by falling length, eight by eight: the head in a panel, and the lengths of the eight tails. */
export const HEADS: usize = 28;
export const TAILS: usize = 29;
/** Lengths of the images' factors in that order. */
export const LENGTHS: usize = 30;
/** Of the answer, a person after the other. */
export const LISTED: usize = 31;
export const USERS: usize = 32;
export const ITEMS: usize = 48;
/** A word a half step: 1 where the Gram matrix must be summed in double. A late thread may still ask for an early one. */
export const PRECISE: usize = 72;

// Of the lay-out (layout.ts): a count of each image's entries for each piece, a place a row of both sides, a word a piece.
export const COUNTS: usize = 69;
export const SPARE: usize = 70;
export const INVALID: usize = 71;

export const LIST_ITEMS: usize = 66;
export const LIST_SCORES: usize = 67;
/** Of each image, its place among the images by falling length. */
export const PLACES: usize = 68;

// Of a side, from USERS or ITEMS on.
export const ROWS: usize = 0;
export const STARTS: usize = 1;
export const COLUMNS: usize = 2;
export const VALUES: usize = 3;
/** Rows by falling number of entries. */
export const ORDER: usize = 4;
/** Places in ORDER where a chunk of work starts, and one more. */
export const CHUNK_STARTS: usize = 5;
export const CHUNKS: usize = 6;
export const FACTORS: usize = 7;
/** 1 where the side is solved in whitened coordinates. */
export const WHITEN: usize = 8;
