// The map's clusters: one immutable index that gives any tile of any zoom from typed arrays. cluster.ts makes it,
// snapshot.ts keeps it in a file. It has levels 0..maxZoom+1. Level maxZoom+1 holds the *spots*: points with the same grid
// unit are one item. Each level above merges the one below; zooms past maxZoom show the spots. Invariants:
//
//  1. An item is 4 words: x, y, count << 5 | formed, leafStart. (x, y) is the floor of the exact mean of its leaves.
//     `formed` is the level it was merged at (SINGLE for one point), so it splits at formed + 1.
//  2. Items of a level are sorted by (row, x); a row is a band of 2^rowBits units, at least as high as the radius.
//     `starts[row << columnBits | column]` is the first item of that bucket.
//  3. Leaves (points) are in depth-first order: an item's leaves are leafStart .. leafStart + count - 1, at every level.
//  4. Each point is in exactly one item of every level, so counts add up to `size` whatever the zoom.
import { type Filter, Matches } from './matches.ts';
import { COORDINATE_BITS, latToY, lonToX, SIZE, xToLon, yToLat } from './mercator.ts';
import type { Pages } from './pages.ts';

/** UTF-8 names back to back: name i is utf8[offsets[i] .. offsets[i + 1]). */
export interface Names {
  offsets: Uint32Array;
  utf8: Uint8Array;
}

export interface Leaf {
  domain: string;
  lon: number;
  lat: number;
  updatedAt: number;
  country: string;
}

/** A cluster or single point in world units (see mercator.ts). */
export interface Cluster {
  id: number;
  x: number;
  y: number;
  count: number;
  /** The zoom at which it is more than one item; undefined for a single point, or points that all share one spot. */
  expansionZoom: number | undefined;
  /** First of its `count` leaves. */
  leafStart: number;
}

/** West, south, east, north in degrees; west > east crosses the antimeridian. */
export type Box = [west: number, south: number, east: number, north: number];

export const ITEM_WORDS = 4;
/** `formed` of an item that is one point. */
export const SINGLE = 31;
/** log2 of the pixels in a tile that `radius` counts in: 512, MapLibre's vector tile size. */
export const TILE_PIXEL_BITS = 9;
/** Units of a tile's own grid, 0..4095, as MVT's usual extent. */
export const EXTENT = 4096;
const EXTENT_BITS = 12;
/** Zooms up to this one have two rounds of merging: see TIDY_REACH in cluster.ts. */
export const TIDY_ZOOM = 2;
/** Filters a pyramid remembers: each takes 20 bytes for 64 points. */
const KEPT_FILTERS = 8;
/** Deepest zoom a tile can be asked for. */
export const DEEPEST_ZOOM = 24;

export interface Level {
  count: number;
  rowBits: number;
  columnBits: number;
  starts: Uint32Array;
  items: Uint32Array;
  /** Which parts of a file are in memory; undefined when all are. */
  pages: Pages | undefined;
}

export interface Leaves {
  x: Uint32Array;
  y: Uint32Array;
  /** (updatedAt - timeBase) / timeUnit; this and what follows in rows of `order`. */
  updatedAt: Float64Array | Uint32Array;
  country: Uint16Array;
  names: Names;
  /** Leaf -> row of updatedAt, country and names; undefined when these are in leaf order already. */
  order: Uint32Array | undefined;
}

/** Items of one tile or box, copied out: 4 words each. */
export class TileItems {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  get length(): number {
    return this.words.length / ITEM_WORDS;
  }

  /** In 4096ths of the tile, -512..4607 with radius 64: the tile and a margin of one radius. */
  x(index: number): number {
    return this.words[ITEM_WORDS * index];
  }

  y(index: number): number {
    return this.words[ITEM_WORDS * index + 1];
  }

  count(index: number): number {
    return this.words[ITEM_WORDS * index + 2] >>> 5;
  }

  /** The level it was merged at; SINGLE for one point. */
  formed(index: number): number {
    return this.words[ITEM_WORDS * index + 2] & 31;
  }

  leafStart(index: number): number {
    return this.words[ITEM_WORDS * index + 3];
  }
}

// Filled by scan(), copied out before anybody else can run: no state outlives a call.
let scratch = new Int32Array(4096);

