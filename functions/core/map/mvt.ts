// A tile's items as a Mapbox Vector Tile (spec 2.1): one layer `clusters`, points only, written in one pass. Clusters
// carry point_count and, when they can split, expansion_zoom; single points carry domain and updatedAt. Values are
// interleaved with the features that first use them: the fields of a protobuf message may be in any order.

import { TIME_CHARACTERS, writeTime } from '../bytes/rfc3339.ts';
import { EXTENT, type Pyramid, SINGLE, type TileItems } from './pyramid.ts';

const KEYS = ['point_count', 'expansion_zoom', 'domain', 'updatedAt'];
const VERSION = 2;
/** Room before the layer's fields for its own tag and length. */
const HEAD_BYTES = 8;
/** An upper bound of a feature's bytes with its values, except the name. */
const FEATURE_BYTES = 96;
/** Equal counts below this share one value; larger counts are rare and get a value each. */
const SHARED_COUNTS = 4096;

/** The layer's name and keys. */
export const layerHead = Uint8Array.from([
  ...[15 << 3, VERSION],
  ...textField(1, 'clusters'),
  ...KEYS.flatMap((key) => textField(3, key)),
  ...[5 << 3, (EXTENT & 127) | 128, EXTENT >>> 7],
]);

// Shared by all calls: written and copied out within one call.
let buffer = new Uint8Array(1 << 16);
/** Index of the value of a count or zoom in this tile, valid if its stamp is the tile's. */
const countValue = new Int32Array(SHARED_COUNTS);
const countStamp = new Float64Array(SHARED_COUNTS);
const zoomValue = new Int32Array(32);
const zoomStamp = new Float64Array(32);
let stamp = 0;

/** The bytes of a tile; empty when it has no items. */
export function tileBytes(pyramid: Pyramid, z: number, x: number, y: number): Uint8Array<ArrayBuffer> {
  return pyramid.encodedTile(z, x, y) ?? encodeTile(pyramid, pyramid.tile(z, x, y));
}

/** The bytes of a tile's items. */
export function encodeTile(pyramid: Pyramid, tile: TileItems): Uint8Array<ArrayBuffer> {
  const { words, length } = tile;
  if (length === 0) return new Uint8Array(0);
  stamp++;
  buffer.set(layerHead, HEAD_BYTES);
  let at = HEAD_BYTES + layerHead.length;
  let values = 0;
  const { idBase } = pyramid;
  const { names } = pyramid.leafColumns;
  for (let i = 0; i < 4 * length; i += 4) {
    const count = words[i + 2] >>> 5;
    const formed = words[i + 2] & 31;
    const leafStart = words[i + 3];
    const row = formed === SINGLE ? pyramid.row(leafStart) : 0;
    const nameLength = formed === SINGLE ? names.offsets[row + 1] - names.offsets[row] : 0;
    if (at + FEATURE_BYTES + nameLength > buffer.length) grow(at + FEATURE_BYTES + nameLength);
    let first: number;
    let second: number;
    if (formed === SINGLE) {
      first = values++;
      at = writeName(at, names.utf8, names.offsets[row], nameLength);
      second = values++;
      at = writeTimeValue(at, pyramid.updatedAt(leafStart));
    } else {
      if (count < SHARED_COUNTS && countStamp[count] === stamp) first = countValue[count];
      else {
        first = values++;
        at = writeNumber(at, count);
        if (count < SHARED_COUNTS) {
          countStamp[count] = stamp;
          countValue[count] = first;
        }
      }
      if (zoomStamp[formed] === stamp) second = zoomValue[formed];
      else if (formed > pyramid.maxZoom) second = -1;
      else {
        second = values++;
        at = writeNumber(at, formed + 1);
        zoomStamp[formed] = stamp;
        zoomValue[formed] = second;
      }
    }
    // Feature { id = 1, tags = 2, type = 3, geometry = 4 }: at most 40 bytes, so each length is one byte.
    buffer[at++] = (2 << 3) | 2;
    const feature = at++;
    buffer[at++] = 1 << 3;
    at = writeVarint(at, idBase + leafStart * 32 + formed);
    buffer[at++] = (2 << 3) | 2;
    const tags = at++;
    buffer[at++] = formed === SINGLE ? 2 : 0;
    at = writeVarint(at, first);
    if (second >= 0) {
      buffer[at++] = formed === SINGLE ? 3 : 1;
      at = writeVarint(at, second);
    }
    buffer[tags] = at - tags - 1;
    buffer[at++] = 3 << 3;
    buffer[at++] = 1; // POINT
    buffer[at++] = (4 << 3) | 2;
    const geometry = at++;
    buffer[at++] = 9; // MoveTo, once
    at = writeVarint(at, zigzag(words[i]));
    at = writeVarint(at, zigzag(words[i + 1]));
    buffer[geometry] = at - geometry - 1;
    buffer[feature] = at - feature - 1;
  }
  // The layer's tag and length go right before its fields, once that is known.
  const layerLength = at - HEAD_BYTES;
  const start = HEAD_BYTES - 1 - varintLength(layerLength);
  buffer[start] = (3 << 3) | 2;
  writeVarint(start + 1, layerLength);
  return buffer.slice(start, at);
}

function grow(needed: number): void {
  const grown = new Uint8Array(Math.max(needed, buffer.length * 2));
  grown.set(buffer);
  buffer = grown;
}

function zigzag(value: number): number {
  return (value << 1) ^ (value >> 31);
}

function writeVarint(at: number, value: number): number {
  while (value > 127) {
    buffer[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  buffer[at++] = value;
  return at;
}

function varintLength(value: number): number {
  let length = 1;
  while (value > 127) {
    value >>>= 7;
    length++;
  }
  return length;
}

/** Value { uint_value = 5 } as the layer's field 4. */
function writeNumber(at: number, value: number): number {
  buffer[at++] = (4 << 3) | 2;
  buffer[at++] = 1 + varintLength(value);
  buffer[at++] = 5 << 3;
  return writeVarint(at, value);
}

/** Value { string_value = 1 }. */
function writeName(at: number, utf8: Uint8Array, from: number, length: number): number {
  buffer[at++] = (4 << 3) | 2;
  at = writeVarint(at, 1 + varintLength(length) + length);
  buffer[at++] = (1 << 3) | 2;
  at = writeVarint(at, length);
  if (length > 64) buffer.set(utf8.subarray(from, from + length), at);
  else for (let i = 0; i < length; i++) buffer[at + i] = utf8[from + i];
  return at + length;
}

/** Value { string_value } of a time. */
function writeTimeValue(at: number, time: number): number {
  buffer[at++] = (4 << 3) | 2;
  buffer[at++] = TIME_CHARACTERS + 2;
  buffer[at++] = (1 << 3) | 2;
  buffer[at++] = TIME_CHARACTERS;
  writeTime(buffer, at, time);
  return at + TIME_CHARACTERS;
}

function textField(field: number, text: string): number[] {
  const utf8 = new TextEncoder().encode(text);
  return [(field << 3) | 2, utf8.length, ...utf8];
}
