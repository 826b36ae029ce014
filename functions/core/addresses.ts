// Finds IP addresses in texts that senders choose; nothing else does. An address has many notations: dotted, with
// hexadecimal or octal parts, as one integer, IPv6 in all its forms, and each of those in full-width characters,
// percent-encoded or escaped. A text is first decoded character by character; an address found there is masked at its
// place in the original text.
//
// It errs on the side of masking: adjacent characters and four-part versions may be masked too; times, digests,
// three-part versions, ports and JSON numbers are kept.

import { canonicalAddress } from './address.ts';

const mask = '[address]';

/** A text without any of these can't contain an address: most texts stop here. */
const hint = /[\d:]|[^\0-\x7f]|%u?[0-9a-f]{2}|[\\&][ux#]/i;

const part = String.raw`(?:0x[0-9a-f]{1,8}|\d{1,11})`;
// Neither pattern can fail after matching more than a few characters, so each reads a text once.
const fourNumbers = new RegExp(String.raw`${part}(?:\.${part}){3}(?:\.${part})*`, 'gi');
/** An address in a host name: ec2-203-0-113-25. */
const dashed = /\d{1,3}(?:-\d{1,3}){3,}/g;
/** Where dots are not allowed: ip_203_0_113_25. */
const underscored = /(?<!\d)\d{1,3}(?:_\d{1,3}){3}(?!\d)/g;
/** An IPv6 address in a host name: 2001-db8-0-0-0-0-0-1, 2001-db8--1.ipv6-literal.net. */
const dashedSix =
  /(?<![0-9a-z])(?:[0-9a-f]{1,4}(?:-[0-9a-f]{1,4}){7}(?![0-9a-z])|[0-9a-f-]{2,39}(?=(?:s[0-9a-z]{1,16})?\.ipv6-literal))/gi;
/** In the reverse zone, from its last hexadecimal digit on: 1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. */
const reversedSix = /(?<![0-9a-z])[0-9a-f](?:\.[0-9a-f]){11,31}(?![0-9a-z])/gi;
/** Hexadecimal characters and colons, and an IPv4 address among them. */
const run = new RegExp(`(?:${fourNumbers.source}|[0-9a-f:])+`, 'gi');
/** Two or three parts, the last of which stands for several bytes (203.0.28953), or a single integer. */
const integer = /(?<![\w.])(?:0x[0-9a-f]{7,8}|0[0-7]{9,12}|\d{8,10})(?![\w.]|\.\d)/gi;
/** A JSON number, such as a time: `"timestamp": 1795262400`. */
const jsonNumber = /"\s*:\s*$/;
const fewParts = new RegExp(String.raw`(?<![\w.])${part}\.${part}(?:\.${part})?(?![\w.]*\w)`, 'gi');

/**
 * Returns the text with every IP address masked. `strict`, for user names: masks only what can be nothing but an
 * address, so that two names do not become one; names may be numbers or contain colons (arn:aws:sts::1234).
 */
export function withoutAddresses(text: string, { strict = false } = {}): string {
  if (!hint.test(text)) return text;
  const read = readEscapes(text);
  const found: [start: number, end: number][] = [];
  const add = (match: RegExpMatchArray, offset = 0, length = match[0].length) =>
    found.push([match.index! + offset, match.index! + offset + length]);

  for (const match of read.text.matchAll(dashed)) if (!strict || isFour(match[0].split('-'))) add(match);
  for (const match of read.text.matchAll(underscored)) if (isFour(match[0].split('_'))) add(match);
  for (const match of read.text.matchAll(dashedSix)) if (!strict || isIP(match[0].replaceAll('-', ':'))) add(match);
  for (const match of read.text.matchAll(reversedSix)) if (!strict || match[0].length === 63) add(match);
  for (const match of read.text.matchAll(run)) {
    const [whole] = match;
    const hasDots = whole.includes('.');
    // IPv6 has eight groups, or '::' in place of some; an IPv4 address may replace the last two.
    const colons = whole.split(':').length - 1;
    if (strict ? isIP(whole.replace(/^:(?!:)|(?<!:):$/g, '')) : whole.includes('::') || colons >= (hasDots ? 6 : 7))
      add(match);
    else if (hasDots && !strict)
      for (const inner of whole.matchAll(fourNumbers)) add(match, inner.index, inner[0].length);
  }
  for (const match of read.text.matchAll(fourNumbers)) if (!strict || isFour(match[0].split('.'))) add(match);
  for (const match of strict ? [] : read.text.matchAll(integer))
    if (isWhole(match[0]) && !jsonNumber.test(read.text.slice(Math.max(0, match.index - 40), match.index))) add(match);
  for (const match of strict ? [] : read.text.matchAll(fewParts))
    if (/0x/i.test(match[0]) || isFew(match[0])) add(match);
  if (found.length === 0) return text;

  found.sort(([a], [b]) => a - b);
  let masked = '';
  let end = 0;
  for (const [from, to] of found) {
    if (to <= end) continue;
    if (from >= end) masked += `${text.slice(end === 0 ? 0 : read.ends[end - 1], read.starts[from])}${mask}`;
    end = to;
  }
  return masked + text.slice(read.ends[end - 1]);
}

const isFour = (parts: string[]) =>
  parts.length === 4 && parts.every((part) => (/^0\d/.test(part) ? Number.parseInt(part, 8) : Number(part)) <= 255);

const isIP = (text: string) => text.includes(':') && canonicalAddress(text) !== undefined;

/** Whether a single integer is an address that hosts have. Smaller numbers are counts and ports. */
const isWhole = (digits: string) => {
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return value >= 2 ** 24 && value < 2 ** 32;
};

/**
 * `203.28953`, `203.0.28953`: the last part stands for several bytes; in versions and fractions it is smaller or has
 * another form.
 */
function isFew(text: string): boolean {
  const parts = text.split('.').map((digits) => (/^0\d/.test(digits) ? Number.parseInt(digits, 8) : Number(digits)));
  const last = parts.pop() as number;
  return parts.every((value) => value <= 255) && last > 65_535 && last < 256 ** (4 - parts.length) && parts[0] > 0;
}

interface Read {
  text: string;
  /** Where each of its characters begins and ends in the original text. */
  starts: number[];
  ends: number[];
}

/** The escaped bytes of a character, of which the further ones begin with `again`. */
const utf8 = (first: string, again: string) =>
  [
    `${first}[cd][0-9a-f]${again}[89ab][0-9a-f]`,
    `${first}e[0-9a-f](?:${again}[89ab][0-9a-f]){2}`,
    `${first}f[0-7](?:${again}[89ab][0-9a-f]){3}`,
    `${first}[0-9a-f]{2}`,
  ].join('|');
const escaped = new RegExp(`${utf8('%', '%')}|%u[0-9a-f]{4}|&#x0{0,16}[0-9a-f]{1,6};?|&#0{0,16}\\d{1,7};?`, 'iy');
/** An escape after any number of backslashes, which each pass of an encoder doubles. */
const afterBackslashes = new RegExp(`u[0-9a-f]{4}|u\\{0{0,16}[0-9a-f]{1,6}\\}|${utf8('x', '\\\\{1,16}x')}`, 'iy');
const backslash = 92;

/** Returns the end of the escape that begins here; if there is none, where to go on reading. */
function escapeAt(given: string, at: number): { end?: number; next: number } {
  const code = given.charCodeAt(at);
  // Skips the whole run at once: a text of only backslashes is read once, not once from each of them.
  let start = at;
  while (given.charCodeAt(start) === backslash) start++;
  const pattern = start > at ? afterBackslashes : escaped;
  pattern.lastIndex = start;
  const found = start > at || code === 37 || code === 38 ? pattern.exec(given)?.[0] : undefined;
  if (found) return { end: start + found.length, next: start + found.length };
  return {
    next: start > at ? start : at + (code < 128 ? 1 : String.fromCodePoint(given.codePointAt(at) as number).length),
  };
}

/**
 * The text with its escapes decoded, also nested ones; full-width characters and look-alikes of dots and colons become
 * ASCII.
 */
function readEscapes(given: string): Read {
  let read = pass(given, undefined);
  // %2532 is an escaped escape. Each pass makes it shorter.
  for (let again = 0; again < 4; again++) {
    const next = pass(read.text, read);
    if (next.text.length === read.text.length) return next;
    read = next;
  }
  return read;
}

function pass(given: string, from: Read | undefined): Read {
  const starts: number[] = [];
  const ends: number[] = [];
  let text = '';
  const push = (plain: string, start: number, end: number) => {
    for (let unit = 0; unit < plain.length; unit++) {
      starts.push(from ? from.starts[start] : start);
      ends.push(from ? from.ends[end - 1] : end);
    }
    text += plain;
  };
  for (let at = 0; at < given.length; ) {
    const { end, next } = escapeAt(given, at);
    if (end !== undefined) {
      const value = codeOf(given.slice(at, end));
      push(value < 0x11_0000 ? plainOf(String.fromCodePoint(value)) : '?', at, end);
    } else if (given.charCodeAt(at) === backslash) for (let one = at; one < next; one++) push('\\', one, one + 1);
    else push(plainOf(given.slice(at, next)), at, next);
    at = next;
  }
  return { text, starts, ends };
}

/** The character that an escape stands for; a character of several bytes has as many escapes. */
function codeOf(escaped: string): number {
  const [first, ...more] = escaped.match(/[0-9a-f]+(?=;?}?$|[%\\])/gi) as string[];
  const value = Number.parseInt(first, /^&#\d/.test(escaped) ? 10 : 16);
  // The leading ones of the first byte say how many follow.
  const bits = more.length === 0 ? value : value & (0x3f >> more.length);
  return more.reduce((sum, byte) => (sum << 6) | (Number.parseInt(byte, 16) & 0x3f), bits);
}

const mostKnown = 4096;
const known = new Map<string, string>();

/** As UTS 46 normalises hosts: compatible forms are the same, and ideographic full stops are dots. */
function plainOf(letter: string): string {
  if (letter < '\x80') return letter;
  let plain = known.get(letter);
  if (plain === undefined) {
    plain = readOf(letter);
    if (known.size >= mostKnown) known.clear();
    known.set(letter, plain);
  }
  return plain;
}

function readOf(letter: string): string {
  if (/[\u3002\uff0e\uff61\u2024\ufe52]/.test(letter)) return '.';
  // Characters that are ignored in host names.
  if (/[\u00ad\u200b-\u200d\u2060\ufeff]/.test(letter)) return '';
  const plain = letter.normalize('NFKC');
  return digitOf(plain) ?? plain;
}

/** Decimal digits of other scripts, as people type them. */
function digitOf(letter: string): string | undefined {
  if (!/^\p{Nd}$/u.test(letter) || letter < '\x80') return undefined;
  const code = letter.codePointAt(0) as number;
  // The digits of a script are consecutive, from its zero on.
  let zero = code;
  while (code - zero < 9 && /^\p{Nd}$/u.test(String.fromCodePoint(zero - 1))) zero--;
  return String(code - zero);
}