export class Pyramid {
  readonly size: number;
  /** Pixels of a 512-pixel tile. */
  readonly radius: number;
  readonly maxZoom: number;
  readonly countries: string[];
  /** Milliseconds: leaf times are timeBase + timeUnit x the stored number. */
  readonly timeBase: number;
  readonly timeUnit: number;
  readonly levels: Level[];
  readonly leafColumns: Leaves;
  /** Milliseconds: the newest point; 0 without points. */
  readonly newestAt: number;
  private readonly pages: Pages | undefined;
  private readonly filters = new Map<string, Matches>();

  constructor(parts: {
    radius: number;
    countries: string[];
    timeBase: number;
    timeUnit: number;
    newestAt: number;
    levels: Level[];
    leaves: Leaves;
  }) {
    this.size = parts.leaves.x.length;
    this.radius = parts.radius;
    this.maxZoom = parts.levels.length - 2;
    this.countries = parts.countries;
    this.timeBase = parts.timeBase;
    this.timeUnit = parts.timeUnit;
    this.newestAt = parts.newestAt;
    this.levels = parts.levels;
    this.leafColumns = parts.leaves;
    this.pages = parts.levels[0].pages;
  }

  /**
   * Answers `ask` once all that it reads is in memory. It may be run several times: each time what it found lacking is
   * fetched. Only a pyramid that was opened in part needs this; there each other method may answer too little.
   */
  async load<T>(ask: () => T): Promise<T> {
    const { pages } = this;
    if (!pages) return ask();
    for (;;) {
      pages.begin();
      try {
        const answer = ask();
        if (!pages.lacking) return answer;
      } catch (error) {
        if (!pages.lacking) throw error;
      }
      await pages.load();
    }
  }

  /**
   * Items of a tile and of a margin of one radius around it, so that a symbol on the border is drawn whole by both
   * tiles. Places are cut to the zoom's pixel grid before the tile's corner is taken off: neighbours agree bit for bit.
   * With matches each item is what the filter leaves of it: see filtered().
   */
  tile(z: number, x: number, y: number, matches?: Matches): TileItems {
    checkTile(z, x, y);
    const span = 2 ** (COORDINATE_BITS - z);
    const margin = (this.radius * span) / 2 ** TILE_PIXEL_BITS;
    const level = this.levels[Math.min(z, this.maxZoom + 1)];
    const west = x * span - margin;
    const east = (x + 1) * span + margin;
    const north = Math.max(0, y * span - margin);
    const south = Math.min(SIZE, (y + 1) * span + margin);
    const left = x * EXTENT;
    const top = y * EXTENT;
    let length = this.scan(level, Math.max(0, west), north, Math.min(SIZE, east), south, 0, matches);
    toTileGrid(0, length, z, left, top);
    // The world repeats: the first and last column show the margin of the other side.
    if (west < 0) {
      const from = length;
      length = this.scan(level, SIZE + west, north, SIZE, south, length, matches);
      toTileGrid(from, length, z, left + EXTENT * 2 ** z, top);
    }
    if (east > SIZE) {
      const from = length;
      length = this.scan(level, 0, north, east - SIZE, south, length, matches);
      toTileGrid(from, length, z, left - EXTENT * 2 ** z, top);
    }
    if (this.pages) this.wantSingles(length);
    return new TileItems(scratch.slice(0, length));
  }

  /** What a filter keeps, ready to be given to tile, clusters and leaves; the last few are remembered. */
  matching(filter: Filter): Matches | undefined {
    const { since, country } = filter;
    if (since === undefined && country === undefined) return undefined;
    const key = `${since} ${country}`;
    let matches = this.filters.get(key);
    if (!matches) {
      const { x, y, updatedAt, country: countries } = this.leafColumns;
      if (this.pages) for (const column of [x, y, updatedAt, countries]) this.pages.holds(column, 0, this.size);
      if (this.pages?.lacking) throw new Error('the columns to filter by are not in memory yet');
      matches = new Matches(this, filter);
    }
    this.filters.delete(key);
    this.filters.set(key, matches);
    if (this.filters.size > KEPT_FILTERS)
      for (const [oldest] of [...this.filters].slice(0, 1)) this.filters.delete(oldest);
    return matches;
  }

