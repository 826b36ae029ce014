// NumPy's .npy, format version 1.0 (numpy.lib.format), for exchanging factors with other tools.

const magic = '\x93NUMPY';

/** A rows x columns matrix of little-endian float32 in C order. */
export function encodeNpy(values: Float32Array, rows: number, columns: number): Uint8Array {
  if (values.length !== rows * columns) throw new Error(`${values.length} values: must be ${rows} x ${columns}`);
  const head = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  // The data begins at a multiple of 64; the header ends with a line feed.
  const start = Math.ceil((10 + head.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + values.byteLength);
  const text = `${magic}\x01\x00..${head}`.padEnd(start - 1, ' ');
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes[start - 1] = 10;
  bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), start);
  return bytes;
}
