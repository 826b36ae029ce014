// Flattens City databases (mmdb) into the table of table.ts, offline.
//
//   node layers/geo/build.ts OUT [FILE.mmdb ...]
//
// The search tree is walked here, node by node, as the format says (https://maxmind.github.io/MaxMind-DB/); what a leaf
// holds is read by maxmind's own reader, once for each distinct record.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { type CityResponse, Reader } from 'maxmind';
import { packColumns } from '#core/bytes/columns.ts';
import { grown } from '#core/bytes/names.ts';
import { cityDatabases, degree, type FlatResponse, locationOf } from './city.ts';
import { beyondTable, countryOnly, deeper, kind, rowBits, type TableMeta } from './table.ts';

type CityReader = Reader<CityResponse & FlatResponse>;

/** Locations in order of occurrence, equal ones once. */
class LocationList {
  readonly countries: string[] = [];
  readonly lat: number[] = [];
  readonly lon: number[] = [];
  readonly #numbers = new Map<string, number>();

  /** The value of a location in the table: its number + 1; 0 for none. */
  value(record: (CityResponse & FlatResponse) | null): number {
    const location = locationOf(record);
    if (!location) return 0;
    const [lat, lon] = [Math.round(location.lat * degree), Math.round(location.lon * degree)];
    const key = `${location.country} ${lat} ${lon}`;
    const known = this.#numbers.get(key);
    if (known !== undefined) return known + 1;
    let country = this.countries.indexOf(location.country);
    if (country < 0) country = this.countries.push(location.country) - 1;
    const row = Number.isNaN(lat) ? countryOnly : this.lat.push(lat) - 1;
    if (row !== countryOnly) this.lon.push(lon);
    if (this.lat.length > countryOnly || country >= beyondTable >>> rowBits)
      throw new Error(
        `${this.lat.length} locations in ${country + 1} countries are more than the table's format holds`,
      );
    const number = (country << rowBits) | row;
    this.#numbers.set(key, number);
    return number + 1;
  }
}

/** Ranges of one address family: see the head of table.ts. */
class Ranges {
  readonly bounds: number[] = [0];
  starts = new Uint32Array(1 << 20);
  values = new Uint32Array(1 << 20);
  #count = 0;

  /** Adds a range to the current step; skipped if it continues the value of the one before. */
  add(start: number, value: number): void {
    const count = this.#count;
    if (count > (this.bounds.at(-1) as number) && this.values[count - 1] === value) return;
    if (count === this.starts.length) {
      this.starts = grown(this.starts, count * 2);
      this.values = grown(this.values, count * 2);
    }
    this.starts[count] = start;
    this.values[count] = value;
    this.#count++;
  }