  /** scan(), and what a filter leaves of it. Means move with what is left out, so it looks as far as they can. */
  private scan(
    level: Level,
    west: number,
    north: number,
    east: number,
    south: number,
    from: number,
    matches?: Matches,
  ) {
    if (!matches) return scan(level, west, north, east, south, from);
    const zoom = this.levels.indexOf(level);
    const reach = this.reach(zoom);
    const wide = [west, north].map((low) => Math.max(0, low - reach));
    const length = scan(level, wide[0], wide[1], Math.min(SIZE, east + reach), Math.min(SIZE, south + reach), from);
    let to = from;
    for (let at = from; at < length; at += ITEM_WORDS) {
      const [x, y, weight, leafStart] = this.filtered(scratch, at, matches);
      if (weight === 0 || x < west || x >= east || y < north || y >= south) continue;
      scratch[to] = x;
      scratch[to + 1] = y;
      scratch[to + 2] = weight;
      scratch[to + 3] = leafStart;
      to += ITEM_WORDS;
    }
    return to;
  }

  /**
   * The words of an item with only the matching leaves: their count, the floor of their exact mean, and the smallest item
   * that holds them all, so that the zoom it splits at stays true. Word 2 is 0 when nothing is left.
   */
  private filtered(words: Int32Array | Uint32Array, at: number, matches: Matches): [number, number, number, number] {
    const all = words[at + 2] >>> 5;
    const start = words[at + 3];
    const count = matches.count(start, start + all);
    if (count === all) return [words[at], words[at + 1], words[at + 2], start];
    if (count === 0) return [0, 0, 0, 0];
    const first = matches.first(start);
    if (count === 1) return [this.leafColumns.x[first], this.leafColumns.y[first], (1 << 5) | SINGLE, first];
    const last = matches.last(start + all);
    // Leaves are in depth-first order: an item holds all of them when it holds the first and the last.
    let holder = { words, at };
    for (let zoom = (words[at + 2] & 31) + 1; zoom <= this.maxZoom + 1; zoom++) {
      const { items } = this.levels[zoom];
      const finer = this.itemOf(zoom, first);
      if (last >= items[finer + 3] + (items[finer + 2] >>> 5)) break;
      holder = { words: items as Uint32Array<ArrayBuffer>, at: finer };
    }
    const [x, y] = matches.sum(start, start + all).map((sum) => Math.floor(sum / count));
    return [x, y, (count << 5) | (holder.words[holder.at + 2] & 31), holder.words[holder.at + 3]];
  }

  /** Asks for the names and times of single points among scratch words: whoever draws the tile reads them. */
  private wantSingles(length: number): void {
    for (let at = 0; at < length; at += ITEM_WORDS) {
      if ((scratch[at + 2] & 31) !== SINGLE) continue;
      this.pages?.holds(this.leafColumns.updatedAt, scratch[at + 3], scratch[at + 3] + 1);
      this.holdsName(scratch[at + 3]);
    }
  }

  private holdsName(leaf: number): boolean {
    const { offsets, utf8 } = this.leafColumns.names;
    if (!this.pages) return true;
    return this.pages.holds(offsets, leaf, leaf + 2) && this.pages.holds(utf8, offsets[leaf], offsets[leaf + 1]);
  }

  /** How many items `clusters` would answer, at the cost of two searches a row. */
  countClusters(box: Box, zoom: number): number {
    const level = this.levels[this.levelOf(zoom)];
    let count = 0;
    for (const [west, north, east, south] of boxUnits(box)) count += countScan(level, west, north, east, south);
    return count;
  }

  /** Items whose place is inside the box. Any finite zoom: rounded down, and held to 0..maxZoom+1. */
  clusters(box: Box, zoom: number, matches?: Matches): Cluster[] {
    const level = this.levels[this.levelOf(zoom)];
    const found: Cluster[] = [];
    for (const [west, north, east, south] of boxUnits(box)) {
      const length = this.scan(level, west, north, east, south, 0, matches);
      for (let at = 0; at < length; at += ITEM_WORDS) found.push(this.cluster(scratch, at));
    }
    return found;
  }

