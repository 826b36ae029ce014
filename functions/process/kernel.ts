// The fold of hits in WebAssembly (functions/process/assembly), in one memory with the IP table. Hits never leave this
// memory, except lines that encodeHit would write differently, which JSON.parse reads here. DeltaBuilder is the
// reference: its deltas are the same byte for byte (test/process/kernel.test.ts), and it is used on a platform without
// SIMD.
import { randomInt } from 'node:crypto';
import {
  type Counters,
  type CountryRow,
  type DeltaRange,
  encodeSums,
  type HitSums,
  noCounters,
  type SumColumns,
} from '#core/hits/delta.ts';
import { type HitBytes, type LineSink, readLine } from '#core/hits/hit.ts';
import { hitLimits, other } from '#core/hits/limits.ts';
import type { IpTable } from '#geo/table.ts';
import { kernelWasm } from './kernel.wasm.ts';

const pageBytes = 65_536;
/** How many bytes may be read beyond a record or table. */
const slack = 256;
const newline = 10;
const rowWords = 8;
/** The length of the longest address. */
const mostAddress = 45;

interface Exports extends WebAssembly.Exports {
  memory: WebAssembly.Memory;
  open(...addresses: number[]): void;
  begin(mostDomains: number, mostActions: number): void;
  read(at: number, last: number, arrivedAt: number): number;
  nextAt(): number;
  readOne(
    time: number,
    address: number,
    domain: number,
    action: number,
    id: number,
    idLength: number,
    arrivedAt: number,
  ): void;
  figure(which: number): number;
  place(which: number): number;
  dataAt: WebAssembly.Global<'i32'>;
  textsAt: WebAssembly.Global<'i32'>;
  tableAt: WebAssembly.Global<'i32'>;
  otherAt: WebAssembly.Global<'i32'>;
  ranksAt: WebAssembly.Global<'i32'>;
  mostBytes: WebAssembly.Global<'i32'>;
}

/**
 * Memory for an IP table of so many bytes, and the kernel for the table that was read into it; undefined if the
 * platform has no SIMD, which is reported once.
 */
export function kernelRoom(
  tableBytes: number,
  { wasm = kernelWasm, report = console.warn }: { wasm?: string; report?: (text: string) => void } = {},
): { bytes: Uint8Array<ArrayBuffer>; kernelOf: (table: IpTable) => Kernel | undefined } {
  const binary = Buffer.from(wasm, 'base64');
  if (!WebAssembly.validate(binary)) {
    report('process: this platform has no WebAssembly SIMD: hits are read by the slower reader in TypeScript');
    return { bytes: new Uint8Array(tableBytes), kernelOf: () => undefined };
  }
  const module = new WebAssembly.Module(binary);
  const exports = new WebAssembly.Instance(module, { env: { abort() {} } }).exports as Exports;
  const { memory, tableAt } = exports;
  // The most that is ever needed: the memory never grows, and untouched pages cost nothing.
  memory.grow(Math.ceil((tableAt.value + tableBytes + slack - memory.buffer.byteLength) / pageBytes));
  const bytes = new Uint8Array(memory.buffer as ArrayBuffer, tableAt.value, tableBytes);
  return { bytes, kernelOf: (table) => new Kernel(exports, table) };
}

export class Kernel {
  readonly exports: Exports;
  readonly table: IpTable;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;
  readonly doubles: Float64Array<ArrayBuffer>;
  #inUse = false;

  constructor(exports: Exports, table: IpTable) {
    this.exports = exports;
    this.table = table;
    const buffer = exports.memory.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.doubles = new Float64Array(buffer);
    const { v4Bounds, v4Starts, v4Values, v6Bounds, v6Starts, v6Values, lat, lon } = table.columns;
    const ordered = table.countries.toSorted();
    const ranks = new Uint16Array(buffer, exports.ranksAt.value, table.countries.length);
    for (const [index, country] of table.countries.entries()) ranks[index] = ordered.indexOf(country);
    const { written } = new TextEncoder().encodeInto(other, this.bytes.subarray(exports.otherAt.value));
    const columns = [v4Bounds, v4Starts, v4Values, v6Bounds, v6Starts, v6Values, lat, lon];
    const seed = () => randomInt(2 ** 32);
    exports.open(...columns.map(({ byteOffset }) => byteOffset), seed(), seed(), written);
  }

  /** Starts the sums of a batch of so many bytes; undefined if the batch is too large or the kernel is in use. */
  begin(bytes: number): HitSums | undefined {
    if (this.#inUse || bytes > this.exports.mostBytes.value) return undefined;
    this.#inUse = true;
    this.exports.begin(hitLimits.domainsPerBatch, hitLimits.actionsPerBatch);
    return new KernelSums(this, () => {
      this.#inUse = false;
    });
  }
}

class KernelSums implements HitSums {
  readonly #kernel: Kernel;
  readonly #release: () => void;
  readonly #counted = noCounters();
  #columns: SumColumns | undefined;

  constructor(kernel: Kernel, release: () => void) {
    this.#kernel = kernel;
    this.#release = release;
  }

