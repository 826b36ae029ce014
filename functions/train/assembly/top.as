// Every user's best items, exactly, without scoring every item. By Cauchy-Schwarz no score is above |x||y|: with the
// items sorted by descending |y|, a user's search ends when that is below the worst score in the list. All factors are
// first rotated to the items' principal axes, which changes no score and concentrates it in the first columns, the
// head: an item whose head score plus |x's tail||y's tail| is too low is never scored completely.
//
// All of this is in single precision, with a slack for rounding, and only selects candidates. These are scored in
// double precision from the original factors, one column after the other, and rounded to single: bit for bit what
// scoring every item gives.
import { plus } from './fused';
import { gram, gramChunks, inPanels, sumParts } from './gram';
import { COLUMNS, FACTORS, GRAM_PARTS, HEAD, HEADS, ITEMS, LENGTHS, LISTED, LIST_ITEMS, LIST_LENGTH, LIST_SCORES, ORDER, PHASES, PLACES, RANK, ROWS, SCRATCH, SCRATCH_BYTES, STARTS, STRIDE, TAILS, TURN, USERS, word } from './parameters';
import { allDone, finish, take } from './phases';
import { ANYWHERE, sums, timesMatrix } from './tiles';

const USERS_CHUNK: u32 = 256;
const ITEMS_CHUNK: u32 = 512;
/**
 * How many blocks of eight items have their heads scored first, to set the threshold; later, a quarter of that at a
 * time.
 */
const SPAN: u32 = 128;
const SWEEPS: u32 = 6;

/** Runs all phases; returns 1 if another thread has failed. */
export function top(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  for (let phase: u32 = 0; phase < 4; phase++) {
    const counters: usize = <usize>word(PHASES) + (<usize>phase << 3);
    const chunks = phase == 0 ? gramChunks(ITEMS) : phase == 1 ? 1 : phase == 2 ? (word(ITEMS + ROWS) + ITEMS_CHUNK - 1) / ITEMS_CHUNK : (word(USERS + ROWS) + USERS_CHUNK - 1) / USERS_CHUNK;
    if (phase == 3) memory.fill(scratch + 16 * (<usize>word(STRIDE) << 2), 0, word(ITEMS + ROWS) + 8);
    for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
      if (phase == 0) gram(ITEMS, chunk, scratch, false);
      else if (phase == 1) principalAxes();
      else if (phase == 2) turnItems(chunk, scratch);
      else lists(chunk, scratch);
      finish(counters, chunks);
    }
    if (!allDone(counters, chunks)) return 1;
  }
  return 0;
}

/**
 * Some rounds of Jacobi rotations on YtY: any orthogonal matrix would be correct, so approximate axes are good enough.
 */
function principalAxes(): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const line = rank << 3;
  sumParts(ITEMS);
  const parts: usize = word(GRAM_PARTS);
  const a = parts + stride * stride * 8;
  const v = a + stride * stride * 8;
  for (let i: usize = 0; i < rank; i++)
    for (let j: usize = 0; j < rank; j++) {
      store<f64>(a + i * line + (j << 3), load<f64>(parts + (inPanels(min(i, j), max(i, j), stride) << 3)));
      store<f64>(v + i * line + (j << 3), i == j ? 1 : 0);
    }
  for (let sweep: u32 = 0; sweep < SWEEPS; sweep++)
    for (let p: usize = 0; p + 1 < rank; p++)
      for (let q = p + 1; q < rank; q++) {
        const rowP = a + p * line, rowQ = a + q * line;
        const apq = load<f64>(rowP + (q << 3));
        const app = load<f64>(rowP + (p << 3)), aqq = load<f64>(rowQ + (q << 3));
        if (!(abs(apq) > 1e-9 * sqrt(abs(app * aqq)))) continue;
        const theta = (aqq - app) / (2 * apq);
        const t = (theta >= 0 ? 1.0 : -1.0) / (abs(theta) + sqrt(theta * theta + 1));
        const c = 1 / sqrt(t * t + 1);
        const s = t * c;
        for (let k: usize = 0; k < rank; k++) {
          const akp = load<f64>(rowP + (k << 3)), akq = load<f64>(rowQ + (k << 3));
          const x = c * akp - s * akq, y = s * akp + c * akq;
          store<f64>(rowP + (k << 3), x);
          store<f64>(rowQ + (k << 3), y);
          store<f64>(a + k * line + (p << 3), x);
          store<f64>(a + k * line + (q << 3), y);
          const vp = load<f64>(v + p * line + (k << 3)), vq = load<f64>(v + q * line + (k << 3));
          store<f64>(v + p * line + (k << 3), c * vp - s * vq);
          store<f64>(v + q * line + (k << 3), s * vp + c * vq);
        }
        store<f64>(rowP + (p << 3), app - t * apq);
        store<f64>(rowQ + (q << 3), aqq + t * apq);
        store<f64>(rowP + (q << 3), 0);
        store<f64>(rowQ + (p << 3), 0);
      }
  // The longest axes first.
  const turn: usize = word(TURN);
  for (let j: usize = 0; j < rank; j++) {
    let best: usize = 0;
    for (let p: usize = 1; p < rank; p++) if (load<f64>(a + p * line + (p << 3)) > load<f64>(a + best * line + (best << 3))) best = p;
    for (let k: usize = 0; k < rank; k++) store<f32>(turn + (inPanels(k, j, stride) << 2), <f32>load<f64>(v + best * line + (k << 3)));
    store<f64>(a + best * line + (best << 3), -1);
  }
}

