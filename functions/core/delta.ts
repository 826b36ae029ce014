// One batch's sums: what process commits and export folds.
import type { HitLine } from './event.ts';

export interface Place {
  lat: number;
  lon: number;
  /** Two-letter code, '' when unknown. */
  country: string;
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
  registryEvents: number;
  quarantined: number;
}

export const noCounters = (): Counters => ({
  hits: 0,
  duplicates: 0,
  unlocated: 0,
  late: 0,
  future: 0,
  registryEvents: 0,
  quarantined: 0,
});

/** Hits of one UTC day, by what they are asked by. */
export interface Sums {
  domain: Record<string, number>;
  country: Record<string, number>;
  action: Record<string, number>;
}

/** A hit with an id, kept apart until export knows whether the id is new. */
export interface Identified {
  id: string;
  arrivedAt: number;
  time: number;
  domain: string;
  action: string;
  place?: Place;
}

export interface Delta {
  shard: string;
  previous: string;
  last: string;
  counters: Counters;
  /** Each domain's newest place: [domain, lat, lon, country, time]. */
  places: [string, number, number, string, number][];
  days: Record<string, Sums>;
  identified: Identified[];
}

const lateMs = 86_400_000;
const futureMs = 5 * 60_000;
export const dayOf = (time: number) => new Date(time).toISOString().slice(0, 10);

export class DeltaBuilder {
  readonly #counters = noCounters();
  readonly #places = new Map<string, [string, number, number, string, number]>();
  readonly #days: Record<string, Sums> = {};
  readonly #identified: Identified[] = [];

  count(name: keyof Counters, by: number): void {
    this.#counters[name] += by;
  }

  /** Hits added so far that did not come late, those with an id included. */
  get promptHits(): number {
    return this.#counters.hits + this.#identified.length - this.#counters.late;
  }

  /** Adds a hit up; `arrivedAt` is the record's own arrival time, so that a retry gives the same. */
  hit({ time, domain, action, id }: HitLine, place: Place | undefined, arrivedAt: number): void {
    if (time > arrivedAt + futureMs) this.#counters.future++;
    else if (time < arrivedAt - lateMs) this.#counters.late++;
    const at = time > arrivedAt + futureMs ? arrivedAt : time;
    if (id !== undefined) {
      this.#identified.push({ id, arrivedAt, time: at, domain, action, place });
      return;
    }
    this.#counters.hits++;
    if (!place) this.#counters.unlocated++;
    addHit(this.#days, at, domain, place?.country ?? '', action);
    if (place) newest(this.#places, [domain, place.lat, place.lon, place.country, at]);
  }

  encode(range: { shard: string; previous: string; last: string }): Uint8Array {
    const delta: Delta = {
      ...range,
      counters: this.#counters,
      places: [...this.#places.values()],
      days: this.#days,
      identified: this.#identified,
    };
    return new TextEncoder().encode(JSON.stringify(delta));
  }
}

/** Throws when the bytes are no delta. */
export function decodeDelta(bytes: Uint8Array): Delta {
  return JSON.parse(new TextDecoder().decode(bytes)) as Delta;
}

export function addHit(
  days: Record<string, Sums>,
  time: number,
  domain: string,
  country: string,
  action: string,
): void {
  const day = dayOf(time);
  let sums = days[day];
  if (!sums) {
    sums = { domain: Object.create(null), country: Object.create(null), action: Object.create(null) };
    days[day] = sums;
  }
  sums.domain[domain] = (sums.domain[domain] ?? 0) + 1;
  sums.country[country] = (sums.country[country] ?? 0) + 1;
  sums.action[action] = (sums.action[action] ?? 0) + 1;
}

/** Newest wins; ties go by coordinates, so that the merge commutes. */
export function newest<T extends [string, number, number, string, number]>(places: Map<string, T>, place: T): void {
  const [domain, lat, lon, , time] = place;
  const held = places.get(domain);
  if (!held || time > held[4] || (time === held[4] && (lat > held[1] || (lat === held[1] && lon > held[2]))))
    places.set(domain, place);
}
