// The map's clusters: one immutable index in typed arrays that gives any tile of any zoom. cluster.ts makes it,
// snapshot.ts stores it in a file. It has levels 0..maxZoom+1. Level maxZoom+1 holds the *spots*: points with the same
// grid unit are one item. Each level above merges the one below; zooms past maxZoom show the spots. Invariants:
//
// 1. An item is 4 words: x, y, count << 5 | formed, leafStart. (x, y) is the floor of the exact mean of its leaves.
//    Leaves on the other side of the antimeridian are taken as beyond the edge; a mean beyond the edge is on the other
//    side. `formed` is the level it was merged at (SINGLE for one point), so it splits at formed + 1.
// 2. Items of a level are sorted by (row, x); a row is a band of 2^rowBits units, at least as high as the radius.
//    `starts[row << columnBits | column]` is the first item of that bucket.
// 3. Leaves (points) are in depth-first order: an item's leaves are leafStart .. leafStart + count - 1, at every level.
// 4. Each point is in exactly one item of every level, so counts add up to `size` whatever the zoom.
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
  /** If a point is a domain in a cell: its hits there. */
  hits?: number;
}

/** A cluster or single point in world units (see mercator.ts). */
export interface Cluster {
  id: number;
  x: number;
  y: number;
  count: number;
  /** The zoom at which it splits into several items; undefined for a single point or a single spot. */
  expansionZoom: number | undefined;
  /** The first of its `count` leaves. */
  leafStart: number;
}

/** West, south, east, north in degrees; west > east crosses the antimeridian. */
export type Box = [west: number, south: number, east: number, north: number];

export const ITEM_WORDS = 4;
/** `formed` of an item that is one point. */
export const SINGLE = 31;
/** log2 of the pixels in a tile that `radius` counts in: 512, MapLibre's vector tile size. */
export const TILE_PIXEL_BITS = 9;
/** Units of a tile's own grid, 0..4095, MVT's usual extent. */
export const EXTENT = 4096;
const EXTENT_BITS = 12;
/** Zooms up to this one have two rounds of merging: see merging.ts. */
export const TIDY_ZOOM = 2;
/** Added to the ids of a filtered pyramid, so that none of them equals an id of the pyramid of all points. */
const FILTERED_IDS = 2 ** 30;
/** The deepest zoom of a tile that can be requested. */
export const DEEPEST_ZOOM = 24;

export interface Level {
  count: number;
  rowBits: number;
  columnBits: number;
  starts: Uint32Array;
  items: Uint32Array;
  /** Which parts of a file are in memory; undefined if all are. */
  pages: Pages | undefined;
}

export interface Leaves {
  x: Uint32Array;
  y: Uint32Array;
  /** (updatedAt - timeBase) / timeUnit; this and what follows in rows of `order`. */
  updatedAt: Float64Array | Uint32Array;
  country: Uint16Array;
  names: Names;
  /** Hits, if a point is a domain in a cell. */
  hits?: Float64Array;
  /** Leaf -> row of updatedAt, country, names and hits; undefined if these are in leaf order already. */
  order: Uint32Array | undefined;
}

/** Copies of the items of one tile or box: 4 words each. */
export class TileItems {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  get length(): number {
    return this.words.length / ITEM_WORDS;
  }

  /** Position in 4096ths of the tile, -512..4607 with radius 64: the tile and a margin of one radius. */
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

/**
 * Makes the same tiles faster (kernel.ts). Its functions return undefined if they can't: a part is not in memory, or
 * the tile is too large.
 */
export interface TileKernel {
  /** The words of the tile's items. */
  tile(z: number, x: number, y: number): Int32Array | undefined;
  /** The bytes that encodeTile gives. */
  encode(z: number, x: number, y: number): Uint8Array<ArrayBuffer> | undefined;
}

// Filled by scan() and copied out before any other code can run, so that no state outlives a call.
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
  /** Time of the newest point, milliseconds; 0 without points. */
  readonly newestAt: number;
  /** The id of the first leaf as a cluster of level 0: where ids begin. */
  readonly idBase: number;
  private readonly pages: Pages | undefined;
  private kernel: TileKernel | undefined;

