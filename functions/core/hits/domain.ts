// The canonical form of a domain: two spellings that UTS 46 maps alike are counted as one.
import { matcher } from '../rules.ts';
import { hitLimits } from './limits.ts';

const maxDomain = hitLimits.domain;

const label = /^(?!-)[a-z0-9_-]{1,63}(?<!-)$/;
/**
 * A name that is already canonical: ASCII, without a label that UTS 46 would check or a last label that makes it an
 * IPv4 address.
 */
const plain = /^(?!.*(?:^|\.)xn--)[a-z0-9_.-]*[a-z_-][a-z0-9_-]*$/;
/** Characters that the URL parser would strip, decode, or take for something other than a host. */
const notInHost = /[\p{Cc}\p{Zs}/\\?#@%<>^|"`{}]/u;

/** The longest spelling that may become a host name: Unicode becomes Punycode, and a port is removed. */
const longestSpelling = 4 * maxDomain;

const dot = 46;
const hyphen = 45;

/** A quick check for what nearly every sender gives: a host name that both `plain` and isHost accept. */
function isPlainHost(text: string): boolean {
  const { length } = text;
  if (length > maxDomain) return false;
  let start = 0;
  let digits = true;
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at);
    if (code === dot) {
      if (at === start || at - start > 63 || text.charCodeAt(at - 1) === hyphen) return false;
      start = at + 1;
      digits = true;
    } else if (code >= 97 ? code <= 122 : code === 95 || (code === hyphen && at > start)) {
      // The label may be Punycode, which UTS 46 must check.
      if (code === hyphen && at === start + 3 && text.startsWith('xn-', start)) return false;
      digits = false;
    } else if (code < 48 || code > 57) return false;
  }
  return length > start && length - start <= 63 && !digits && text.charCodeAt(length - 1) !== hyphen;
}

const isHost = (host: string): boolean => host.length <= maxDomain && host.split('.').every((part) => label.test(part));

/**
 * The canonical form of a host name or IP address as a sender spells it: the ASCII form of UTS 46 (non-transitional, as
 * the URL standard has it), without port and without the trailing dot; IPv4 dotted, IPv6 compressed in brackets.
 * Undefined if the text is not a host.
 */
export function canonicalDomain(text: string): string | undefined {
  if (isPlainHost(text)) return text;
  // Checked before any pattern runs: a sender's text may have a megabyte.
  if (text.length > longestSpelling) return undefined;
  if (plain.test(text) && !text.includes('..')) return isHost(text) ? text : undefined;
  if (notInHost.test(text)) return undefined;
  // An IPv6 address may come without brackets, as a back end reads it from a socket.
  const bare = /^[\da-f:.]*:[\da-f:.]*:[\da-f:.]*$/i.test(text) ? `[${text}]` : text.replace(/(?<=.):\d{0,5}$/, '');
  let host: string;
  try {
    host = new URL(`http://${bare}/`).hostname;
  } catch {
    return undefined;
  }
  if (host.startsWith('[')) return host;
  const name = host.endsWith('.') ? host.slice(0, -1) : host;
  return isHost(name) ? name : undefined;
}

/**
 * Returns whether a canonical domain matches a pattern in which `*` stands for any characters. The pattern may be
 * spelled as people do, with capitals, accents, a port or a trailing dot.
 */
export function domainMatcher(pattern: string): (domain: string) => boolean {
  const label = (text: string) => (/[^\0-\x7f]/.test(text) && canonicalDomain(text)) || text.toLowerCase();
  return matcher(canonicalDomain(pattern) ?? pattern.split('.').map(label).join('.'));
}
