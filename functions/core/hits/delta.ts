// One batch's sums: what process commits and export folds.
//
// Each hit costs one look-up in a table of (day, domain), one in a table of (day, action), and a few additions in
// columns; it makes no object or string. The day is the hit's own UTC day, under this rule:
//   late    stamped more than a day before its record arrived: counts on its own day, and as `late`
//   future  stamped more than five minutes after its record arrived: counts at the record's arrival, and as `future`
// The record's arrival is the only clock, so that a repeated batch gives the same delta.
//
// If points are by location, a domain's located hits are summed in further rows of the same columns, one per cell
// (cells.ts): the sum over all of a domain's rows is the same, and each row has the newest location in its cell.
//
// A hit with an id is listed separately: only export, which knows the ids of the last hours, can decide whether it
// counts.

import { packColumns, unpackColumns } from '../bytes/columns.ts';
import { grown, NameTable, nameAt, nameOf } from '../bytes/names.ts';
import type { Names } from '../map/cluster.ts';
import { CellRows, cellOf } from './cells.ts';
import { type HitBytes, type LineSink, readLines } from './hit.ts';
import { hitLimits, other } from './limits.ts';

export interface Location {
  /** Degrees; both are NaN when only the country is known. */
  lat: number;
  lon: number;
  /** Two-letter code, '' when unknown. */
  country: string;
}

/** Locations of addresses, by number: what the fold needs from an IP table. */
export interface Locations {
  /**
   * Returns the number of the location of the address in bytes[start .. end); -1 when it is private, unknown or not an
   * address.
   */
  find(bytes: Uint8Array, start: number, end: number): number;
  /** `find` for `count` addresses, into `found`: quicker, because memory accesses overlap. */
  findAll?(bytes: Uint8Array, starts: Int32Array, ends: Int32Array, count: number, found: Int32Array): void;
  /** False if only the country is known: the hit counts for the country, but not for a location on the map. */
  hasCoordinates(location: number): boolean;
  lat(location: number): number;
  lon(location: number): number;
  /** Index into `countries`. */
  country(location: number): number;
  readonly countries: readonly string[];
}

export interface Counters {
  hits: number;
  /** Redelivered registry events, and hits whose id was seen within the hour. */
  duplicates: number;
  /** Hits whose address has no coordinates. */
  unlocated: number;
  /** Hits stamped more than a day before they arrived: counted on their own day. */
  late: number;
  /** Hits stamped more than five minutes after they arrived: counted on the day of arrival. */
  future: number;
  /** Hits whose domain, or cell of a domain, exceeded a limit (limits.ts): counted as `other`. */
  other: number;
  registryEvents: number;
  quarantined: number;
}

export const noCounters = (): Counters => ({
  hits: 0,
  duplicates: 0,
  unlocated: 0,
  late: 0,
  future: 0,
  other: 0,
  registryEvents: 0,
  quarantined: 0,
});

const otherName = nameOf(other);
const dayMs = 86_400_000;
const lateMs = dayMs;
const futureMs = 5 * 60_000;

/** Days since the epoch. */
export const dayOf = (time: number) => Math.floor(time / dayMs);
/** Days since the epoch as `2026-11-21`. */
export const dayName = (day: number) => new Date(day * dayMs).toISOString().slice(0, 10);
/** The reverse of dayName. */
export const dayNumber = (name: string) => dayOf(Date.parse(name));

/**
 * Whether this location replaces the current one. The newest wins; ties are broken by latitude, longitude and country,
 * so that the order in which locations come does not matter.
 */
export function wins(time: number, location: Location, heldTime: number, held: Location): boolean {
  if (time !== heldTime) return time > heldTime;
  if (location.lat !== held.lat) return location.lat > held.lat;
  if (location.lon !== held.lon) return location.lon > held.lon;
  return location.country > held.country;
}

/**
 * What a point of the map is: a domain at the location of its newest hit, or a domain in each city-sized cell
 * (cells.ts).
 */
export type PointsBy = 'domain' | 'location';

const kind = 'delta/1';
/** Hits whose addresses are looked up together. */
const blockHits = 256;

/** Adds up a batch's hits, record by record, and encodes the sums as a delta. */
export interface HitSums {
  /** Adds up a record's hits, and passes on its other lines. */
  read(data: Uint8Array, arrivedAt: number, sink: Omit<LineSink, 'hit'>): void;
  /** Hits read so far that were not late, including those with an id. */
  readonly promptHits: number;
  /** Encodes the delta; nothing may be added afterwards. */
  close(): void;
  count(name: keyof Counters, by: number): void;
  encode(range: DeltaRange): Uint8Array<ArrayBuffer>;
}

