import { open, stat } from 'node:fs/promises';
import maxmind, { type CityResponse, type Reader } from 'maxmind';
import { isColumns } from '#core/bytes/columns.ts';
import type { HitSums, Location, Locations } from '#core/hits/delta.ts';
import { type Network, type Networks, networkFinder } from '#core/networks.ts';
import { type FlatResponse, locationOf } from '#geo/city.ts';
import { beyondTable, IpTable } from '#geo/table.ts';
import { kernelRoom } from './kernel.ts';

export interface Locator {
  /** Resolves when addresses can be looked up; without it they always can. */
  open?(): Promise<void>;
  /**
   * Returns the location of an address, perhaps only its country; undefined if it is private, unknown or not an
   * address.
   */
  locate(address: string): Location | undefined;
  /** The same for addresses as bytes, if the locator numbers its locations. */
  readonly locations?: Locations;
  /**
   * Starts the sums of a batch of so many bytes, if the locator has a kernel; undefined if the kernel is in use or too
   * small.
   */
  begin?(bytes: number): HitSums | undefined;
}

/** A locator's locations by number; if it has no numbers itself, locations are numbered as they occur. */
export function locationsOf(locator: Locator): Locations {
  if (locator.locations) return locator.locations;
  const met: Location[] = [];
  const countries: string[] = [];
  const decoder = new TextDecoder();
  return {
    countries,
    find(bytes, start, end) {
      const location = locator.locate(decoder.decode(bytes.subarray(start, end)));
      return location ? met.push(location) - 1 : -1;
    },
    hasCoordinates: (location) => !Number.isNaN(met[location].lat),
    lat: (location) => met[location].lat,
    lon: (location) => met[location].lon,
    country(location) {
      const { country } = met[location];
      const index = countries.indexOf(country);
      return index < 0 ? countries.push(country) - 1 : index;
    },
  };
}

/**
 * Opens a table made by layers/geo/build.ts, or City databases directly (MaxMind's own schema or DB-IP's flat one). Of
 * several databases the first that knows an address is used. Tables and databases give the same locations, but a table
 * is far quicker. The owner's networks take precedence over both.
 */
export async function openLocator(files: string[], networks: Networks = {}): Promise<Locator> {
  const locator = await openFiles(files);
  return Object.keys(networks).length === 0 ? locator : withNetworks(locator, networks);
}

async function openFiles(files: string[]): Promise<Locator> {
  if (files.length === 1 && (await isTable(files[0]))) {
    const { bytes, kernelOf } = kernelRoom((await stat(files[0])).size);
    await readInto(files[0], bytes);
    const table = new IpTable(bytes);
    const kernel = kernelOf(table);
    return {
      locate: (address) => table.locate(address),
      locations: table,
      begin: (bytes) => kernel?.begin(bytes),
    };
  }
  const readers = await Promise.all(files.map((file) => maxmind.open<CityResponse & FlatResponse>(file)));
  return {
    locate(address) {
      if (!maxmind.validate(address)) return undefined;
      const plain = address.replace(/^::ffff:(\d+\.\d+\.\d+\.\d+)$/i, '$1');
      for (const reader of readers) {
        const found = lookUp(reader, plain);
        if (found) return found;
      }
    },
  };
}

/** Looks in the owner's networks first. Their locations are numbered after those of a table. */
function withNetworks(locator: Locator, networks: Networks): Locator {
  const find = networkFinder(networks);
  const locate = (address: string): Location | undefined => {
    const network = find(address);
    return network ? { lat: network.lat, lon: network.lon, country: network.country } : locator.locate(address);
  };
  const { locations } = locator;
  if (!locations) return { locate };
  const own: Network[] = Object.values(networks);
  const countries = [...new Set([...locations.countries, ...own.map(({ country }) => country)])];
  const decoder = new TextDecoder();
  return {
    locate,
    locations: {
      countries,
      find(bytes, start, end) {
        const network = find(decoder.decode(bytes.subarray(start, end)));
        return network ? beyondTable + own.indexOf(network) : locations.find(bytes, start, end);
      },
      hasCoordinates: (location) => location >= beyondTable || locations.hasCoordinates(location),
      lat: (location) => own[location - beyondTable]?.lat ?? locations.lat(location),
      lon: (location) => own[location - beyondTable]?.lon ?? locations.lon(location),
      country: (location) =>
        location >= beyondTable ? countries.indexOf(own[location - beyondTable].country) : locations.country(location),
    },
  };
}

async function readInto(file: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(file);
  try {
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) throw new Error(`${file} ends after ${at} bytes of ${bytes.length}`);
      at += bytesRead;
    }
  } finally {
    await handle.close();
  }
}

async function isTable(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(new Uint8Array(4), 0, 4, 0);
    return isColumns(buffer);
  } finally {
    await handle.close();
  }
}

function lookUp(reader: Reader<CityResponse & FlatResponse>, address: string): Location | undefined {
  // An IPv6 address in an IPv4-only database is unknown, not an error.
  if (address.includes(':') && reader.metadata.ipVersion === 4) return undefined;
  return locationOf(reader.get(address));
}
