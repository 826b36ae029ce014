// The best images of everybody, exactly, without scoring every image: by Cauchy-Schwarz no score is above |x||y|, so with
// the images by falling |y| a person's search ends at the first whose bound is below the worst of the list.
import type { Rows } from './ratings.ts';

/** `items` and `scores` are valid until the next call; the first `count` of them count. */
export interface Top {
  count: number;
  items: Uint32Array;
  scores: Float32Array;
}

/** Images scored at once: four sums that don't wait for each other. */
const block = 4;
/** Scores are rounded to float32, and the bound is too: it may be too small by a few of its last bits. */
const rounding = 1 + 1e-6;

/**
 * The best `n` images of each person, without those in their row of `byUser`. Most first, ties by index: the same as
 * scoring every image and sorting. `users` and `items` are row-major, `rank` factors a row.
 */
export function topOf(
  { rank, users, items }: { rank: number; users: Float32Array; items: Float32Array },
  byUser: Rows,
  n: number,
): (user: number) => Top {
  const count = items.length / rank;
  const norms = Float64Array.from({ length: count }, (_, item) => length(items, item * rank, rank));
  const order = Uint32Array.from(norms.keys()).sort((a, b) => norms[b] - norms[a] || a - b);
  // Padded to whole blocks with images of no length, which are never looked at.
  const padded = Math.ceil(count / block) * block;
  const sorted = new Float32Array(padded * rank);
  order.forEach((item, at) => {
    sorted.set(items.subarray(item * rank, (item + 1) * rank), at * rank);
  });
  // Who last left an image out, by number + 1: nothing to clear between people.
  const leftOutBy = new Uint32Array(count);
  const x = new Float64Array(rank);
  const four = new Float32Array(block);
  const top: Top = { count: 0, items: new Uint32Array(n), scores: new Float32Array(n) };

  const insert = (item: number, score: number) => {
    let at = top.count < n ? top.count++ : n - 1;
    for (; at > 0; at--) {
      const before = top.scores[at - 1];
      if (before > score || (before === score && top.items[at - 1] < item)) break;
      top.scores[at] = before;
      top.items[at] = top.items[at - 1];
    }
    top.scores[at] = score;
    top.items[at] = item;
  };

  return (user) => {
    top.count = 0;
    for (let at = byUser.starts[user]; at < byUser.starts[user + 1]; at++) leftOutBy[byUser.columns[at]] = user + 1;
    for (let k = 0; k < rank; k++) x[k] = users[user * rank + k];
    const bound = length(x, 0, rank) * rounding;
    for (let first = 0; first < count; first += block) {
      if (top.count === n && norms[order[first]] * bound < top.scores[n - 1]) break;
      const a = first * rank;
      const [b, c, d] = [a + rank, a + 2 * rank, a + 3 * rank];
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      for (let k = 0; k < rank; k++) {
        const xk = x[k];
        s0 += sorted[a + k] * xk;
        s1 += sorted[b + k] * xk;
        s2 += sorted[c + k] * xk;
        s3 += sorted[d + k] * xk;
      }
      four[0] = s0;
      four[1] = s1;
      four[2] = s2;
      four[3] = s3;
      const last = Math.min(block, count - first);
      for (let at = 0; at < last; at++) {
        const item = order[first + at];
        const score = four[at];
        if (leftOutBy[item] === user + 1) continue;
        const worst = top.scores[n - 1];
        if (top.count < n || score > worst || (score === worst && item < top.items[n - 1])) insert(item, score);
      }
    }
    return top;
  };
}

function length(values: ArrayLike<number>, from: number, rank: number): number {
  let sum = 0;
  for (let k = from; k < from + rank; k++) sum += values[k] ** 2;
  return Math.sqrt(sum);
}