function turnItems(chunk: u32, scratch: usize): void {
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const head: usize = <usize>word(HEAD) << 2;
  const factors: usize = word(ITEMS + FACTORS);
  const order: usize = word(ITEMS + ORDER);
  const count = word(ITEMS + ROWS);
  const from = chunk * ITEMS_CHUNK;
  const to = min(from + ITEMS_CHUNK, count);
  for (let place = from; place < to; place += 4) {
    const y0 = factors + <usize>load<u32>(order + (<usize>place << 2)) * bytes;
    const y1 = factors + <usize>load<u32>(order + (<usize>min(place + 1, to - 1) << 2)) * bytes;
    const y2 = factors + <usize>load<u32>(order + (<usize>min(place + 2, to - 1) << 2)) * bytes;
    const y3 = factors + <usize>load<u32>(order + (<usize>min(place + 3, to - 1) << 2)) * bytes;
    timesMatrix(y0, y1, y2, y3, word(TURN), stride, ANYWHERE, scratch, scratch + bytes, scratch + 2 * bytes, scratch + 3 * bytes);
    for (let e: u32 = 0; e < 4 && place + e < to; e++) {
      const at = place + e;
      const y = scratch + e * bytes;
      const block: usize = <usize>word(HEADS) + <usize>(at >> 3) * (head + 4) * 8 + ((at & 7) << 2);
      for (let k: usize = 0; k < head; k += 4) store<f32>(block + (k << 3), load<f32>(y + k));
      const tail: usize = <usize>word(TAILS) + <usize>at * (bytes - head);
      let square: f32 = 0;
      for (let k = head; k < bytes; k += 4) {
        const value = load<f32>(y + k);
        store<f32>(tail + k - head, value);
        square += value * value;
      }
      store<f32>(block + (head << 3), sqrt(square));
    }
  }
}

function lists(chunk: u32, scratch: usize): void {
  const from = chunk * USERS_CHUNK;
  const to = min(from + USERS_CHUNK, word(USERS + ROWS));
  for (let user = from; user < to; user += 4) fourLists(user, min<u32>(4, to - user), scratch);
}

@inline function align(at: usize): usize {
  return (at + 63) & ~63;
}

// Per user: the length of the factors and of their tail, the slack, the threshold for candidates, the best score that
// is not in the list, the number of candidates, and 1 if all factors are 0.
const LENGTH: usize = 0;
const TAIL: usize = 4;
const SLACK: usize = 8;
const BAR: usize = 12;
const NEXT: usize = 16;
const FOUND: usize = 20;
const NOTHING: usize = 24;

/**
 * Makes the lists of four users. Scratch, in bytes: 16 rows of factors (the rotated users, one in f64), then as laid
 * out below.
 */