  endStep(): void {
    this.bounds.push(this.#count);
  }

  columns() {
    const { bounds, starts, values } = this;
    return {
      bounds: Uint32Array.from(bounds),
      starts: starts.slice(0, this.#count),
      values: values.slice(0, this.#count),
    };
  }
}

/** The search tree of one database. */
class Tree {
  readonly reader: CityReader;
  readonly ipVersion: number;
  readonly #bytes: Buffer;
  readonly #nodes: number;
  readonly #recordSize: number;
  readonly #values = new Map<number, number>();
  readonly #locations: LocationList;
  /** Where the IPv4 addresses begin: at the root, or 96 zero bits below it in an IPv6 tree. */
  readonly v4Root: number;

  constructor(bytes: Buffer, locations: LocationList) {
    this.#bytes = bytes;
    this.#locations = locations;
    this.reader = new Reader(bytes);
    const { nodeCount, recordSize, ipVersion } = this.reader.metadata;
    this.#nodes = nodeCount;
    this.#recordSize = recordSize;
    this.ipVersion = ipVersion;
    let root = 0;
    if (ipVersion === 6) for (let bit = 0; bit < 96 && this.isNode(root); bit++) root = this.child(root, 0);
    this.v4Root = root;
  }

  isNode(record: number): boolean {
    return record < this.#nodes;
  }

  child(node: number, side: 0 | 1): number {
    const db = this.#bytes;
    if (this.#recordSize === 28) {
      const at = node * 7;
      return side === 0
        ? ((db[at + 3] & 0xf0) << 20) | (db[at] << 16) | (db[at + 1] << 8) | db[at + 2]
        : ((db[at + 3] & 0x0f) << 24) | (db[at + 4] << 16) | (db[at + 5] << 8) | db[at + 6];
    }
    const size = this.#recordSize / 8;
    return db.readUIntBE(node * 2 * size + side * size, size);
  }

  /** A leaf's value in the table; `address` returns any address below it. */
  value(record: number, address: () => string): number {
    if (record === this.#nodes) return 0;
    let value = this.#values.get(record);
    if (value === undefined) {
      value = this.#locations.value(this.reader.get(address()));
      this.#values.set(record, value);
    }
    return value;
  }
}

/** Builds the table of these databases; for an address family the first database that has it is used. */
export function buildTable(databases: Buffer[]): Uint8Array<ArrayBuffer> {
  const locations = new LocationList();
  const trees = databases.map((bytes) => new Tree(bytes, locations));
  const v4 = flattenV4(trees.find((tree) => tree.ipVersion === 4 || tree.isNode(tree.v4Root)));
  const v6 = flattenV6(trees.find(({ ipVersion }) => ipVersion === 6));
  const meta: TableMeta = {
    countries: locations.countries,
    builtAt: Math.min(...trees.map(({ reader }) => reader.metadata.buildEpoch.getTime())),
    sources: trees.map(
      ({ reader: { metadata } }) => `${metadata.databaseType} of ${metadata.buildEpoch.toISOString().slice(0, 10)}`,
    ),
  };
  return packColumns(kind, meta, {
    v4Bounds: v4.bounds,
    v4Starts: Uint16Array.from(v4.starts),
    v4Values: v4.values,
    v6Bounds: v6.bounds,
    v6Starts: v6.starts,
    v6Values: v6.values,
    lat: Int32Array.from(locations.lat),
    lon: Int32Array.from(locations.lon),
  });
}

function flattenV4(tree: Tree | undefined) {
  const ranges = new Ranges();
  eachOfFirstStep(tree, tree?.v4Root ?? 0, (record, upper) => {
    if (tree) walk(record, 0, 0);
    else ranges.add(0, 0);
    ranges.endStep();

    function walk(record: number, depth: number, lower: number): void {
      if (tree?.isNode(record)) {
        walk(tree.child(record, 0), depth + 1, lower);
        walk(tree.child(record, 1), depth + 1, lower | (0x8000 >>> depth));
      } else if (tree)
        ranges.add(
          lower,
          tree.value(record, () => spellV4(upper, lower)),
        );
    }
  });
  return ranges.columns();
}

function flattenV6(tree: Tree | undefined) {
  const ranges = new Ranges();
  const further: { record: number; words: number[] }[] = [];
  eachOfFirstStep(tree, 0, (record, word) => step(record, [word]));
  for (let next = 0; next < further.length; next++) {
    const { record, words } = further[next];
    step(record, words);
    delete further[next];
  }
  return ranges.columns();

  function step(top: number, words: number[]): void {
    // The last step has 16 bits; the tree ends before the 17th.
    if (tree) walk(top, 0, 0);
    else ranges.add(0, 0);
    ranges.endStep();

    function walk(record: number, depth: number, bits: number): void {
      // IPv4 addresses have their own table; the other paths into their part of the tree are 6to4 and Teredo, which are
      // obsolete.
      if (!tree || (record === tree.v4Root && tree.isNode(record))) ranges.add(bits >>> 0, 0);
      else if (!tree.isNode(record))
        ranges.add(
          bits >>> 0,
          tree.value(record, () => spellV6([...words, bits >>> 16, bits & 0xffff])),
        );
      else if (depth === 32) {
        const number = firstSteps + further.push({ record, words: [...words, bits >>> 16, bits & 0xffff] }) - 1;
        ranges.add(bits >>> 0, (deeper | number) >>> 0);
      } else {
        walk(tree.child(record, 0), depth + 1, bits);
        walk(tree.child(record, 1), depth + 1, bits | (0x80000000 >>> depth));
      }
    }
  }
}

const firstSteps = 65_536;

/** Calls `each` with the subtree below each prefix of 16 bits. */
function eachOfFirstStep(tree: Tree | undefined, root: number, each: (record: number, word: number) => void): void {
  for (let word = 0; word < firstSteps; word++) {
    let record = root;
    for (let bit = 15; tree && bit >= 0 && tree.isNode(record); bit--)
      record = tree.child(record, ((word >>> bit) & 1) as 0 | 1);
    each(record, word);
  }
}

const spellV4 = (upper: number, lower: number) => [upper >>> 8, upper & 255, lower >>> 8, lower & 255].join('.');
const spellV6 = (words: number[]) =>
  Array.from({ length: 8 }, (_, index) => (words[index] ?? 0).toString(16)).join(':');

if (import.meta.main) {
  const [out, ...files] = process.argv.slice(2);
  if (!out) {
    console.error('usage: node layers/geo/build.ts OUT [FILE.mmdb ...]');
    process.exit(1);
  }
  const from = files.length > 0 ? files : cityDatabases();
  const table = buildTable(from.map((file) => readFileSync(file)));
  // Written atomically, also if two builds run at once.
  writeFileSync(`${out}.${process.pid}`, table);
  renameSync(`${out}.${process.pid}`, out);
  console.log(`${out}: ${(table.length / 1e6).toFixed(1)} MB`);
}
