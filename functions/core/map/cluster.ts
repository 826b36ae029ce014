// Makes the map's clusters (pyramid.ts) from points, all zooms at once, level z from level z+1: an item without a
// neighbour within the radius is copied; of the others the heaviest (by power of two of its count, then by position)
// takes all free neighbours within the radius, and so on. The world wraps: the antimeridian does not separate
// neighbours. Rows are at least as high as the radius, so neighbours are in three rows, and two rows of level z+1 make
// one of level z by merging two lists sorted by x: no search tree, no sort of everything. Sums are exact integers
// (MAX_POINTS), so only the order of leaves within one spot depends on the order of the input.
import { clusterRoom } from './cluster-kernel.ts';
import { COORDINATE_BITS, latToY, lonToX, SIZE } from './mercator.ts';
import { type Clustered, columnBitsOf, type Merging, mergingOf } from './merging.ts';
import { ITEM_WORDS, type Level, type Names, Pyramid, SINGLE, TIDY_ZOOM } from './pyramid.ts';

export type { Names } from './pyramid.ts';

/** Columns with a row for each point. */
export interface Points {
  domains: Names;
  /** Degrees. */
  lon: Float64Array;
  lat: Float64Array;
  /** Milliseconds since the epoch. */
  updatedAt: Float64Array;
  /** Index into `countries`. */
  country: Uint16Array;
  /** Two-letter codes; '' is unknown and comes first. */
  countries: string[];
  /** If a point is a domain in a cell: its hits there. */
  hits?: Float64Array;
}

/** Sums of this many coordinates are exact in a double: 25 + 28 bits. */
const MAX_POINTS = 2 ** 25;
/**
 * Clusters every zoom. radius: pixels of a 512-pixel tile, 16..256; maxZoom: the deepest zoom that merges, 0..16.
 * At most 2^25 points, so that sums stay exact in a double.
 */
export function buildPyramid(points: Points, { radius = 64, maxZoom = 16 } = {}): Pyramid {
  const size = points.lon.length;
  if (size > MAX_POINTS) throw new RangeError(`${size} points: a snapshot holds at most ${MAX_POINTS}`);
  if (!(radius >= 16 && radius <= 256)) throw new RangeError(`radius is ${radius}: must be from 16 to 256 pixels`);
  if (!Number.isInteger(maxZoom) || maxZoom < 0 || maxZoom > 16)
    throw new RangeError(`maxZoom is ${maxZoom}: must be an integer from 0 to 16`);
  const { domains, lon, lat, updatedAt, country, countries } = points;
  for (const [name, length] of [
    ['lat', lat.length],
    ['updatedAt', updatedAt.length],
    ['country', country.length],
    ['domains', domains.offsets.length - 1],
  ] as const)
    if (length !== size) throw new RangeError(`column ${name} has ${length} rows, lon has ${size}`);

  const { places, cluster } = placesFor(size, mergingOf(size, radius, maxZoom));
  for (let i = 0; i < size; i++) {
    if (!Number.isFinite(lon[i]) || !Number.isFinite(lat[i]))
      throw new RangeError(`point ${i} is at ${lat[i]}, ${lon[i]}: coordinates must be finite degrees`);
    places.x[i] = lonToX(lon[i]);
    places.y[i] = latToY(lat[i]);
  }
  const steps = cluster();
  let step = steps.next();
  while (!step.done) step = steps.next();
  const { levels, x, y, order } = step.value;
  return new Pyramid({
    radius,
    countries,
    timeBase: 0,
    timeUnit: 1,
    newestAt: updatedAt.reduce((newest, time) => Math.max(newest, time), 0),
    levels,
    leaves: { x, y, updatedAt, country, names: domains, hits: points.hits, order },
  });
}

/**
 * Clusters again, with only the leaves for which `keeps` is true. `pause` is awaited after each level, because levels
 * of millions of leaves take a while.
 */
