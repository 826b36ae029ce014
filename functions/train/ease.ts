// EASE on the WebAssembly kernel (functions/train/assembly/blocks.as), on all cores: `dense` inverts the whole Gram
// matrix, `sparse` fits each item only on its nearest ones. test/support/reference-ease.ts has the readable reference
// implementation.
import { availableParallelism } from 'node:os';
import { ByTarget, type EaseOptions, type ItemWeights, knn } from '#core/recommender/item-weights.ts';
import { type Rows, scaled, transposed } from '#core/recommender/ratings.ts';
import { blockAt, side, word } from './parameters.ts';
import { Layout, runKernel } from './threads.ts';

type Parameters = Partial<Record<keyof typeof word, number>>;

/** B of functions/train/assembly/wide.as. */
const blockSide = 144;
const blockBytes = blockSide * blockSide * 4;
/** Multiplications below which a second thread starts too late to help. */
const worthThreads = 1e9;

/** Bytes that each form needs at least: 4 for each pair of items. */
export const easeBytes = (items: number) => (Math.ceil(items / blockSide) * blockSide) ** 2 * 4;

/**
 * Weights by inverting the whole Gram matrix: items^3 operations.
 *
 * @throws RangeError if lambda is too small for single precision, or more than 4 GiB would be needed.
 */
export function easeDense(
  byUser: Rows,
  items: number,
  options: EaseOptions,
  threads = items ** 3 < worthThreads ? 1 : availableParallelism(),
): ItemWeights {
  const blocks = Math.max(1, Math.ceil(items / blockSide));
  const layout = new Layout();
  const matrix = new Matrix(layout, byUser, items, options);
  const phases = layout.reserve((blocks + 4) * 8);
  const square = layout.reserve(blocks * blocks * blockBytes);
  const diagonals = layout.reserve(blocks * blockBytes);
  const kept = Math.max(0, Math.min(options.keep, items - 1));
  const nearItems = layout.reserve(items * kept * 4);
  const nearWeights = layout.reserve(items * kept * 4);
  // A block, or a row and a count for each eleven bits of a weight.
  const scratchBytes = Math.max(blockBytes, blocks * blockSide * 4 + (4 << 11));
  const scratch = layout.reserve(scratchBytes * threads);
  const memory = layout.memory(
    `EASE of ${items} repositories`,
    'use its sparse form, or fit it among the most pulled repositories',
  );
  runKernel(threads, 'invert', () => {
    matrix.layOut(memory, {
      phases,
      square,
      diagonals,
      near: kept,
      nearItems,
      nearWeights,
      scratch,
      scratchBytes,
      blocks,
      width: blocks * blockSide,
    });
  });
  if (new Uint32Array(memory.buffer, blockAt, 128)[word.unsound] !== 0)
    throw new RangeError(`EASE is too near singular for single precision: raise lambda (${options.lambda})`);

  const byTarget = {
    starts: Uint32Array.from({ length: items + 1 }, (_, item) => item * kept),
    columns: new Uint32Array(memory.buffer, nearItems, items * kept),
    values: new Float32Array(memory.buffer, nearWeights, items * kept),
  };
  const { starts, columns, values } = transposed(byTarget, items);
  return { starts, columns, weights: values };
}

/**
 * Weights of each item from its `near` nearest items by cosine: a ridge regression each, items x near^3 / 3 operations
 * instead of items^3. With `near` equal to the number of items it is EASE itself.
 *
 * @throws RangeError if more than 4 GiB would be needed.
 */
