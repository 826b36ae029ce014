// The fast fit: puts the matrix into shared memory and runs the WebAssembly kernel (functions/train/assembly) on all
// cores. functions/core/recommender/als.ts is the readable reference implementation that it is tested against.
import { availableParallelism } from 'node:os';
import { type AlsOptions, checkedAls, type Factors, randomStart } from '#core/recommender/als.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import type { ItemModel } from '#core/recommender/recommend.ts';
import { blockAt, side, word } from './parameters.ts';
import { Layout, runKernel } from './threads.ts';

export interface FitOptions extends AlsOptions {
  /** `exact` (up to single precision) or `cg`: a few conjugate gradient steps a row. Default exact. */
  solver?: 'exact' | 'cg';
  /**
   * Steps of `cg` for users, one less for items. Default 2: in whitened coordinates these leave less loss than three
   * plain steps.
   */
  steps?: number;
  /**
   * Multiplies lambda by the number of a row's entries, as Spark does ("ALS-WR"); only with `exact`. Default false, as
   * in Hu et al.
   */
  weightedLambda?: boolean;
  /** Default: one per core, but only one if starting another costs more than the work. */
  threads?: number;
}

const lanesRank = 15;
const gramChunks = 64;
const layoutPhases = 3;
const pieces = 32;
/** How many entries' rows a thread copies side by side: HELD in functions/train/assembly, rows.as and lanes.as. */
const held = 1024;
const lanesHeld = 64;
/** entries x rank^2 x half steps below which a second thread starts too late to help. */
const worthThreads = 6e8;

/**
 * Fits users x items rows (a user a row) and returns row-major factors: those of the reference up to single precision,
 * and the same bits for the same `random` with any number of threads. Runs on the calling thread too, which it blocks
 * until done.
 *
 * @throws RangeError for options or counts that can't be fitted, and if more than 4 GiB would be needed.
 */
export function fit(byUser: Rows, items: number, options: FitOptions, random: () => number): Factors {
  check(byUser, options);
  return solve(byUser, items, options, 2 * options.iterations, () => randomStart(items, options.rank, random));
}

/**
 * Folds in all users at once: their factors, users x rank, as at request time.
 *
 * @throws RangeError as `fit` does.
 */
export function foldIn(byUser: Rows, { rank, items }: ItemModel, options: FitOptions): Float32Array {
  const given = { ...options, rank };
  check(byUser, given);
  return solve(byUser, items.length / rank, given, 1, () => items).users;
}

