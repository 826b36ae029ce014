// The best images of everybody, exactly, without scoring every image. By Cauchy-Schwarz no score is above |x||y|: with the
// images by falling |y|, a person's search ends where that is below the worst of the list. All factors are turned into the
// images' principal axes first, which changes no score and puts most of it into the first columns, the head: an image whose
// head's score plus |x's tail||y's tail| is not enough is never scored whole.
//
// All of this is in single precision with a slack for its rounding, and only chooses candidates. Those are scored in double
// from the factors as given, one column after the other, rounded to single: bit for bit what scoring every image gives.
import { gram, gramChunks, inPanels, sumParts } from './gram';
import { COLUMNS, FACTORS, GRAM_PARTS, HEAD, HEADS, ITEMS, LENGTHS, LISTED, LIST_ITEMS, LIST_LENGTH, LIST_SCORES, ORDER, PHASES, RANK, ROWS, SCRATCH, SCRATCH_BYTES, STARTS, STRIDE, TAILS, TURN, USERS, word } from './parameters';
import { allDone, finish, take } from './phases';
import { ANYWHERE, timesMatrix } from './tiles';

const USERS_CHUNK: u32 = 256;
const ITEMS_CHUNK: u32 = 512;
/** Blocks of eight images whose heads are scored before anything else: the best by head set the bar for the rest. */
const FIRST_BLOCKS: u32 = 128;
const SWEEPS: u32 = 6;

/** Runs all phases; answers 1 when another thread has failed. */
export function top(thread: u32): u32 {
  const scratch: usize = <usize>word(SCRATCH) + <usize>thread * <usize>word(SCRATCH_BYTES);
  for (let phase: u32 = 0; phase < 4; phase++) {
    const counters: usize = <usize>word(PHASES) + (<usize>phase << 3);
    const chunks = phase == 0 ? gramChunks(ITEMS) : phase == 1 ? 1 : phase == 2 ? (word(ITEMS + ROWS) + ITEMS_CHUNK - 1) / ITEMS_CHUNK : (word(USERS + ROWS) + USERS_CHUNK - 1) / USERS_CHUNK;
    if (phase == 3) memory.fill(scratch + 16 * (<usize>word(STRIDE) << 2), 0, word(ITEMS + ROWS));
    for (let chunk = take(counters); chunk < chunks; chunk = take(counters)) {
      if (phase == 0) gram(ITEMS, chunk, scratch);
      else if (phase == 1) principalAxes();
      else if (phase == 2) turnItems(chunk, scratch);
      else lists(chunk, scratch);
      finish(counters, chunks);
    }
    if (!allDone(counters, chunks)) return 1;
  }
  return 0;
}

/** Jacobi's rotations on YtY, some rounds: any orthogonal matrix would do, and near enough is as good. */
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

// Scratch of a thread while it makes lists, in bytes from its start: 16 rows of factors, of which the first four are the
// turned people's, then the last four's f64; a byte an image, bit e for what person e pulled; then the lists.
// Of person e there are also: seeds (a score and a place each), the best scores, candidates (a score and a place each).

function lists(chunk: u32, scratch: usize): void {
  const from = chunk * USERS_CHUNK;
  const to = min(from + USERS_CHUNK, word(USERS + ROWS));
  for (let user = from; user < to; user += 4) fourLists(user, min<u32>(4, to - user), scratch);
}

@inline function align(at: usize): usize {
  return (at + 63) & ~63;
}

