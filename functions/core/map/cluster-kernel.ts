// The levels of a pyramid in WebAssembly (functions/core/map/assembly/cluster.as). cluster.ts is the reference: its
// results are the same word for word (test/core/map/cluster-kernel.test.ts), and it is used on a platform without SIMD.
import { instantiate, kernelModule } from './kernel.ts';
import { COORDINATE_BITS } from './mercator.ts';
import { type Clustered, columnBitsOf, type Merging } from './merging.ts';
import { ITEM_WORDS, type Level, TIDY_ZOOM } from './pyramid.ts';

const pageBytes = 65_536;
const itemBytes = 4 * ITEM_WORDS;
/**
 * The most points for one memory of 4 GiB: each point takes items in up to 18 levels with their starts, and working
 * memory.
 */
const mostPoints = 11_000_000;
/** How much one call processes: V8 switches to optimised code between calls. */
const part = 1 << 14;

type Work = (...words: number[]) => number;

interface Exports extends WebAssembly.Exports {
  memory: WebAssembly.Memory;
  freeAt: WebAssembly.Global<'i32'>;
  begin(points: number, mostRows: number, at: number): number;
  columns(): number;
  clearDigits(): void;
  makeKeys: Work;
  startDigits(): void;
  sortPass: Work;
  spots: Work;
  clearRemainders(): void;
  index: Work;
  startsFrom: Work;
  mergeRows: Work;
  findNear: Work;
  listNear: Work;
  countWeights: Work;
  startWeights(): void;
  fillQueue: Work;
  takeNeighbours: Work;
  mergeCount(): number;
  takenCount(): number;
  sortMerges(rowBits: number): void;
  listFree: Work;
  emit: Work;
  claimed: Work;
  swapRemainders(): void;
  passParents(fine: number, count: number, draft: number): void;
  firstLeaves: Work;
  lineUp: Work;
  leafX(): number;
  leafY(): number;
  leafOrder(): number;
}

/** A level in the kernel's memory. */
interface Held {
  count: number;
  rowBits: number;
  columnBits: number;
  starts: number;
  items: number;
}

/** Memory for points, and the functions that cluster them. */
export interface ClusterRoom {
  x: Uint32Array<ArrayBuffer>;
  y: Uint32Array<ArrayBuffer>;
  /** Does what `cluster` does, in memory that lives as long as any of its levels. */
  cluster(merging: Merging): Generator<void, Clustered>;
}

/** Undefined if the platform has no SIMD, or for more points than fit into a memory. */
export function clusterRoom(size: number, mostRows: number): ClusterRoom | undefined {
  const module = size <= mostPoints ? kernelModule() : undefined;
  if (!module) return undefined;
  const kernel = instantiate(module) as Exports;
  const { memory } = kernel;
  let end = kernel.freeAt.value;
  const reserve = (bytes: number): number => {
    const at = end;
    end += Math.ceil(bytes / 16) * 16;
    const missing = end - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    return at;
  };
  reserve(kernel.begin(size, mostRows, end) - end);
  const words = (at: number, length: number) => new Uint32Array(memory.buffer as ArrayBuffer, at, length);
  return {
    x: words(kernel.columns(), size),
    y: words(kernel.columns() + 4 * size, size),
    *cluster(merging) {
      const { maxZoom, rowBitsOf } = merging;
      let fine = sort(kernel, size, rowBitsOf(maxZoom + 1), maxZoom + 1, reserve);
      yield;
      const levels: Held[] = new Array(maxZoom + 2);
      levels[maxZoom + 1] = fine;
      for (let zoom = maxZoom; zoom >= 0; zoom--) {
        const draft = coarsen(kernel, fine, zoom, merging.reachOf(zoom), rowBitsOf(zoom), reserve);
        const tidied =
          zoom > TIDY_ZOOM ? draft : coarsen(kernel, draft, zoom, merging.tidyReachOf(zoom), rowBitsOf(zoom), reserve);
        if (tidied !== draft) kernel.passParents(fine.items, fine.count, draft.items);
        fine = tidied;
        levels[zoom] = fine;
        yield;
      }
      numberLeaves(kernel, levels);
      const views = new Map<Held, Level>();
      for (const held of levels) {
        const { count, rowBits, columnBits, starts, items } = held;
        views.set(held, {
          ...{ count, rowBits, columnBits, pages: undefined },
          starts: words(starts, startsLength(held)),
          items: words(items, ITEM_WORDS * count),
        });
      }
      return {
        levels: levels.map((held) => views.get(held) as Level),
        x: words(kernel.leafX(), size),
        y: words(kernel.leafY(), size),
        order: words(kernel.leafOrder(), size),
      };
    },
  };
}

