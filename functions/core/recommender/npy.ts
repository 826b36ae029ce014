// NumPy's .npy, format version 1.0 (numpy.lib.format): how factors travel to other tools.

const magic = '\x93NUMPY';

/** A rows x columns matrix of little-endian float32 in C order. */
export function encodeNpy(values: Float32Array, rows: number, columns: number): Uint8Array {
  if (values.length !== rows * columns) throw new Error(`${values.length} values are no ${rows} x ${columns} matrix`);
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

/** Reads what encodeNpy writes, and any other 2-D '<f4' matrix in C order. Throws naming what else it found. */
export function decodeNpy(bytes: Uint8Array): { values: Float32Array; rows: number; columns: number } {
  const latin = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes.length < 10 || latin(0, 6) !== magic) throw new Error('this is no .npy file');
  if (bytes[6] !== 1) throw new Error(`.npy format version ${bytes[6]}, not 1: save it with numpy.save`);
  const start = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const head = latin(10, Math.min(start, 4096)).trim();
  const shape = /'shape': \((\d+), (\d+)\)/.exec(head);
  if (!shape || !head.includes("'descr': '<f4'") || !head.includes("'fortran_order': False"))
    throw new Error(`the matrix is ${head}, not 2-D '<f4' in C order: save array.astype('<f4')`);
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  if (bytes.length - start !== rows * columns * 4)
    throw new Error(`${bytes.length - start} bytes of data, not those of a ${rows} x ${columns} matrix`);
  // A copy: the slice of a Node Buffer would share its pool.
  return { values: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer), rows, columns };
}