  /** The level that shows a zoom. */
  levelOf(zoom: number): number {
    if (Number.isNaN(zoom)) throw new RangeError('zoom is not a number');
    return Math.max(0, Math.min(Math.floor(zoom), this.maxZoom + 1));
  }

  /** The leaves of a cluster or single point, newest first (ties in leaf order); throws RangeError for an id of no item. */
  leaves(id: number, limit: number, offset: number, matches?: Matches): Leaf[] {
    const { leafStart, count } = this.find(id);
    return this.newest(leafStart, leafStart + count, limit, offset, matches).map((leaf) => this.leaf(leaf));
  }

  /** The zoom at which the cluster is more than one item; undefined when it never is. */
  expansionZoom(id: number): number | undefined {
    return this.find(id).expansionZoom;
  }

  /** The item an id names; throws RangeError when there is none. */
  find(id: number): Cluster {
    const leafStart = Math.floor(id / 32);
    const formed = id % 32;
    const zoom = formed === SINGLE ? this.maxZoom + 1 : formed;
    if (!Number.isInteger(id) || leafStart < 0 || leafStart >= this.size || zoom > this.maxZoom + 1)
      throw new RangeError(`no cluster ${id} in this snapshot`);
    if (formed === SINGLE) {
      this.holdsPlace(leafStart);
      const { x, y } = this.leafColumns;
      return { id, x: x[leafStart], y: y[leafStart], count: 1, expansionZoom: undefined, leafStart };
    }
    const { items } = this.levels[zoom];
    const at = this.itemOf(zoom, leafStart);
    if (items[at + 3] !== leafStart || (items[at + 2] & 31) !== formed)
      throw new RangeError(`no cluster ${id} in this snapshot`);
    return this.cluster(items, at);
  }

  /** First word of the item of a level that holds a leaf. */
  private itemOf(zoom: number, leaf: number): number {
    if (this.pages && !this.holdsPlace(leaf)) throw new Error(`leaf ${leaf} is not in memory yet`);
    const level = this.levels[zoom];
    const { items, starts, rowBits, columnBits, pages } = level;
    const [x, y] = [this.leafColumns.x[leaf], this.leafColumns.y[leaf]];
    const reach = this.reach(zoom);
    const [west, east] = [Math.max(0, Math.floor(x - reach)), Math.min(SIZE - 1, x + reach)];
    const lastRow = Math.min(SIZE - 1, y + reach) >>> rowBits;
    for (let row = Math.max(0, y - reach) >>> rowBits; row <= lastRow; row++) {
      if (pages && !holdsRow(level, pages, row, west, Math.ceil(east) + 1)) continue;
      const end = ITEM_WORDS * starts[(row + 1) << columnBits];
      for (let at = ITEM_WORDS * searchRow(level, row, west); at < end && items[at] <= east; at += ITEM_WORDS)
        if (leaf >= items[at + 3] && leaf < items[at + 3] + (items[at + 2] >>> 5)) return at;
    }
    throw new Error(pages?.lacking ? 'a row is not in memory yet' : `leaf ${leaf} is in no item of zoom ${zoom}`);
  }

  /**
   * How far an item's place can be from its leaves, units. One round moves the mean of what it takes by less than two radii;
   * rounds of deeper zooms add a half, a quarter, ... of that. Zooms to TIDY_ZOOM have two rounds.
   */
  private reach(zoom: number): number {
    const radius = (this.radius * SIZE) / 2 ** (TILE_PIXEL_BITS + zoom);
    return (zoom > TIDY_ZOOM ? 4 : 8) * radius + 1;
  }

  private holdsPlace(leaf: number): boolean {
    const { x, y } = this.leafColumns;
    const holds = this.pages?.holds(x, leaf, leaf + 1);
    return this.pages?.holds(y, leaf, leaf + 1) === true && holds === true;
  }

  leaf(leaf: number): Leaf {
    const { x, y, country, order } = this.leafColumns;
    if (this.pages) {
      this.holdsPlace(leaf);
      this.pages.holds(country, leaf, leaf + 1);
    }
    return {
      domain: this.domain(leaf),
      lon: xToLon(x[leaf]),
      lat: yToLat(y[leaf]),
      updatedAt: this.updatedAt(leaf),
      country: this.countries[country[order ? order[leaf] : leaf]],
    };
  }

