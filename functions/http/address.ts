import { addressRange, canonicalAddress, isPrivateAddress, rangeMatcher } from '#core/address.ts';

/** Returns whether a peer is a trusted proxy. Entries may be addresses, CIDR ranges or `loopback`. */
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
 * The client's address: the connection's own unless that is a trusted proxy. Then it is the last forwarded address that
 * is not a trusted proxy's, nor a private one with others before it. An entry that is not an address ends the search.
 */
export function clientAddress(
  peer: string,
  forwarded: string | undefined,
  isProxy: (address: string) => boolean,
): string {
  let address = addressIn(peer) ?? withoutPort(peer);
  if (forwarded === undefined || !isProxy(address)) return address;
  // Read one at a time from the end, because anybody may send thousands.
  for (let end = forwarded.length; end >= 0; ) {
    const comma = end === 0 ? -1 : forwarded.lastIndexOf(',', end - 1);
    const next = addressIn(forwarded.slice(comma + 1, end).trim());
    if (next === undefined) break;
    address = next;
    if (!isProxy(address) && !isPrivateAddress(address)) break;
    end = comma;
  }
  return address;
}

const addressIn = (text: string): string | undefined => canonicalAddress(text) ?? canonicalAddress(withoutPort(text));

/** Removes port and brackets. */
const withoutPort = (text: string): string =>
  text.replace(/^\[(.*)\](:\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1');

/** The `for` entries of a Forwarded header (RFC 7239), comma-separated as X-Forwarded-For has them. */
export function forwardedFor(header: string): string {
  return pieces(header, ',')
    .map((element) => {
      const parameter = pieces(element, ';').find((pair) => /^\s*for\s*=/i.test(pair));
      return parameter?.slice(parameter.indexOf('=') + 1).replace(/["\s]/g, '') ?? '';
    })
    .join();
}

/** Cuts at a separator that is not inside a quoted string. */
function pieces(text: string, separator: ',' | ';'): string[] {
  const found = [];
  let quoted = false;
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '"') quoted = !quoted;
    else if (quoted && text[at] === '\\') at++;
    else if (!quoted && text[at] === separator) {
      found.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...found, text.slice(start)];
}