function fourLists(first: u32, people: u32, scratch: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const head: usize = <usize>word(HEAD) << 2;
  const count: usize = word(ITEMS + ROWS);
  const blocks: u32 = <u32>((count + 7) >> 3);
  const n: usize = word(LIST_LENGTH);
  const lengths: usize = word(LENGTHS);
  const factors: usize = word(USERS + FACTORS);
  // A byte per item, by position: bit e is set if user e pulled it.
  const pulled = scratch + 16 * bytes;
  const panel = align(pulled + count + 8);
  const headScores = align(panel + (head << 2));
  const survivors = headScores + (<usize>SPAN << 7);
  const people4 = survivors + (<usize>SPAN << 5) + 64;
  const best = align(people4 + 4 * 32);
  const listBytes = align(n << 3);
  const candidates = best + 4 * listBytes;
  const candidateBytes = align(count << 3);

  // Rotates the four users; puts their heads into a panel of four columns.
  const x0 = factors + <usize>first * bytes;
  const x1 = people > 1 ? x0 + bytes : x0;
  const x2 = people > 2 ? x1 + bytes : x0;
  const x3 = people > 3 ? x2 + bytes : x0;
  timesMatrix(x0, x1, x2, x3, word(TURN), stride, ANYWHERE, scratch, scratch + bytes, scratch + 2 * bytes, scratch + 3 * bytes);
  // |x'y' - xy| of rotated and rounded factors, summed in any order, is at most this times |x||y|; four times that is
  // the slack.
  const rounding: f32 = 4 * (2 * <f32>(rank + 2) * sqrt<f32>(<f32>rank) + <f32>rank + 8) * 5.960464477539063e-8;
  for (let e: u32 = 0; e < people; e++) {
    const x = scratch + e * bytes;
    let square: f32 = 0, tail: f32 = 0;
    for (let k: usize = 0; k < bytes; k += 4) {
      const value = load<f32>(x + k);
      if (k < head) store<f32>(panel + (k << 2) + (e << 2), value);
      else tail += value * value;
      square += value * value;
    }
    const own = people4 + (e << 5);
    const length = sqrt(square);
    store<f32>(own, length, LENGTH);
    store<f32>(own, sqrt(tail), TAIL);
    // If squares underflow there is no bound: then every item is a candidate.
    const sound = length > 1e-15 && load<f32>(lengths) > 1e-15;
    store<f32>(own, sound ? rounding * length * load<f32>(lengths) : Infinity, SLACK);
    // Without factors every score is 0, so nothing needs scoring.
    const nothing = isZero(factors + <usize>(first + e) * bytes, bytes);
    store<f32>(own, nothing ? Infinity : -Infinity, BAR);
    store<u32>(own, nothing ? 1 : 0, NOTHING);
    store<f32>(own, -Infinity, NEXT);
    store<u32>(own, 0, FOUND);
    mark(first + e, pulled, <u8>((<u32>1) << e));
  }

  // Processes a span of blocks at a time: all heads, then each user's survivors.
  for (let from: u32 = 0, span = SPAN; from < blocks; from += span, span = SPAN / 4) {
    const longest = load<f32>(lengths + (<usize>from << 5));
    let anybody = false;
    for (let e: u32 = 0; e < people; e++) if (load<f32>(people4 + (e << 5), LENGTH) * longest >= load<f32>(people4 + (e << 5), BAR)) anybody = true;
    if (!anybody) break;
    const to = min(from + span, blocks);
    scoreHeads(from, to, panel, head, headScores);
    for (let e: u32 = 0; e < people; e++) {
      const own = people4 + (e << 5);
      if (load<u32>(own, NOTHING)) continue;
      if (from == 0) seed(e, to, scratch, pulled, headScores, own, best + e * listBytes);
      const passed = sift(e, from, to, pulled, headScores, own, survivors);
      judge(e, from, passed, survivors, scratch, headScores, own, best + e * listBytes, candidates + e * candidateBytes);
    }
  }
  for (let e: u32 = 0; e < people; e++) {
    if (load<u32>(people4 + (e << 5), NOTHING)) writeFirst(first + e, e, pulled);
    else write(first + e, people4 + (e << 5), scratch + 4 * bytes, best + e * listBytes, candidates + e * candidateBytes);
    mark(first + e, pulled, 0);
  }
}

function isZero(x: usize, bytes: usize): bool {
  for (let k: usize = 0; k < bytes; k += 16) if (v128.any_true(f32x4.ne(v128.load(x + k), f32x4.splat(0)))) return false;
  return true;
}

