// One UTC day's hits, by domain, country and action. Sums are doubles: exact up to 2^53.

import { packColumns, unpackColumns } from '../bytes/columns.ts';
import { grown, hashBytes, NameTable, nameOf, viewOf } from '../bytes/names.ts';
import type { Names } from '../map/cluster.ts';
import { type Delta, dayNumber } from './delta.ts';
import { hitLimits, other } from './limits.ts';

export type By = 'domain' | 'country' | 'action';
const every = ['domain', 'country', 'action'] as const;

type Column = Uint32Array | Uint8Array | Float64Array;
const kind = 'hits/1';

export class DaySums {
  /** `2026-11-21` */
  readonly day: string;
  readonly #tallies: Record<By, Tally>;

  private constructor(day: string, tallies: Record<By, Tally>) {
    this.day = day;
    this.#tallies = tallies;
  }

  static empty(day: string): DaySums {
    return new DaySums(day, { domain: new Tally(), country: new Tally(), action: new Tally() });
  }

  /** Throws Torn if the bytes are not a day's sums, or are truncated. */
  static decode(bytes: Uint8Array): DaySums {
    const { meta, columns } = unpackColumns<Record<string, Column>>(kind, bytes);
    const tally = (by: By) =>
      new Tally(
        { offsets: columns[`${by}Offsets`] as Uint32Array, utf8: columns[`${by}Names`] as Uint8Array },
        columns[`${by}Hits`] as Float64Array,
      );
    const { day } = meta as { day: string };
    return new DaySums(day, { domain: tally('domain'), country: tally('country'), action: tally('action') });
  }

  encode(): Uint8Array<ArrayBuffer> {
    const columns: Record<string, Column> = {};
    for (const by of every) {
      const { offsets, utf8 } = this.#tallies[by].names();
      columns[`${by}Offsets`] = offsets;
      columns[`${by}Names`] = utf8;
      columns[`${by}Hits`] = this.#tallies[by].hits();
    }
    return packColumns(kind, { day: this.day }, columns);
  }

  /**
   * Adds the delta's hits of this day. Deltas may be added in any order, with the same sums, as long as there are fewer
   * than `mostDomains` domains: hits of further ones are counted as `other`. Returns how many were.
   */
  merge({ domains, actions, byCountry, countries }: Delta, mostDomains = Number.POSITIVE_INFINITY): number {
    const day = dayNumber(this.day);
    const { domain, action, country } = this.#tallies;
    const others = domain.add(domains, day, mostDomains);
    action.add(actions, day, hitLimits.actionsPerDay);
    for (const [at, code, hits] of byCountry) {
      if (at !== day) continue;
      const utf8 = encoder.encode(countries[code]);
      const names = { offsets: Uint32Array.of(0, utf8.length), utf8 };
      country.add({ names, day: Int32Array.of(day), hits: Uint32Array.of(hits) }, day);
    }
    return others;
  }

  get total(): number {
    return this.#tallies.action.hits().reduce((sum, hits) => sum + hits, 0);
  }

  /** Hits of each of these domains, in their order. */
  hitsOf(domains: Names): Float64Array {
    return this.#tallies.domain.of(domains);
  }

  /** Hits of one key; 0 where it has none. */
  hits(by: By, key: string): number {
    const utf8 = encoder.encode(key);
    return this.#tallies[by].of({ offsets: Uint32Array.of(0, utf8.length), utf8 })[0];
  }

  /** How many different keys there are. */
  count(by: By): number {
    return this.#tallies[by].count;
  }

  /**
   * Sorts the keys for `top` in steps: sorting half a million takes a second. `pause` lets other work run in between.
   */
  inOrder(by: By, pause: () => Promise<void>): Promise<void> {
    return this.#tallies[by].inOrder(pause);
  }

  /** Keys with their hits, most first, ties by key: at most `limit` of them, from the one at `start`. */
  top(by: By, start = 0, limit = Number.POSITIVE_INFINITY): [key: string, hits: number][] {
    return this.#tallies[by].top(start, limit);
  }
}

/** Rows sorted or merged in one step, before other work has a turn: about 10 ms. */
const sortedAtOnce = 8192;
const encoder = new TextEncoder();
const otherName = nameOf(other);