  constructor(parts: {
    radius: number;
    countries: string[];
    timeBase: number;
    timeUnit: number;
    newestAt: number;
    levels: Level[];
    leaves: Leaves;
    idBase?: number;
    /** Which parts of the leaf columns are in memory; undefined if all are. */
    pages?: Pages;
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
    this.idBase = parts.idBase ?? 0;
    this.pages = parts.pages;
  }

  /** Makes a pyramid of some of its leaves: `order` has their rows. */
  filtered({ levels, ...leaves }: Pick<Leaves, 'x' | 'y' | 'order'> & { levels: Level[] }): Pyramid {
    return new Pyramid({
      ...this,
      levels,
      leaves: { ...this.leafColumns, ...leaves },
      idBase: FILTERED_IDS,
      pages: this.pages,
    });
  }

  /** Whether this is an id of a filtered pyramid. */
  static isFiltered(id: number): boolean {
    return id >= FILTERED_IDS;
  }

  /**
   * Calls `ask`, and returns its result once all that it reads is in memory. `ask` may run several times: after each
   * run, the blocks that were missing are fetched. Only a partly read pyramid needs this; there every other method may
   * return too little.
   */
  async load<T>(ask: () => T): Promise<T> {
    const { pages } = this;
    if (!pages) return ask();
    for (;;) {
      pages.begin();
      try {
        const result = ask();
        if (!pages.lacking) return result;
      } catch (error) {
        if (!pages.lacking) throw error;
      }
      await pages.load();
    }
  }

  /**
   * Items of a tile and of a margin of one radius around it, so that a symbol on the border is drawn whole by both
   * tiles. Positions are rounded to the zoom's pixel grid before the tile's corner is subtracted, so that neighbours
   * agree bit for bit.
   */
  tile(z: number, x: number, y: number): TileItems {
    checkTile(z, x, y);
    // For a file that is read in blocks, the names of single points are requested too.
    const found = this.pages ? undefined : this.kernel?.tile(z, x, y);
    return found ? new TileItems(found) : this.scanTile(z, x, y);
  }

  /** The tile's bytes as encodeTile gives them; undefined if the kernel can't make them. */
  encodedTile(z: number, x: number, y: number): Uint8Array<ArrayBuffer> | undefined {
    checkTile(z, x, y);
    return this.kernel?.encode(z, x, y);
  }

  useKernel(kernel: TileKernel): void {
    this.kernel = kernel;
  }

  /** The reference implementation of `tile`. */
  scanTile(z: number, x: number, y: number): TileItems {
    const span = 2 ** (COORDINATE_BITS - z);
    const margin = (this.radius * span) / 2 ** TILE_PIXEL_BITS;
    const level = this.levels[Math.min(z, this.maxZoom + 1)];
    const west = x * span - margin;
    const east = (x + 1) * span + margin;
    const north = Math.max(0, y * span - margin);
    const south = Math.min(SIZE, (y + 1) * span + margin);
    const left = x * EXTENT;
    const top = y * EXTENT;
    let length = scan(level, Math.max(0, west), north, Math.min(SIZE, east), south, 0);
    toTileGrid(0, length, z, left, top);
    // The world wraps: the first and last column show the margin from the other side.
    if (west < 0) {
      const from = length;
      length = scan(level, SIZE + west, north, SIZE, south, length);
      toTileGrid(from, length, z, left + EXTENT * 2 ** z, top);
    }
    if (east > SIZE) {
      const from = length;
      length = scan(level, 0, north, east - SIZE, south, length);
      toTileGrid(from, length, z, left - EXTENT * 2 ** z, top);
    }
    if (this.pages) this.wantSingles(length);
    return new TileItems(scratch.slice(0, length));
  }

  /** Throws while the columns that a filter reads are not in memory. */
  holdFilterColumns(): void {
    const { x, y, updatedAt, country } = this.leafColumns;
    if (this.pages) for (const column of [x, y, updatedAt, country]) this.pages.holds(column, 0, this.size);
    if (this.pages?.lacking) throw new Error('the columns to filter by are not in memory yet');
  }

  /** Requests the names and times of single points among the scratch words, because drawing the tile reads them. */
  private wantSingles(length: number): void {
    for (let at = 0; at < length; at += ITEM_WORDS) {
      if ((scratch[at + 2] & 31) !== SINGLE) continue;
      const row = this.row(scratch[at + 3]);
      this.pages?.holds(this.leafColumns.updatedAt, row, row + 1);
      this.holdsName(row);
    }
  }

  private holdsName(row: number): boolean {
    const { offsets, utf8 } = this.leafColumns.names;
    if (!this.pages) return true;
    return this.pages.holds(offsets, row, row + 2) && this.pages.holds(utf8, offsets[row], offsets[row + 1]);
  }

  /** How many items `clusters` would return, at the cost of two searches a row. */
  countClusters(box: Box, zoom: number): number {
    const level = this.levels[this.levelOf(zoom)];
    let count = 0;
    for (const [west, north, east, south] of boxUnits(box)) count += countScan(level, west, north, east, south);
    return count;
  }

  /**
   * Items whose position is inside the box. The zoom may be any finite number: it is rounded down and clamped to
   * 0..maxZoom+1.
   */
  clusters(box: Box, zoom: number): Cluster[] {
    const level = this.levels[this.levelOf(zoom)];
    const found: Cluster[] = [];
    for (const [west, north, east, south] of boxUnits(box)) {
      const length = scan(level, west, north, east, south, 0);
      for (let at = 0; at < length; at += ITEM_WORDS) found.push(this.cluster(scratch, at));
    }
    return found;
  }

  /** The level that shows a zoom. */
  levelOf(zoom: number): number {
    if (Number.isNaN(zoom)) throw new RangeError('zoom is not a number');
    return Math.max(0, Math.min(Math.floor(zoom), this.maxZoom + 1));
  }

  /** All leaves. */
  get whole(): Pick<Cluster, 'leafStart' | 'count'> {
    return { leafStart: 0, count: this.size };
  }

  /**
   * The leaves of a cluster or single point, newest first (ties in leaf order); throws RangeError for an unknown id.
   */
  leaves(id: number, limit: number, offset: number, keeps?: (leaf: number) => boolean): Leaf[] {
    const { leafStart, count } = this.find(id);
    return this.newest(leafStart, leafStart + count, limit, offset, keeps).map((leaf) => this.leaf(leaf));
  }

  /** The smallest box around a cluster's leaves; west > east if they are on both sides of the antimeridian. */
  bounds({ x, leafStart, count }: Cluster): Box {
    const { x: columnX, y: columnY } = this.leafColumns;
    const end = leafStart + count;
    if (this.pages && this.idBase === 0) {
      const held = this.pages.holds(columnX, leafStart, end);
      if (!this.pages.holds(columnY, leafStart, end) || !held) return [0, 0, 0, 0];
    }
    let [west, north, east, south] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let leaf = leafStart; leaf < end; leaf++) {
      // Taken as beyond the edge if that is nearer to the cluster's own position.
      const away = columnX[leaf] - x;
      const from = away > SIZE / 2 ? away - SIZE : away < -SIZE / 2 ? away + SIZE : away;
      west = Math.min(west, from);
      east = Math.max(east, from);
      north = Math.min(north, columnY[leaf]);
      south = Math.max(south, columnY[leaf]);
    }
    return [xToLon((x + west) & (SIZE - 1)), yToLat(south), xToLon((x + east) & (SIZE - 1)), yToLat(north)];
  }