export async function clusterKept(
  base: Pyramid,
  keeps: (leaf: number) => boolean,
  pause: () => Promise<void>,
): Promise<Pyramid> {
  const kept = new Uint32Array(base.size);
  let count = 0;
  for (let leaf = 0; leaf < base.size; leaf++) if (keeps(leaf)) kept[count++] = leaf;
  await pause();
  const { places, cluster } = placesFor(count, mergingOf(count, base.radius, base.maxZoom));
  const { x: columnX, y: columnY } = base.leafColumns;
  for (let i = 0; i < count; i++) {
    places.x[i] = columnX[kept[i]];
    places.y[i] = columnY[kept[i]];
  }
  await pause();
  const steps = cluster();
  let step = steps.next();
  for (; !step.done; step = steps.next()) await pause();
  const { levels, x, y, order } = ownCopies(step.value);
  for (let leaf = 0; leaf < count; leaf++) order[leaf] = base.row(kept[order[leaf]]);
  return base.filtered({ levels, x, y, order });
}

/** Copies, because the result lives long and must not hold on to all the memory that it was made in. */
function ownCopies({ levels, x, y, order }: Clustered): Clustered {
  const copies = new Map<Level, Level>();
  for (const level of levels)
    if (!copies.has(level)) copies.set(level, { ...level, starts: level.starts.slice(), items: level.items.slice() });
  return {
    levels: levels.map((level) => copies.get(level) as Level),
    ...{ x: x.slice(), y: y.slice(), order: order.slice() },
  };
}

/** Points in grid units. */
interface Places {
  x: Uint32Array<ArrayBuffer>;
  y: Uint32Array<ArrayBuffer>;
}

/** Memory for so many points, and the function that clusters the points written into it. */
function placesFor(size: number, merging: Merging): { places: Places; cluster: () => Generator<void, Clustered> } {
  const room = clusterRoom(size, 2 ** (COORDINATE_BITS - merging.rowBitsOf(merging.maxZoom + 1)));
  if (room) return { places: room, cluster: () => room.cluster(merging) };
  const places = { x: new Uint32Array(size), y: new Uint32Array(size) };
  return { places, cluster: () => clusterPlaces(places, merging) };
}

/**
 * Makes the levels over these points, whose arrays it overwrites, and the order of the leaves; yields after each level.
 */
export function* clusterPlaces(places: Places, merging: Merging): Generator<void, Clustered> {
  const { maxZoom, rowBitsOf } = merging;
  const { sorted, spare } = sortPlaces(places, rowBitsOf(maxZoom + 1));
  yield;
  let fine = spots(sorted, rowBitsOf(maxZoom + 1), maxZoom + 1);
  const levels: Level[] = new Array(maxZoom + 2);
  levels[maxZoom + 1] = fine.level;
  const work = workspace(sorted, spare);
  for (let zoom = maxZoom; zoom >= 0; zoom--) {
    const draft = coarsen(fine, zoom, merging.reachOf(zoom), rowBitsOf(zoom), work);
    const tidied = zoom > TIDY_ZOOM ? draft : coarsen(draft, zoom, merging.tidyReachOf(zoom), rowBitsOf(zoom), work);
    if (tidied !== draft) passParents(fine.level, draft.level);
    fine = tidied;
    levels[zoom] = fine.level;
    yield;
  }
  return { levels, ...numberLeaves(levels, sorted.order, work) };
}

interface Sorted {
  x: Uint32Array<ArrayBuffer>;
  y: Uint32Array<ArrayBuffer>;
  /** The row in the input. */
  order: Uint32Array<ArrayBuffer>;
}

/** Points sorted by (row, x, y): a radix sort from the lowest digit up, each pass stable. `spare`: arrays to reuse. */
function sortPlaces({ x, y }: Places, rowBits: number): { sorted: Sorted; spare: Sorted } {
  const size = x.length;
  let from: Sorted = { x, y, order: new Uint32Array(size) };
  for (let i = 0; i < size; i++) from.order[i] = i;
  let to: Sorted = { x: new Uint32Array(size), y: new Uint32Array(size), order: new Uint32Array(size) };
  const pass = (key: 'x' | 'y', low: number, bits: number) => {
    for (; bits > 0; low += 10, bits -= 10) {
      const mask = (1 << Math.min(10, bits)) - 1;
      radixPass(from, to, from[key], low, mask);
      [from, to] = [to, from];
    }
  };
  pass('y', 0, rowBits);
  pass('x', 0, COORDINATE_BITS);
  pass('y', rowBits, COORDINATE_BITS - rowBits);
  return { sorted: from, spare: to };
}