/** Sets a user's bit in the bytes of what they pulled, or clears these bytes. */
function mark(user: u32, pulled: usize, bit: u8): void {
  const starts: usize = word(USERS + STARTS);
  const columns: usize = word(USERS + COLUMNS);
  const places: usize = word(PLACES);
  const end = columns + (<usize>load<u32>(starts + (<usize>user << 2) + 4) << 2);
  for (let at = columns + (<usize>load<u32>(starts + (<usize>user << 2)) << 2); at < end; at += 4) {
    const byte = pulled + <usize>load<u32>(places + (<usize>load<u32>(at) << 2));
    store<u8>(byte, bit ? load<u8>(byte) | bit : 0);
  }
}

/** Four users' head scores of the items in blocks from..to: 8 floats per user, 32 per block. */
function scoreHeads(from: u32, to: u32, panel: usize, head: usize, headScores: usize): void {
  const blockBytes = (head + 4) << 3;
  for (let block = from; block < to; block++) scoreBlock(<usize>word(HEADS) + <usize>block * blockBytes, panel, head, headScores + (<usize>(block - from) << 7));
}

@inline function scoreBlock(block: usize, panel: usize, head: usize, to: usize): void {
  let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
  let l = panel;
  let x: v128, y0: v128, y1: v128;
  const end = block + (head << 3);
  for (let r = block; r < end; r += 128) {
    y0 = v128.load(r); y1 = v128.load(r, 16);
    x = v128.load32_splat(l); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 4); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 8); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 12); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!head) break;
    y0 = v128.load(r, 32); y1 = v128.load(r, 48);
    x = v128.load32_splat(l, 16); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 20); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 24); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 28); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!head) break;
    y0 = v128.load(r, 64); y1 = v128.load(r, 80);
    x = v128.load32_splat(l, 32); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 36); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 40); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 44); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    if (!head) break;
    y0 = v128.load(r, 96); y1 = v128.load(r, 112);
    x = v128.load32_splat(l, 48); a00 = plus(a00, x, y0); a01 = plus(a01, x, y1);
    x = v128.load32_splat(l, 52); a10 = plus(a10, x, y0); a11 = plus(a11, x, y1);
    x = v128.load32_splat(l, 56); a20 = plus(a20, x, y0); a21 = plus(a21, x, y1);
    x = v128.load32_splat(l, 60); a30 = plus(a30, x, y0); a31 = plus(a31, x, y1);
    l += 64;
  }
  v128.store(to, a00); v128.store(to, a01, 16); v128.store(to, a10, 32); v128.store(to, a11, 48);
  v128.store(to, a20, 64); v128.store(to, a21, 80); v128.store(to, a30, 96); v128.store(to, a31, 112);
}

/** For the eight items of a block: a bit for each that user e has not pulled. */
@inline function free(e: u32, pulled: usize, block: u32): u32 {
  const bytes = (load<u64>(pulled + (<usize>block << 3)) >> <u64>e) & 0x0101010101010101;
  return ~<u32>((bytes * 0x0102040810204080) >> 56);
}

/**
 * Sets the threshold from the n items of the first blocks with the best head scores: the n-th best of all items is at
 * least their worst.
 */
