// The map's state: each domain's newest location, in columns. The file is the columns, so that a million domains are read,
// merged with some thousands of changes and written in a fraction of a second.

import { packColumns, unpackColumns } from '../bytes/columns.ts';
import { grown, hashBytes, NameTable, viewOf } from '../bytes/names.ts';
import type { Points } from '../map/cluster.ts';
import { type Delta, wins } from './delta.ts';
import { other } from './limits.ts';

type Row = [domain: string, lat: number, lon: number, country: string, updatedAt: number];

type PointColumns = {
  offsets: Uint32Array;
  utf8: Uint8Array;
  lat: Float64Array;
  lon: Float64Array;
  updatedAt: Float64Array;
  country: Uint16Array;
};

const kind = 'points/1';

const isOther = (utf8: DataView, start: number, end: number): boolean =>
  end - start === other.length &&
  Array.from(other).every((letter, at) => utf8.getUint8(start + at) === letter.charCodeAt(0));

export class PointsState {
  #domains: NameTable;
  #lat: Float64Array;
  #lon: Float64Array;
  #updatedAt: Float64Array;
  #country: Uint16Array;
  /** '' comes first. */
  readonly #countries: string[];
  readonly #countryIndex: Map<string, number>;

  private constructor(columns: PointColumns, countries: string[]) {
    this.#domains = NameTable.from(columns);
    const { capacity } = this.#domains;
    this.#lat = grown(columns.lat, capacity);
    this.#lon = grown(columns.lon, capacity);
    this.#updatedAt = grown(columns.updatedAt, capacity);
    this.#country = grown(columns.country, capacity);
    this.#countries = countries;
    this.#countryIndex = new Map(countries.map((country, index) => [country, index]));
  }

  static empty(): PointsState {
    const none = new Float64Array(0);
    const columns = { offsets: new Uint32Array(1), utf8: new Uint8Array(0), lat: none, lon: none, updatedAt: none };
    return new PointsState({ ...columns, country: new Uint16Array(0) }, ['']);
  }

  /** Throws Torn when the bytes are no such state, or not the whole of one. */
  static decode(bytes: Uint8Array): PointsState {
    const { meta, columns } = unpackColumns<PointColumns>(kind, bytes);
    return new PointsState(columns, [...(meta as { countries: string[] }).countries]);
  }

  encode(): Uint8Array<ArrayBuffer> {
    const { domains, lat, lon, updatedAt, country, countries } = this.columns();
    return packColumns(kind, { countries }, { ...domains, lat, lon, updatedAt, country });
  }

  get size(): number {
    return this.#domains.count;
  }