function fourLists(first: u32, people: u32, scratch: usize): void {
  const rank: usize = word(RANK);
  const stride: usize = word(STRIDE);
  const bytes = stride << 2;
  const head: usize = <usize>word(HEAD) << 2;
  const blockBytes = (head + 4) << 3;
  const count = word(ITEMS + ROWS);
  const blocks = (count + 7) >> 3;
  const n = word(LIST_LENGTH);
  const heads: usize = word(HEADS);
  const lengths: usize = word(LENGTHS);
  const factors: usize = word(USERS + FACTORS);
  const starts: usize = word(USERS + STARTS);
  const columns: usize = word(USERS + COLUMNS);
  const pulled = scratch + 16 * bytes;
  const panel = align(pulled + count);
  const headScores = align(panel + (head << 2));
  // Of a person: length, tail's length, slack, bar (what a candidate must reach), number of candidates.
  const state = headScores + <usize>FIRST_BLOCKS * 128 + 128;
  const best = align(state + 4 * 32);
  const listBytes: usize = align(<usize>n << 3);
  const candidates = best + 4 * listBytes;
  const candidateBytes = align(<usize>count << 3);

  // Turn the four; their heads into a panel of four columns.
  const x0 = factors + <usize>first * bytes;
  const x1 = people > 1 ? x0 + bytes : x0;
  const x2 = people > 2 ? x1 + bytes : x0;
  const x3 = people > 3 ? x2 + bytes : x0;
  timesMatrix(x0, x1, x2, x3, word(TURN), stride, ANYWHERE, scratch, scratch + bytes, scratch + 2 * bytes, scratch + 3 * bytes);
  // |x'y' - xy| of turned and rounded factors, summed in any order, is at most this times |x||y|; four times that is the slack.
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
    const own = state + (e << 5);
    const length = sqrt(square);
    store<f32>(own, length);
    store<f32>(own, sqrt(tail), 4);
    store<f32>(own, rounding * length * load<f32>(lengths), 8);
    store<f32>(own, -Infinity, 12);
    store<u32>(own, 0, 16);
    const bit: u32 = 1 << e;
    const end = columns + (<usize>load<u32>(starts + (<usize>(first + e) << 2) + 4) << 2);
    for (let at = columns + (<usize>load<u32>(starts + (<usize>(first + e) << 2)) << 2); at < end; at += 4) {
      const item: usize = load<u32>(at);
      store<u8>(pulled + item, load<u8>(pulled + item) | <u8>bit);
    }
  }

  // The first blocks' heads; the n best of them, scored whole, give the least that the n-th best can be.
  const firstBlocks = min(FIRST_BLOCKS, blocks);
  for (let block: u32 = 0; block < firstBlocks; block++)
    scoreHeads(heads + block * blockBytes, panel, head, headScores + (block << 7));
  for (let e: u32 = 0; e < people; e++) {
    seed(e, firstBlocks, scratch, pulled, headScores, state + (e << 5), best + e * listBytes);
    for (let block: u32 = 0; block < firstBlocks; block++)
      if (!sift(e, block, scratch, pulled, headScores + (block << 7), state + (e << 5), best + e * listBytes, candidates + e * candidateBytes)) break;
  }
  const scores = headScores + (<usize>FIRST_BLOCKS << 7);
  for (let block = firstBlocks; block < blocks; block++) {
    const longest = load<f32>(lengths + (<usize>block << 5));
    let anybody = false;
    for (let e: u32 = 0; e < people; e++) if (load<f32>(state + (e << 5)) * longest >= load<f32>(state + (e << 5), 12)) anybody = true;
    if (!anybody) break;
    scoreHeads(heads + block * blockBytes, panel, head, scores);
    for (let e: u32 = 0; e < people; e++) sift(e, block, scratch, pulled, scores, state + (e << 5), best + e * listBytes, candidates + e * candidateBytes);
  }

  for (let e: u32 = 0; e < people; e++) {
    write(first + e, load<u32>(state + (e << 5), 16), load<f32>(state + (e << 5), 12), scratch + 4 * bytes, best + e * listBytes, candidates + e * candidateBytes);
    const end = columns + (<usize>load<u32>(starts + (<usize>(first + e) << 2) + 4) << 2);
    for (let at = columns + (<usize>load<u32>(starts + (<usize>(first + e) << 2)) << 2); at < end; at += 4) store<u8>(pulled + <usize>load<u32>(at), 0);
  }
}