function seed(e: u32, blocks: u32, scratch: usize, pulled: usize, headScores: usize, own: usize, best: usize): void {
  const n = word(LIST_LENGTH);
  const count = word(ITEMS + ROWS);
  let found: u32 = 0;
  let least: f32 = -Infinity;
  for (let block: u32 = 0; block < blocks; block++) {
    const scores = headScores + (<usize>block << 7) + (e << 5);
    const bar = f32x4.splat(least);
    let bits = i32x4.bitmask(f32x4.gt(v128.load(scores), bar)) | (i32x4.bitmask(f32x4.gt(v128.load(scores, 16), bar)) << 4);
    bits &= free(e, pulled, block);
    for (; bits; bits &= bits - 1) {
      const lane = ctz(bits);
      const place = (block << 3) + lane;
      if (place >= count) break;
      const score = load<f32>(scores + (lane << 2));
      if (!(score > least)) continue;
      let at: usize = best + (<usize>min(found, n - 1) << 3);
      found = min(found + 1, n);
      for (; at > best && load<f32>(at - 8) < score; at -= 8) store<u64>(at, load<u64>(at - 8));
      store<f32>(at, score);
      store<u32>(at, place, 4);
      if (found == n) least = load<f32>(best + (<usize>(n - 1) << 3));
    }
  }
  if (found < n) return;
  let bar: f32 = Infinity;
  for (let at = best; at < best + (<usize>n << 3); at += 32) {
    const last = best + (<usize>(n - 1) << 3);
    const whole = wholes(e, load<u32>(at, 4), load<u32>(min(at + 8, last), 4), load<u32>(min(at + 16, last), 4), load<u32>(min(at + 24, last), 4), 0, scratch, headScores);
    bar = min(min(bar, min(f32x4.extract_lane(whole, 0), f32x4.extract_lane(whole, 1))), min(f32x4.extract_lane(whole, 2), f32x4.extract_lane(whole, 3)));
  }
  store<f32>(own, bar - load<f32>(own, SLACK), BAR);
}

/** Writes the positions of those items in blocks from..to whose bound reaches the threshold, and returns how many. */
function sift(e: u32, from: u32, to: u32, pulled: usize, headScores: usize, own: usize, survivors: usize): u32 {
  const head: usize = <usize>word(HEAD) << 2;
  const blockBytes = (head + 4) << 3;
  const bar = load<f32>(own, BAR);
  const least = f32x4.splat(bar);
  const tail = v128.load32_splat(own, TAIL);
  const length = load<f32>(own, LENGTH);
  let lengths: usize = <usize>word(LENGTHS) + (<usize>from << 5);
  let tails: usize = <usize>word(HEADS) + <usize>from * blockBytes + (head << 3);
  let at = headScores + (e << 5);
  let passed = survivors;
  for (let block = from; block < to && length * load<f32>(lengths) >= bar; block++) {
    const bits = free(e, pulled, block) & (i32x4.bitmask(f32x4.ge(plus(v128.load(at), tail, v128.load(tails)), least))
      | (i32x4.bitmask(f32x4.ge(plus(v128.load(at, 16), tail, v128.load(tails, 16)), least)) << 4));
    // Avoids branches that could be mispredicted: each position is written, and kept if its bit is set.
    const place = block << 3;
    store<u32>(passed, place); passed += (bits & 1) << 2;
    store<u32>(passed, place + 1); passed += (bits & 2) << 1;
    store<u32>(passed, place + 2); passed += bits & 4;
    store<u32>(passed, place + 3); passed += (bits & 8) >> 1;
    store<u32>(passed, place + 4); passed += (bits & 16) >> 2;
    store<u32>(passed, place + 5); passed += (bits & 32) >> 3;
    store<u32>(passed, place + 6); passed += (bits & 64) >> 4;
    store<u32>(passed, place + 7); passed += (bits & 128) >> 5;
    lengths += 32;
    tails += blockBytes;
    at += 128;
  }
  return <u32>(passed - survivors) >> 2;
}

@inline function headScore(e: u32, place: u32, from: u32, headScores: usize): f32 {
  return load<f32>(headScores + (<usize>((place >> 3) - from) << 7) + (e << 5) + ((place & 7) << 2));
}

/** Completes the scores of four items, whose heads were scored from block `from` on. */
function wholes(e: u32, p0: u32, p1: u32, p2: u32, p3: u32, from: u32, scratch: usize, headScores: usize): v128 {
  const head: usize = <usize>word(HEAD) << 2;
  const bytes: usize = <usize>word(STRIDE) << 2;
  const tailBytes = bytes - head;
  const tails: usize = word(TAILS);
  const x = scratch + e * bytes + head;
  const y0 = tails + p0 * tailBytes, y1 = tails + p1 * tailBytes, y2 = tails + p2 * tailBytes, y3 = tails + p3 * tailBytes;
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (let k: usize = 0; k < tailBytes; k += 16) {
    const v = v128.load(x + k);
    s0 = plus(s0, v, v128.load(y0 + k));
    s1 = plus(s1, v, v128.load(y1 + k));
    s2 = plus(s2, v, v128.load(y2 + k));
    s3 = plus(s3, v, v128.load(y3 + k));
  }
  const heads = f32x4(headScore(e, p0, from, headScores), headScore(e, p1, from, headScores), headScore(e, p2, from, headScores), headScore(e, p3, from, headScores));
  return f32x4.add(heads, sums(s0, s1, s2, s3));
}