/** Half steps, starting from the items' factors: users, items, users, … */
function solve(
  byUser: Rows,
  items: number,
  options: FitOptions,
  halfSteps: number,
  startOf: () => Float32Array,
): Factors {
  const { rank, lambda, alpha, solver = 'exact', steps = 2, weightedLambda = false } = options;
  const users = byUser.starts.length - 1;
  const entries = byUser.columns.length;
  const threads = options.threads ?? (entries * rank * rank * halfSteps < worthThreads ? 1 : availableParallelism());
  const lanes = rank <= lanesRank && solver === 'exact';
  const stride = lanes && rank > 8 ? Math.ceil(rank / 4) * 4 : Math.ceil(rank / 8) * 8;

  const layout = new Layout();
  const reserve = (bytes: number) => layout.reserve(bytes);
  const square = stride * stride;
  const phases = reserve((layoutPhases + halfSteps * 6) * 8);
  const precise = reserve(halfSteps * 4);
  const gramParts = reserve(gramChunks * square * 8);
  const [gram, lower, inverse] = [reserve(square * 4), reserve(square * 4), reserve(square * 4)];
  const [whitener, identity] = [reserve(square * 4), reserve(square * 4)];
  const gramDouble = reserve(square * 8);
  const zeros = reserve(stride * 4);
  const scratchBytes = lanes
    ? 2 * (square + stride) * 16 + lanesHeld * 2 * stride * 4
    : (Math.max(stride + Math.max(64, stride) + 8, 4 + held) + 5) * stride * 4;
  const scratch = reserve((Math.ceil(scratchBytes / 64) * 64 + 64) * threads);
  const counts = reserve(pieces * items * 4);
  const invalid = reserve(pieces * 4);
  const whitened = lanes || weightedLambda ? 0 : reserve(Math.max(users, items) * stride * 4);
  const sides = [users, items].map((rows) => ({
    rows,
    starts: reserve((rows + 1) * 4),
    // Whole vectors are read at a row's end.
    columns: reserve(entries * 4 + 32),
    values: reserve(entries * 4 + 32),
    chunkStarts: reserve((rows + 1) * 4),
    factors: reserve(rows * stride * 4),
  }));
  const memory = layout.memory(
    `${users} users x ${items} repositories with ${entries} pairs at rank ${rank}`,
    'lower the rank, or train with Spark (setting trainer: spark)',
  );
  const failure = runKernel(threads, 'run', () => {
    const words = new Int32Array(memory.buffer);
    const set = (values: Partial<Record<keyof typeof word, number>>) => {
      for (const [name, value] of Object.entries(values)) words[blockAt / 4 + word[name as keyof typeof word]] = value;
    };
    set({
      rank,
      stride,
      halfSteps,
      steps,
      phases,
      precise,
      gramParts,
      gram,
      lower,
      inverse,
      whitener,
      whitened,
    });
    set({ solver: solver === 'cg' ? 1 : 0, weighted: weightedLambda ? 1 : 0, lanes: lanes ? 1 : 0 });
    set({
      scratch,
      scratchBytes: Math.ceil(scratchBytes / 64) * 64,
      gramDouble,
      zeros,
      identity,
      counts,
      invalid,
    });
    const ones = new Float32Array(memory.buffer, identity, square);
    // Panels of eight columns: functions/train/assembly/tiles.as.
    for (let i = 0; i < stride && !lanes; i++) ones[(i >> 3) * stride * 8 + i * 8 + (i & 7)] = 1;
    new Float64Array(memory.buffer, blockAt + word.lambda * 4, 1)[0] = lambda;
    new Float64Array(memory.buffer, blockAt + word.alpha * 4, 1)[0] = alpha;

    sides.forEach(({ rows, starts, columns, values, chunkStarts, factors }, at) => {
      const fields = { rows, starts, columns, values, chunkStarts, factors };
      for (const [name, value] of Object.entries(fields))
        words[blockAt / 4 + (at === 0 ? word.users : word.items) + side[name as keyof typeof fields]] = value;
    });
    const [given] = sides;
    new Uint32Array(memory.buffer, given.starts, users + 1).set(byUser.starts);
    new Uint32Array(memory.buffer, given.columns, entries).set(byUser.columns);
    new Float32Array(memory.buffer, given.values, entries).set(byUser.values);
    const start = startOf();
    const first = new Float32Array(memory.buffer, sides[1].factors, items * stride);
    for (let item = 0; item < items; item++)
      for (let k = 0; k < rank; k++) first[item * stride + k] = start[item * rank + k];
  });
  if (failure !== 0) {
    // The first invalid entry that a piece of the layout found.
    const n = new Uint32Array(memory.buffer, invalid, pieces).find((entry) => entry > 0) as number;
    throw new RangeError(
      `entry ${n - 1}: column ${byUser.columns[n - 1]} must be below ${items}, value ${byUser.values[n - 1]} finite and 0 or more`,
    );
  }
  const [ofUsers, ofItems] = sides.map(({ rows, factors }) =>
    unpadded(new Float32Array(memory.buffer, factors, rows * stride), rows, rank, stride),
  );
  return { rank, users: ofUsers, items: ofItems };
}

function check({ starts, columns, values }: Rows, options: FitOptions): void {
  const { rank, iterations, lambda, alpha, steps = 2, threads = 1, solver, weightedLambda } = options;
  checkedAls({ rank, iterations, lambda, alpha });
  for (const [name, value] of Object.entries({ steps, threads }))
    if (!Number.isInteger(value) || value < 1 || value > 4096)
      throw new RangeError(`${name} is ${value}: must be an integer from 1 to 4096`);
  if (solver === 'cg' && weightedLambda) throw new RangeError('solver is "cg": must be "exact" with weightedLambda');
  if (starts.at(-1) !== columns.length || values.length !== columns.length)
    throw new RangeError(`rows end at ${starts.at(-1)}, with ${columns.length} columns and ${values.length} values`);
  for (let row = 0; row + 1 < starts.length; row++)
    if (starts[row] > starts[row + 1])
      throw new RangeError(`row ${row} starts at ${starts[row]}, the one after it at ${starts[row + 1]}`);
}

function unpadded(padded: Float32Array, rows: number, rank: number, stride: number): Float32Array {
  const factors = new Float32Array(rows * rank);
  if (rank === stride) factors.set(padded);
  else
    for (let row = 0; row < rows; row++)
      for (let k = 0; k < rank; k++) factors[row * rank + k] = padded[row * stride + k];
  return factors;
}
