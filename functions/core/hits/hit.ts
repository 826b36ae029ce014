// A hit as a sender gives it, and as a line of a stream record.
//
// A record's lines are read directly from its bytes. The fast path accepts only what encodeHit writes: keys in that
// order, no spaces, plain ASCII without escapes. Any other line goes through JSON.parse and `whyInvalidHit`, which
// alone define what is valid: the fast path accepts a subset of what they accept, with the same values
// (test/core/hits/hit.test.ts).

import { hashBytes, viewOf } from '../bytes/names.ts';
import type { HitLine } from '../event.ts';
import { quoted } from '../quoted.ts';
import { canonicalDomain } from './domain.ts';
import { hitLimits, other } from './limits.ts';

/** Receives the lines of a record. */
export interface LineSink<Hit = HitLine> {
  hit(hit: Hit): void;
  /** A line of another type, parsed. */
  other(line: { type: string }, number: number): void;
  bad(text: string, number: number, reason: string): void;
}

/** A hit as positions in the bytes. One object is reused for all hits of a process: copy what must last. */
export class HitBytes {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = viewOf(this.bytes);
  time = 0;
  addressStart = 0;
  addressEnd = 0;
  domainStart = 0;
  domainEnd = 0;
  domainHash = 0;
  actionStart = 0;
  actionEnd = 0;
  actionHash = 0;
  /** -1 when the hit has no id. */
  idStart = -1;
  idEnd = -1;

  /** The hit as an object. */
  line(): HitLine {
    const text = (start: number, end: number) => utf8.decode(this.bytes.subarray(start, end));
    return {
      type: 'hit',
      time: this.time,
      address: text(this.addressStart, this.addressEnd),
      domain: text(this.domainStart, this.domainEnd),
      action: text(this.actionStart, this.actionEnd),
      ...(this.idStart < 0 ? {} : { id: text(this.idStart, this.idEnd) }),
    };
  }
}

/** Returns a hit as one line, without newline, with its keys in the order that the parser reads fastest. */
export function encodeHit({ time, address, domain, action, id }: HitLine): string {
  const line = `{"type":"hit","time":${time},"address":${jsonText(address)},"domain":${jsonText(domain)},"action":${jsonText(action)}`;
  return id === undefined ? `${line}}` : `${line},"id":${jsonText(id)}}`;
}

/** JSON.stringify of a text; most have nothing to escape. */
function jsonText(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0x7e || (kinds[code] & plain) === 0) return JSON.stringify(text);
  }
  return `"${text}"`;
}

/** Reads a record's lines. Never throws: an invalid line goes to `bad` with a reason. */
export function parseLines(data: Uint8Array, sink: LineSink): void {
  readLines(data, {
    hit: (hit) => sink.hit(hit.line()),
    other: (line, number) => sink.other(line, number),
    bad: (text, number, reason) => sink.bad(text, number, reason),
  });
}

/** Like parseLines, but makes no string or object for a hit; the sink must not use the hit after it returns. */
export function readLines(data: Uint8Array, sink: LineSink<HitBytes>): void {
  const view = viewOf(data);
  for (let start = 0, number = 0; start < data.length; number++) {
    let end = fastHit(data, view, start, hit);
    if (end >= 0) sink.hit(hit);
    else {
      end = data.indexOf(newline, start);
      if (end < 0) end = data.length;
      if (end > start) readLine(data.subarray(start, end), number, sink);
    }
    start = end + 1;
  }
}

const hit = new HitBytes();
const newline = 10;
const quote = 34;
const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const bytesOf = (text: string): Uint8Array => encoder.encode(text);

// The fixed parts of a line, compared four bytes at a time. Each except the first happens to be three words long.
const wordsOf = (text: string): number[] =>
  Array.from({ length: text.length >> 2 }, (_, word) => viewOf(bytesOf(text)).getInt32(4 * word, true));
const [head0, head1, head2, head3, head4] = wordsOf('{"type":"hit","time"');
const headLength = '{"type":"hit","time":'.length;
const [address0, address1, address2] = wordsOf(',"address":"');
const [domain0, domain1, domain2] = wordsOf('","domain":"');
const [action0, action1, action2] = wordsOf('","action":"');
const [id0, id1] = wordsOf('","id":"');
const keyLength = 12;
const idKeyLength = 8;
const shortest = '{"type":"hit","time":1,"address":"","domain":"a","action":"a"}'.length;