function radixPass(from: Sorted, to: Sorted, key: Uint32Array, low: number, mask: number): void {
  const { x, y, order } = from;
  const { x: toX, y: toY, order: toOrder } = to;
  const next = new Uint32Array(mask + 2);
  for (let i = 0; i < key.length; i++) next[((key[i] >>> low) & mask) + 1]++;
  for (let digit = 0; digit < mask; digit++) next[digit + 1] += next[digit];
  for (let i = 0; i < key.length; i++) {
    const at = next[(key[i] >>> low) & mask]++;
    toX[at] = x[i];
    toY[at] = y[i];
    toOrder[at] = order[i];
  }
}

/**
 * A level in the making. The exact sum of an item's x is x * count + remainderX. The remainder is 0 for a single point;
 * for others its index is in the item's fourth word, until the level above puts the item's parent there.
 */
interface Draft {
  level: Level;
  remainders: Remainders;
}

interface Remainders {
  x: Uint32Array;
  y: Uint32Array;
}

/** The deepest level: one item for each distinct unit, whose mean has no remainder. */
function spots({ x, y }: Sorted, rowBits: number, zoom: number): Draft {
  let count = 0;
  for (let i = 0; i < x.length; i++) if (i === 0 || x[i] !== x[i - 1] || y[i] !== y[i - 1]) count++;
  const items = new Uint32Array(ITEM_WORDS * count);
  let at = -ITEM_WORDS;
  for (let i = 0, points = 0; i < x.length; i++) {
    if (i === 0 || x[i] !== x[i - 1] || y[i] !== y[i - 1]) {
      at += ITEM_WORDS;
      points = 0;
      items[at] = x[i];
      items[at + 1] = y[i];
    }
    points++;
    items[at + 2] = (points << 5) | (points === 1 ? SINGLE : zoom);
  }
  return { level: indexLevel(items, rowBits), remainders: { x: new Uint32Array(1), y: new Uint32Array(1) } };
}

/** The table of row and column starts over sorted items. */
function indexLevel(items: Uint32Array, rowBits: number): Level {
  const count = items.length / ITEM_WORDS;
  const rows = 2 ** (COORDINATE_BITS - rowBits);
  const columnBits = columnBitsOf(count, rowBits);
  const starts = new Uint32Array(rows * 2 ** columnBits + 1);
  const columnShift = COORDINATE_BITS - columnBits;
  let bucket = 0;
  for (let i = 0; i < count; i++) {
    const own = ((items[ITEM_WORDS * i + 1] >>> rowBits) << columnBits) | (items[ITEM_WORDS * i] >>> columnShift);
    while (bucket <= own) starts[bucket++] = i;
  }
  starts.fill(count, bucket);
  return { count, rowBits, columnBits, starts, items, pages: undefined };
}

/** Arrays with an entry per point (half as many for merged items) that the merging of every level reuses. */
interface Workspace {
  /** Positions in (row, x) order of the level to make, and the fine item each came from. */
  x: Int32Array;
  y: Int32Array;
  source: Uint32Array;
  /** First item of the row above / below with x >= own x - radius. */
  above: Uint32Array;
  below: Uint32Array;
  /** 0: free; k: member of merge k - 1. */
  claim: Uint32Array;
  near: Uint8Array;
  queue: Uint32Array;
  merges: Merges;
  /** Remainders of the level being made, and of the one it is made from (unless that has the spots): they swap. */
  remainders: [Remainders, Remainders];
}

/** Reuses the memory of the sorted points, which the deepest level has copied by now, and of the sort. */
function workspace(sorted: Sorted, { x, y, order }: Sorted): Workspace {
  const count = x.length;
  const half = count >>> 1;
  const column = () => new Uint32Array(half);
  return {
    // Coordinates are below 2^28: signed, so that their differences stay 32-bit integers.
    x: new Int32Array(x.buffer),
    y: new Int32Array(y.buffer),
    source: order,
    above: sorted.x,
    below: sorted.y,
    claim: new Uint32Array(count),
    near: new Uint8Array(count),
    queue: new Uint32Array(count),
    merges: {
      length: 0,
      taken: 0,
      x: column(),
      y: column(),
      count: column(),
      remainderX: column(),
      remainderY: column(),
    },
    remainders: [
      { x: column(), y: column() },
      { x: column(), y: column() },
    ],
  };
}

