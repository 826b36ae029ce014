// A trained model as one file: images and their factors. People are not in it: their factors follow from their pulls.
import type { AlsOptions } from './als.ts';

export interface Model extends AlsOptions {
  /** Repositories, item by item. */
  items: string[];
  /** Row-major, items x rank. */
  factors: Float32Array;
}

const magic = 'WHALEALS';
const version = 1;
const headBytes = 16;

/** magic, version, length of the header, header (JSON), padding to 4 bytes, factors (float32, little-endian). */
export function encodeModel({ factors, ...head }: Model): Uint8Array {
  const header = new TextEncoder().encode(JSON.stringify(head));
  const start = headBytes + Math.ceil(header.length / 4) * 4;
  const bytes = new Uint8Array(start + factors.byteLength);
  bytes.set(new TextEncoder().encode(magic));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, version, true);
  view.setUint32(12, header.length, true);
  bytes.set(header, headBytes);
  bytes.set(new Uint8Array(factors.buffer, factors.byteOffset, factors.byteLength), start);
  return bytes;
}

/** Throws when the bytes are torn, foreign or of another version. */
export function decodeModel(bytes: Uint8Array): Model {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headBytes || new TextDecoder().decode(bytes.subarray(0, 8)) !== magic)
    throw new Error('this is no model file');
  if (view.getUint32(8, true) !== version)
    throw new Error(`model file of version ${view.getUint32(8, true)}, not ${version}: train anew`);
  const headerEnd = headBytes + view.getUint32(12, true);
  const start = Math.ceil(headerEnd / 4) * 4;
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(headBytes, headerEnd)));
  const wanted = head.items.length * head.rank * 4;
  if (bytes.length - start !== wanted)
    throw new Error(`model file is torn: ${bytes.length - start} bytes of factors, not ${wanted}`);
  // A view where the bytes lie on a float's boundary, as they do in a file read whole.
  const aligned = (bytes.byteOffset + start) % 4 === 0 ? bytes.subarray(start) : bytes.slice(start);
  return { ...head, factors: new Float32Array(aligned.buffer, aligned.byteOffset, wanted / 4) };
}