/**
 * Scores survivors completely; those that reach the threshold become candidates, of which the best n are kept in order.
 */
function judge(e: u32, from: u32, passed: u32, survivors: usize, scratch: usize, headScores: usize, own: usize, best: usize, candidates: usize): void {
  const n = word(LIST_LENGTH);
  const count = word(ITEMS + ROWS);
  const slack = load<f32>(own, SLACK);
  let bar = load<f32>(own, BAR);
  let next = load<f32>(own, NEXT);
  let found = load<u32>(own, FOUND);
  const last = survivors + (<usize>passed << 2);
  for (let at = survivors; at < last; at += 16) {
    const p0 = load<u32>(at);
    const p1 = at + 4 < last ? load<u32>(at, 4) : p0, p2 = at + 8 < last ? load<u32>(at, 8) : p0, p3 = at + 12 < last ? load<u32>(at, 12) : p0;
    const scores = wholes(e, p0, p1, p2, p3, from, scratch, headScores);
    let bits = i32x4.bitmask(f32x4.ge(scores, f32x4.splat(bar))) & ((1 << min<u32>(4, <u32>(last - at) >> 2)) - 1);
    for (; bits; bits &= bits - 1) {
      const lane = ctz(bits);
      const place = load<u32>(at + (lane << 2));
      const score = lane < 2 ? (lane == 0 ? f32x4.extract_lane(scores, 0) : f32x4.extract_lane(scores, 1)) : lane == 2 ? f32x4.extract_lane(scores, 2) : f32x4.extract_lane(scores, 3);
      if (!(score >= bar) || place >= count) continue;
      store<f32>(candidates + (<usize>found << 3), score);
      store<u32>(candidates + (<usize>found << 3), place, 4);
      let to: usize = best + (<usize>min(found, n - 1) << 3);
      if (found < n || score > load<f32>(to)) {
        if (found >= n) next = max(next, load<f32>(to));
        for (; to > best && load<f32>(to - 8) < score; to -= 8) store<u64>(to, load<u64>(to - 8));
        store<f32>(to, score);
        store<u32>(to, place, 4);
      } else next = max(next, score);
      found++;
      if (found >= n) bar = max(bar, load<f32>(best + (<usize>(n - 1) << 3)) - slack);
    }
  }
  store<f32>(own, bar, BAR);
  store<f32>(own, next, NEXT);
  store<u32>(own, found, FOUND);
}

/** The list of a user whose scores are all 0: the first items, by index, that user e has not pulled. */
function writeFirst(user: u32, e: u32, pulled: usize): void {
  const n = word(LIST_LENGTH);
  const count: usize = word(ITEMS + ROWS);
  const places: usize = word(PLACES);
  const items: usize = <usize>word(LIST_ITEMS) + ((<usize>user * n) << 2);
  const scores: usize = <usize>word(LIST_SCORES) + ((<usize>user * n) << 2);
  let listed: u32 = 0;
  for (let index: usize = 0; index < count && listed < n; index++) {
    if ((load<u8>(pulled + <usize>load<u32>(places + (index << 2))) >> <u8>e) & 1) continue;
    store<u32>(items + (<usize>listed << 2), <u32>index);
    store<f32>(scores + (<usize>listed << 2), 0);
    listed++;
  }
  store<u32>(<usize>word(LISTED) + (<usize>user << 2), listed);
}

@inline function item(order: usize, list: usize, at: u32): u32 {
  return load<u32>(order + (<usize>load<u32>(list + (<usize>at << 3), 4) << 2));
}

/**
 * Scores the list in double precision and writes it, highest first, ties by index. Scores all candidates if another one
 * is within the rounding error.
 */