/** Calls `work` for each part of 0..count; at least once. */
function inParts(count: number, work: (from: number, to: number) => void): void {
  let from = 0;
  do {
    const to = Math.min(count, from + part);
    work(from, to);
    from = to;
  } while (from < count);
}

type Reserve = (bytes: number) => number;

const startsLength = ({ rowBits, columnBits }: Pick<Held, 'rowBits' | 'columnBits'>) =>
  2 ** (COORDINATE_BITS - rowBits + columnBits) + 1;

/** The deepest level. */
function sort(kernel: Exports, size: number, rowBits: number, zoom: number, reserve: Reserve): Held {
  kernel.clearDigits();
  inParts(size, (from, to) => kernel.makeKeys(rowBits, from, to));
  kernel.startDigits();
  for (let pass = 0; pass < 5; pass++) inParts(size, (from, to) => kernel.sortPass(pass, from, to));
  const items = reserve(itemBytes * size);
  let count = 0;
  inParts(size, (from, to) => {
    count = kernel.spots(rowBits, zoom, items, from, to);
  });
  kernel.clearRemainders();
  const made = level(items, count, rowBits, reserve);
  inParts(count, (from, to) => kernel.index(items, rowBits, made.columnBits, made.starts, from, to));
  inParts(startsLength(made), (from, to) => kernel.startsFrom(made.starts, from, to));
  return made;
}

/** A level whose items are not made yet. */
function level(items: number, count: number, rowBits: number, reserve: Reserve): Held {
  const columnBits = columnBitsOf(count, rowBits);
  const starts = reserve(4 * startsLength({ rowBits, columnBits }));
  return { count, rowBits, columnBits, starts, items };
}

function coarsen(kernel: Exports, fine: Held, zoom: number, reach: number, rowBits: number, reserve: Reserve): Held {
  const rows = 2 ** (COORDINATE_BITS - rowBits);
  const both = Number(rowBits > fine.rowBits);
  inParts(rows, (from, to) => kernel.mergeRows(fine.items, fine.starts, fine.columnBits, both, from, to));
  let candidates = 0;
  inParts(rows, (from, to) => {
    candidates += kernel.findNear(reach, rows, from, to);
  });
  if (candidates === 0 && !both) return fine;
  inParts(fine.count, kernel.listNear);
  inParts(candidates, (from, to) => kernel.countWeights(fine.items, from, to));
  kernel.startWeights();
  inParts(candidates, (from, to) => kernel.fillQueue(fine.items, from, to));
  inParts(candidates, (from, to) => kernel.takeNeighbours(fine.items, reach, rowBits, rows, from, to));
  kernel.sortMerges(rowBits);
  inParts(fine.count, kernel.listFree);
  const count = fine.count - kernel.takenCount() + kernel.mergeCount();
  const made = level(reserve(itemBytes * count), count, rowBits, reserve);
  inParts(count, (from, to) =>
    kernel.emit(fine.items, made.items, zoom, rowBits, made.columnBits, made.starts, from, to),
  );
  inParts(startsLength(made), (from, to) => kernel.startsFrom(made.starts, from, to));
  inParts(candidates, (from, to) => kernel.claimed(fine.items, from, to));
  kernel.swapRemainders();
  return made;
}

/** Turns parents into leafStart, level by level from the top, and puts the points into leaf order. */
function numberLeaves(kernel: Exports, levels: Held[]): void {
  let flip = 0;
  levels.forEach(({ items, count }, zoom) => {
    if (levels[zoom] === levels[zoom - 1]) return;
    const [top, turn] = [Number(zoom === 0), flip];
    inParts(count, (from, to) => kernel.firstLeaves(items, top, turn, from, to));
    flip = 1 - flip;
  });
  const { items, count } = levels[levels.length - 1];
  inParts(count, (from, to) => kernel.lineUp(items, from, to));
}