  /** The zoom at which the cluster splits into several items; undefined if it never does. */
  expansionZoom(id: number): number | undefined {
    return this.find(id).expansionZoom;
  }

  /** The item with an id; throws RangeError if there is none. */
  find(id: number): Cluster {
    const leafStart = Math.floor((id - this.idBase) / 32);
    const formed = (id - this.idBase) % 32;
    const zoom = formed === SINGLE ? this.maxZoom + 1 : formed;
    if (!Number.isInteger(id) || leafStart < 0 || leafStart >= this.size || zoom > this.maxZoom + 1)
      throw new RangeError(`there is no cluster ${id} in this snapshot`);
    if (formed === SINGLE) {
      this.holdsPlace(leafStart);
      const { x, y } = this.leafColumns;
      return { id, x: x[leafStart], y: y[leafStart], count: 1, expansionZoom: undefined, leafStart };
    }
    const { items } = this.levels[zoom];
    const at = this.itemOf(zoom, leafStart);
    if (items[at + 3] !== leafStart || (items[at + 2] & 31) !== formed)
      throw new RangeError(`there is no cluster ${id} in this snapshot`);
    return this.cluster(items, at);
  }

  /** The first word of the item of a level that contains a leaf. */
  private itemOf(zoom: number, leaf: number): number {
    if (this.pages && !this.holdsPlace(leaf)) throw new Error(`leaf ${leaf} is not in memory yet`);
    const level = this.levels[zoom];
    const { items, starts, rowBits, columnBits, pages } = level;
    const [x, y] = [this.leafColumns.x[leaf], this.leafColumns.y[leaf]];
    const reach = this.reach(zoom);
    const firstRow = Math.max(0, y - reach) >>> rowBits;
    const lastRow = Math.min(SIZE - 1, y + reach) >>> rowBits;
    for (const [west, east] of around(Math.floor(x - reach), Math.ceil(x + reach)))
      for (let row = firstRow; row <= lastRow; row++) {
        if (pages && !holdsRow(level, pages, row, west, east + 1)) continue;
        const end = ITEM_WORDS * starts[(row + 1) << columnBits];
        for (let at = ITEM_WORDS * searchRow(level, row, west); at < end && items[at] <= east; at += ITEM_WORDS)
          if (leaf >= items[at + 3] && leaf < items[at + 3] + (items[at + 2] >>> 5)) return at;
      }
    throw new Error(pages?.lacking ? 'a row is not in memory yet' : `leaf ${leaf} is in no item of zoom ${zoom}`);
  }

