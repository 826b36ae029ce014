import ipaddr from 'ipaddr.js';
import { addressRange } from '#core/address.ts';

/** Is this peer one of the proxies whose X-Forwarded-For we believe? `loopback` and CIDR ranges are understood. */
export function proxyMatcher(trusted: string[]): (address: string) => boolean {
  const ranges = trusted
    .flatMap((entry) => (entry === 'loopback' ? ['127.0.0.0/8', '::1/128'] : [entry]))
    .map((entry) => {
      const range = addressRange(entry);
      if (!range) throw new Error(`trustedProxies: "${entry}" must be an IP address, a CIDR range or "loopback"`);
      return range;
    });
  return (address) => {
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
  };
}

/**
 * The client's address: the connection's own, unless that is a trusted proxy; then the last entry of
 * X-Forwarded-For that no trusted proxy added itself. An entry that is not an address ends the search.
 */
export function clientAddress(
  peer: string,
  forwarded: string | undefined,
  isProxy: (address: string) => boolean,
): string {
  let address = plain(peer);
  const hops = forwarded?.split(',') ?? [];
  while (hops.length > 0 && isProxy(address)) {
    // One at a time: anybody may send thousands.
    const next = plain((hops.pop() as string).trim());
    if (!ipaddr.isValid(next)) break;
    address = next;
  }
  return address;
}

/** Without port and brackets, and an IPv4 one inside IPv6 as IPv4. */
function plain(text: string): string {
  const bare = text.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
  return ipaddr.isValid(bare) ? ipaddr.process(bare).toString() : bare;
}
