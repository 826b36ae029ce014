// Every user's best repositories, exactly, by the WebAssembly kernel on all cores: functions/train/assembly/top.as.
import { availableParallelism } from 'node:os';
import type { Factors } from '#core/recommender/als.ts';
import type { Rows } from '#core/recommender/ratings.ts';
import { blockAt, side, word } from './parameters.ts';
import { Layout, runKernel } from './threads.ts';

export interface TopLists {
  /** How many repositories each user's list has: `n`, or fewer if fewer are left. */
  counts: Uint32Array;
  /** Repositories and their scores, `n` per user, highest first. */
  items: Uint32Array;
  scores: Float32Array;
}

const gramChunks = 64;
const span = 128;
/** users x items below which a second thread starts too late to help. */
const worthThreads = 1e7;

/**
 * The best `n` repositories of each user, without those in their row of `byUser`. Highest first, ties by index: the
 * same as scoring every repository in double precision, rounding to single, and sorting.
 *
 * @throws RangeError for an `n` that is not an integer above 0, rows that don't fit the factors, or more than 4 GiB.
 */
export function topLists(
  { rank, users, items }: Factors,
  byUser: Rows,
  n: number,
  threads = (users.length / rank) * (items.length / rank) < worthThreads ? 1 : availableParallelism(),
): TopLists {
  const [people, count] = [users.length / rank, items.length / rank];
  if (!Number.isInteger(n) || n < 1) throw new RangeError(`n is ${n}: must be an integer above 0`);
  if (byUser.starts.length !== people + 1)
    throw new RangeError(`${byUser.starts.length - 1} rows of pulls for ${people} users`);
  for (const column of byUser.columns)
    if (column >= count) throw new RangeError(`repository ${column} must be below ${count}`);
  const stride = Math.ceil(rank / 8) * 8;
  // Half of the columns decide about most items; up to 16 are quick to multiply.
  const head = stride <= 16 ? stride : Math.ceil(stride / 16) * 8;
  const padded = Math.ceil(count / 8) * 8;
  const length = Math.min(n, Math.max(count, 1));
  const line = (bytes: number) => Math.ceil(bytes / 64) * 64;

  const layout = new Layout();
  const reserve = (bytes: number) => layout.reserve(bytes);
  const at = {
    phases: reserve(4 * 8),
    gramParts: reserve(gramChunks * stride * stride * 8),
    turn: reserve(stride * stride * 4),
    heads: reserve((padded / 8) * (head + 1) * 32),
    tails: reserve(count * (stride - head) * 4),
    lengths: reserve(padded * 4),
    order: reserve(count * 4),
    places: reserve(count * 4),
    users: reserve(users.length === 0 ? 0 : people * stride * 4),
    items: reserve(count * stride * 4),
    starts: reserve(byUser.starts.length * 4),
    columns: reserve(byUser.columns.length * 4),
    listed: reserve(people * 4),
    listItems: reserve(people * length * 4),
    listScores: reserve(people * length * 4),
  };
  const forLists =
    16 * stride * 4 + line(count + 8) + line(head * 16) + span * 160 + 256 + 4 * (line(length * 8) + line(count * 8));
  const scratchBytes = line(Math.max(forLists + 512, (stride + 64 + 16) * stride * 4));
  const scratch = reserve(scratchBytes * threads);

  const memory = layout.memory(
    `lists of ${length} for ${people} users and ${count} repositories at rank ${rank}`,
    'make them in parts',
  );
  runKernel(threads, 'top', () => {
    const words = new Int32Array(memory.buffer, blockAt);
    const set = (values: Record<number, number>) => {
      for (const [index, value] of Object.entries(values)) words[Number(index)] = value;
    };
    set({ [word.rank]: rank, [word.stride]: stride, [word.head]: head, [word.listLength]: length });
    set({ [word.phases]: at.phases, [word.gramParts]: at.gramParts, [word.turn]: at.turn, [word.heads]: at.heads });
    set({ [word.tails]: at.tails, [word.lengths]: at.lengths, [word.listed]: at.listed, [word.places]: at.places });
    set({ [word.listItems]: at.listItems, [word.listScores]: at.listScores });
    set({ [word.scratch]: scratch, [word.scratchBytes]: scratchBytes });
    set({ [word.users + side.rows]: people, [word.users + side.starts]: at.starts });
    set({ [word.users + side.columns]: at.columns, [word.users + side.factors]: at.users });
    set({
      [word.items + side.rows]: count,
      [word.items + side.order]: at.order,
      [word.items + side.factors]: at.items,
    });

    new Uint32Array(memory.buffer, at.starts, byUser.starts.length).set(byUser.starts);
    new Uint32Array(memory.buffer, at.columns, byUser.columns.length).set(byUser.columns);
    pad(users, rank, stride, new Float32Array(memory.buffer, at.users, people * stride));
    pad(items, rank, stride, new Float32Array(memory.buffer, at.items, count * stride));
    const lengths = Float32Array.from({ length: count }, (_, item) => lengthOf(items, item * rank, rank));
    const order = new Uint32Array(memory.buffer, at.order, count).map((_, item) => item);
    order.sort((a, b) => lengths[b] - lengths[a] || a - b);
    new Uint32Array(memory.buffer, at.order, count).set(order);
    const sorted = new Float32Array(memory.buffer, at.lengths, padded);
    const places = new Uint32Array(memory.buffer, at.places, count);
    order.forEach((item, place) => {
      places[item] = place;
      sorted[place] = lengths[item];
    });
  });
  return {
    counts: new Uint32Array(memory.buffer, at.listed, people).slice(),
    items: spread(new Uint32Array(memory.buffer, at.listItems, people * length), length, n),
    scores: spread(new Float32Array(memory.buffer, at.listScores, people * length), length, n),
  };
}

function pad(from: Float32Array, rank: number, stride: number, to: Float32Array): void {
  if (rank === stride) to.set(from);
  else
    for (let row = 0; row * rank < from.length; row++)
      for (let k = 0; k < rank; k++) to[row * stride + k] = from[row * rank + k];
}

function lengthOf(values: Float32Array, from: number, rank: number): number {
  let sum = 0;
  for (let k = from; k < from + rank; k++) sum += values[k] ** 2;
  return Math.sqrt(sum);
}

/** Shortens lists of `length` to lists of `n`. */
function spread<A extends Uint32Array | Float32Array>(lists: A, length: number, n: number): A {
  if (length === n) return lists.slice() as A;
  const wider = new (lists.constructor as new (length: number) => A)((lists.length / length) * n);
  for (let at = 0; at < lists.length; at++) wider[Math.floor(at / length) * n + (at % length)] = lists[at];
  return wider;
}