/** Four people's head scores of eight images: 8 floats a person. */
@inline function scoreHeads(block: usize, panel: usize, head: usize, to: usize): void {
  let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
  let l = panel;
  let x: v128, y0: v128, y1: v128;
  const end = block + (head << 3);
  for (let r = block; r < end; r += 128) {
    y0 = v128.load(r); y1 = v128.load(r, 16);
    x = v128.load32_splat(l); a00 = f32x4.add(a00, f32x4.mul(x, y0)); a01 = f32x4.add(a01, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 4); a10 = f32x4.add(a10, f32x4.mul(x, y0)); a11 = f32x4.add(a11, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 8); a20 = f32x4.add(a20, f32x4.mul(x, y0)); a21 = f32x4.add(a21, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 12); a30 = f32x4.add(a30, f32x4.mul(x, y0)); a31 = f32x4.add(a31, f32x4.mul(x, y1));
    if (!head) break;
    y0 = v128.load(r, 32); y1 = v128.load(r, 48);
    x = v128.load32_splat(l, 16); a00 = f32x4.add(a00, f32x4.mul(x, y0)); a01 = f32x4.add(a01, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 20); a10 = f32x4.add(a10, f32x4.mul(x, y0)); a11 = f32x4.add(a11, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 24); a20 = f32x4.add(a20, f32x4.mul(x, y0)); a21 = f32x4.add(a21, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 28); a30 = f32x4.add(a30, f32x4.mul(x, y0)); a31 = f32x4.add(a31, f32x4.mul(x, y1));
    if (!head) break;
    y0 = v128.load(r, 64); y1 = v128.load(r, 80);
    x = v128.load32_splat(l, 32); a00 = f32x4.add(a00, f32x4.mul(x, y0)); a01 = f32x4.add(a01, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 36); a10 = f32x4.add(a10, f32x4.mul(x, y0)); a11 = f32x4.add(a11, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 40); a20 = f32x4.add(a20, f32x4.mul(x, y0)); a21 = f32x4.add(a21, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 44); a30 = f32x4.add(a30, f32x4.mul(x, y0)); a31 = f32x4.add(a31, f32x4.mul(x, y1));
    if (!head) break;
    y0 = v128.load(r, 96); y1 = v128.load(r, 112);
    x = v128.load32_splat(l, 48); a00 = f32x4.add(a00, f32x4.mul(x, y0)); a01 = f32x4.add(a01, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 52); a10 = f32x4.add(a10, f32x4.mul(x, y0)); a11 = f32x4.add(a11, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 56); a20 = f32x4.add(a20, f32x4.mul(x, y0)); a21 = f32x4.add(a21, f32x4.mul(x, y1));
    x = v128.load32_splat(l, 60); a30 = f32x4.add(a30, f32x4.mul(x, y0)); a31 = f32x4.add(a31, f32x4.mul(x, y1));
    l += 64;
  }
  v128.store(to, a00); v128.store(to, a01, 16); v128.store(to, a10, 32); v128.store(to, a11, 48);
  v128.store(to, a20, 64); v128.store(to, a21, 80); v128.store(to, a30, 96); v128.store(to, a31, 112);
}

/** The score of the image at `place`, its head's score given. */
@inline function whole(headScore: f32, place: usize, x: usize): f32 {
  const head: usize = <usize>word(HEAD) << 2;
  const bytes: usize = <usize>word(STRIDE) << 2;
  const tail: usize = <usize>word(TAILS) + place * (bytes - head);
  let s = f32x4.splat(0), t = s;
  for (let k: usize = 0; k < bytes - head; k += 32) {
    s = f32x4.add(s, f32x4.mul(v128.load(x + head + k), v128.load(tail + k)));
    t = f32x4.add(t, f32x4.mul(v128.load(x + head + k, 16), v128.load(tail + k, 16)));
  }
  s = f32x4.add(s, t);
  return headScore + (f32x4.extract_lane(s, 0) + f32x4.extract_lane(s, 1) + (f32x4.extract_lane(s, 2) + f32x4.extract_lane(s, 3)));
}