// The classes of bytes that the fast path knows. It leaves everything else to JSON.parse.
const plain = 1; // in any string: printable ASCII but " and \
const name = 2; // in a host name's label
const kinds = new Uint8Array(256);
for (let code = 0x20; code < 0x7f; code++) if (code !== quote && code !== 0x5c) kinds[code] = plain;
for (const code of bytesOf('abcdefghijklmnopqrstuvwxyz0123456789_')) kinds[code] |= name;
const dot = 46;
const hyphen = 45;
const colon = 58;
const comma = 44;
const brace = 125;

/**
 * Reads the hit that begins at `at`. Returns where its line ends (newline or end of data), or -1 if it is not for this
 * path.
 */
function fastHit(data: Uint8Array, view: DataView, at: number, hit: HitBytes): number {
  const last = data.length;
  if (
    at + shortest > last ||
    view.getInt32(at, true) !== head0 ||
    view.getInt32(at + 4, true) !== head1 ||
    view.getInt32(at + 8, true) !== head2 ||
    view.getInt32(at + 12, true) !== head3 ||
    view.getInt32(at + 16, true) !== head4 ||
    data[at + 20] !== colon
  )
    return -1;
  at += headLength;

  // 1 to 15 digits: exact in a double, and below 8.64e15. Nine and then six of them are exact in 32 bits.
  const first = at;
  let digit = data[at] - 48;
  if (!(digit >= 1 && digit <= 9)) return -1;
  let upper = 0;
  do {
    upper = (upper * 10 + digit) | 0;
    digit = data[++at] - 48;
  } while (digit >= 0 && digit <= 9 && at < first + 9);
  let lower = 0;
  let scale = 1;
  while (digit >= 0 && digit <= 9 && at < first + 15) {
    lower = (lower * 10 + digit) | 0;
    scale = (scale * 10) | 0;
    digit = data[++at] - 48;
  }
  hit.time = upper * scale + lower;

  if (!key(view, at, last, address0, address1, address2)) return -1;
  at += keyLength;
  hit.addressStart = at;
  at = plainEnd(data, at);
  hit.addressEnd = at;

  if (!key(view, at, last, domain0, domain1, domain2)) return -1;
  at += keyLength;
  hit.domainStart = at;
  let label = at;
  for (; ; at++) {
    const code = data[at];
    // A label has 1 to 63 characters and neither begins nor ends with a hyphen.
    if (kinds[code] & name || (code === hyphen && at > label)) continue;
    if (at === label || at - label > 63 || data[at - 1] === hyphen) return -1;
    if (code !== dot) break;
    label = at + 1;
  }
  if (at - hit.domainStart > maxDomain) return -1;
  hit.domainEnd = at;
  hit.domainHash = hashBytes(view, hit.domainStart, at);

  if (!key(view, at, last, action0, action1, action2)) return -1;
  at += keyLength;
  hit.actionStart = at;
  at = plainEnd(data, at);
  if (at === hit.actionStart || at - hit.actionStart > mostAction) return -1;
  hit.actionEnd = at;
  hit.actionHash = hashBytes(view, hit.actionStart, at);

  hit.idStart = -1;
  hit.idEnd = -1;
  // "} ends it, or ","id":" comes first.
  if (data[at + 1] === comma) {
    if (at + idKeyLength > last || view.getInt32(at, true) !== id0 || view.getInt32(at + 4, true) !== id1) return -1;
    at += idKeyLength;
    hit.idStart = at;
    at = plainEnd(data, at);
    if (at === hit.idStart || at - hit.idStart > mostId) return -1;
    hit.idEnd = at;
  }
  if (data[at] !== quote || data[at + 1] !== brace) return -1;
  at += 2;
  if (at < last && data[at] !== newline) return -1;
  hit.bytes = data;
  hit.view = view;
  return at;
}

/** Whether the bytes at `at` are these three words. */
function key(view: DataView, at: number, last: number, word0: number, word1: number, word2: number): boolean {
  return (
    at + keyLength <= last &&
    view.getInt32(at, true) === word0 &&
    view.getInt32(at + 4, true) === word1 &&
    view.getInt32(at + 8, true) === word2
  );
}

function plainEnd(data: Uint8Array, at: number): number {
  while (kinds[data[at]] & plain) at++;
  return at;
}

/** Any line, by JSON.parse. */
export function readLine(bytes: Uint8Array, number: number, sink: LineSink<HitBytes>): void {
  const text = utf8.decode(bytes);
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch {
    sink.bad(text, number, 'the line is not JSON');
    return;
  }
  const type = typeof line === 'object' && line !== null && 'type' in line ? line.type : undefined;
  if (type === 'hit') {
    const hit = line as HitLine;
    const wrong = whyInvalidHit(hit);
    if (wrong) sink.bad(text, number, wrong);
    else sink.hit(layOut(hit));
  } else if (type === 'registry' || type === 'rejected' || type === 'notification')
    sink.other(line as { type: string }, number);
  else sink.bad(text, number, `type is ${given(type)}: must be hit, registry, notification or rejected`);
}