  /**
   * How far an item's position can be from its leaves, in units. One round moves a mean by less than two radii; the
   * rounds of deeper zooms add a half, a quarter, ... of that. Zooms up to TIDY_ZOOM have two rounds.
   */
  private reach(zoom: number): number {
    const radius = (this.radius * SIZE) / 2 ** (TILE_PIXEL_BITS + zoom);
    return (zoom > TIDY_ZOOM ? 4 : 8) * radius + 1;
  }

  private holdsPlace(leaf: number): boolean {
    const { x, y } = this.leafColumns;
    // A filtered pyramid has its own positions, in memory.
    if (!this.pages || this.idBase > 0) return true;
    const holds = this.pages.holds(x, leaf, leaf + 1);
    return this.pages.holds(y, leaf, leaf + 1) && holds;
  }

  leaf(leaf: number): Leaf {
    const { x, y, country } = this.leafColumns;
    this.holdsPlace(leaf);
    this.pages?.holds(country, this.row(leaf), this.row(leaf) + 1);
    return {
      domain: this.domain(leaf),
      lon: xToLon(x[leaf]),
      lat: yToLat(y[leaf]),
      updatedAt: this.updatedAt(leaf),
      country: this.countries[country[this.row(leaf)]],
      ...this.hitsOf(leaf),
    };
  }

  /** `{hits}` if points are by location. */
  hitsOf(leaf: number): { hits?: number } {
    const { hits } = this.leafColumns;
    if (!hits) return {};
    const row = this.row(leaf);
    this.pages?.holds(hits, row, row + 1);
    return { hits: hits[row] };
  }

  domain(leaf: number): string {
    if (!this.holdsName(this.row(leaf))) return '';
    return decodeName(this.leafColumns.names, this.row(leaf));
  }

  /** Milliseconds since the epoch. */
  updatedAt(leaf: number): number {
    this.pages?.holds(this.leafColumns.updatedAt, this.row(leaf), this.row(leaf) + 1);
    return this.timeBase + this.timeUnit * this.leafColumns.updatedAt[this.row(leaf)];
  }

  /** The row of a leaf in those columns that stay in input order until they are encoded. */
  row(leaf: number): number {
    const { order } = this.leafColumns;
    return order ? order[leaf] : leaf;
  }

  /** The id of a cluster or single point of a tile. */
  idOf(leafStart: number, formed: number): number {
    return this.idBase + leafStart * 32 + formed;
  }

