// The map's state in columns: each domain's newest location or, if points are by location, that of each domain in each
// cell, with its hits there. The file is the columns themselves, so that a million domains are read, merged with some
// thousands of changes and written in a fraction of a second.

import { packColumns, unpackColumns } from '../bytes/columns.ts';
import { grown, hashBytes, NameTable, viewOf } from '../bytes/names.ts';
import type { Points } from '../map/cluster.ts';
import { cellOf } from './cells.ts';
import { type Delta, dayOf, type PointsBy, wins } from './delta.ts';
import { hitLimits, other } from './limits.ts';

type Row = [domain: string, lat: number, lon: number, country: string, updatedAt: number];

type PointColumns = {
  offsets: Uint32Array;
  utf8: Uint8Array;
  lat: Float64Array;
  lon: Float64Array;
  updatedAt: Float64Array;
  country: Uint16Array;
};

/** The further columns of points by location. */
type CellColumns = {
  cell: Int32Array;
  /** Hits since the point came onto the map. */
  hits: Float64Array;
  /** The newest UTC day with hits, those of that day, and of the day before. */
  day: Int32Array;
  dayHits: Float64Array;
  beforeHits: Float64Array;
};

/** The map's points and, for the anonymous map, the hits of those by location. */
export interface StatePoints extends Points {
  /** Hits on the day of the newest one or on the day before, whichever has more. */
  busiest?: Float64Array;
}

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
  /** Undefined if points are by domain. The cell is the name's tag. */
  #counts: Omit<CellColumns, 'cell'> | undefined;
  /** How many cells each domain has; computed on demand. */
  #cellsOf: { domains: NameTable; count: Int32Array } | undefined;
  #others = 0;
  /** Whether it was converted when it was read, and so must be written again. */
  readonly converted: boolean;
  /** '' comes first. */
  readonly #countries: string[];
  readonly #countryIndex: Map<string, number>;

  private constructor(columns: PointColumns & Partial<CellColumns>, countries: string[], converted = false) {
    this.#domains = NameTable.from(columns, columns.cell);
    this.converted = converted;
    const { hits, day, dayHits, beforeHits } = columns;
    if (hits && day && dayHits && beforeHits) this.#counts = { hits, day, dayHits, beforeHits };
    const { capacity } = this.#domains;
    this.#lat = grown(columns.lat, capacity);
    this.#lon = grown(columns.lon, capacity);
    this.#updatedAt = grown(columns.updatedAt, capacity);
    this.#country = grown(columns.country, capacity);
    this.#countries = countries;
    this.#countryIndex = new Map(countries.map((country, index) => [country, index]));
    this.#fitCounts();
  }

  static empty(by: PointsBy = 'domain'): PointsState {
    const none = new Float64Array(0);
    const columns = { offsets: new Uint32Array(1), utf8: new Uint8Array(0), lat: none, lon: none, updatedAt: none };
    const counts = by === 'location' && { hits: none, day: new Int32Array(0), dayHits: none, beforeHits: none };
    return new PointsState({ ...columns, country: new Uint16Array(0), ...counts }, ['']);
  }

  /**
   * Throws Torn if the bytes are not a whole state. A state of the other kind is converted: to points by location, a
   * domain is in the cell of its newest hit, the only one known there; to points by domain, it is at its newest cell's
   * location.
   */
  static decode(bytes: Uint8Array, by: PointsBy = 'domain'): PointsState {
    const { meta, columns } = unpackColumns<PointColumns & Partial<CellColumns>>(kind, bytes);
    const countries = [...(meta as { countries: string[] }).countries];
    if ((columns.cell !== undefined) === (by === 'location')) return new PointsState(columns, countries);
    const { lat, lon, updatedAt } = columns;
    if (by === 'location') {
      const one = new Float64Array(lat.length).fill(1);
      const cells = {
        cell: Int32Array.from(lat, (degrees, row) => cellOf(degrees, lon[row])),
        day: Int32Array.from(updatedAt, dayOf),
        ...{ hits: one, dayHits: one, beforeHits: new Float64Array(lat.length) },
      };
      return new PointsState({ ...columns, ...cells }, countries, true);
    }
    const { offsets, utf8, country } = columns;
    const none = { offsets: new Uint32Array(1), utf8: new Uint8Array(0) };
    const empty = new Float64Array(0);
    const points = new PointsState(
      { ...none, lat: empty, lon: empty, updatedAt: empty, country: new Uint16Array(0) },
      countries,
      true,
    );
    const view = viewOf(utf8);
    for (let row = 0; row < lat.length; row++)
      points.#put(
        view,
        offsets[row],
        offsets[row + 1],
        { lat: lat[row], lon: lon[row], country: countries[country[row]] },
        updatedAt[row],
      );
    return points;
  }

  encode(): Uint8Array<ArrayBuffer> {
    const { domains, lat, lon, updatedAt, country, countries } = this.columns();
    const { count, tags } = this.#domains;
    const counts = this.#counts && {
      cell: tags.subarray(0, count),
      hits: this.#counts.hits.subarray(0, count),
      day: this.#counts.day.subarray(0, count),
      dayHits: this.#counts.dayHits.subarray(0, count),
      beforeHits: this.#counts.beforeHits.subarray(0, count),
    };
    return packColumns(kind, { countries }, { ...domains, lat, lon, updatedAt, country, ...counts });
  }

  get size(): number {
    return this.#domains.count;
  }

  get by(): PointsBy {
    return this.#counts ? 'location' : 'domain';
  }

  /** Different domains. */
  get domainCount(): number {
    return this.#counts ? this.#cells().domains.count : this.size;
  }

  /**
   * Takes over the delta's newer locations; returns how many points changed. Any order of deltas gives the same rows,
   * as long as no domain exceeds its limit of cells.
   */
  merge({ domains, countries }: Delta): number {
    const { offsets } = domains.names;
    const utf8 = viewOf(domains.names.utf8);
    let changed = 0;
    for (let row = 0; row < domains.time.length; row++) {
      if (domains.time[row] < 0) continue;
      const [start, end] = [offsets[row], offsets[row + 1]];
      // `other` stands for many domains, so it has no location.
      if (isOther(utf8, start, end)) continue;
      const location = { lat: domains.lat[row], lon: domains.lon[row], country: countries[domains.country[row]] };
      const of = { day: domains.day[row], hits: domains.hits[row] };
      if (this.#put(utf8, start, end, location, domains.time[row], of)) changed++;
    }
    return changed;
  }

  /** `of`: the hits to count, if points are by location. Returns whether a point changed. */
  #put(
    utf8: DataView,
    start: number,
    end: number,
    location: { lat: number; lon: number; country: string },
    time: number,
    of?: { day: number; hits: number },
  ): boolean {
    const known = this.#domains.count;
    const hash = hashBytes(utf8, start, end);
    const counts = this.#counts;
    const tag = counts ? cellOf(location.lat, location.lon) : 0;
    if (counts && this.#domains.find(utf8, start, end, hash, tag) === undefined) {
      const cells = this.#cells();
      const domain = cells.domains.intern(utf8, start, end, hash, 0);
      if (domain >= cells.count.length) cells.count = grown(cells.count, cells.domains.capacity);
      if (cells.count[domain] >= hitLimits.cellsPerDomain) {
        this.#others += of?.hits ?? 0;
        return false;
      }
      cells.count[domain]++;
    }
    const row = this.#domains.intern(utf8, start, end, hash, tag);
    if (row >= this.#lat.length) this.#grow();
    if (of) this.#count(row, of);
    if (row < known) {
      const held = { lat: this.#lat[row], lon: this.#lon[row], country: this.#countries[this.#country[row]] };
      if (!wins(time, location, this.#updatedAt[row], held)) return counts !== undefined;
    }
    this.#lat[row] = location.lat;
    this.#lon[row] = location.lon;
    this.#updatedAt[row] = time;
    this.#country[row] = this.#countryOf(location.country);
    return true;
  }

  /** Hits merged so far that are not on the map, because their domain had too many cells. */
  get others(): number {
    return this.#others;
  }

  #count(row: number, { day, hits }: { day: number; hits: number }): void {
    const counts = this.#counts;
    if (!counts) return;
    counts.hits[row] += hits;
    const ahead = day - counts.day[row];
    if (ahead > 0) {
      counts.beforeHits[row] = ahead === 1 ? counts.dayHits[row] : 0;
      counts.dayHits[row] = hits;
      counts.day[row] = day;
    } else if (ahead === 0) counts.dayHits[row] += hits;
    else if (ahead === -1) counts.beforeHits[row] += hits;
  }

  #cells(): { domains: NameTable; count: Int32Array } {
    if (this.#cellsOf) return this.#cellsOf;
    const domains = new NameTable();
    const { offsets, utf8 } = this.#domains.names();
    const view = viewOf(utf8);
    const count = new Int32Array(this.#domains.count + 1);
    for (let row = 0; row < this.#domains.count; row++)
      count[domains.intern(view, offsets[row], offsets[row + 1], hashBytes(view, offsets[row], offsets[row + 1]), 0)]++;
    this.#cellsOf = { domains, count: grown(count, Math.max(count.length, domains.capacity)) };
    return this.#cellsOf;
  }

  #fitCounts(): void {
    const { capacity } = this.#domains;
    if (this.#counts)
      this.#counts = {
        hits: grown(this.#counts.hits, capacity),
        day: grown(this.#counts.day, capacity),
        dayHits: grown(this.#counts.dayHits, capacity),
        beforeHits: grown(this.#counts.beforeHits, capacity),
      };
  }

  #grow(): void {
    const { capacity } = this.#domains;
    this.#lat = grown(this.#lat, capacity);
    this.#lon = grown(this.#lon, capacity);
    this.#updatedAt = grown(this.#updatedAt, capacity);
    this.#country = grown(this.#country, capacity);
    this.#fitCounts();
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

  /**
   * Removes the points with the oldest hits until there are at most `most`, ties by order of arrival; returns how many
   * it removed.
   */
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
   * Sets times later than `latest` to `time`, and returns for how many domains: after a clock was ahead for a while,
   * they would otherwise stay the newest until then.
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
    const pick = <T extends Float64Array | Uint16Array | Int32Array>(column: T, into: T) => {
      for (let row = 0; row < fresh; row++) into[row] = column[order[row]];
      return into;
    };
    const tags = this.#counts && pick(this.#domains.tags, new Int32Array(fresh));
    this.#domains = NameTable.from(this.#domains.gather(order), tags);
    const { capacity } = this.#domains;
    this.#cellsOf = undefined;
    this.#counts &&= {
      hits: pick(this.#counts.hits, new Float64Array(capacity)),
      day: pick(this.#counts.day, new Int32Array(capacity)),
      dayHits: pick(this.#counts.dayHits, new Float64Array(capacity)),
      beforeHits: pick(this.#counts.beforeHits, new Float64Array(capacity)),
    };
    this.#lat = pick(this.#lat, new Float64Array(capacity));
    this.#lon = pick(this.#lon, new Float64Array(capacity));
    this.#updatedAt = pick(this.#updatedAt, new Float64Array(capacity));
    this.#country = pick(this.#country, new Uint16Array(capacity));
  }

  /** The state as the columns that clusters are built from: views, valid until the next merge or drop. */
  columns(): StatePoints {
    const { count } = this.#domains;
    const counts = this.#counts;
    return {
      ...(counts && {
        hits: counts.hits.subarray(0, count),
        busiest: counts.dayHits.slice(0, count).map((hits, row) => Math.max(hits, counts.beforeHits[row])),
      }),
      domains: this.#domains.names(),
      lat: this.#lat.subarray(0, count),
      lon: this.#lon.subarray(0, count),
      updatedAt: this.#updatedAt.subarray(0, count),
      country: this.#country.subarray(0, count),
      countries: this.#countries,
    };
  }

  /** Hits of each point by location, in the order of rows. */
  hits(): number[] {
    return Array.from(this.#counts?.hits.subarray(0, this.size) ?? []);
  }

  rows(): Row[] {
    return Array.from({ length: this.size }, (_, row): Row => {
      const country = this.#countries[this.#country[row]];
      return [this.#domains.text(row), this.#lat[row], this.#lon[row], country, this.#updatedAt[row]];
    });
  }
}