  get promptHits(): number {
    const { figure } = this.#kernel.exports;
    return figure(0) + figure(5) - figure(2);
  }

  count(name: keyof Counters, by: number): void {
    this.#counted[name] += by;
  }

  read(data: Uint8Array, arrivedAt: number, sink: Omit<LineSink, 'hit'>): void {
    const { bytes, exports } = this.#kernel;
    const first = exports.dataAt.value;
    const last = first + data.length;
    bytes.set(data, first);
    bytes.fill(0, last, last + slack);
    const hit = (hit: HitBytes) => this.#readOne(hit, arrivedAt);
    for (let at = first, number = 0; ; number++) {
      number += exports.read(at, last, arrivedAt);
      const start = exports.nextAt() - first;
      if (start >= data.length) return;
      let end = data.indexOf(newline, start);
      if (end < 0) end = data.length;
      if (end > start) readLine(data.subarray(start, end), number, { ...sink, hit });
      at = first + end + 1;
    }
  }

  #readOne(hit: HitBytes, arrivedAt: number): void {
    const { bytes, exports } = this.#kernel;
    const { addressStart, addressEnd, domainStart, domainEnd, actionStart, actionEnd, idStart, idEnd } = hit;
    let at = exports.textsAt.value;
    const put = (start: number, end: number) => {
      bytes.set(hit.bytes.subarray(start, end), at);
      at += end - start;
      return end - start;
    };
    const address = addressEnd - addressStart > mostAddress ? 0 : put(addressStart, addressEnd);
    const domain = put(domainStart, domainEnd);
    const action = put(actionStart, actionEnd);
    const id = idStart < 0 ? 0 : at;
    exports.readOne(hit.time, address, domain, action, id, idStart < 0 ? 0 : put(idStart, idEnd), arrivedAt);
  }

  /** Copies the sums out, so that the memory is free for the next batch. */
  close(): void {
    if (this.#columns) return;
    this.#columns = this.#copied();
    this.#release();
  }

  #copied(): SumColumns {
    const { figure, place } = this.#kernel.exports;
    const { words, doubles } = this.#kernel;
    const [identified, countries, domains, actions] = [figure(5), figure(6), figure(7), figure(8)];
    const word = (which: number) => words.slice(place(which) / 4, place(which) / 4 + identified);
    const double = (which: number) => doubles.slice(place(which) / 8, place(which) / 8 + identified);
    const { day, hits, names } = this.#rows(0, domains, figure(9));
    const time = new Float64Array(domains);
    const location = new Int32Array(domains);
    for (let row = 0, at = place(0) / 4; row < domains; row++, at += rowWords) {
      time[row] = doubles[at / 2 + 2];
      location[row] = words[at + 6];
    }
    return {
      counters: {
        ...noCounters(),
        ...{ hits: figure(0), unlocated: figure(1), late: figure(2), future: figure(3), other: figure(4) },
      },
      byCountry: this.#byCountry(countries),
      domains: { names, day, hits, time, location },
      actions: this.#rows(2, actions, figure(10)),
      identified: {
        ...{ low: word(4), high: word(5), arrivedAt: double(6), time: double(7) },
        ...{ domain: new Uint32Array(word(8)), action: new Uint32Array(word(9)), location: word(10) },
      },
    };
  }

  /** Names, and the columns that every row of names has. */
  #rows(which: number, count: number, nameBytes: number) {
    const { bytes, exports, words } = this.#kernel;
    const names = exports.place(which + 1);
    const offsets = new Uint32Array(count + 1);
    const day = new Int32Array(count);
    const hits = new Uint32Array(count);
    for (let row = 0, at = exports.place(which) / 4; row < count; row++, at += rowWords) {
      offsets[row] = words[at] - names;
      day[row] = words[at + 2];
      hits[row] = words[at + 3];
    }
    offsets[count] = nameBytes;
    return { names: { offsets, utf8: bytes.slice(names, names + nameBytes) }, day, hits };
  }

  /** Days in order of first occurrence, and for each the countries in order. */
  #byCountry(count: number): CountryRow[] {
    const { exports, words } = this.#kernel;
    const days = new Map<number, CountryRow[]>();
    const order = exports.place(11) / 4;
    for (let row = 0; row < count; row++) {
      const slot = words[order + row] / 4;
      const day = words[slot + 1] * 2 ** 22 + (words[slot] >>> 10);
      const rows = days.get(day) ?? [];
      rows.push([day, words[slot] & 1023, words[slot + 2]]);
      days.set(day, rows);
    }
    return [...days.values()].flatMap((rows) => rows.sort((a, b) => a[1] - b[1]));
  }

  encode(range: DeltaRange): Uint8Array<ArrayBuffer> {
    this.close();
    const columns = this.#columns as SumColumns;
    const counters = noCounters();
    for (const name of Object.keys(counters) as (keyof Counters)[])
      counters[name] = columns.counters[name] + this.#counted[name];
    return encodeSums(range, this.#kernel.table, { ...columns, counters });
  }
}