/** Makes level `zoom` from the level below; writes each fine item's parent into its leafStart word. */
function coarsen(fine: Draft, zoom: number, radius: number, rowBits: number, work: Workspace): Draft {
  const rowStarts = mergeRows(fine.level, rowBits, work);
  const candidates = findNear(fine.level.count, rowStarts, radius, work);
  if (candidates === 0 && rowBits === fine.level.rowBits) return fine;
  queueByWeight(fine.level, work);
  takeNeighbours(fine, candidates, rowStarts, radius, rowBits, work);
  return emit(fine, rowStarts, zoom, rowBits, work);
}

/** After a second round at one zoom, fine items skip the draft level in between and point at its items' parents. */
function passParents(fine: Level, draft: Level): void {
  for (let at = 3; at < fine.items.length; at += ITEM_WORDS)
    fine.items[at] = draft.items[ITEM_WORDS * fine.items[at] + 3];
}

/** Fills work.x, y, source in (row, x) order: merges two neighbouring fine rows, both sorted by x, into one. */
function mergeRows({ items, starts, columnBits, rowBits: fineBits }: Level, rowBits: number, work: Workspace) {
  const { x, y, source } = work;
  const rows = 2 ** (COORDINATE_BITS - rowBits);
  const rowStarts = new Uint32Array(rows + 1);
  const both = rowBits > fineBits;
  let length = 0;
  for (let row = 0; row < rows; row++) {
    const first = both ? 2 * row : row;
    let a = starts[first << columnBits];
    const endA = starts[(first + 1) << columnBits];
    let b = endA;
    const endB = both ? starts[(first + 2) << columnBits] : endA;
    while (a < endA || b < endB) {
      const from = b >= endB || (a < endA && items[ITEM_WORDS * a] <= items[ITEM_WORDS * b]) ? a++ : b++;
      x[length] = items[ITEM_WORDS * from];
      y[length] = items[ITEM_WORDS * from + 1];
      source[length++] = from;
    }
    rowStarts[row + 1] = length;
  }
  return rowStarts;
}

/** Marks items with a neighbour within the radius in work.near; returns how many. Fills above and below. */
function findNear(count: number, rowStarts: Uint32Array, radius: number, work: Workspace): number {
  const { x, y, above, below, near } = work;
  near.fill(0, 0, count);
  const reach = Math.floor(radius);
  const square = radius * radius;
  const rows = rowStarts.length - 1;
  let marked = 0;
  for (let row = 0; row < rows; row++) {
    const start = rowStarts[row];
    const end = rowStarts[row + 1];
    if (start === end) continue;
    let up = row > 0 ? rowStarts[row - 1] : start;
    let down = end;
    const downEnd = row + 1 < rows ? rowStarts[row + 2] : end;
    for (let i = start; i < end; i++) {
      const ownX = x[i];
      const ownY = y[i];
      const west = ownX - reach;
      const east = ownX + reach;
      while (up < start && x[up] < west) up++;
      while (down < downEnd && x[down] < west) down++;
      above[i] = up;
      below[i] = down;
      if (near[i] !== 0) continue;
      // One neighbour is enough, so a crowd costs no more than a pair.
      let found = firstWithin(x, y, i + 1, end, east, ownX, ownY, square);
      if (found < 0) found = firstWithin(x, y, down, downEnd, east, ownX, ownY, square);
      if (found < 0) found = firstWithin(x, y, up, start, east, ownX, ownY, square);
      for (let j = i - 1; found < 0 && j >= start && x[j] >= west; j--) {
        const dx = x[j] - ownX;
        const dy = y[j] - ownY;
        if (dx * dx + dy * dy <= square) found = j;
      }
      if (found < 0 && (west < 0 || east >= SIZE)) found = firstAcross(x, y, rowStarts, row, reach, square, ownX, ownY);
      if (found < 0) continue;
      near[i] = 1;
      marked += near[found] === 0 ? 2 : 1;
      near[found] = 1;
    }
  }
  return marked;
}

