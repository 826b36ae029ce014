// The one binary format for everything the stages store: a JSON head that names typed columns, then the columns
// themselves.
//
//   0   u32   magic "WHCL"        8   f64  length of the whole in bytes
//   4   u32   length of the head  16  the head, JSON, UTF-8; then the columns, each at a multiple of 8
//
// Little-endian, like every machine that runs this. The whole length is stored, so that a truncated object is
// recognised; changed bytes are for the object store to detect (S3 checks on every read).

type Column = Uint8Array | Int32Array | Uint16Array | Uint32Array | Float64Array;
type Columns = Record<string, Column>;

const MAGIC = 0x4c434857;
const HEAD_AT = 16;
const types = { u8: Uint8Array, u16: Uint16Array, i32: Int32Array, u32: Uint32Array, f64: Float64Array };
type TypeName = keyof typeof types;

interface Head {
  kind: string;
  meta: unknown;
  /** Name, type, byte offset after the head, elements. */
  columns: [name: string, type: TypeName, offset: number, length: number][];
}

/** Thrown for bytes of another kind or version, or truncated ones. */
class Torn extends Error {
  override name = 'Torn';
}

const align = (offset: number) => Math.ceil(offset / 8) * 8;

/** `kind` is the kind of object and its version, such as `delta/1`. */
export function packColumns(kind: string, meta: unknown, columns: Columns): Uint8Array<ArrayBuffer> {
  const head: Head = { kind, meta, columns: [] };
  let length = 0;
  for (const [name, column] of Object.entries(columns)) {
    const type = (Object.keys(types) as TypeName[]).find((key) => column instanceof types[key]) as TypeName;
    head.columns.push([name, type, length, column.length]);
    length = align(length + column.byteLength);
  }
  const text = new TextEncoder().encode(JSON.stringify(head));
  const base = align(HEAD_AT + text.length);
  const bytes = new Uint8Array(base + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, text.length, true);
  view.setFloat64(8, bytes.length, true);
  bytes.set(text, HEAD_AT);
  for (const [name, , offset] of head.columns) {
    const column = columns[name];
    bytes.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), base + offset);
  }
  return bytes;
}

/** Whether these first bytes (at least 4) are the beginning of something that packColumns made. */
export const isColumns = (bytes: Uint8Array): boolean =>
  [0x57, 0x48, 0x43, 0x4c].every((byte, at) => bytes[at] === byte);

/** Views into `bytes` (or into a copy, if they are not aligned): write to none of them. Throws Torn. */
export function unpackColumns<C extends Columns>(kind: string, bytes: Uint8Array): { meta: unknown; columns: C } {
  const whole = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  if (whole.length < HEAD_AT || view.getUint32(0, true) !== MAGIC)
    throw new Torn(`these ${whole.length} bytes are not a ${kind}: they do not begin with WHCL`);
  const length = view.getFloat64(8, true);
  if (length !== whole.length) throw new Torn(`the ${kind} is torn: ${whole.length} bytes of ${length}`);
  const headLength = view.getUint32(4, true);
  const base = align(HEAD_AT + headLength);
  const head = readHead(kind, whole.subarray(HEAD_AT, HEAD_AT + headLength));
  if (head.kind !== kind) throw new Torn(`these bytes are a ${head.kind}, not a ${kind}`);
  const columns: Columns = {};
  const buffer = whole.buffer as ArrayBuffer;
  for (const [name, type, offset, elements] of head.columns) {
    const Type = types[type];
    if (!Type || base + offset + elements * Type.BYTES_PER_ELEMENT > whole.length)
      throw new Torn(`the column ${name} of the ${kind} lies outside its ${whole.length} bytes`);
    columns[name] = new Type(buffer, whole.byteOffset + base + offset, elements);
  }
  return { meta: head.meta, columns: columns as C };
}

function readHead(kind: string, text: Uint8Array): Head {
  try {
    return JSON.parse(new TextDecoder().decode(text));
  } catch (cause) {
    throw new Torn(`the head of the ${kind} is not JSON`, { cause });
  }
}
