// The syntax of IP addresses and ranges: ipaddr.js decides. Every hit has an address, so the common notations are
// parsed here directly, with the same result (test/core/address.test.ts).
import ipaddr from 'ipaddr.js';

const mapped = '::ffff:';
const dot = 46;
const colon = 58;

/** An address, or a range in CIDR notation, as [network, bits]; undefined when it is neither. */
export function addressRange(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] | undefined {
  try {
    return ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`);
  } catch {
    return undefined;
  }
}

export const isLoopback = (address = ''): boolean =>
  ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback';

/**
 * The canonical spelling of an address: IPv4 dotted, IPv6 by RFC 5952, an IPv4 one inside IPv6 as IPv4. Undefined when
 * the text is not an address.
 */
export function canonicalAddress(text: string): string | undefined {
  if (dotted(text, 0) >= 0) return text;
  if (text.startsWith(mapped) && dotted(text, mapped.length) >= 0) return text.slice(mapped.length);
  if (readGroups(text)) return isMapped() ? ipv4Inside() : writeGroups();
  return ipaddr.isValid(text) ? ipaddr.process(text).toString() : undefined;
}

/** Whether an address is in one of the ranges. An IPv4-mapped IPv6 address counts as IPv4 here, too. */
export function rangeMatcher(ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][]): (address: string) => boolean {
  const four = ranges
    .filter(([network]) => network.kind() === 'ipv4')
    .map(([network, bits]) => {
      const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0;
      return { mask, network: (dotted(network.toString(), 0) & mask) >>> 0 };
    });
  return (address) => {
    const value = dotted(address, 0);
    if (value >= 0) return four.some(({ mask, network }) => (value & mask) >>> 0 === network);
    if (!ipaddr.isValid(address)) return false;
    const parsed = ipaddr.process(address);
    return ranges.some(([network, bits]) => parsed.kind() === network.kind() && parsed.match(network, bits));
  };
}

/**
 * Whether an address is private, of this machine or of a carrier's internal network: no database knows its location.
 */
export const isPrivateAddress = rangeMatcher(
  [
    ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.168.0.0/16'],
    ...['::/127', 'fc00::/7', 'fe80::/10'],
  ].map((range) => ipaddr.parseCIDR(range)),
);

/**
 * The 32 bits of four decimal numbers without leading zeros from `at` to the end of the text; -1 if the text is
 * anything else.
 */
function dotted(text: string, at: number): number {
  const { length } = text;
  if (length - at < 7 || length - at > 15) return -1;
  let value = 0;
  for (let part = 0; part < 4; part++) {
    const first = at;
    let number = 0;
    for (let digit = text.charCodeAt(at) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(at) - 48) {
      number = number * 10 + digit;
      at++;
    }
    const digits = at - first;
    if (digits === 0 || digits > 3 || number > 255 || (digits > 1 && text.charCodeAt(first) === 48)) return -1;
    if (part < 3 ? text.charCodeAt(at++) !== dot : at !== length) return -1;
    value = value * 256 + number;
  }
  return value;
}

/** The address that readGroups has read. */
const groups = new Uint16Array(8);

/** Reads hexadecimal groups with at most one `::`. Returns false for any other notation or text. */
function readGroups(text: string): boolean {
  const { length } = text;
  if (length < 2 || length > 39) return false;
  let count = 0;
  let gap = -1;
  let at = 0;
  if (text.charCodeAt(0) === colon) {
    if (text.charCodeAt(1) !== colon) return false;
    gap = 0;
    at = 2;
  }
  while (at < length) {
    if (count === 8) return false;
    let value = 0;
    let digits = 0;
    for (let digit = hex(text.charCodeAt(at)); digit >= 0; digit = hex(text.charCodeAt(at))) {
      value = value * 16 + digit;
      at++;
      if (++digits > 4) return false;
    }
    if (digits === 0) return false;
    groups[count++] = value;
    if (at === length) break;
    if (text.charCodeAt(at++) !== colon || at === length) return false;
    if (text.charCodeAt(at) === colon) {
      if (gap >= 0) return false;
      gap = count;
      at++;
    }
  }
  if (gap < 0) return count === 8;
  // `::` that stands for no group is refused, as by ipaddr.js.
  if (count >= 8) return false;
  groups.copyWithin(8 - count + gap, gap, count);
  groups.fill(0, gap, 8 - count + gap);
  return true;
}

function hex(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}

const isMapped = (): boolean =>
  groups[5] === 0xffff && (groups[0] | groups[1] | groups[2] | groups[3] | groups[4]) === 0;

const ipv4Inside = (): string => `${groups[6] >> 8}.${groups[6] & 255}.${groups[7] >> 8}.${groups[7] & 255}`;

/** The first of the longest runs of at least two zero groups becomes `::`. */
function writeGroups(): string {
  let start = 8;
  let end = 8;
  for (let from = 0; from < 7; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from >= 2 && (start === 8 || to - from > end - start)) [start, end] = [from, to];
    from = Math.max(from, to);
  }
  let text = '';
  for (let at = 0; at < 8; at++)
    if (at === start) {
      text += '::';
      at = end - 1;
    } else text += (at === 0 || at === end ? '' : ':') + groups[at].toString(16);
  return text;
}
