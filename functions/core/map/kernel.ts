// Tiles in WebAssembly (functions/core/map/assembly), from a snapshot's file in the kernel's own memory. Pyramid.tile
// and encodeTile are the reference: their results are the same byte for byte (test/core/map/kernel.test.ts), and they
// are used on a platform without SIMD.
import { kernelWasm } from './kernel.wasm.ts';
import { layerHead } from './mvt.ts';
import type { Pyramid, TileKernel } from './pyramid.ts';

const pageBytes = 65_536;
const mostPages = 65_536;
/** How many bytes may be read beyond a file. */
const slack = 64;
const levelWords = 4;
/** The most blocks, as each has a byte. */
const mostBlocks = 65_536;
const slabBytes = 1 << 18;

interface Exports extends WebAssembly.Exports {
  memory: WebAssembly.Memory;
  open(
    radius: number,
    maxZoom: number,
    blockBits: number,
    timeBase: number,
    timeUnit: number,
    timesAt: number,
    offsetsAt: number,
    namesAt: number,
    head: number,
  ): void;
  tile(z: number, x: number, y: number): number;
  encode(z: number, x: number, y: number): number;
  tileStart(): number;
  levelsAt: WebAssembly.Global<'i32'>;
  headAt: WebAssembly.Global<'i32'>;
  hereAt: WebAssembly.Global<'i32'>;
  itemsAt: WebAssembly.Global<'i32'>;
  fileAt: WebAssembly.Global<'i32'>;
}

/** A kernel's memory for a file. */
export interface FileRoom {
  bytes: Uint8Array<ArrayBuffer>;
  /** A byte for each block: 1 where it is in memory. */
  here: Uint8Array<ArrayBuffer>;
  /** Returns the kernel for a pyramid that is a view of these bytes. */
  kernelOf(pyramid: Pyramid): TileKernel;
}

let compiled: WebAssembly.Module | undefined;
let isReported = false;

/**
 * Returns memory for a file of so many bytes, read in blocks of `blockBytes` or all at once (0). Undefined if the
 * platform has no SIMD, which is reported once, or the file is too large for a kernel.
 */
export function fileRoom(
  length: number,
  blockBytes = 0,
  { wasm = kernelWasm, report = console.warn }: { wasm?: string; report?: (text: string) => void } = {},
): FileRoom | undefined {
  const blockBits = blockBytes === 0 ? 0 : Math.log2(blockBytes);
  if (!Number.isInteger(blockBits) || length > blockBytes * mostBlocks + (blockBytes === 0 ? Infinity : 0))
    return undefined;
  const module = kernelModule(wasm, report);
  if (!module) return undefined;
  const exports = instantiate(module) as Exports;
  const { memory, fileAt, hereAt } = exports;
  const pages = Math.ceil((fileAt.value + length + slack) / pageBytes);
  if (pages > mostPages) return undefined;
  memory.grow(pages - memory.buffer.byteLength / pageBytes);
  const buffer = memory.buffer as ArrayBuffer;
  return {
    bytes: new Uint8Array(buffer, fileAt.value, length),
    here: new Uint8Array(buffer, hereAt.value, blockBytes === 0 ? 0 : Math.ceil(length / blockBytes)),
    kernelOf: (pyramid) => openKernel(exports, pyramid, blockBits),
  };
}

/** The kernel's module; undefined if the platform has no SIMD, which is reported once. */
export function kernelModule(
  wasm = kernelWasm,
  report: (text: string) => void = console.warn,
): WebAssembly.Module | undefined {
  if (compiled && wasm === kernelWasm) return compiled;
  const binary = Buffer.from(wasm, 'base64');
  if (!WebAssembly.validate(binary)) {
    if (!isReported)
      report('map: this platform has no WebAssembly SIMD: tiles are made by the slower code in TypeScript');
    isReported = true;
    return undefined;
  }
  compiled = new WebAssembly.Module(binary);
  return compiled;
}

export function instantiate(module: WebAssembly.Module): WebAssembly.Exports {
  return new WebAssembly.Instance(module, { env: { abort() {} } }).exports;
}

function openKernel(exports: Exports, pyramid: Pyramid, blockBits: number): TileKernel {
  const buffer = exports.memory.buffer as ArrayBuffer;
  const { levels, leafColumns, radius, maxZoom, timeBase, timeUnit } = pyramid;
  for (const [zoom, { starts, items, rowBits, columnBits }] of levels.entries())
    new Uint32Array(buffer, exports.levelsAt.value + 4 * levelWords * zoom, levelWords).set([
      ...[starts.byteOffset, items.byteOffset],
      ...[rowBits, columnBits],
    ]);
  const bytes = new Uint8Array(buffer);
  bytes.set(layerHead, exports.headAt.value);
  const { updatedAt, names } = leafColumns;
  const places = [updatedAt.byteOffset, names.offsets.byteOffset, names.utf8.byteOffset] as const;
  exports.open(radius, maxZoom, blockBits, timeBase, timeUnit, ...places, layerHead.length);
  const words = new Int32Array(buffer, exports.itemsAt.value);
  return {
    tile(z, x, y) {
      const count = exports.tile(z, x, y);
      return count < 0 ? undefined : copied(words, 0, levelWords * count);
    },
    encode(z, x, y) {
      const length = exports.encode(z, x, y);
      if (length < 0) return undefined;
      const start = exports.tileStart();
      return copied(bytes, start, start + length);
    },
  };
}

// Tiles are copied into shared slabs: allocating memory for each would cost as much as making a small tile.
let slab = new ArrayBuffer(0);
let slabEnd = 0;

function copied<T extends Uint8Array<ArrayBuffer> | Int32Array<ArrayBuffer>>(column: T, start: number, end: number): T {
  const part = column.subarray(start, end);
  if (part.byteLength > slabBytes / 16) return part.slice() as T;
  if (slabEnd + part.byteLength > slab.byteLength) {
    slab = new ArrayBuffer(slabBytes);
    slabEnd = 0;
  }
  const Column = column.constructor as new (buffer: ArrayBuffer, at: number, length: number) => T;
  const copy = new Column(slab, slabEnd, end - start);
  copy.set(part);
  slabEnd += Math.ceil(part.byteLength / 8) * 8;
  return copy;
}
