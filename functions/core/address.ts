// The syntax of IP addresses and ranges, by ipaddr.js.
import ipaddr from 'ipaddr.js';

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