  domain(leaf: number): string {
    if (!this.holdsName(leaf)) return '';
    return decodeName(this.leafColumns.names, this.row(leaf));
  }

  /** Milliseconds since the epoch. */
  updatedAt(leaf: number): number {
    this.pages?.holds(this.leafColumns.updatedAt, leaf, leaf + 1);
    return this.timeBase + this.timeUnit * this.leafColumns.updatedAt[this.row(leaf)];
  }

  /** Row of a leaf in the columns that stay in input order until they are encoded. */
  row(leaf: number): number {
    const { order } = this.leafColumns;
    return order ? order[leaf] : leaf;
  }

  private cluster(words: Int32Array | Uint32Array, at: number): Cluster {
    const formed = words[at + 2] & 31;
    const leafStart = words[at + 3];
    return {
      id: leafStart * 32 + formed,
      x: words[at],
      y: words[at + 1],
      count: words[at + 2] >>> 5,
      expansionZoom: formed <= this.maxZoom ? formed + 1 : undefined,
      leafStart,
    };
  }

  /** Leaves of a range, from the offset-th newest on. A selection over coarse buckets of time: O(range), not a sort of it. */
  private newest(start: number, end: number, limit: number, offset: number, matches?: Matches): number[] {
    const last = Math.min(matches ? matches.count(start, end) : end - start, offset + limit);
    if (offset >= last) return [];
    const { updatedAt } = this.leafColumns;
    if (this.pages && !this.pages.holds(updatedAt, start, end)) return [];
    let [low, high] = [Infinity, -Infinity];
    for (let leaf = start; leaf < end; leaf++) {
      const time = updatedAt[this.row(leaf)];
      if (time < low) low = time;
      if (time > high) high = time;
    }
    const scale = high > low ? 65535 / (high - low) : 0;
    const bucket = (leaf: number) => Math.floor((high - updatedAt[this.row(leaf)]) * scale);
    const sizes = new Uint32Array(65536);
    for (let leaf = start; leaf < end; leaf++) if (!matches || matches.has(leaf)) sizes[bucket(leaf)]++;
    // Buckets first..final hold the wanted ranks; `before` is the number of leaves newer than them.
    let first = 0;
    let before = 0;
    while (before + sizes[first] <= offset) before += sizes[first++];
    let final = first;
    for (let seen = before + sizes[first]; seen < last; ) seen += sizes[++final];
    const candidates: number[] = [];
    for (let leaf = start; leaf < end; leaf++) {
      const at = bucket(leaf);
      if (at >= first && at <= final && (!matches || matches.has(leaf))) candidates.push(leaf);
    }
    candidates.sort((a, b) => updatedAt[this.row(b)] - updatedAt[this.row(a)] || a - b);
    return candidates.slice(offset - before, last - before);
  }
}

const decoder = new TextDecoder();

function decodeName({ offsets, utf8 }: Names, index: number): string {
  return decoder.decode(utf8.subarray(offsets[index], offsets[index + 1]));
}

function checkTile(z: number, x: number, y: number): void {
  if (!Number.isInteger(z) || z < 0 || z > DEEPEST_ZOOM)
    throw new RangeError(`tile zoom is ${z}: must be an integer from 0 to ${DEEPEST_ZOOM}`);
  if (!Number.isInteger(x) || !Number.isInteger(y) || x < 0 || y < 0 || x >= 2 ** z || y >= 2 ** z)
    throw new RangeError(`tile ${z}/${x}/${y} does not exist: x and y go from 0 to ${2 ** z - 1}`);
}

/** Half-open rectangles in units, [west, north, east, south): two when the box crosses the antimeridian. */
function boxUnits([west, south, east, north]: Box): [number, number, number, number][] {
  if (!(south <= north)) throw new RangeError(`box has its south ${south} above its north ${north}`);
  const [top, bottom] = [latToY(Math.min(90, north)), latToY(Math.max(-90, south)) + 1];
  if (east - west >= 360) return [[0, top, SIZE, bottom]];
  const wrap = (lon: number) => (lon >= -180 && lon <= 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180);
  const [left, right] = [lonToX(wrap(west)), lonToX(wrap(east)) + 1];
  if (wrap(west) <= wrap(east)) return [[left, top, right, bottom]];
  return [
    [left, top, SIZE, bottom],
    [0, top, Math.min(right, left), bottom],
  ];
}