/** The first of the items from..to, up to an x of `east`, within the radius; -1 if none is. */
function firstWithin(
  x: Int32Array,
  y: Int32Array,
  from: number,
  to: number,
  east: number,
  ownX: number,
  ownY: number,
  square: number,
): number {
  for (let j = from; j < to && x[j] <= east; j++) {
    const dx = x[j] - ownX;
    const dy = y[j] - ownY;
    if (dx * dx + dy * dy <= square) return j;
  }
  return -1;
}

/** The first item within the radius on the other side of the antimeridian; -1 if none is. */
function firstAcross(
  x: Int32Array,
  y: Int32Array,
  rowStarts: Uint32Array,
  row: number,
  reach: number,
  square: number,
  ownX: number,
  ownY: number,
): number {
  const last = Math.min(row + 1, rowStarts.length - 2);
  for (let at = Math.max(0, row - 1); at <= last; at++) {
    const [start, end] = [rowStarts[at], rowStarts[at + 1]];
    for (let j = end - 1; j >= start && x[j] - SIZE >= ownX - reach; j--)
      if ((x[j] - SIZE - ownX) ** 2 + (y[j] - ownY) ** 2 <= square) return j;
    for (let j = start; j < end && x[j] + SIZE <= ownX + reach; j++)
      if ((x[j] + SIZE - ownX) ** 2 + (y[j] - ownY) ** 2 <= square) return j;
  }
  return -1;
}

/** Puts the marked items into work.queue, the heaviest power of two first, each group in (row, x) order. */
function queueByWeight({ items, count }: Level, { near, source, queue }: Workspace): void {
  const next = new Uint32Array(34);
  for (let i = 0; i < count; i++) {
    if (near[i] === 0) continue;
    near[i] = Math.clz32(items[ITEM_WORDS * source[i] + 2] >>> 5);
    next[near[i] + 1]++;
  }
  for (let weight = 0; weight < 33; weight++) next[weight + 1] += next[weight];
  for (let i = 0; i < count; i++) if (near[i] !== 0) queue[next[near[i]]++] = i;
}

/** New items, each the sum of at least two fine ones. */
interface Merges {
  length: number;
  /** How many fine items went into them. */
  taken: number;
  x: Uint32Array;
  y: Uint32Array;
  count: Uint32Array;
  remainderX: Uint32Array;
  remainderY: Uint32Array;
}

/** Every queued item that is still free takes its free neighbours. work.claim says who went where. */
function takeNeighbours(
  fine: Draft,
  candidates: number,
  rowStarts: Uint32Array,
  radius: number,
  rowBits: number,
  work: Workspace,
): void {
  const { x, y, source, above, below, claim, queue, merges } = work;
  const { items } = fine.level;
  const { x: remainderX, y: remainderY } = fine.remainders;
  const reach = Math.floor(radius);
  const square = radius * radius;
  merges.length = 0;
  merges.taken = 0;
  claim.fill(0, 0, fine.level.count);
  for (let q = 0; q < candidates; q++) {
    const centre = queue[q];
    if (claim[centre] !== 0) continue;
    const ownX = x[centre];
    const ownY = y[centre];
    const east = ownX + reach;
    const row = ownY >>> rowBits;
    const start = rowStarts[row];
    const end = rowStarts[row + 1];
    const mark = merges.length + 1;
    let first = centre;
    while (first > start && x[first - 1] >= ownX - reach) first--;
    let members = 0;
    let count = 0;
    let sumX = 0;
    let sumY = 0;
    for (let band = 0; band < 3; band++) {
      const to = band === 0 ? end : band === 1 ? start : row + 2 < rowStarts.length ? rowStarts[row + 2] : end;
      for (let j = band === 0 ? first : band === 1 ? above[centre] : below[centre]; j < to && x[j] <= east; j++) {
        const dx = x[j] - ownX;
        const dy = y[j] - ownY;
        if (claim[j] !== 0 || dx * dx + dy * dy > square) continue;
        const from = ITEM_WORDS * source[j];
        const weight = items[from + 2] >>> 5;
        claim[j] = mark;
        members++;
        count += weight;
        if (weight === 1) {
          sumX += dx;
          sumY += dy;
        } else {
          sumX += dx * weight + remainderX[items[from + 3]];
          sumY += dy * weight + remainderY[items[from + 3]];
        }
      }
    }
    if (ownX < reach || east >= SIZE) {
      const across = takeAcross(fine, centre, mark, rowStarts, radius, rowBits, work);
      members += across.members;
      count += across.count;
      sumX += across.sumX;
      sumY += across.sumY;
    }
    // The centre is always taken; if it stays alone, it is released.
    if (members === 1) {
      claim[centre] = 0;
      continue;
    }
    const at = merges.length++;
    merges.taken += members;
    const meanX = Math.floor(sumX / count);
    const meanY = Math.floor(sumY / count);
    merges.count[at] = count;
    // Past the antimeridian the other side of the world begins.
    merges.x[at] = (ownX + meanX) & (SIZE - 1);
    merges.y[at] = ownY + meanY;
    merges.remainderX[at] = sumX - meanX * count;
    merges.remainderY[at] = sumY - meanY * count;
  }
}

