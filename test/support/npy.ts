// Reads factors from .npy files: the reverse of functions/core/recommender/npy.ts.

/** Reads what encodeNpy writes, and any other 2-D '<f4' matrix in C order. Throws naming what else it found. */
export function decodeNpy(bytes: Uint8Array): { values: Float32Array; rows: number; columns: number } {
  const latin = (from: number, to: number) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes.length < 10 || latin(0, 6) !== '\x93NUMPY') throw new Error('this is not a .npy file');
  if (bytes[6] !== 1) throw new Error(`.npy format version ${bytes[6]}, not 1: save it with numpy.save`);
  const start = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const head = latin(10, Math.min(start, 4096)).trim();
  const shape = /'shape': \((\d+), (\d+)\)/.exec(head);
  if (!shape || !head.includes("'descr': '<f4'") || !head.includes("'fortran_order': False"))
    throw new Error(`the matrix is ${head}, not 2-D '<f4' in C order: save array.astype('<f4')`);
  const [rows, columns] = [Number(shape[1]), Number(shape[2])];
  if (bytes.length - start !== rows * columns * 4)
    throw new Error(`${bytes.length - start} bytes of data, not those of a ${rows} x ${columns} matrix`);
  // A copy: a slice of a Node Buffer would share its memory pool.
  return { values: new Float32Array(new Uint8Array(bytes.subarray(start)).buffer), rows, columns };
}