export function easeSparse(
  byUser: Rows,
  items: number,
  near: number,
  options: EaseOptions,
  threads = items * near ** 3 < 3 * worthThreads ? 1 : availableParallelism(),
): ItemWeights {
  const most = Math.max(1, Math.min(near, items - 1));
  const nearest = knn(byUser, items, {
    ...{ k: most, shrink: 0, sourcePower: 0.5, targetPower: 0.5, userWeight: 'none' },
    countScale: options.countScale,
  });
  const width = Math.ceil(items / 8) * 8;
  const layout = new Layout();
  const matrix = new Matrix(layout, byUser, items, options);
  const phases = layout.reserve(2 * 8);
  const square = layout.reserve(items * width * 4);
  const nearItems = layout.reserve(items * most * 4);
  const nearWeights = layout.reserve(items * most * 4);
  const nearCounts = layout.reserve(items * 4);
  const padded = Math.ceil(most / 8) * 8;
  const scratchBytes = Math.ceil((padded * padded + padded) / 16) * 64;
  const scratch = layout.reserve(scratchBytes * threads);
  const memory = layout.memory(`EASE of ${items} repositories`, 'fit it among the most pulled repositories');
  const byTarget = transposed({ ...nearest, values: nearest.weights }, items);
  const lists = new Uint32Array(memory.buffer, nearItems, items * most);
  const counts = new Uint32Array(memory.buffer, nearCounts, items);
  for (let item = 0; item < items; item++) {
    const [from, to] = [byTarget.starts[item], byTarget.starts[item + 1]];
    lists.set(byTarget.columns.subarray(from, to), item * most);
    counts[item] = to - from;
  }
  const at = { square, width, scratch, scratchBytes, near: most, nearItems, nearWeights, nearCounts };
  runKernel(threads, 'gramRows', () => matrix.layOut(memory, { ...at, phases }));
  runKernel(threads, 'regress', () => matrix.set(memory, { ...at, phases: phases + 8 }));
  const weights = new Float32Array(memory.buffer, nearWeights, items * most);
  const targets = new ByTarget(items, options.keep);
  for (let item = 0; item < items; item++) {
    for (let n = item * most; n < item * most + counts[item]; n++)
      if (Number.isFinite(weights[n])) targets.add(lists[n], weights[n]);
    targets.end();
  }
  return targets.weights();
}

/** The matrix in the kernel's memory: both sides' rows, and the ridge and scale of each item. */
class Matrix {
  readonly #byUser: Rows;
  readonly #options: EaseOptions;
  readonly #items: number;
  readonly #sides: { rows: number; at: { starts: number; columns: number; values: number } }[];
  readonly #at: { scales: number; ridges: number };

  constructor(layout: Layout, byUser: Rows, items: number, options: EaseOptions) {
    const { lambda } = options;
    if (!(Number.isFinite(lambda) && lambda > 0))
      throw new RangeError(`lambda is ${lambda}: must be above 0 to keep the equations solvable`);
    this.#byUser = byUser;
    this.#options = options;
    this.#items = items;
    this.#sides = [byUser.starts.length - 1, items].map((rows) => ({
      rows,
      at: {
        starts: layout.reserve((rows + 1) * 4),
        columns: layout.reserve(byUser.columns.length * 4),
        values: layout.reserve(byUser.values.length * 4),
      },
    }));
    // Whole vectors are read at the end.
    this.#at = { scales: layout.reserve(items * 4 + 16), ridges: layout.reserve(items * 4) };
  }

  /** Fills it in, straight into that memory: at ten million pairs each copy of the rows has 80 MB. */
  layOut(memory: WebAssembly.Memory, values: Parameters): void {
    const { buffer } = memory;
    const entries = this.#byUser.columns.length;
    const [users, items] = this.#sides.map(({ rows, at }) => ({
      starts: new Uint32Array(buffer, at.starts, rows + 1),
      columns: new Uint32Array(buffer, at.columns, entries),
      values: new Float32Array(buffer, at.values, entries),
    }));
    const { lambda, denoise, countScale } = this.#options;
    users.starts.set(this.#byUser.starts);
    users.columns.set(this.#byUser.columns);
    const own = new Float64Array(this.#items);
    for (let at = 0; at < entries; at++) {
      users.values[at] = scaled(countScale, this.#byUser.values[at]);
      own[users.columns[at]] += users.values[at] ** 2;
    }
    transposed(users, this.#items, items);
    const ridges = new Float32Array(buffer, this.#at.ridges, this.#items);
    ridges.set(own.map((sum) => lambda + denoise * sum));
    // Rows and columns are scaled to a diagonal of ones: this loses the least precision.
    new Float32Array(buffer, this.#at.scales, this.#items).set(own.map((sum, at) => 1 / Math.sqrt(sum + ridges[at])));
    this.set(memory, values);
  }

  /** Sets parameters only. */
  set({ buffer }: WebAssembly.Memory, values: Parameters): void {
    const words = new Uint32Array(buffer, blockAt, 128);
    for (const [name, value] of Object.entries({ ...values, ...this.#at }))
      words[word[name as keyof typeof word]] = value;
    this.#sides.forEach(({ rows, at }, n) => {
      const first = n === 0 ? word.users : word.items;
      for (const [name, value] of Object.entries({ rows, ...at }))
        words[first + side[name as keyof typeof side]] = value;
    });
  }
}