function write(user: u32, own: usize, double: usize, best: usize, candidates: usize): void {
  const bytes: usize = <usize>word(STRIDE) << 2;
  const n = word(LIST_LENGTH);
  const order: usize = word(ITEMS + ORDER);
  const factors: usize = word(ITEMS + FACTORS);
  const x: usize = <usize>word(USERS + FACTORS) + <usize>user * bytes;
  const found = load<u32>(own, FOUND);
  const bar = load<f32>(own, BAR);
  for (let k: usize = 0; k < bytes; k += 8) v128.store(double + (k << 1), f64x2.promote_low_f32x4(v128.load64_zero(x + k)));
  let list = best;
  let kept = min(found, n);
  if (load<f32>(own, NEXT) >= bar) {
    list = candidates;
    kept = 0;
    for (let c: u32 = 0; c < found; c++) {
      const at = candidates + (<usize>c << 3);
      if (!(load<f32>(at) >= bar)) continue;
      store<u64>(candidates + (<usize>kept << 3), load<u64>(at));
      kept++;
    }
  }
  let listed: u32 = 0;
  const items: usize = <usize>word(LIST_ITEMS) + ((<usize>user * n) << 2);
  const scores: usize = <usize>word(LIST_SCORES) + ((<usize>user * n) << 2);
  for (let c: u32 = 0; c < kept; c += 4) {
    // Four sums, each in the order of the columns.
    const i0 = item(order, list, c), i1 = item(order, list, min(c + 1, kept - 1)), i2 = item(order, list, min(c + 2, kept - 1)), i3 = item(order, list, min(c + 3, kept - 1));
    let y0 = factors + i0 * bytes, y1 = factors + i1 * bytes, y2 = factors + i2 * bytes, y3 = factors + i3 * bytes;
    let a = f64x2.splat(0), b = a;
    for (let k = double; k < double + (bytes << 1); k += 32) {
      const v0 = v128.load(y0), v1 = v128.load(y1), v2 = v128.load(y2), v3 = v128.load(y3);
      const low = v128.shuffle<f32>(v0, v1, 0, 4, 1, 5), high = v128.shuffle<f32>(v0, v1, 2, 6, 3, 7);
      const low2 = v128.shuffle<f32>(v2, v3, 0, 4, 1, 5), high2 = v128.shuffle<f32>(v2, v3, 2, 6, 3, 7);
      let x = v128.load64_splat(k);
      a = f64x2.add(a, f64x2.mul(x, f64x2.promote_low_f32x4(low)));
      b = f64x2.add(b, f64x2.mul(x, f64x2.promote_low_f32x4(low2)));
      x = v128.load64_splat(k, 8);
      a = f64x2.add(a, f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(low, low, 1, 1))));
      b = f64x2.add(b, f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(low2, low2, 1, 1))));
      x = v128.load64_splat(k, 16);
      a = f64x2.add(a, f64x2.mul(x, f64x2.promote_low_f32x4(high)));
      b = f64x2.add(b, f64x2.mul(x, f64x2.promote_low_f32x4(high2)));
      x = v128.load64_splat(k, 24);
      a = f64x2.add(a, f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(high, high, 1, 1))));
      b = f64x2.add(b, f64x2.mul(x, f64x2.promote_low_f32x4(v128.shuffle<i64>(high2, high2, 1, 1))));
      y0 += 16; y1 += 16; y2 += 16; y3 += 16;
    }
    for (let e: u32 = 0; e < 4 && c + e < kept; e++) {
      const index = e == 0 ? i0 : e == 1 ? i1 : e == 2 ? i2 : i3;
      const score = <f32>(e == 0 ? f64x2.extract_lane(a, 0) : e == 1 ? f64x2.extract_lane(a, 1) : e == 2 ? f64x2.extract_lane(b, 0) : f64x2.extract_lane(b, 1));
      let at: usize = <usize>(listed < n ? listed : n - 1) << 2;
      if (listed == n) {
        const worst = load<f32>(scores + at);
        if (score < worst || (score == worst && index > load<u32>(items + at))) continue;
      } else listed++;
      for (; at > 0; at -= 4) {
        const before = load<f32>(scores + at - 4);
        if (before > score || (before == score && load<u32>(items + at - 4) < index)) break;
        store<f32>(scores + at, before);
        store<u32>(items + at, load<u32>(items + at - 4));
      }
      store<f32>(scores + at, score);
      store<u32>(items + at, index);
    }
  }
  store<u32>(<usize>word(LISTED) + (<usize>user << 2), listed);
}
