// Weights between items (repositories): a score is the sum of the weights from what a user pulled. Rows are stored by
// source, as serving reads them: row r is what a pull of item r adds to others.
import { type CountScale, type Rows, release, scaled, transposed, transposedInParts } from './ratings.ts';

export interface ItemWeights {
  starts: Uint32Array;
  /** Ascending within a row. */
  columns: Uint32Array;
  weights: Float32Array;
}

/** How much a user's pulls weigh: the same for all, or less for users who pulled more (idf: log, degree: inverse). */
export type UserWeight = 'none' | 'idf' | 'degree';

export interface KnnOptions {
  /** How many sources are kept for each item: the strongest. */
  k: number;
  /** Added to the denominator, so that similarity between items with few common users counts less. */
  shrink: number;
  /** Exponents of both items' own sums in the denominator: 0.5 and 0.5 give the cosine. */
  sourcePower: number;
  targetPower: number;
  userWeight: UserWeight;
  countScale: CountScale;
}

/** The same rows with scaled counts; with `userWeight`, multiplied by the square root of the user's weight. */
export function scaledRows(
  { starts, columns, values }: Rows,
  items: number,
  countScale: CountScale,
  userWeight: UserWeight = 'none',
): Rows {
  const counts = new Float32Array(values.length);
  for (let user = 0; user + 1 < starts.length; user++) {
    const [from, to] = [starts[user], starts[user + 1]];
    const degree = to - from;
    const weight =
      userWeight === 'none' ? 1 : userWeight === 'degree' ? 1 / degree : Math.max(0, Math.log(items / (1 + degree)));
    const root = Math.sqrt(weight);
    for (let at = from; at < to; at++) counts[at] = root * scaled(countScale, values[at]);
  }
  return { starts, columns, values: counts };
}

/**
 * Item-based nearest neighbours. With s the sum over users of weight x count x count, the weight from i to j is s_ij /
 * (s_ii^a s_jj^b + shrink). Items are processed one by one, so memory for one row of sums is enough.
 */
export function knn(byUser: Rows, items: number, options: KnnOptions): ItemWeights {
  const { k, shrink, sourcePower, targetPower, countScale, userWeight } = options;
  const rows = scaledRows(byUser, items, countScale, userWeight);
  const own = new Float64Array(items);
  for (let at = 0; at < rows.columns.length; at++) own[rows.columns[at]] += rows.values[at] ** 2;
  const source = own.map((sum) => sum ** sourcePower);
  const targets = new ByTarget(items, k);
  const sums = new Float64Array(items);
  const touched = new Uint32Array(items);
  for (const { from, rows: byItem } of transposedInParts(rows, items))
    for (let row = 0; row + 1 < byItem.starts.length; row++) {
      const item = from + row;
      let count = 0;
      for (let n = byItem.starts[row]; n < byItem.starts[row + 1]; n++) {
        const user = byItem.columns[n];
        const value = byItem.values[n];
        if (!(value > 0)) continue;
        for (let m = rows.starts[user]; m < rows.starts[user + 1]; m++) {
          const other = rows.columns[m];
          if (sums[other] === 0) touched[count++] = other;
          sums[other] += value * rows.values[m];
        }
      }
      const target = own[item] ** targetPower;
      for (let at = 0; at < count; at++) {
        const other = touched[at];
        const sum = sums[other];
        sums[other] = 0;
        if (other !== item && sum > 0) targets.add(other, sum / (source[other] * target + shrink));
      }
      targets.end();
    }
  release(rows.values);
  return targets.weights();
}

/**
 * Collects weights by target, item by item, as they are fitted; keeps the strongest `k` of each; returns them by
 * source.
 */
export class ByTarget {
  readonly #items: number;
  readonly #k: number;
  readonly #starts: Uint32Array;
  #sources: Uint32Array;
  #values: Float32Array;
  #count = 0;
  #target = 0;
  /** The sums of the current target. */
  readonly #from: Uint32Array;
  readonly #weights: Float32Array;
  readonly #strengths: Float32Array;
  #found = 0;

  constructor(items: number, k: number) {
    this.#items = items;
    this.#k = k;
    this.#starts = new Uint32Array(items + 1);
    const room = items * Math.min(k, 64);
    this.#sources = new Uint32Array(room);
    this.#values = new Float32Array(room);
    this.#from = new Uint32Array(items);
    this.#weights = new Float32Array(items);
    this.#strengths = new Float32Array(items);
  }

  /** Adds a weight of the current item; every source may come at most once. */
  add(source: number, weight: number): void {
    this.#from[this.#found] = source;
    this.#weights[this.#found++] = weight;
  }

  /** Continues with the next item. */
  end(): void {
    const found = this.#found;
    const kept = Math.min(found, this.#k);
    if (this.#count + kept > this.#sources.length) this.#grow(kept);
    if (found <= this.#k) {
      this.#sources.set(this.#from.subarray(0, found), this.#count);
      this.#values.set(this.#weights.subarray(0, found), this.#count);
      this.#count += found;
    } else {
      for (let at = 0; at < found; at++) this.#strengths[at] = Math.abs(this.#weights[at]);
      const bar = nthGreatest(this.#strengths, found, kept - 1);
      const take = (at: number) => {
        this.#sources[this.#count] = this.#from[at];
        this.#values[this.#count++] = this.#weights[at];
      };
      const equal: number[] = [];
      const before = this.#count;
      for (let at = 0; at < found; at++) {
        const strength = Math.abs(this.#weights[at]);
        if (strength > bar) take(at);
        else if (strength === bar) equal.push(at);
      }
      // Of equal weights the first sources win, in whatever order they came.
      const left = before + kept - this.#count;
      if (left < equal.length) equal.sort((a, b) => this.#from[a] - this.#from[b]);
      for (const at of equal.slice(0, left)) take(at);
    }
    this.#starts[++this.#target] = this.#count;
    this.#found = 0;
  }

  weights(): ItemWeights {
    const byTarget = {
      starts: this.#starts,
      columns: this.#sources.subarray(0, this.#count),
      values: this.#values.subarray(0, this.#count),
    };
    const { starts, columns, values } = transposed(byTarget, this.#items);
    return { starts, columns, weights: values };
  }

  #grow(by: number): void {
    const room = Math.max(this.#sources.length * 2, this.#count + by);
    const sources = new Uint32Array(room);
    sources.set(this.#sources);
    this.#sources = sources;
    const values = new Float32Array(room);
    values.set(this.#values);
    this.#values = values;
  }
}

/** The n-th greatest (0 is the greatest) of the first `count` values, which it reorders. */
export function nthGreatest(values: Float32Array, count: number, n: number): number {
  let low = 0;
  let high = count - 1;
  while (low < high) {
    const pivot = values[(low + high) >> 1];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] > pivot) i++;
      while (values[j] < pivot) j--;
      if (i <= j) {
        const value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    }
    if (n <= j) high = j;
    else if (n >= i) low = i;
    else break;
  }
  return values[n];
}

export interface EaseOptions {
  /** Added to the diagonal of the Gram matrix. */
  lambda: number;
  /**
   * Also added: this multiple of each diagonal element, Steck's denoising form (dropout p gives p / (1 - p)). 0 is
   * plain EASE.
   */
  denoise: number;
  countScale: CountScale;
  /** How many weights are kept for each item: the strongest. */
  keep: number;
}