/** First item of a row with x >= wanted. */
function searchRow(level: Level, row: number, wanted: number): number {
  const { starts, columnBits, items } = level;
  const bucket = (row << columnBits) | (wanted >>> (COORDINATE_BITS - columnBits));
  let low = starts[bucket];
  let high = starts[bucket + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (items[ITEM_WORDS * middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether the items of a row from `west` to `east` are in memory. */
function holdsRow(level: Level, pages: Pages, row: number, west: number, east: number): boolean {
  const { starts, items, columnBits } = level;
  const [first, end] = [row << columnBits, (row + 1) << columnBits];
  if (!pages.holds(starts, first, end + 1)) return false;
  const shift = COORDINATE_BITS - columnBits;
  const [from, to] = [starts[first | (west >>> shift)], starts[(first | ((east - 1) >>> shift)) + 1]];
  return pages.holds(items, ITEM_WORDS * from, ITEM_WORDS * to);
}

/** Copies the items of [west, east) x [north, south) into scratch from word `length` on; returns the new length. */
function scan(level: Level, west: number, north: number, east: number, south: number, length: number): number {
  if (west >= east || north >= south) return length;
  const { items, starts, rowBits, columnBits, pages } = level;
  // Bounds may be fractions of a unit beyond zoom 19; places are whole, so rounding up keeps both ends right.
  const [left, right, top, bottom] = [Math.ceil(west), Math.ceil(east), Math.ceil(north), Math.ceil(south)];
  if (left >= SIZE || top >= SIZE) return length;
  const lastRow = (bottom - 1) >>> rowBits;
  for (let row = top >>> rowBits; row <= lastRow; row++) {
    if (pages && !holdsRow(level, pages, row, left, right)) continue;
    const end = ITEM_WORDS * starts[(row + 1) << columnBits];
    for (let at = ITEM_WORDS * searchRow(level, row, left); at < end && items[at] < right; at += ITEM_WORDS) {
      const y = items[at + 1];
      if (y < top || y >= bottom) continue;
      if (length + ITEM_WORDS > scratch.length) {
        const grown = new Int32Array(scratch.length * 2);
        grown.set(scratch);
        scratch = grown;
      }
      scratch[length] = items[at];
      scratch[length + 1] = y;
      scratch[length + 2] = items[at + 2];
      scratch[length + 3] = items[at + 3];
      length += ITEM_WORDS;
    }
  }
  return length;
}

function countScan(level: Level, west: number, north: number, east: number, south: number): number {
  const { items, starts, rowBits, columnBits, pages } = level;
  const [firstRow, lastRow] = [north >>> rowBits, (south - 1) >>> rowBits];
  let count = 0;
  for (let row = firstRow; row <= lastRow; row++) {
    if (pages && !holdsRow(level, pages, row, west, Math.min(SIZE, east + 1))) continue;
    const from = searchRow(level, row, west);
    const to = east >= SIZE ? starts[(row + 1) << columnBits] : searchRow(level, row, east);
    // Only the first and last row can stick out of the box.
    if (row > firstRow && row < lastRow) count += to - from;
    else
      for (let i = from; i < to; i++)
        if (items[ITEM_WORDS * i + 1] >= north && items[ITEM_WORDS * i + 1] < south) count++;
  }
  return count;
}

/** Turns scratch words [from, to) from world units to 4096ths of the tile with this corner (in 4096ths of the zoom). */
function toTileGrid(from: number, to: number, z: number, left: number, top: number): void {
  const shift = COORDINATE_BITS - EXTENT_BITS - z;
  for (let at = from; at < to; at += ITEM_WORDS) {
    if (shift >= 0) {
      scratch[at] = (scratch[at] >> shift) - left;
      scratch[at + 1] = (scratch[at + 1] >> shift) - top;
    } else {
      scratch[at] = scratch[at] * 2 ** -shift - left;
      scratch[at + 1] = scratch[at + 1] * 2 ** -shift - top;
    }
  }
}