  private cluster(words: Int32Array | Uint32Array, at: number): Cluster {
    const formed = words[at + 2] & 31;
    const leafStart = words[at + 3];
    return {
      id: this.idOf(leafStart, formed),
      x: words[at],
      y: words[at + 1],
      count: words[at + 2] >>> 5,
      expansionZoom: formed <= this.maxZoom ? formed + 1 : undefined,
      leafStart,
    };
  }

  /**
   * Leaves of a range, from the offset-th newest on. Selects with coarse buckets of time, in O(range), instead of
   * sorting.
   */
  newest(
    start: number,
    end: number,
    limit: number,
    offset: number,
    keeps: (leaf: number) => boolean = () => true,
  ): number[] {
    const { updatedAt, order } = this.leafColumns;
    // The rows of a filtered pyramid's leaves are scattered, but in memory since it was made.
    if (this.pages && !order && !this.pages.holds(updatedAt, start, end)) return [];
    let count = 0;
    for (let leaf = start; leaf < end; leaf++) if (keeps(leaf)) count++;
    const last = Math.min(count, offset + limit);
    if (offset >= last) return [];
    let [low, high] = [Infinity, -Infinity];
    for (let leaf = start; leaf < end; leaf++) {
      const time = updatedAt[this.row(leaf)];
      if (time < low) low = time;
      if (time > high) high = time;
    }
    const scale = high > low ? 65535 / (high - low) : 0;
    const bucket = (leaf: number) => Math.floor((high - updatedAt[this.row(leaf)]) * scale);
    const sizes = new Uint32Array(65536);
    for (let leaf = start; leaf < end; leaf++) if (keeps(leaf)) sizes[bucket(leaf)]++;
    // Buckets first..final contain the wanted ranks; `before` is the number of newer leaves.
    let first = 0;
    let before = 0;
    while (before + sizes[first] <= offset) before += sizes[first++];
    let final = first;
    for (let seen = before + sizes[first]; seen < last; ) seen += sizes[++final];
    const candidates: number[] = [];
    for (let leaf = start; leaf < end; leaf++) {
      const at = bucket(leaf);
      if (at >= first && at <= final && keeps(leaf)) candidates.push(leaf);
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

/**
 * Half-open rectangles in units, [west, north, east, south): two if the box crosses the antimeridian. Read as
 * supercluster does: latitudes are clamped to the poles, longitudes wrap; a western edge of 180 is -180, an eastern one
 * stays 180.
 */
function boxUnits([west, south, east, north]: Box): [number, number, number, number][] {
  if (!(south <= north)) throw new RangeError(`box has its south ${south} above its north ${north}`);
  const [top, bottom] = [latToY(degrees(north, 90)), latToY(degrees(south, 90)) + 1];
  if (east - west >= 360) return [[0, top, SIZE, bottom]];
  const wrap = (lon: number) => (lon >= -180 && lon < 180 ? lon : ((((lon + 180) % 360) + 360) % 360) - 180);
  const [first, last] = [wrap(west), east === 180 ? 180 : wrap(east)];
  const [left, right] = [lonToX(first), lonToX(last) + 1];
  if (first <= last) return [[left, top, right, bottom]];
  return [
    [left, top, SIZE, bottom],
    [0, top, Math.min(right, left), bottom],
  ];
}

/** The longer of a box's sides, as a share of the world. */
export function boxShare(box: Box): number {
  const parts = boxUnits(box);
  const width = parts.reduce((sum, [west, , east]) => sum + east - west, 0);
  const [[, top, , bottom]] = parts;
  return Math.min(1, Math.max(width, bottom - top) / SIZE);
}

const degrees = (value: number, most: number) => Math.max(-most, Math.min(most, value));

/** Splits an inclusive range of x that may go beyond the world's edges into ranges within it. */
function around(west: number, east: number): [west: number, east: number][] {
  if (east - west >= SIZE) return [[0, SIZE - 1]];
  if (west < 0)
    return [
      [0, east],
      [west + SIZE, SIZE - 1],
    ];
  if (east >= SIZE)
    return [
      [west, SIZE - 1],
      [0, east - SIZE],
    ];
  return [[west, east]];
}

/** The first item of a row with x >= wanted. */
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
  // Beyond zoom 19 bounds may be fractions of a unit; positions are integers, so rounding up is right for both ends.
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
    // Only the first and last row can extend beyond the box.
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