export interface DeltaRange {
  shard: string;
  previous: string;
  last: string;
}

/** The reference implementation: functions/process/kernel.ts gives the same bytes faster. */
export class DeltaBuilder implements HitSums {
  readonly #locations: Locations;
  readonly #counters = noCounters();

  /**
   * Rows of (domain, day), with the hits without an id, which count in any case, and the newest location among them.
   */
  readonly #domains = new NameTable();
  #hits = new Uint32Array(this.#domains.capacity);
  #time = new Float64Array(this.#domains.capacity).fill(-1);
  #location = new Int32Array(this.#domains.capacity);

  /**
   * Rows of (domain's row, cell), with the hits without an id and the newest location; undefined if points are by
   * domain.
   */
  readonly #cells: CellRows | undefined;
  #cellHits = new Uint32Array(512);
  #cellTime = new Float64Array(512).fill(-1);
  #cellLocation = new Int32Array(512);

  /** Rows of (action, day). */
  readonly #actions = new NameTable(16);
  #actionHits = new Uint32Array(this.#actions.capacity);

  /** For each day, hits by index of country + 1 (0: unknown). */
  readonly #days = new Map<number, Uint32Array<ArrayBuffer>>();
  #day = -1;
  #countryHits = new Uint32Array(0);

  readonly #identified = new Identified();

  // Hits of one record that are counted but not located yet.
  #waiting = 0;
  #bytes = new Uint8Array(0);
  readonly #starts = new Int32Array(blockHits);
  readonly #ends = new Int32Array(blockHits);
  readonly #found = new Int32Array(blockHits);
  readonly #times = new Float64Array(blockHits);
  readonly #hitDays = new Int32Array(blockHits);
  /** Row of the domain; for a hit with an id, ~row, where row is that of the hit itself. */
  readonly #rows = new Int32Array(blockHits);

  constructor(locations: Locations, points: PointsBy = 'domain') {
    this.#locations = locations;
    this.#cells = points === 'location' ? new CellRows() : undefined;
  }

  count(name: keyof Counters, by: number): void {
    this.#counters[name] += by;
  }

  read(data: Uint8Array, arrivedAt: number, sink: Omit<LineSink, 'hit'>): void {
    readLines(data, { ...sink, hit: (hit) => this.hit(hit, arrivedAt) });
  }

  close(): void {}

  get promptHits(): number {
    return this.#counters.hits + this.#identified.count - this.#counters.late;
  }

