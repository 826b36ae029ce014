import maxmind, { type CityResponse, type Reader } from 'maxmind';
import type { Place, Places } from '#core/delta.ts';

export interface Locator {
  /** Where an address is; undefined when it is private, unknown or no address. */
  locate(address: string): Place | undefined;
  /** The same for addresses as bytes, when the locator has numbered its places. */
  readonly places?: Places;
}

/** A locator's places by number; numbered as they are met, when it has no numbers of its own. */
export function placesOf(locator: Locator): Places {
  if (locator.places) return locator.places;
  const met: Place[] = [];
  const countries: string[] = [];
  const decoder = new TextDecoder();
  return {
    countries,
    find(bytes, start, end) {
      const place = locator.locate(decoder.decode(bytes.subarray(start, end)));
      return place ? met.push(place) - 1 : -1;
    },
    lat: (place) => met[place].lat,
    lon: (place) => met[place].lon,
    country(place) {
      const { country } = met[place];
      const index = countries.indexOf(country);
      return index < 0 ? countries.push(country) - 1 : index;
    },
  };
}

/** The flat shape of DB-IP's files. */
interface FlatResponse {
  latitude?: number;
  longitude?: number;
  country_code?: string;
}

/** Opens City databases (MaxMind's own shape or DB-IP's flat one); the first that knows an address answers. */
export async function openLocator(files: string[]): Promise<Locator> {
  const readers = await Promise.all(files.map((file) => maxmind.open<CityResponse & FlatResponse>(file)));
  return {
    locate(address) {
      if (!maxmind.validate(address)) return undefined;
      for (const reader of readers) {
        const found = lookUp(reader, address);
        if (found) return found;
      }
    },
  };
}

function lookUp(reader: Reader<CityResponse & FlatResponse>, address: string): Place | undefined {
  // An IPv6 address in a database of IPv4 ones is unknown, not wrong.
  if (address.includes(':') && reader.metadata.ipVersion === 4) return undefined;
  const found = reader.get(address);
  const lat = found?.location?.latitude ?? found?.latitude;
  const lon = found?.location?.longitude ?? found?.longitude;
  if (lat === undefined || lon === undefined) return undefined;
  return { lat, lon, country: found?.country?.iso_code ?? found?.country_code ?? '' };
}