/**
 * Does what takeNeighbours does, for the free neighbours on the other side of the antimeridian; sums are relative to
 * the centre.
 */
function takeAcross(
  fine: Draft,
  centre: number,
  mark: number,
  rowStarts: Uint32Array,
  radius: number,
  rowBits: number,
  { x, y, source, claim }: Workspace,
) {
  const { items } = fine.level;
  const [ownX, ownY] = [x[centre], y[centre]];
  const reach = Math.floor(radius);
  const taken = { members: 0, count: 0, sumX: 0, sumY: 0 };
  const take = (j: number, dx: number) => {
    const dy = y[j] - ownY;
    if (claim[j] !== 0 || dx * dx + dy * dy > radius * radius) return;
    const from = ITEM_WORDS * source[j];
    const weight = items[from + 2] >>> 5;
    claim[j] = mark;
    taken.members++;
    taken.count += weight;
    taken.sumX += dx * weight + (weight === 1 ? 0 : fine.remainders.x[items[from + 3]]);
    taken.sumY += dy * weight + (weight === 1 ? 0 : fine.remainders.y[items[from + 3]]);
  };
  const row = ownY >>> rowBits;
  const last = Math.min(row + 1, rowStarts.length - 2);
  for (let at = Math.max(0, row - 1); at <= last; at++) {
    const [start, end] = [rowStarts[at], rowStarts[at + 1]];
    for (let j = end - 1; j >= start && x[j] - SIZE >= ownX - reach; j--) take(j, x[j] - SIZE - ownX);
    for (let j = start; j < end && x[j] + SIZE <= ownX + reach; j++) take(j, x[j] + SIZE - ownX);
  }
  return taken;
}

/** The new level: free items as they are and merges, in (row, x) order. */
function emit(fine: Draft, rowStarts: Uint32Array, zoom: number, rowBits: number, work: Workspace): Draft {
  const { x, y, source, claim, merges } = work;
  const [remainders, spare] = work.remainders;
  work.remainders = [spare, remainders];
  const fineItems = fine.level.items;
  const fineCount = fine.level.count;
  const total = fineCount - merges.taken + merges.length;
  const items = new Uint32Array(ITEM_WORDS * total);
  const place = new Uint32Array(merges.length);
  const line = lineUp(fineCount, rowStarts, rowBits, work);
  let merged = 0;
  for (let out = 0; out < total; out++) {
    const at = ITEM_WORDS * out;
    const next = line[out];
    if (next < fineCount) {
      const from = ITEM_WORDS * source[next];
      const weight = fineItems[from + 2];
      items[at] = x[next];
      items[at + 1] = y[next];
      items[at + 2] = weight;
      if (weight >>> 5 > 1) {
        remainders.x[merged] = fine.remainders.x[fineItems[from + 3]];
        remainders.y[merged] = fine.remainders.y[fineItems[from + 3]];
        items[at + 3] = merged++;
      }
      fineItems[from + 3] = out;
    } else {
      const k = next - fineCount;
      items[at] = merges.x[k];
      items[at + 1] = merges.y[k];
      items[at + 2] = (merges.count[k] << 5) | zoom;
      remainders.x[merged] = merges.remainderX[k];
      remainders.y[merged] = merges.remainderY[k];
      items[at + 3] = merged++;
      place[k] = out;
    }
  }
  for (let i = 0; i < fineCount; i++) if (claim[i] !== 0) fineItems[ITEM_WORDS * source[i] + 3] = place[claim[i] - 1];
  return { level: indexLevel(items, rowBits), remainders };
}

