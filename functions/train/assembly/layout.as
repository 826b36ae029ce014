// Computes what a fit needs besides the given rows: the same entries by item, and chunks of both sides' rows. Users'
// rows are cut into pieces with about equally many entries. Each piece counts its entries of each item, so that every
// piece knows where its own go: each item has its users in order, whichever thread moved them.
import { BASE, CHUNKS, CHUNK_STARTS, COLUMNS, COUNTS, INVALID, ITEMS, LANES, RANK, ROWS, SOLVER, STARTS, USERS, VALUES, WEIGHTED, WHITEN, word } from './parameters';
import { saved } from './rows';

export const PIECES: u32 = 32;

/** The first row of a piece. */
function pieceStart(piece: u32): u32 {
  const starts: usize = word(USERS + STARTS);
  const rows = word(USERS + ROWS);
  const aim = <u32>((<u64>load<u32>(starts + (<usize>rows << 2)) * piece) / PIECES);
  let low: u32 = 0, high = rows;
  if (piece == PIECES) return rows;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u32>(starts + (<usize>middle << 2)) < aim) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Counts a piece's entries of each item; sets INVALID to 1 + the index of the piece's first invalid entry. */
export function count(piece: u32): void {
  const starts: usize = word(USERS + STARTS);
  const columns: usize = word(USERS + COLUMNS);
  const values: usize = word(USERS + VALUES);
  const items = word(ITEMS + ROWS);
  const counts: usize = <usize>word(COUNTS) + <usize>piece * (<usize>items << 2);
  const from = load<u32>(starts + (<usize>pieceStart(piece) << 2));
  const to = load<u32>(starts + (<usize>pieceStart(piece + 1) << 2));
  for (let n = from; n < to; n++) {
    const column = load<u32>(columns + (<usize>n << 2));
    const value = load<f32>(values + (<usize>n << 2));
    if (column >= items || !(value >= 0 && value < Infinity)) {
      store<u32>(<usize>word(INVALID) + (<usize>piece << 2), n + 1);
      return;
    }
    const at = counts + (<usize>column << 2);
    store<u32>(at, load<u32>(at) + 1);
  }
}

/** Whether any piece has found an invalid entry. */
export function invalid(): bool {
  for (let piece: u32 = 0; piece < PIECES; piece++) if (load<u32>(<usize>word(INVALID) + (<usize>piece << 2))) return true;
  return false;
}

/** Computes where each item starts, and where each piece's entries of it go. */
export function place(): void {
  const items: usize = word(ITEMS + ROWS);
  const bytes = items << 2;
  const starts: usize = word(ITEMS + STARTS);
  const counts: usize = word(COUNTS);
  for (let piece: usize = 0; piece < PIECES; piece++)
    for (let i: usize = 0; i < bytes; i += 4) store<u32>(starts + i, load<u32>(starts + i, 4) + load<u32>(counts + piece * bytes + i), 4);
  for (let i: usize = 0; i < bytes; i += 4) store<u32>(starts + i, load<u32>(starts + i, 4) + load<u32>(starts + i), 4);
  for (let i: usize = 0; i < bytes; i += 4) {
    let next = load<u32>(starts + i);
    for (let at = counts + i; at < counts + PIECES * bytes; at += bytes) {
      const own = load<u32>(at);
      store<u32>(at, next);
      next += own;
    }
  }
}

/** Moves a piece's entries to their items. */
export function move(piece: u32): void {
  const starts: usize = word(USERS + STARTS);
  const columns: usize = word(USERS + COLUMNS);
  const values: usize = word(USERS + VALUES);
  const toColumns: usize = word(ITEMS + COLUMNS);
  const toValues: usize = word(ITEMS + VALUES);
  const counts: usize = <usize>word(COUNTS) + <usize>piece * (<usize>word(ITEMS + ROWS) << 2);
  const last = pieceStart(piece + 1);
  for (let row = pieceStart(piece); row < last; row++) {
    const end = <usize>load<u32>(starts + (<usize>row << 2) + 4) << 2;
    for (let n = <usize>load<u32>(starts + (<usize>row << 2)) << 2; n < end; n += 4) {
      const next = counts + (<usize>load<u32>(columns + n) << 2);
      const at = load<u32>(next);
      store<u32>(next, at + 1);
      store<u32>(toColumns + (<usize>at << 2), row);
      store<f32>(toValues + (<usize>at << 2), load<f32>(values + n));
    }
  }
}

/** Cuts a side's rows into chunks, and decides whether whitening is worth it. */
export function arrange(side: usize, other: usize): void {
  chunk(side);
  if (word(LANES) || word(WEIGHTED)) return;
  store<u32>(BASE + ((side + WHITEN) << 2), word(SOLVER) == 1 || worthWhitening(side, other) ? 1 : 0);
}

@inline function entriesOf(starts: usize, row: usize): u32 {
  return load<u32>(starts + (row << 2) + 4) - load<u32>(starts + (row << 2));
}

/**
 * Cuts rows into chunks of about equal work, in whole groups of four rows. They stay in the order of memory: sorted by
 * length, each would begin with cache misses.
 */
function chunk(side: usize): void {
  const rows = word(side + ROWS);
  const rank: u64 = word(RANK);
  const starts: usize = word(side + STARTS);
  const chunkStarts: usize = word(side + CHUNK_STARTS);
  const each = max<u64>(4096, (<u64>load<u32>(starts + (<usize>rows << 2)) + rows * rank) / 256);
  let chunks: u32 = 0;
  let work: u64 = each;
  for (let row: u32 = 0; row < rows; row++) {
    if (work >= each && !(row & 3)) {
      store<u32>(chunkStarts + (<usize>chunks << 2), row);
      chunks++;
      work = 0;
    }
    work += <u64>entriesOf(starts, row) + rank;
  }
  store<u32>(chunkStarts + (<usize>chunks << 2), rows);
  store<u32>(BASE + ((side + CHUNKS) << 2), chunks);
}

/** Whether the rows save more than it costs to whiten the other side's rows, counted in multiplications. */
function worthWhitening(side: usize, other: usize): bool {
  const rank = <f64>word(RANK);
  const starts: usize = word(side + STARTS);
  const rows: usize = word(side + ROWS);
  let left = -rank * rank * <f64>word(other + ROWS);
  for (let row: usize = 0; row < rows; row++) if (entriesOf(starts, row)) left += saved(entriesOf(starts, row));
  return left > 0;
}