/** Bits of the eight numbers at `at` that are at least `least`. */
@inline function reach(at: usize, least: f32): u32 {
  const bar = f32x4.splat(least);
  return i32x4.bitmask(f32x4.ge(v128.load(at), bar)) | (i32x4.bitmask(f32x4.ge(v128.load(at, 16), bar)) << 4);
}

/** Sets the bar by the n images of the first blocks with the best heads. */
function seed(e: u32, blocks: u32, scratch: usize, pulled: usize, headScores: usize, own: usize, best: usize): void {
  const n = word(LIST_LENGTH);
  const count = word(ITEMS + ROWS);
  const order: usize = word(ITEMS + ORDER);
  let found: u32 = 0;
  let least: f32 = -Infinity;
  for (let block: u32 = 0; block < blocks; block++) {
    const scores = headScores + (<usize>block << 7) + (e << 5);
    for (let bits = reach(scores, least); bits; bits &= bits - 1) {
      const lane = ctz(bits);
      const place = (block << 3) + lane;
      if (place >= count) break;
      if (load<u8>(pulled + <usize>load<u32>(order + (<usize>place << 2))) & (1 << e)) continue;
      const score = load<f32>(scores + (lane << 2));
      if (found == n && !(score > least)) continue;
      let at: usize = best + (<usize>min(found, n - 1) << 3);
      found = min(found + 1, n);
      for (; at > best && load<f32>(at - 8) < score; at -= 8) store<u64>(at, load<u64>(at - 8));
      store<f32>(at, score);
      store<u32>(at, place, 4);
      if (found == n) least = load<f32>(best + (<usize>(n - 1) << 3));
    }
  }
  if (found < n) return;
  const x = scratch + e * (<usize>word(STRIDE) << 2);
  let bar: f32 = Infinity;
  for (let at = best; at < best + (<usize>n << 3); at += 8) bar = min(bar, whole(load<f32>(at), load<u32>(at, 4), x));
  store<f32>(own, bar - load<f32>(own, 8), 12);
}

/** Adds those of a block that may be of the list to the candidates; false when no later one can be. */
function sift(e: u32, block: u32, scratch: usize, pulled: usize, scores: usize, own: usize, best: usize, candidates: usize): bool {
  const n = word(LIST_LENGTH);
  const head: usize = <usize>word(HEAD) << 2;
  let bar = load<f32>(own, 12);
  if (load<f32>(own) * load<f32>(<usize>word(LENGTHS) + (<usize>block << 5)) < bar) return false;
  const at = scores + (e << 5);
  const tails: usize = <usize>word(HEADS) + <usize>block * ((head + 4) << 3) + (head << 3);
  const tail = f32x4.splat(load<f32>(own, 4));
  const least = f32x4.splat(bar);
  let bits = i32x4.bitmask(f32x4.ge(f32x4.add(v128.load(at), f32x4.mul(tail, v128.load(tails))), least))
    | (i32x4.bitmask(f32x4.ge(f32x4.add(v128.load(at, 16), f32x4.mul(tail, v128.load(tails, 16))), least)) << 4);
  if (!bits) return true;
  const count = word(ITEMS + ROWS);
  const order: usize = word(ITEMS + ORDER);
  const x = scratch + e * (<usize>word(STRIDE) << 2);
  let found = load<u32>(own, 16);
  for (; bits; bits &= bits - 1) {
    const lane = ctz(bits);
    const place = (block << 3) + lane;
    if (place >= count) break;
    const score = whole(load<f32>(at + (lane << 2)), place, x);
    if (!(score >= bar)) continue;
    if (load<u8>(pulled + <usize>load<u32>(order + (<usize>place << 2))) & (1 << e)) continue;
    store<f32>(candidates + (<usize>found << 3), score);
    store<u32>(candidates + (<usize>found << 3), place, 4);
    // The n best scores, falling.
    let to: usize = best + (<usize>min(found, n - 1) << 2);
    if (found < n || score > load<f32>(to)) {
      for (; to > best && load<f32>(to - 4) < score; to -= 4) store<f32>(to, load<f32>(to - 4));
      store<f32>(to, score);
    }
    found++;
    if (found >= n) bar = max(bar, load<f32>(best + (<usize>(n - 1) << 2)) - load<f32>(own, 8));
  }
  store<f32>(own, bar, 12);
  store<u32>(own, found, 16);
  return true;
}