/** The new level's order: free item i as i, merge k as fineCount + k. Reuses work.above, which is no longer needed. */
function lineUp(fineCount: number, rowStarts: Uint32Array, rowBits: number, work: Workspace) {
  const { x, claim, merges, above: line } = work;
  const order = sortMerges(merges, rowBits);
  let m = 0;
  let out = 0;
  let mergeRow = -1;
  let mergeX = 0;
  const step = () => {
    mergeRow = m < order.length ? merges.y[order[m]] >>> rowBits : -1;
    mergeX = m < order.length ? merges.x[order[m]] : 0;
  };
  step();
  for (let row = 0; row + 1 < rowStarts.length; row++) {
    const end = rowStarts[row + 1];
    for (let i = rowStarts[row]; i < end; i++) {
      if (claim[i] !== 0) continue;
      for (; mergeRow === row && mergeX < x[i]; step()) line[out++] = fineCount + order[m++];
      line[out++] = i;
    }
    for (; mergeRow === row; step()) line[out++] = fineCount + order[m++];
  }
  return line;
}

function sortMerges({ length, x, y }: Merges, rowBits: number): Uint32Array {
  let from = new Uint32Array(length);
  let to = new Uint32Array(length);
  for (let i = 0; i < length; i++) from[i] = i;
  const pass = (key: Uint32Array, low: number, top: number) => {
    for (; low < top; low += 10) {
      const mask = (1 << Math.min(10, top - low)) - 1;
      const next = new Uint32Array(mask + 2);
      for (let i = 0; i < length; i++) next[((key[i] >>> low) & mask) + 1]++;
      for (let digit = 0; digit < mask; digit++) next[digit + 1] += next[digit];
      for (let i = 0; i < length; i++) to[next[(key[from[i]] >>> low) & mask]++] = from[i];
      [from, to] = [to, from];
    }
  };
  pass(x, 0, COORDINATE_BITS);
  pass(y, rowBits, COORDINATE_BITS);
  return from;
}

/**
 * Turns parents into leafStart, level by level from the top, and puts the points into leaf order, in arrays of the
 * workspace, which is no longer needed.
 */
function numberLeaves(levels: Level[], sortedOrder: Uint32Array, work: Workspace) {
  let next = new Uint32Array(levels[0].count);
  let start = 0;
  for (let i = 0; i < levels[0].count; i++) {
    const at = ITEM_WORDS * i;
    next[i] = levels[0].items[at + 3] = start;
    start += levels[0].items[at + 2] >>> 5;
  }
  for (let zoom = 1; zoom < levels.length; zoom++) {
    if (levels[zoom] === levels[zoom - 1]) continue;
    const { items, count } = levels[zoom];
    const own = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      const at = ITEM_WORDS * i;
      const parent = items[at + 3];
      own[i] = items[at + 3] = next[parent];
      next[parent] += items[at + 2] >>> 5;
    }
    next = own;
  }
  const { above: x, below: y, queue: order } = work;
  const { items, count } = levels[levels.length - 1];
  for (let spot = 0, i = 0; spot < count; spot++) {
    const at = ITEM_WORDS * spot;
    const first = items[at + 3];
    const points = items[at + 2] >>> 5;
    for (let leaf = first; leaf < first + points; leaf++, i++) {
      x[leaf] = items[at];
      y[leaf] = items[at + 1];
      order[leaf] = sortedOrder[i];
    }
  }
  return { x, y, order };
}
