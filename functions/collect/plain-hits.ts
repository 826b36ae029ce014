// The fast path for hits: turns a request's bytes into the lines of a record, without a string or object per hit. It
// accepts only what JSON.stringify writes for hits with domain, action, id and path in any order, in ASCII without
// escapes, and without values that need further checks. Any other body goes through readHits (hits.ts), which alone
// defines what a hit is: the fast path accepts a subset, with the same lines (test/collect/plain-hits.test.ts).
import { packBytes } from '#core/bytes/pack.ts';
import { hitLimits, other } from '#core/hits/limits.ts';

export interface PlainHits {
  /** The lines, as in a record; undefined if there are none. */
  data: Uint8Array<ArrayBuffer> | undefined;
  taken: number;
  ignored: number;
}

// The classes of bytes.
const plain = 1; // in a string: printable ASCII but " and \
const quiet = 2; // in a text that can't hold an address (core/addresses.ts)
const name = 4; // in a host name's label
const classes = new Uint8Array(256);
for (let code = 0x20; code < 0x7f; code++) {
  const letter = String.fromCharCode(code);
  if (letter !== '"' && letter !== '\\') classes[code] |= plain | (/[\d:%&]/.test(letter) ? 0 : quiet);
  if (/[a-z0-9_]/.test(letter)) classes[code] |= name;
}
const [quote, comma, dot, hyphen] = Buffer.from('",.-');
const [open, close, brace, endBrace] = Buffer.from('[]{}');
const [d, a, i, p] = Buffer.from('daip');
const [zero, nine, x, n] = Buffer.from('09xn');

const { domain: mostDomain, action: mostAction, id: mostId, path: mostPath, domainsPerRequest } = hitLimits;
/** An upper bound of a line's bytes without the texts of its hit and the address. */
const lineBytes = 128;

// Shared by all calls: written and copied out within one call.
const scratch = Buffer.alloc(packBytes);
const keys = ['"domain":"', '"action":"', '"id":"', '"path":"'].map((key) => Buffer.from(key));
const [domainKey, actionKey, idKey, pathKey] = keys;
const view = Buffer.from('view');
const otherName = Buffer.from(other);
const toAction = Buffer.from('","action":"');
const toId = Buffer.from('","id":"');
const plainAddress = /^[\da-f:.]{0,45}$/;

/** Undefined if the body is not for this path. */
export function readPlainHits(
  body: Uint8Array,
  address: string,
  now: number,
  isOwn: ((domain: string) => boolean) | undefined,
): PlainHits | undefined {
  const last = body.length;
  const isList = body[0] === open;
  if (!plainAddress.test(address) || last > scratch.length / 2) return undefined;
  const headLength = scratch.write(
    `{"type":"hit","time":${Math.round(now)},"address":"${address}","domain":"`,
    0,
    'latin1',
  );
  // Where the line begins whose beginning is copied for the next line.
  let head = 0;
  let out = 0;
  let taken = 0;
  let ignored = 0;
  let at = isList ? 1 : 0;
  for (;;) {
    if (body[at] !== brace) return undefined;
    let domainStart = -1;
    let domainEnd = -1;
    let actionStart = -1;
    let actionEnd = -1;
    let idStart = -1;
    let idEnd = -1;
    let hasPath = false;
    do {
      // A comma, or for the first field the brace.
      at++;
      const letter = body[at + 1];
      if (letter === d && domainStart < 0 && follows(body, at, domainKey)) {
        at += domainKey.length;
        domainStart = at;
        domainEnd = at = hostEnd(body, at);
        if (at < 0 || (at - domainStart === otherName.length && follows(body, domainStart, otherName)))
          return undefined;
      } else if (letter === a && actionStart < 0 && follows(body, at, actionKey)) {
        at += actionKey.length;
        actionStart = at;
        while (classes[body[at]] & quiet) at++;
        actionEnd = at;
        if (at === actionStart || at - actionStart > mostAction) return undefined;
      } else if (letter === i && idStart < 0 && follows(body, at, idKey)) {
        at += idKey.length;
        idStart = at;
        while (classes[body[at]] & plain) at++;
        idEnd = at;
        if (at === idStart || at - idStart > mostId) return undefined;
      } else if (letter === p && !hasPath && follows(body, at, pathKey)) {
        at += pathKey.length;
        hasPath = true;
        const start = at;
        while (classes[body[at]] & plain) at++;
        if (at - start > mostPath) return undefined;
      } else return undefined;
      if (body[at] !== quote) return undefined;
      at++;
    } while (body[at] === comma);
    if (body[at] !== endBrace || domainStart < 0) return undefined;
    at++;

    // Hits of domains beyond the limit are counted as `other`: see requestBounds.
    if (taken + ignored === domainsPerRequest) return undefined;
    if (isOwn && !isOwn(latin1(body, domainStart, domainEnd))) ignored++;
    else {
      taken++;
      if (out + headLength + at - domainStart + lineBytes + mostDomain + mostId > scratch.length) return undefined;
      if (out > 0) {
        scratch[out++] = 10;
        scratch.copyWithin(out, head, head + headLength);
        head = out;
      }
      out = copy(body, domainStart, domainEnd, out + headLength);
      out = copy(toAction, 0, toAction.length, out);
      out = actionStart < 0 ? copy(view, 0, view.length, out) : copy(body, actionStart, actionEnd, out);
      if (idStart >= 0) out = copy(body, idStart, idEnd, copy(toId, 0, toId.length, out));
      scratch[out++] = quote;
      scratch[out++] = endBrace;
    }

    if (!isList) break;
    if (body[at] === close) {
      at++;
      break;
    }
    if (body[at] !== comma) return undefined;
    at++;
  }
  if (at !== last) return undefined;
  return { data: out === 0 ? undefined : Buffer.from(scratch.subarray(0, out)), taken, ignored };
}

function follows(body: Uint8Array, at: number, key: Uint8Array): boolean {
  for (let k = 0; k < key.length; k++) if (body[at + k] !== key[k]) return false;
  return true;
}

/** Where the host name that begins at `start` ends; -1 if it is not in canonical form (core/hits/domain.ts). */
function hostEnd(body: Uint8Array, start: number): number {
  let label = start;
  let digits = true;
  for (let at = start; ; at++) {
    const code = body[at];
    if (classes[code] & name || code === hyphen) {
      if (code < zero || code > nine) digits = false;
      // Punycode must be checked by UTS 46.
      if (code === hyphen && (at === label || (at === label + 3 && body[label] === x && body[label + 1] === n)))
        return -1;
      continue;
    }
    if (at === label || at - label > 63 || body[at - 1] === hyphen) return -1;
    if (code !== dot) return digits || at - start > mostDomain ? -1 : at;
    label = at + 1;
    digits = true;
  }
}

const latin1 = (bytes: Uint8Array, start: number, end: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');

function copy(from: Uint8Array, start: number, end: number, out: number): number {
  for (let at = start; at < end; at++) scratch[out++] = from[at];
  return out;
}
