// The fast fit: lays the matrix out in shared memory and runs the WebAssembly kernel (functions/train/kernel) on all
// cores. functions/core/als.ts is the readable reference that it is tested against.
import { availableParallelism } from 'node:os';
import type { AlsOptions, Factors } from '#core/als.ts';
import { compress, type Entry, type Rows } from '#core/ratings.ts';
import { blockAt, Layout, runKernel, word } from './threads.ts';

export interface FitOptions extends AlsOptions {
  /** `exact` (Cholesky) or `cg`: a few conjugate gradient steps a row. Default exact. */
  solver?: 'exact' | 'cg';
  /** Steps of `cg`. Default 2: in whitened coordinates they leave less loss than three plain ones. */
  steps?: number;
  /** Lambda times the number of a row's entries, as Spark has it ("ALS-WR"); exact only. Default false: Hu et al. */
  weightedLambda?: boolean;
  /** Default: one a core, and one alone where the work is less than starting another. */
  threads?: number;
}

const lanesRank = 15;
const gramChunks = 64;
/** Entries of a row that is worth a group of four lanes of its own. */
const splitAt = 2048;
/** entries x rank^2 x iterations below which a second thread starts too late to help. */
const worthThreads = 3e8;

/**
 * Fits users x items rows (a user a row) and answers row-major factors: the reference's up to single precision, and the
 * same bits for the same `random` whatever the number of threads. Runs on the calling thread too, which it holds until done.
 *
 * @throws RangeError for options or counts that can't be fitted, and when more than 4 GiB would be needed.
 */
export function fit(byUser: Rows, items: number, options: FitOptions, random: () => number): Factors {
  check(byUser, items, options);
  const { rank, iterations, lambda, alpha, solver = 'exact', steps = 2, weightedLambda = false } = options;
  const users = byUser.starts.length - 1;
  const entries = byUser.columns.length;
  const threads = options.threads ?? (entries * rank * rank * iterations < worthThreads ? 1 : availableParallelism());
  const lanes = rank <= lanesRank && solver === 'exact';
  const stride = Math.ceil(rank / (lanes ? 4 : 8)) * (lanes ? 4 : 8);

  const layout = new Layout();
  const reserve = (bytes: number) => layout.reserve(bytes);
  const square = stride * stride;
  const phases = reserve(iterations * 8 * 8);
  const gramParts = reserve(gramChunks * square * 8);
  const [gram, lower, inverse] = [reserve(square * 4), reserve(square * 4), reserve(square * 4)];
  const [whitener, identity] = [reserve(square * 4), reserve(square * 4)];
  const gramDouble = reserve(square * 8);
  const zeros = reserve(stride * 4);
  const scratchBytes = lanes ? (square + 6 * stride) * 16 : (stride + Math.max(64, stride) + 13) * stride * 4;
  const scratch = reserve((Math.ceil(scratchBytes / 64) * 64 + 64) * threads);
  const whitened = lanes || weightedLambda ? 0 : reserve(Math.max(users, items) * stride * 4);
  const sides = [users, items].map((rows) => ({
    rows,
    starts: reserve((rows + 1) * 4),
    // Whole vectors are read at a row's end.
    columns: reserve(entries * 4 + 16),
    values: reserve(entries * 4 + 16),
    order: reserve(rows * 4),
    chunkStarts: reserve((rows + 1) * 4),
    factors: reserve(rows * stride * 4),
  }));
  const memory = layout.memory(
    `${users} people x ${items} images with ${entries} pairs at rank ${rank}`,
    'lower the rank, or train with Spark (setting trainer: fargate or spark)',
  );
  runKernel(memory, threads, 'run', () => {
    const words = new Int32Array(memory.buffer);
    const set = (at: number, value: number) => {
      words[blockAt / 4 + at] = value;
    };
    set(word.rank, rank);
    set(word.stride, stride);
    set(word.iterations, iterations);
    set(word.solver, solver === 'cg' ? 1 : 0);
    set(word.weighted, weightedLambda ? 1 : 0);
    set(word.steps, steps);
    set(word.splitAt, splitAt);
    set(word.phases, phases);
    set(word.gramParts, gramParts);
    set(word.gram, gram);
    set(word.lower, lower);
    set(word.inverse, inverse);
    set(word.whitener, whitener);
    set(word.whitened, whitened);
    set(word.scratch, scratch);
    set(word.scratchBytes, Math.ceil(scratchBytes / 64) * 64);
    set(word.gramDouble, gramDouble);
    set(word.zeros, zeros);
    set(word.identity, identity);
    set(word.lanes, lanes ? 1 : 0);
    const ones = new Float32Array(memory.buffer, identity, square);
    // Panels of eight columns: functions/train/kernel/tiles.ts.
    for (let i = 0; i < stride && !lanes; i++) ones[(i >> 3) * stride * 8 + i * 8 + (i & 7)] = 1;
    new Float64Array(memory.buffer, blockAt + word.lambda * 4, 1)[0] = lambda;
    new Float64Array(memory.buffer, blockAt + word.alpha * 4, 1)[0] = alpha;

    const views = sides.map((side) => ({
      starts: new Uint32Array(memory.buffer, side.starts, side.rows + 1),
      columns: new Uint32Array(memory.buffer, side.columns, entries),
      values: new Float32Array(memory.buffer, side.values, entries),
    }));
    views[0].starts.set(byUser.starts);
    views[0].columns.set(byUser.columns);
    views[0].values.set(byUser.values);
    transpose(byUser, views[1]);
    sides.forEach((side, at) => {
      const { starts } = views[at];
      const order = new Uint32Array(memory.buffer, side.order, side.rows);
      byLength(starts, order);
      const chunks = shareOut(starts, order, rank, new Uint32Array(memory.buffer, side.chunkStarts, side.rows + 1));
      const from = at === 0 ? word.users : word.items;
      const fields = [side.rows, side.starts, side.columns, side.values, side.order, side.chunkStarts, chunks];
      fields.forEach((value, field) => {
        set(from + field, value);
      });
      set(from + 7, side.factors);
      const whiten = solver === 'cg' || worthWhitening(starts, sides[1 - at].rows, rank);
      set(from + 8, whitened && whiten ? 1 : 0);
    });
    const first = new Float32Array(memory.buffer, sides[1].factors, items * stride);
    for (let item = 0; item < items; item++)
      for (let k = 0; k < rank; k++) first[item * stride + k] = (random() - 0.5) / rank;
  });
  const [ofUsers, ofItems] = sides.map((side) =>
    unpadded(new Float32Array(memory.buffer, side.factors, side.rows * stride), side.rows, rank, stride),
  );
  return { rank, users: ofUsers, items: ofItems };
}