/** The hit's texts one after another, as the fast path would find them. */
function layOut({ time, address, domain, action, id = '' }: HitLine): HitBytes {
  const texts = [address, domain, action, id].map(bytesOf);
  const [addressEnd, domainEnd, actionEnd, idEnd] = texts.map((_, index) =>
    texts.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0),
  );
  const bytes = new Uint8Array(idEnd);
  bytes.set(texts[0]);
  bytes.set(texts[1], addressEnd);
  bytes.set(texts[2], domainEnd);
  bytes.set(texts[3], actionEnd);
  const view = viewOf(bytes);
  return Object.assign(hit, {
    bytes,
    view,
    time,
    addressStart: 0,
    addressEnd,
    domainStart: addressEnd,
    domainEnd,
    domainHash: hashBytes(view, addressEnd, domainEnd),
    actionStart: domainEnd,
    actionEnd,
    actionHash: hashBytes(view, domainEnd, actionEnd),
    idStart: id === '' ? -1 : actionEnd,
    idEnd: id === '' ? -1 : idEnd,
  });
}

const { domain: maxDomain, action: mostAction, id: mostId, path: mostPath } = hitLimits;
/** Exclusive upper bound for timestamps, milliseconds: the last that a Date can hold. */
const latest = 8.64e15;
const label = /^(?!-)[\p{L}\p{M}\p{N}_-]{1,63}(?<!-)$/u;

/** Accepts more than canonicalDomain: lines written before 0.2.0 contain names in Unicode. */
const isHost = (domain: string) =>
  domain.length <= maxDomain &&
  (domain.startsWith('[') ? canonicalDomain(domain) === domain : domain.split('.').every((part) => label.test(part)));

/** Returns why the hit is invalid, or undefined. */
function whyInvalidHit({ time, address, domain, action, id }: HitLine): string | undefined {
  if (typeof time !== 'number' || !(time >= 0 && time < latest)) return 'hit: time must be a number of milliseconds';
  if (typeof address !== 'string') return 'hit: address must be a text';
  if (typeof domain !== 'string' || domain !== domain.toLowerCase() || !isHost(domain))
    return 'hit: domain must be a host name in lower case';
  if (typeof action !== 'string' || action.length < 1 || action.length > mostAction)
    return `hit: action must be a text of 1 to ${mostAction} characters`;
  if (id !== undefined && (typeof id !== 'string' || id.length < 1 || id.length > mostId))
    return `hit: id must be a text of 1 to ${mostId} characters`;
}

const given = (value: unknown) => (value === undefined ? 'missing' : quoted(value));

/**
 * Checks a hit as a sender gives it. Returns the hit, or why it is invalid: the field, its value and what it must be.
 */
export function validateHit(
  value: unknown,
  { address, now }: { address: string; now: number },
): HitLine | { reason: string } {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { reason: `a hit is ${quoted(value)}: must be an object such as {"domain": "portal.example"}` };
  const { domain, action = 'view', id, time = now, path } = value as Record<string, unknown>;
  if (typeof domain !== 'string')
    return { reason: `domain is ${given(domain)}: must be the host name of the portal, such as portal.example` };
  const host = canonicalDomain(domain);
  // Hits for `other` are taken for hits beyond the limits, which the owner is told of.
  if (!host || host === other)
    return { reason: `domain is ${quoted(domain)}: must be a host name such as portal.example` };
  if (typeof action !== 'string' || action.length < 1 || action.length > mostAction)
    return { reason: `action is ${quoted(action)}: must be a text of 1 to ${mostAction} characters` };
  if (id !== undefined && (typeof id !== 'string' || id.length < 1 || id.length > mostId))
    return { reason: `id is ${quoted(id)}: must be a text of 1 to ${mostId} characters` };
  if (path !== undefined && (typeof path !== 'string' || path.length > mostPath))
    return { reason: `path is ${quoted(path)}: must be a text of at most ${mostPath} characters` };
  const stamp = typeof time === 'number' ? time : typeof time === 'string' ? Date.parse(time) : Number.NaN;
  if (!(stamp >= 0 && stamp < latest))
    return { reason: `time is ${quoted(time)}: must be an RFC 3339 time such as 2026-11-21T08:00:00Z` };
  const hit: HitLine = { type: 'hit', time: Math.round(stamp), address, domain: host, action };
  if (id !== undefined) hit.id = id;
  return hit;
}