class Tally {
  readonly #table: NameTable;
  #hits: Float64Array;
  /** Rows with most hits first, ties by the bytes of the name; computed on demand. */
  #order: Uint32Array | undefined;
  #ordering: Promise<Uint32Array> | undefined;

  constructor(
    names: Names = { offsets: new Uint32Array(1), utf8: new Uint8Array(0) },
    hits: Float64Array = new Float64Array(0),
  ) {
    this.#table = NameTable.from(names);
    this.#hits = grown(hits, this.#table.capacity);
  }

  get count(): number {
    return this.#table.count;
  }

  names(): Names {
    return this.#table.names();
  }

  hits(): Float64Array {
    return this.#hits.subarray(0, this.#table.count);
  }

  /** Adds the hits of the day; returns how many were counted as `other`. */
  add(
    { names, day, hits }: { names: Names; day: Int32Array; hits: Uint32Array },
    onDay: number,
    most = Number.POSITIVE_INFINITY,
  ): number {
    let others = 0;
    const { offsets } = names;
    const utf8 = viewOf(names.utf8);
    for (let row = 0; row < hits.length; row++) {
      if (day[row] !== onDay || hits[row] === 0) continue;
      const [start, end] = [offsets[row], offsets[row + 1]];
      const number = this.#table.internUpTo(most, otherName, utf8, start, end, hashBytes(utf8, start, end), 0);
      if (this.#table.count >= most && this.#table.isNamed(number, otherName)) others += hits[row];
      if (number >= this.#hits.length) this.#hits = grown(this.#hits, this.#table.capacity);
      this.#hits[number] += hits[row];
    }
    this.#order = undefined;
    return others;
  }

  of({ offsets, utf8 }: Names): Float64Array {
    const view = viewOf(utf8);
    return Float64Array.from({ length: offsets.length - 1 }, (_, row) => {
      const [start, end] = [offsets[row], offsets[row + 1]];
      const number = this.#table.find(view, start, end, hashBytes(view, start, end), 0);
      return number === undefined ? 0 : this.#hits[number];
    });
  }

  async inOrder(pause: () => Promise<void>): Promise<void> {
    while (!this.#order) {
      // Of concurrent callers the first one sorts.
      this.#ordering ??= this.#sorted(pause).finally(() => {
        this.#ordering = undefined;
      });
      this.#order = await this.#ordering;
    }
  }

  top(start: number, limit: number): [string, number][] {
    this.#order ??= Uint32Array.from({ length: this.count }, (_, row) => row).sort(this.#before());
    const rows = this.#order.subarray(start, Math.min(this.count, start + limit));
    return Array.from(rows, (row): [string, number] => [this.#table.text(row), this.#hits[row]]);
  }

  /** A merge sort in short steps. */
  async #sorted(pause: () => Promise<void>): Promise<Uint32Array> {
    const before = this.#before();
    let rows = Uint32Array.from({ length: this.count }, (_, row) => row);
    for (let start = 0; start < rows.length; start += sortedAtOnce) {
      rows.subarray(start, start + sortedAtOnce).sort(before);
      await pause();
    }
    for (let width = sortedAtOnce; width < rows.length; width *= 2) {
      const merged = new Uint32Array(rows.length);
      let at = 0;
      for (let start = 0; start < rows.length; start += 2 * width) {
        const [middle, end] = [start + width, start + 2 * width].map((bound) => Math.min(bound, rows.length));
        let [left, right] = [start, middle];
        while (at < end) {
          const takesLeft = right === end || (left < middle && before(rows[left], rows[right]) < 0);
          merged[at++] = takesLeft ? rows[left++] : rows[right++];
          if (at % sortedAtOnce === 0) await pause();
        }
      }
      rows = merged;
    }
    return rows;
  }

  #before(): (a: number, b: number) => number {
    const { offsets, utf8 } = this.#table.names();
    const hits = this.#hits;
    return (a, b) => {
      if (hits[a] !== hits[b]) return hits[b] - hits[a];
      let [at, other] = [offsets[a], offsets[b]];
      while (at < offsets[a + 1] && other < offsets[b + 1] && utf8[at] === utf8[other]) {
        at++;
        other++;
      }
      if (at === offsets[a + 1] || other === offsets[b + 1])
        return offsets[a + 1] - offsets[a] - (offsets[b + 1] - offsets[b]);
      return utf8[at] - utf8[other];
    };
  }
}