/** The same from entries, with the reference's signature. */
export function fitEntries(
  entries: Entry[],
  users: number,
  items: number,
  options: FitOptions,
  random: () => number,
): Factors {
  const byUser = compress(
    entries,
    users,
    ({ user }) => user,
    ({ item }) => item,
  );
  return fit(byUser, items, options, random);
}

function check({ starts, columns, values }: Rows, items: number, options: FitOptions): void {
  const { rank, iterations, lambda, alpha, steps = 2, threads = 1, solver, weightedLambda } = options;
  const whole = { rank, iterations, steps, threads };
  for (const [name, value] of Object.entries(whole))
    if (!Number.isInteger(value) || value < 1 || value > 4096)
      throw new RangeError(`${name}: ${value} is not a whole number from 1 to 4096`);
  if (!(lambda > 0 && lambda < Number.POSITIVE_INFINITY))
    throw new RangeError(`lambda: ${lambda} must be above 0: it keeps the equations solvable`);
  if (!(alpha >= 0 && alpha < Number.POSITIVE_INFINITY)) throw new RangeError(`alpha: ${alpha} must be 0 or more`);
  if (solver === 'cg' && weightedLambda)
    throw new RangeError('solver: cg knows no weightedLambda: leave out one of the two');
  if (starts.at(-1) !== columns.length || values.length !== columns.length)
    throw new RangeError(`rows end at ${starts.at(-1)}, with ${columns.length} columns and ${values.length} values`);
  for (let n = 0; n < columns.length; n++)
    if (columns[n] >= items || !(values[n] >= 0 && values[n] < Number.POSITIVE_INFINITY))
      throw new RangeError(
        `entry ${n}: column ${columns[n]} must be below ${items}, value ${values[n]} finite and 0 or more`,
      );
}

function transpose({ starts, columns, values }: Rows, to: Rows): void {
  for (const column of columns) to.starts[column + 1]++;
  for (let r = 1; r < to.starts.length; r++) to.starts[r] += to.starts[r - 1];
  const next = to.starts.slice();
  for (let row = 0; row + 1 < starts.length; row++)
    for (let n = starts[row]; n < starts[row + 1]; n++) {
      const at = next[columns[n]]++;
      to.columns[at] = row;
      to.values[at] = values[n];
    }
}

/** Rows by falling number of entries, equals by index. */
function byLength(starts: Uint32Array, order: Uint32Array): void {
  let longest = 0;
  for (let row = 0; row < order.length; row++) longest = Math.max(longest, starts[row + 1] - starts[row]);
  const next = new Uint32Array(longest + 2);
  for (let row = 0; row < order.length; row++) next[longest - (starts[row + 1] - starts[row]) + 1]++;
  for (let length = 0; length <= longest; length++) next[length + 1] += next[length];
  for (let row = 0; row < order.length; row++) order[next[longest - (starts[row + 1] - starts[row])]++] = row;
}

/** Chunks of about equal work, whole groups of four rows where they can be; answers how many. */
function shareOut(starts: Uint32Array, order: Uint32Array, rank: number, chunkStarts: Uint32Array): number {
  const each = Math.max(4096, (starts[order.length] + order.length * rank) / 256);
  let chunks = 0;
  let work = 0;
  for (let place = 0; place < order.length; place++) {
    if (place === 0 || (work >= each && (place - chunkStarts[chunks - 1]) % 4 === 0)) {
      chunkStarts[chunks++] = place;
      work = 0;
    }
    work += starts[order[place] + 1] - starts[order[place]] + rank;
  }
  chunkStarts[chunks] = order.length;
  return chunks;
}

/** Whether what short rows save by their dual is more than whitening the other side's rows: multiplications of both. */
function worthWhitening(starts: Uint32Array, otherRows: number, rank: number): boolean {
  let saved = -otherRows * rank ** 2;
  for (let row = 0; row + 1 < starts.length; row++) {
    const entries = starts[row + 1] - starts[row];
    if (entries > 0 && entries < 0.9 * rank)
      saved += (entries * rank ** 2) / 2 + rank ** 3 / 6 - (entries ** 2 * rank) / 2 - entries ** 3 / 6;
  }
  return saved > 0;
}

function unpadded(padded: Float32Array, rows: number, rank: number, stride: number): Float32Array {
  const factors = new Float32Array(rows * rank);
  if (rank === stride) factors.set(padded);
  else
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < rank; k++) factors[row * rank + k] = padded[row * stride + k];
  return factors;
}
