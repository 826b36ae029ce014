// The owner's own networks: offices and VPNs, whose addresses no City database can place.
import ipaddr from 'ipaddr.js';
import { addressRange } from './address.ts';

export interface Network {
  /** Degrees. */
  lat: number;
  lon: number;
  /** Two-letter code, '' if not given. */
  country: string;
  /** The name shown to people. */
  name: string;
}

/** Networks by their range in CIDR notation, or by an address. */
export type Networks = Readonly<Record<string, Network>>;

/**
 * Finds the narrowest network that contains an address; undefined if none does or the text is not an address. Throws
 * for an invalid range.
 */
export function networkFinder(networks: Networks): (address: string) => Network | undefined {
  const ranges = Object.entries(networks)
    .map(([text, network]) => {
      const range = addressRange(text);
      if (!range) throw new Error(`networks: "${text}" must be an IP address or a CIDR range`);
      return { range, network };
    })
    .sort((a, b) => b.range[1] - a.range[1]);
  return (address) => {
    if (!ipaddr.isValid(address)) return undefined;
    const parsed = ipaddr.process(address);
    return ranges.find(({ range }) => parsed.kind() === range[0].kind() && parsed.match(range))?.network;
  };
}
