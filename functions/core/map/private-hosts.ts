// Hosts that only the owner's own network resolves: they are counted, but are on the map only if the owner wants that.
import ipaddr from 'ipaddr.js';
import { isPrivateAddress } from '../address.ts';
import { nameAt } from '../bytes/names.ts';
import type { Names, Points } from './cluster.ts';

/** RFC 6761 and 6762 (appendix G), RFC 8375, and ICANN's .internal. */
const privateEndings = ['localhost', 'local', 'internal', 'intranet', 'private', 'corp', 'home', 'lan', 'home.arpa'];

/** Whether this canonical domain is a host of a private network: one label, a local ending, or a private address. */
export function isPrivateHost(domain: string): boolean {
  const address = domain.startsWith('[') ? domain.slice(1, -1) : domain;
  if (ipaddr.isValid(address) && (domain.startsWith('[') || ipaddr.IPv4.isValidFourPartDecimal(address)))
    return isPrivateAddress(address);
  return !domain.includes('.') || privateEndings.some((ending) => domain.endsWith(`.${ending}`));
}

/** The points whose domains are not private hosts; the same object when no domain is. */
export function withoutPrivateHosts<P extends Points & { busiest?: Float64Array }>(points: P): P {
  const { domains } = points;
  const kept: number[] = [];
  let dropped = false;
  for (let row = 0; row < points.lat.length; row++) {
    if (mayBePrivate(domains, row) && isPrivateHost(nameAt(domains, row))) dropped = true;
    else kept.push(row);
  }
  return dropped ? { ...points, ...pick(points, kept) } : points;
}

const dot = 46;
const lastBytes = new Set(privateEndings.map((ending) => ending.charCodeAt(ending.length - 1)));

/** A cheap test that is never false for a private domain, because each export checks millions of names. */
function mayBePrivate({ offsets, utf8 }: Names, row: number): boolean {
  const last = utf8[offsets[row + 1] - 1];
  // A digit or ] ends an address; a name without a dot may end in anything.
  if (lastBytes.has(last) || last === 93 || (last >= 48 && last <= 57)) return true;
  for (let at = offsets[row + 1] - 1; at >= offsets[row]; at--) if (utf8[at] === dot) return false;
  return true;
}

function pick(
  { domains, lat, lon, updatedAt, country, countries, hits, busiest }: Points & { busiest?: Float64Array },
  rows: number[],
) {
  const offsets = new Uint32Array(rows.length + 1);
  for (let into = 0; into < rows.length; into++)
    offsets[into + 1] = offsets[into] + domains.offsets[rows[into] + 1] - domains.offsets[rows[into]];
  const utf8 = new Uint8Array(offsets[rows.length]);
  for (let into = 0; into < rows.length; into++)
    utf8.set(domains.utf8.subarray(domains.offsets[rows[into]], domains.offsets[rows[into] + 1]), offsets[into]);
  return {
    domains: { offsets, utf8 },
    lat: Float64Array.from(rows, (row) => lat[row]),
    lon: Float64Array.from(rows, (row) => lon[row]),
    updatedAt: Float64Array.from(rows, (row) => updatedAt[row]),
    country: Uint16Array.from(rows, (row) => country[row]),
    countries,
    ...(hits && { hits: Float64Array.from(rows, (row) => hits[row]) }),
    ...(busiest && { busiest: Float64Array.from(rows, (row) => busiest[row]) }),
  };
}
