// Reads the pictures that functions/core/map/png.ts writes.
import assert from 'node:assert/strict';
import { crc32, inflateSync } from 'node:zlib';
import type { Picture } from '#core/map/png.ts';

/** Decodes what encodePng writes, checking every chunk's checksum. */
export function decode(png: Uint8Array): Picture {
  assert.deepEqual([...png.subarray(0, 8)], [137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks = new Map<string, Uint8Array>();
  const view = new DataView(png.buffer, png.byteOffset);
  for (let at = 8; at < png.length; ) {
    const length = view.getUint32(at);
    chunks.set(Buffer.from(png.subarray(at + 4, at + 8)).toString(), png.subarray(at + 8, at + 8 + length));
    assert.equal(view.getUint32(at + 8 + length), crc32(png.subarray(at + 4, at + 8 + length)));
    at += length + 12;
  }
  assert.deepEqual([...chunks.keys()], ['IHDR', 'IDAT', 'IEND']);
  const head = new DataView(chunks.get('IHDR')!.slice().buffer);
  const [width, height] = [head.getUint32(0), head.getUint32(4)];
  const rows = inflateSync(chunks.get('IDAT')!);
  const pixels = new Uint8Array(4 * width * height);
  for (let y = 0; y < height; y++)
    for (let i = 0; i < 4 * width; i++)
      pixels[y * 4 * width + i] = rows[y * (4 * width + 1) + 1 + i] + (y > 0 ? pixels[(y - 1) * 4 * width + i] : 0);
  return { width, height, pixels };
}