  /** Adds a hit; `arrivedAt` is the arrival of its record, in milliseconds. */
  hit(hit: HitBytes, arrivedAt: number): void {
    // Never later than the arrival, so that a hit from a sender whose clock is ahead does not stay the newest.
    const time = Math.min(hit.time, arrivedAt);
    if (hit.time > arrivedAt + futureMs) this.#counters.future++;
    else if (time < arrivedAt - lateMs) this.#counters.late++;

    const day = dayOf(time);
    const { view } = hit;
    const { domainsPerBatch, actionsPerBatch } = hitLimits;
    const { domainStart, domainEnd, actionStart, actionEnd } = hit;
    const domain = this.#domains.internUpTo(
      domainsPerBatch,
      otherName,
      view,
      domainStart,
      domainEnd,
      hit.domainHash,
      day,
    );
    const action = this.#actions.internUpTo(
      actionsPerBatch,
      otherName,
      view,
      actionStart,
      actionEnd,
      hit.actionHash,
      day,
    );
    if (this.#domains.isNamed(domain, otherName)) this.#counters.other++;
    if (domain >= this.#hits.length) this.#growDomains();
    if (action >= this.#actionHits.length) this.#actionHits = grown(this.#actionHits, this.#actions.capacity);
    let row = domain;
    if (hit.idStart >= 0)
      row = ~this.#identified.add(hit.bytes, hit.idStart, hit.idEnd, arrivedAt, time, domain, action);
    else {
      this.#counters.hits++;
      this.#hits[domain]++;
      this.#actionHits[action]++;
    }
    if (this.#waiting === blockHits || hit.bytes !== this.#bytes) this.#locateWaiting();
    const at = this.#waiting++;
    this.#bytes = hit.bytes as Uint8Array<ArrayBuffer>;
    this.#starts[at] = hit.addressStart;
    this.#ends[at] = hit.addressEnd;
    this.#times[at] = time;
    this.#hitDays[at] = day;
    this.#rows[at] = row;
  }

  #locateWaiting(): void {
    const count = this.#waiting;
    const bytes = this.#bytes;
    const starts = this.#starts;
    const ends = this.#ends;
    const found = this.#found;
    const locations = this.#locations;
    if (locations.findAll) locations.findAll(bytes, starts, ends, count, found);
    else for (let at = 0; at < count; at++) found[at] = locations.find(bytes, starts[at], ends[at]);
    for (let at = 0; at < count; at++) {
      if (this.#rows[at] < 0) {
        const hit = ~this.#rows[at];
        this.#identified.locate(hit, found[at], this.#cellRow(this.#identified.domainOf(hit), found[at]));
        continue;
      }
      if (this.#hitDays[at] !== this.#day) this.#turn(this.#hitDays[at]);
      this.#countLocated(this.#rows[at], this.#times[at], found[at]);
    }
    this.#waiting = 0;
  }

  /** Counts a hit for its country, and updates its domain's newest location. */
  #countLocated(domain: number, time: number, location: number): void {
    if (location < 0) {
      this.#counters.unlocated++;
      this.#countryHits[0]++;
      return;
    }
    const country = this.#locations.country(location) + 1;
    if (country >= this.#countryHits.length) this.#growCountries(country);
    this.#countryHits[country]++;
    if (!this.#locations.hasCoordinates(location)) {
      this.#counters.unlocated++;
      return;
    }
    if (this.#cells) {
      const row = this.#cellRow(domain, location);
      if (row < 0) {
        this.#counters.other++;
        return;
      }
      this.#cellHits[row]++;
      const held = this.#cellTime[row];
      if (time < held || (time === held && !this.#winsTie(location, this.#cellLocation[row]))) return;
      this.#cellTime[row] = time;
      this.#cellLocation[row] = location;
      return;
    }
    const held = this.#time[domain];
    if (time > held || (time === held && this.#winsTie(location, this.#location[domain]))) {
      this.#time[domain] = time;
      this.#location[domain] = location;
    }
  }

  /**
   * The row of a domain's cell; -1 if points are by domain, the domain has the most cells already, or there is no
   * location.
   */
  #cellRow(domain: number, location: number): number {
    const cells = this.#cells;
    if (!cells || location < 0 || !this.#locations.hasCoordinates(location)) return -1;
    const cell = cellOf(this.#locations.lat(location), this.#locations.lon(location));
    const row = cells.rowOf(domain, cell, hitLimits.cellsPerBatch);
    if (row >= this.#cellHits.length) {
      const held = this.#cellTime.length;
      this.#cellHits = grown(this.#cellHits, cells.capacity);
      this.#cellLocation = grown(this.#cellLocation, cells.capacity);
      this.#cellTime = grown(this.#cellTime, cells.capacity).fill(-1, held);
    }
    return row;
  }

  #turn(day: number): void {
    this.#day = day;
    this.#countryHits = this.#days.get(day) ?? new Uint32Array(256);
    this.#days.set(day, this.#countryHits);
  }

  #growDomains(): void {
    const { capacity } = this.#domains;
    const held = this.#time.length;
    this.#hits = grown(this.#hits, capacity);
    this.#location = grown(this.#location, capacity);
    this.#time = grown(this.#time, capacity).fill(-1, held);
  }

  #growCountries(country: number): void {
    this.#countryHits = grown(this.#countryHits, 2 * country);
    this.#days.set(this.#day, this.#countryHits);
  }

  #winsTie(location: number, held: number): boolean {
    return location !== held && wins(0, locationOf(this.#locations, location), 0, locationOf(this.#locations, held));
  }

  encode(range: DeltaRange): Uint8Array<ArrayBuffer> {
    this.#locateWaiting();
    const byCountry: CountryRow[] = [];
    for (const [day, hits] of this.#days)
      for (let code = 0; code < hits.length; code++) if (hits[code] > 0) byCountry.push([day, code, hits[code]]);
    const actions = this.#actions.count;
    return encodeSums(range, this.#locations, {
      counters: this.#counters,
      byCountry,
      domains: this.#rowsByCell(),
      actions: {
        names: this.#actions.names(),
        day: this.#actions.tags.subarray(0, actions),
        hits: this.#actionHits.subarray(0, actions),
      },
      identified: this.#identified.columns(this.#cells && this.#domains.count),
    });
  }

  /** Rows of (domain, day), followed by rows of their cells, which contain the located hits. */
  #rowsByCell() {
    const { count } = this.#domains;
    const rows = {
      names: this.#domains.names() as Names,
      day: this.#domains.tags.subarray(0, count),
      hits: this.#hits.subarray(0, count),
      time: this.#time.subarray(0, count),
      location: this.#location.subarray(0, count),
    };
    const cells = this.#cells;
    if (!cells) return rows;
    const domains = cells.domains.subarray(0, cells.count);
    const both = <T extends Int32Array | Uint32Array | Float64Array>(own: T, more: T): T => {
      const joined = grown(own, count + cells.count);
      joined.set(more.subarray(0, cells.count), count);
      return joined;
    };
    const hits = both(rows.hits, this.#cellHits);
    for (let row = 0; row < cells.count; row++) hits[domains[row]] -= this.#cellHits[row];
    return {
      names: this.#domains.gather(Uint32Array.from([...Array(count).keys(), ...domains])),
      day: both(rows.day, rows.day.length === 0 ? rows.day : domains.map((domain) => rows.day[domain])),
      hits,
      time: both(rows.time, this.#cellTime),
      location: both(rows.location, this.#cellLocation),
    };
  }
}

/** A batch's sums in columns. Locations are numbers of `Locations`. */
export interface SumColumns {
  counters: Counters;
  byCountry: CountryRow[];
  domains: {
    names: Names;
    day: Int32Array;
    hits: Uint32Array;
    /** Time of the newest located hit; -1 if there is none, and `location` is meaningless. */
    time: Float64Array;
    location: Int32Array;
  };
  actions: { names: Names; day: Int32Array; hits: Uint32Array };
  /** Hits with an id. */
  identified: {
    low: Int32Array;
    high: Int32Array;
    arrivedAt: Float64Array;
    time: Float64Array;
    domain: Uint32Array;
    action: Uint32Array;
    /** -1: none. */
    location: Int32Array;
    /** Rows of which only the country counts, because their cell exceeded the limit. */
    outside?: number[];
  };
}

export function encodeSums(
  range: DeltaRange,
  locations: Locations,
  { counters, byCountry, domains, actions, identified }: SumColumns,
): Uint8Array<ArrayBuffer> {
  const coordinates = coordinatesOf(locations, domains.location, 1, (row) => domains.time[row] >= 0);
  /**
   * 0: not located; otherwise index of country + 2, so that coordinates with an unknown country are kept. With only a
   * country, coordinates are NaN.
   */
  const idCoordinates = coordinatesOf(locations, identified.location, 2, (row) => identified.location[row] >= 0);
  for (const row of identified.outside ?? []) idCoordinates.lat[row] = Number.NaN;
  // Must be last, because looking up a location's country may add a new country.
  const meta: Meta = { ...range, counters, countries: ['', ...locations.countries], byCountry };
  return packColumns(kind, meta, {
    domainOffsets: domains.names.offsets,
    domainNames: domains.names.utf8,
    domainDay: domains.day,
    domainHits: domains.hits,
    domainTime: domains.time,
    domainLat: coordinates.lat,
    domainLon: coordinates.lon,
    domainCountry: coordinates.country,
    actionOffsets: actions.names.offsets,
    actionNames: actions.names.utf8,
    actionDay: actions.day,
    actionHits: actions.hits,
    idLow: identified.low,
    idHigh: identified.high,
    idArrivedAt: identified.arrivedAt,
    idTime: identified.time,
    idDomain: identified.domain,
    idAction: identified.action,
    idLat: idCoordinates.lat,
    idLon: idCoordinates.lon,
    idCountry: idCoordinates.country,
  });
}

/** Coordinates and country + `first` of numbered locations; zeros for an unknown location. */
function coordinatesOf(locations: Locations, numbers: Int32Array, first: number, isLocated: (row: number) => boolean) {
  const lat = new Float64Array(numbers.length);
  const lon = new Float64Array(numbers.length);
  const country = new Uint16Array(numbers.length);
  for (let row = 0; row < numbers.length; row++) {
    if (!isLocated(row)) continue;
    const location = numbers[row];
    lat[row] = locations.lat(location);
    lon[row] = locations.lon(location);
    country[row] = locations.country(location) + first;
  }
  return { lat, lon, country };
}

const locationOf = (locations: Locations, location: number): Location => ({
  lat: locations.lat(location),
  lon: locations.lon(location),
  country: locations.countries[locations.country(location)],
});

/** Hits with an id, in columns. */
class Identified {
  count = 0;
  #low = new Int32Array(16);
  #high = new Int32Array(16);
  #arrivedAt = new Float64Array(16);
  #time = new Float64Array(16);
  #domain = new Uint32Array(16);
  #action = new Uint32Array(16);
  #location = new Int32Array(16);
  /** Row of the domain's cell; -1 if there is none. */
  #cell = new Int32Array(16);

  add(
    bytes: Uint8Array,
    start: number,
    end: number,
    arrivedAt: number,
    time: number,
    domain: number,
    action: number,
  ): number {
    const row = this.count++;
    if (row === this.#low.length) this.#grow(row * 2);
    // A 64-bit hash: two folds with different steps, each mixed with the other's result.
    let low = 0x9747b28c;
    let high = 0x3c6ef372;
    for (let at = start; at < end; at++) {
      low = Math.imul(low ^ bytes[at], 0x01000193);
      high = Math.imul(high, 0x2c1b3c6d) + bytes[at];
    }
    low = stir(low ^ (end - start), high);
    this.#low[row] = low;
    this.#high[row] = stir(high, low);
    this.#arrivedAt[row] = arrivedAt;
    this.#time[row] = time;
    this.#domain[row] = domain;
    this.#action[row] = action;
    return row;
  }

  domainOf(row: number): number {
    return this.#domain[row];
  }

  locate(row: number, location: number, cell: number): void {
    this.#location[row] = location;
    this.#cell[row] = cell;
  }

  #grow(length: number): void {
    this.#low = grown(this.#low, length);
    this.#high = grown(this.#high, length);
    this.#arrivedAt = grown(this.#arrivedAt, length);
    this.#time = grown(this.#time, length);
    this.#domain = grown(this.#domain, length);
    this.#action = grown(this.#action, length);
    this.#location = grown(this.#location, length);
    this.#cell = grown(this.#cell, length);
  }

  /** `before`: pairs of a domain and a day, which precede the rows of cells; undefined if there are no cells. */
  columns(before: number | undefined): SumColumns['identified'] {
    const { count } = this;
    const domain = this.#domain.slice(0, count);
    const outside: number[] = [];
    if (before !== undefined)
      for (let row = 0; row < count; row++)
        if (this.#cell[row] >= 0) domain[row] = before + this.#cell[row];
        else if (this.#location[row] >= 0) outside.push(row);
    return {
      low: this.#low.subarray(0, count),
      high: this.#high.subarray(0, count),
      arrivedAt: this.#arrivedAt.subarray(0, count),
      time: this.#time.subarray(0, count),
      domain,
      action: this.#action.subarray(0, count),
      location: this.#location.subarray(0, count),
      outside,
    };
  }
}

/** The finalizer of MurmurHash3 (public domain), with a second word mixed in. */
function stir(word: number, other: number): number {
  let mixed = word ^ Math.imul(other, 0x9e3779b1);
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Days since the epoch, index into `countries`, hits. */
export type CountryRow = [day: number, country: number, hits: number];

interface Meta {
  shard: string;
  previous: string;
  last: string;
  counters: Counters;
  /** '' comes first. */
  countries: string[];
  byCountry: CountryRow[];
}

/** The part of `Seen` (seen.ts) that a delta needs: true when the id is new within the hour. */
export interface IdWindow {
  add(low: number, high: number, arrivedAt: number): boolean;
}

/** A committed batch's sums, decoded. */
export class Delta {
  readonly shard: string;
  readonly previous: string;
  readonly last: string;
  readonly counters: Counters;
  readonly countries: string[];
  readonly domains: {
    names: Names;
    day: Int32Array;
    hits: Uint32Array;
    /** The location of the newest hit that has one; -1 where none has. */
    time: Float64Array;
    lat: Float64Array;
    lon: Float64Array;
    /** Index into `countries`. */
    country: Uint16Array;
  };
  readonly actions: { names: Names; day: Int32Array; hits: Uint32Array };
  readonly byCountry: CountryRow[];
  readonly #columns: DeltaColumns;

  constructor(meta: Meta, columns: DeltaColumns) {
    this.shard = meta.shard;
    this.previous = meta.previous;
    this.last = meta.last;
    this.counters = meta.counters;
    this.countries = meta.countries;
    this.byCountry = meta.byCountry;
    // Copies the columns that settle() writes to: the bytes may belong to a store.
    const own = columns.idLow.length > 0;
    const mine = <T extends Uint32Array | Float64Array | Uint16Array>(column: T) =>
      own ? (column.slice() as T) : column;
    this.domains = {
      names: { offsets: columns.domainOffsets, utf8: columns.domainNames },
      day: columns.domainDay,
      hits: mine(columns.domainHits),
      time: mine(columns.domainTime),
      lat: mine(columns.domainLat),
      lon: mine(columns.domainLon),
      country: mine(columns.domainCountry),
    };
    this.actions = {
      names: { offsets: columns.actionOffsets, utf8: columns.actionNames },
      day: columns.actionDay,
      hits: mine(columns.actionHits),
    };
    this.#columns = columns;
  }

  /** The UTC days that any of its hits fall on, as days since the epoch. */
  get days(): number[] {
    return [...new Set(this.actions.day)];
  }

  /**
   * Each domain's newest location among its hits of a day without an id, or with a settled one: [domain, lat, lon,
   * country, time].
   */
  get locations(): Iterable<[domain: string, lat: number, lon: number, country: string, time: number]> {
    return this.#located();
  }

  /** Made one at a time: in a flood of fifty thousand domains, few are read. */
  *#located(): Generator<[domain: string, lat: number, lon: number, country: string, time: number]> {
    const { names, time, lat, lon, country } = this.domains;
    for (let row = 0; row < time.length; row++)
      if (time[row] >= 0) yield [nameAt(names, row), lat[row], lon[row], this.countries[country[row]], time[row]];
  }

  /** How many hits came with an id. */
  get identified(): number {
    return this.#columns.idLow.length;
  }

  /**
   * Adds the hits whose id was not seen within the hour, and counts the others as duplicates. Must be called once,
   * before the delta is merged into any state.
   */
  settle(seen: IdWindow): void {
    const { idLow, idHigh, idArrivedAt, idTime, idDomain, idAction, idLat, idLon, idCountry } = this.#columns;
    const { domains, counters, countries } = this;
    const rows = new Map(this.byCountry.map((row) => [row[0] * 65_536 + row[1], row]));
    for (let hit = 0; hit < idLow.length; hit++) {
      if (!seen.add(idLow[hit], idHigh[hit], idArrivedAt[hit])) {
        counters.duplicates++;
        continue;
      }
      counters.hits++;
      const domain = idDomain[hit];
      domains.hits[domain]++;
      this.actions.hits[idAction[hit]]++;
      const country = Math.max(0, idCountry[hit] - 1);
      const key = domains.day[domain] * 65_536 + country;
      const row = rows.get(key) ?? [domains.day[domain], country, 0];
      if (row[2]++ === 0) {
        rows.set(key, row);
        this.byCountry.push(row);
      }
      if (idCountry[hit] === 0 || Number.isNaN(idLat[hit])) {
        counters.unlocated++;
        continue;
      }
      const location = { lat: idLat[hit], lon: idLon[hit], country: countries[country] };
      const held = { lat: domains.lat[domain], lon: domains.lon[domain], country: countries[domains.country[domain]] };
      if (!wins(idTime[hit], location, domains.time[domain], held)) continue;
      domains.time[domain] = idTime[hit];
      domains.lat[domain] = location.lat;
      domains.lon[domain] = location.lon;
      domains.country[domain] = country;
    }
  }
}

type DeltaColumns = {
  domainOffsets: Uint32Array;
  domainNames: Uint8Array;
  domainDay: Int32Array;
  domainHits: Uint32Array;
  domainTime: Float64Array;
  domainLat: Float64Array;
  domainLon: Float64Array;
  domainCountry: Uint16Array;
  actionOffsets: Uint32Array;
  actionNames: Uint8Array;
  actionDay: Int32Array;
  actionHits: Uint32Array;
  idLow: Int32Array;
  idHigh: Int32Array;
  idArrivedAt: Float64Array;
  idTime: Float64Array;
  idDomain: Uint32Array;
  idAction: Uint32Array;
  idLat: Float64Array;
  idLon: Float64Array;
  idCountry: Uint16Array;
};

/** Throws Torn if the bytes are not a delta, or are truncated. */
export function decodeDelta(bytes: Uint8Array): Delta {
  const { meta, columns } = unpackColumns<DeltaColumns>(kind, bytes);
  return new Delta(meta as Meta, columns);
}
