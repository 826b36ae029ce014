import { addressRange, canonicalAddress, rangeMatcher } from '#core/address.ts';

/** Is this peer one of the proxies whose X-Forwarded-For we believe? `loopback` and CIDR ranges are understood. */
export function proxyMatcher(trusted: string[]): (address: string) => boolean {
  return rangeMatcher(
    trusted
      .flatMap((entry) => (entry === 'loopback' ? ['127.0.0.0/8', '::1/128'] : [entry]))
      .map((entry) => {
        const range = addressRange(entry);
        if (!range) throw new Error(`trustedProxies: "${entry}" must be an IP address, a CIDR range or "loopback"`);
        return range;
      }),
  );
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
  let address = addressIn(peer) ?? withoutPort(peer);
  // One at a time from the end: anybody may send thousands.
  for (let end = forwarded?.length ?? 0; forwarded !== undefined && end >= 0 && isProxy(address); ) {
    const comma = end === 0 ? -1 : forwarded.lastIndexOf(',', end - 1);
    const next = addressIn(forwarded.slice(comma + 1, end).trim());
    if (next === undefined) break;
    address = next;
    end = comma;
  }
  return address;
}

const addressIn = (text: string): string | undefined => canonicalAddress(text) ?? canonicalAddress(withoutPort(text));

/** Without port and brackets. */
const withoutPort = (text: string): string =>
  text.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');