  /** Takes over the delta's newer locations; returns how many domains changed. Commutes: any order gives the same rows. */
  merge({ domains, countries }: Delta): number {
    const { offsets } = domains.names;
    const utf8 = viewOf(domains.names.utf8);
    let changed = 0;
    for (let row = 0; row < domains.time.length; row++) {
      if (domains.time[row] < 0) continue;
      const [start, end] = [offsets[row], offsets[row + 1]];
      // It stands for many domains, and so for no location.
      if (isOther(utf8, start, end)) continue;
      const location = { lat: domains.lat[row], lon: domains.lon[row], country: countries[domains.country[row]] };
      if (this.#put(utf8, start, end, location, domains.time[row])) changed++;
    }
    return changed;
  }

  #put(
    utf8: DataView,
    start: number,
    end: number,
    location: { lat: number; lon: number; country: string },
    time: number,
  ): boolean {
    const known = this.#domains.count;
    const row = this.#domains.intern(utf8, start, end, hashBytes(utf8, start, end), 0);
    if (row < known) {
      const held = { lat: this.#lat[row], lon: this.#lon[row], country: this.#countries[this.#country[row]] };
      if (!wins(time, location, this.#updatedAt[row], held)) return false;
    } else if (row >= this.#lat.length) this.#grow();
    this.#lat[row] = location.lat;
    this.#lon[row] = location.lon;
    this.#updatedAt[row] = time;
    this.#country[row] = this.#countryOf(location.country);
    return true;
  }

  #grow(): void {
    const { capacity } = this.#domains;
    this.#lat = grown(this.#lat, capacity);
    this.#lon = grown(this.#lon, capacity);
    this.#updatedAt = grown(this.#updatedAt, capacity);
    this.#country = grown(this.#country, capacity);
  }

  #countryOf(country: string): number {
    const index = this.#countryIndex.get(country) ?? this.#countries.push(country) - 1;
    this.#countryIndex.set(country, index);
    return index;
  }

  /** Removes domains whose newest hit is older than `time` (ms); returns how many. */
  drop(time: number): number {
    const { count } = this.#domains;
    const fresh = this.#countSince(time);
    if (fresh === count) return 0;
    const order = new Uint32Array(fresh);
    for (let row = 0, into = 0; row < count; row++) if (this.#updatedAt[row] >= time) order[into++] = row;
    this.#keep(order);
    return count - fresh;
  }

  /** How many domains `drop(time)` would remove. */
  countBefore(time: number): number {
    return this.#domains.count - this.#countSince(time);
  }

  #countSince(time: number): number {
    let since = 0;
    for (let row = 0; row < this.#domains.count; row++) if (this.#updatedAt[row] >= time) since++;
    return since;
  }

  /** Removes the stalest until there are at most `most`, ties by the order they came in; returns how many. */
  keepNewest(most: number): number {
    const { count } = this.#domains;
    if (count <= most) return 0;
    const times = this.#updatedAt.slice(0, count).sort();
    const oldest = times[count - most];
    let ties = most;
    for (let row = 0; row < count; row++) if (this.#updatedAt[row] > oldest) ties--;
    const order = new Uint32Array(most);
    for (let row = 0, into = 0; row < count; row++) {
      const time = this.#updatedAt[row];
      if (time > oldest || (time === oldest && ties-- > 0)) order[into++] = row;
    }
    this.#keep(order);
    return count - most;
  }

  /**
   * Sets what was seen later than `latest` to `time`, and returns how many domains: where a clock was ahead for a while, they
   * would stay the newest until then.
   */
  notAfter(latest: number, time: number): number {
    let changed = 0;
    for (let row = 0; row < this.#domains.count; row++)
      if (this.#updatedAt[row] > latest) {
        this.#updatedAt[row] = time;
        changed++;
      }
    return changed;
  }

  #keep(order: Uint32Array): void {
    const fresh = order.length;
    const pick = <T extends Float64Array | Uint16Array>(column: T, into: T) => {
      for (let row = 0; row < fresh; row++) into[row] = column[order[row]];
      return into;
    };
    this.#domains = NameTable.from(this.#domains.gather(order));
    const { capacity } = this.#domains;
    this.#lat = pick(this.#lat, new Float64Array(capacity));
    this.#lon = pick(this.#lon, new Float64Array(capacity));
    this.#updatedAt = pick(this.#updatedAt, new Float64Array(capacity));
    this.#country = pick(this.#country, new Uint16Array(capacity));
  }

  /** The state as columns, in the shape that clusters are built from: views, good until the next merge or drop. */
  columns(): Points {
    const { count } = this.#domains;
    return {
      domains: this.#domains.names(),
      lat: this.#lat.subarray(0, count),
      lon: this.#lon.subarray(0, count),
      updatedAt: this.#updatedAt.subarray(0, count),
      country: this.#country.subarray(0, count),
      countries: this.#countries,
    };
  }

  rows(): Row[] {
    return Array.from({ length: this.size }, (_, row): Row => {
      const country = this.#countries[this.#country[row]];
      return [this.#domains.text(row), this.#lat[row], this.#lon[row], country, this.#updatedAt[row]];
    });
  }
}