/** Scores the candidates that reach the bar in double, and writes the n best: most first, ties by index. */
function write(user: u32, found: u32, bar: f32, double: usize, best: usize, candidates: usize): void {
  const rank: usize = word(RANK);
  const bytes: usize = <usize>word(STRIDE) << 2;
  const n = word(LIST_LENGTH);
  const order: usize = word(ITEMS + ORDER);
  const factors: usize = word(ITEMS + FACTORS);
  const x: usize = <usize>word(USERS + FACTORS) + <usize>user * bytes;
  for (let k: usize = 0; k < rank; k++) store<f64>(double + (k << 3), <f64>load<f32>(x + (k << 2)));
  let kept: u32 = 0;
  for (let c: u32 = 0; c < found; c++) {
    const at = candidates + (<usize>c << 3);
    if (!(load<f32>(at) >= bar)) continue;
    store<u32>(candidates + (<usize>kept << 3), load<u32>(order + (<usize>load<u32>(at, 4) << 2)), 4);
    kept++;
  }
  let listed: u32 = 0;
  const items: usize = <usize>word(LIST_ITEMS) + ((<usize>user * n) << 2);
  const scores: usize = <usize>word(LIST_SCORES) + ((<usize>user * n) << 2);
  for (let c: u32 = 0; c < kept; c += 4) {
    // Four sums that don't wait for each other.
    const i0 = load<u32>(candidates + (<usize>c << 3), 4), i1 = load<u32>(candidates + (<usize>min(c + 1, kept - 1) << 3), 4);
    const i2 = load<u32>(candidates + (<usize>min(c + 2, kept - 1) << 3), 4), i3 = load<u32>(candidates + (<usize>min(c + 3, kept - 1) << 3), 4);
    const y0 = factors + i0 * bytes, y1 = factors + i1 * bytes, y2 = factors + i2 * bytes, y3 = factors + i3 * bytes;
    let s0: f64 = 0, s1: f64 = 0, s2: f64 = 0, s3: f64 = 0;
    for (let k: usize = 0; k < rank; k++) {
      const value = load<f64>(double + (k << 3));
      s0 += <f64>load<f32>(y0 + (k << 2)) * value;
      s1 += <f64>load<f32>(y1 + (k << 2)) * value;
      s2 += <f64>load<f32>(y2 + (k << 2)) * value;
      s3 += <f64>load<f32>(y3 + (k << 2)) * value;
    }
    for (let e: u32 = 0; e < 4 && c + e < kept; e++) {
      const item = e == 0 ? i0 : e == 1 ? i1 : e == 2 ? i2 : i3;
      const score = <f32>(e == 0 ? s0 : e == 1 ? s1 : e == 2 ? s2 : s3);
      let at: usize = <usize>(listed < n ? listed : n - 1) << 2;
      if (listed == n) {
        const worst = load<f32>(scores + at);
        if (score < worst || (score == worst && item > load<u32>(items + at))) continue;
      } else listed++;
      for (; at > 0; at -= 4) {
        const before = load<f32>(scores + at - 4);
        if (before > score || (before == score && load<u32>(items + at - 4) < item)) break;
        store<f32>(scores + at, before);
        store<u32>(items + at, load<u32>(items + at - 4));
      }
      store<f32>(scores + at, score);
      store<u32>(items + at, item);
    }
  }
  store<u32>(<usize>word(LISTED) + (<usize>user << 2), listed);
}
