// Writes points.json, the public export, directly as UTF-8 in pieces: a million points are 100 MB of text, which should
// neither be in memory at once nor become strings and objects first.

import { nameAt } from '../bytes/names.ts';
import { TIME_CHARACTERS, writeTime } from '../bytes/rfc3339.ts';
import type { Points } from './cluster.ts';

const PIECE_BYTES = 1 << 18;
/** Keys, two numbers and a time: an upper bound of a row's bytes without the name. */
const ROW_BYTES = 160;

const encoder = new TextEncoder();
const [domainKey, latKey, lonKey, timeKey, end] = ['{"domain":"', '","lat":', ',"lon":', ',"updatedAt":"', '"}'].map(
  (text) => encoder.encode(text),
);

/** The bytes of `{version, updatedAt, keepDays, points: [{domain, lat, lon, updatedAt}]}`, piece by piece. */
export function* pointsDocument(
  { domains, lat, lon, updatedAt }: Points,
  head: { updatedAt: number; keepDays: number },
): Generator<Uint8Array> {
  const opening = { version: 1, updatedAt: new Date(head.updatedAt).toISOString(), keepDays: head.keepDays };
  yield encoder.encode(`${JSON.stringify(opening).slice(0, -1)},"points":[`);
  let piece = new Uint8Array(PIECE_BYTES);
  let at = 0;
  for (let row = 0; row < lat.length; row++) {
    const nameLength = domains.offsets[row + 1] - domains.offsets[row];
    // A character that JSON escapes takes at most six bytes.
    const needed = ROW_BYTES + 6 * nameLength;
    if (at + needed > piece.length) {
      if (at > 0) yield piece.subarray(0, at);
      piece = new Uint8Array(Math.max(PIECE_BYTES, needed));
      at = 0;
    }
    if (row > 0) piece[at++] = 44; // ,
    at = write(piece, at, domainKey);
    at = writeName(piece, at, domains, row);
    at = write(piece, at, latKey);
    at = writeNumber(piece, at, lat[row]);
    at = write(piece, at, lonKey);
    at = writeNumber(piece, at, lon[row]);
    at = write(piece, at, timeKey);
    writeTime(piece, at, updatedAt[row]);
    at = write(piece, at + TIME_CHARACTERS, end);
  }
  yield piece.subarray(0, at);
  yield encoder.encode(']}');
}

function write(piece: Uint8Array, at: number, text: Uint8Array): number {
  for (let i = 0; i < text.length; i++) piece[at + i] = text[i];
  return at + text.length;
}

function writeNumber(piece: Uint8Array, at: number, value: number): number {
  const text = String(value);
  for (let i = 0; i < text.length; i++) piece[at + i] = text.charCodeAt(i);
  return at + text.length;
}

function writeName(piece: Uint8Array, at: number, domains: Points['domains'], row: number): number {
  const [from, to] = [domains.offsets[row], domains.offsets[row + 1]];
  for (let i = from; i < to; i++) {
    const letter = domains.utf8[i];
    if (letter < 32 || letter === 34 || letter === 92)
      return write(piece, at, encoder.encode(JSON.stringify(nameAt(domains, row)).slice(1, -1)));
    piece[at + i - from] = letter;
  }
  return at + to - from;
}
