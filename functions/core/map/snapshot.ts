// points.bin: a pyramid as one file that is the index itself. Opening it makes views and parses only the header.
// Little-endian; every section starts at a multiple of 8. docs/tiles.md has the format as a table.

import { type FileRoom, fileRoom } from './kernel.ts';
import { Pages, type ReadRange } from './pages.ts';
import { type Level, type Names, Pyramid } from './pyramid.ts';

const MAGIC = 0x504c4857; // "WHLP"
/** Version 2 also has the hits of points by location. */
const VERSIONS = [1, 2];
const HEADER_BYTES = 72;
const LEVEL_BYTES = 32;
/** x, y, updatedAt, country, name offsets, names; and hits in version 2. */
const sectionsOf = (version: number) => (version === 1 ? 6 : 7);
const SECTION_BYTES = 16;
/** The magic and the header's checksum, repeated at the end. */
const TAIL_BYTES = 8;
/** How many names are reordered in one block; see gatherNames. */
const GATHERED = 128;
// Written and never read, so that prefetching reads are not optimised away.
const heads = new Uint8Array(GATHERED);

/** Thrown for a points.bin that can't be served: foreign, of another version, or truncated. */
export class BadSnapshot extends Error {
  override name = 'BadSnapshot';
}

/** Encodes points.bin. Columns that are still in input order are put into leaf order. */
export function encodePyramid(pyramid: Pyramid): Uint8Array<ArrayBuffer> {
  const { leafColumns, levels, size } = pyramid;
  const { base, unit } = timeScale(pyramid);
  const { names } = leafColumns;
  const countries = new TextEncoder().encode(JSON.stringify(pyramid.countries));
  const { hits } = leafColumns;
  const version = hits ? 2 : 1;
  const sections = sectionsOf(version);
  const lengths = [4 * size, 4 * size, 4 * size, 2 * size, 4 * (size + 1), names.utf8.length, 8 * size].slice(
    0,
    sections,
  );

  const tables = HEADER_BYTES + LEVEL_BYTES * levels.length + SECTION_BYTES * sections;
  let end = Math.ceil((tables + countries.length) / 8) * 8;
  const reserve = (bytes: number) => {
    const offset = end;
    end += Math.ceil(bytes / 8) * 8;
    return offset;
  };
  const places: { level: Level; starts: number; items: number }[] = [];
  // Levels that merged nothing share the arrays of the next: the file shares them too.
  for (const level of levels) {
    const shared = places.find((place) => place.level === level);
    places.push(shared ?? { level, starts: reserve(level.starts.byteLength), items: reserve(level.items.byteLength) });
  }
  const offsets = lengths.map(reserve);
  const tail = reserve(TAIL_BYTES);

  const bytes = new Uint8Array(end);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, version, true);
  view.setFloat64(16, end, true);
  view.setUint32(24, size, true);
  view.setUint32(28, levels.length, true);
  view.setFloat64(32, pyramid.radius, true);
  view.setFloat64(40, base, true);
  view.setFloat64(48, unit, true);
  view.setUint32(56, countries.length, true);
  view.setFloat64(64, pyramid.newestAt, true);
  bytes.set(countries, tables);
  let at = HEADER_BYTES;
  for (const { level, starts, items } of places) {
    view.setFloat64(at, starts, true);
    view.setFloat64(at + 8, items, true);
    view.setUint32(at + 16, level.count, true);
    view.setUint32(at + 20, level.rowBits, true);
    view.setUint32(at + 24, level.columnBits, true);
    new Uint32Array(bytes.buffer, starts, level.starts.length).set(level.starts);
    new Uint32Array(bytes.buffer, items, level.items.length).set(level.items);
    at += LEVEL_BYTES;
  }
  for (let section = 0; section < sections; section++, at += SECTION_BYTES) {
    view.setFloat64(at, offsets[section], true);
    view.setFloat64(at + 8, lengths[section], true);
  }
  const [x, y, updatedAt, country, nameOffsets, utf8, hitsAt] = offsets;
  new Uint32Array(bytes.buffer, x, size).set(leafColumns.x);
  new Uint32Array(bytes.buffer, y, size).set(leafColumns.y);
  const times = new Uint32Array(bytes.buffer, updatedAt, size);
  const codesOf = new Uint16Array(bytes.buffer, country, size);
  for (let leaf = 0; leaf < size; leaf++) {
    times[leaf] = Math.round((pyramid.updatedAt(leaf) - base) / unit);
    codesOf[leaf] = leafColumns.country[pyramid.row(leaf)];
  }
  if (hits) {
    const gathered = new Float64Array(bytes.buffer, hitsAt, size);
    for (let leaf = 0; leaf < size; leaf++) gathered[leaf] = hits[pyramid.row(leaf)];
  }
  gatherNames(names, leafColumns.order, {
    offsets: new Uint32Array(bytes.buffer, nameOffsets, size + 1),
    utf8: new Uint8Array(bytes.buffer, utf8, names.utf8.length),
  });
  const sum = checksum(bytes, headerEnd(view));
  view.setUint32(8, sum, true);
  view.setUint32(tail, MAGIC, true);
  view.setUint32(tail + 4, sum, true);
  return bytes;
}

/** The pyramid of points.bin. Throws BadSnapshot naming what is wrong. */
export function openPyramid(file: Uint8Array): Pyramid {
  const { length } = readHead(file);
  if (length !== file.length) throw new BadSnapshot(`points.bin is torn: ${file.length} bytes of ${length}`);
  return openWhole([file], length);
}

/** Copies the parts of a file only once, to where tiles are made from: each page of a copy costs a page fault. */
function openWhole(parts: Uint8Array[], length: number): Pyramid {
  const room = fileRoom(length);
  const bytes = room?.bytes ?? new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return viewPyramid(bytes, room);
}

/** How much of a large file is read first: its low zooms. */
const FIRST_BYTES = 1 << 20;
/**
 * Files up to eight times that size, about 40,000 points, are read whole: one more read is cheaper than several small
 * ones.
 */
const WHOLE_PARTS = 8;
const BLOCK_BYTES = 65_536;

/**
 * Opens a points.bin of any size with two reads; the rest is read in blocks on demand, by Pyramid.load. Throws
 * BadSnapshot as openPyramid does, for the beginning and the end.
 */
export async function openInPart(
  read: ReadRange,
  blockBytes = BLOCK_BYTES,
  firstBytes = FIRST_BYTES,
): Promise<Pyramid> {
  const first = await read(0, firstBytes);
  const { length, headEnd } = readHead(first);
  if (length <= first.length) return openPyramid(first);
  if (first.length !== firstBytes || headEnd > firstBytes)
    throw new BadSnapshot(`points.bin is torn: ${first.length} bytes of ${length}`);
  if (length <= WHOLE_PARTS * firstBytes) {
    const rest = await read(firstBytes, length);
    if (rest.length !== length - firstBytes) throw new BadSnapshot(`points.bin is torn: it ends before byte ${length}`);
    return openWhole([first, rest], length);
  }
  const room = fileRoom(length, blockBytes);
  const pages = new Pages(length, read, blockBytes, room);
  pages.fill(0, first);
  const tail = await read(length - TAIL_BYTES, length);
  if (tail.length !== TAIL_BYTES) throw new BadSnapshot(`points.bin is torn: it ends before byte ${length}`);
  pages.fill(length - TAIL_BYTES, tail);
  return viewPyramid(pages.bytes, room, pages);
}

/** Checks the header; returns the file's length and where the header ends. */
function readHead(bytes: Uint8Array): { length: number; headEnd: number } {
  if (bytes.length < HEADER_BYTES) throw new BadSnapshot(`points.bin is torn: ${bytes.length} bytes hold no header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = view.getUint32(0, true);
  if (magic !== MAGIC)
    throw new BadSnapshot(`not a points.bin: it begins with 0x${magic.toString(16)}, not 0x${MAGIC.toString(16)}`);
  const version = view.getUint32(4, true);
  if (!VERSIONS.includes(version))
    throw new BadSnapshot(`points.bin has version ${version}, this build reads ${VERSIONS.join(' and ')}`);
  const levelCount = view.getUint32(28, true);
  const headEnd = headerEnd(view);
  if (
    levelCount < 2 ||
    levelCount > 18 ||
    headEnd > bytes.length ||
    checksum(bytes, headEnd) !== view.getUint32(8, true)
  )
    throw new BadSnapshot('points.bin is torn: its header does not add up');
  return { length: view.getFloat64(16, true), headEnd };
}

/** Views over the bytes, which must not change afterwards. */
function viewPyramid(bytes: Uint8Array, room?: FileRoom, pages?: Pages): Pyramid {
  const { buffer, byteOffset, byteLength } = bytes;
  const view = new DataView(buffer, byteOffset, byteLength);
  if (
    view.getUint32(byteLength - TAIL_BYTES, true) !== MAGIC ||
    view.getUint32(byteLength - 4, true) !== view.getUint32(8, true)
  )
    throw new BadSnapshot('points.bin is torn: its end belongs to another file');
  const size = view.getUint32(24, true);
  const levelCount = view.getUint32(28, true);
  const sections = sectionsOf(view.getUint32(4, true));

  const words = (offset: number, count: number) => new Uint32Array(buffer, byteOffset + offset, count);
  const levels: Level[] = [];
  let at = HEADER_BYTES;
  for (; levels.length < levelCount; at += LEVEL_BYTES) {
    const count = view.getUint32(at + 16, true);
    const rowBits = view.getUint32(at + 20, true);
    const columnBits = view.getUint32(at + 24, true);
    levels.push({
      count,
      rowBits,
      columnBits,
      starts: words(view.getFloat64(at, true), 2 ** (28 - rowBits + columnBits) + 1),
      items: words(view.getFloat64(at + 8, true), 4 * count),
      pages,
    });
  }
  const section = (index: number): [offset: number, length: number] => [
    view.getFloat64(at + SECTION_BYTES * index, true),
    view.getFloat64(at + SECTION_BYTES * index + 8, true),
  ];
  const text = (index: number) => new Uint8Array(buffer, byteOffset + section(index)[0], section(index)[1]);
  const pyramid = new Pyramid({
    radius: view.getFloat64(32, true),
    timeBase: view.getFloat64(40, true),
    timeUnit: view.getFloat64(48, true),
    newestAt: view.getFloat64(64, true),
    countries: JSON.parse(new TextDecoder().decode(bytes.subarray(at + SECTION_BYTES * sections, headerEnd(view)))),
    levels,
    pages,
    leaves: {
      x: words(section(0)[0], size),
      y: words(section(1)[0], size),
      updatedAt: words(section(2)[0], size),
      country: new Uint16Array(buffer, byteOffset + section(3)[0], size),
      names: { offsets: words(section(4)[0], size + 1), utf8: text(5) },
      ...(sections > 6 && { hits: new Float64Array(buffer, byteOffset + section(6)[0], size) }),
      order: undefined,
    },
  });
  if (room) pyramid.useKernel(room.kernelOf(pyramid));
  return pyramid;
}

/** Fixed fields, levels, sections, then the country codes as JSON: all that is parsed. */
function headerEnd(view: DataView): number {
  return (
    HEADER_BYTES +
    LEVEL_BYTES * view.getUint32(28, true) +
    SECTION_BYTES * sectionsOf(view.getUint32(4, true)) +
    view.getUint32(56, true)
  );
}

/** Times as 32-bit numbers: whole milliseconds up to a span of 49 days, coarser beyond. */
function timeScale(pyramid: Pyramid): { base: number; unit: number } {
  let [first, last] = [Infinity, -Infinity];
  for (let leaf = 0; leaf < pyramid.size; leaf++) {
    const time = pyramid.leafColumns.updatedAt[leaf];
    if (time < first) first = time;
    if (time > last) last = time;
  }
  if (!(last >= first)) return { base: 0, unit: 1 };
  const unit = pyramid.timeUnit * Math.max(1, Math.ceil((last - first) / 0xffffffff));
  return { base: pyramid.timeBase + pyramid.timeUnit * first, unit };
}

/** Names in leaf order, copied four bytes at a time: the next name overwrites the excess bytes. */
function gatherNames({ offsets, utf8 }: Names, order: Uint32Array | undefined, to: Names): void {
  if (!order) {
    to.offsets.set(offsets);
    to.utf8.set(utf8);
    return;
  }
  const from = new DataView(utf8.buffer, utf8.byteOffset, utf8.byteLength);
  const into = new DataView(to.utf8.buffer, to.utf8.byteOffset, to.utf8.byteLength);
  const last = utf8.length - 4;
  // Millions of names are scattered in memory. Reading a block's positions first, then its bytes, lets the processor
  // fetch many at once instead of waiting for one after the other.
  const starts = new Uint32Array(GATHERED);
  const lengths = new Uint32Array(GATHERED);
  let end = 0;
  for (let block = 0; block < order.length; block += GATHERED) {
    const count = Math.min(GATHERED, order.length - block);
    for (let k = 0; k < count; k++) {
      const row = order[block + k];
      starts[k] = offsets[row];
      lengths[k] = offsets[row + 1] - offsets[row];
    }
    for (let k = 0; k < count; k++) heads[k] = utf8[starts[k]];
    for (let k = 0; k < count; k++) {
      const start = starts[k];
      const length = lengths[k];
      let i = 0;
      for (; i < length && start + i <= last && end + i <= last; i += 4)
        into.setUint32(end + i, from.getUint32(start + i));
      for (; i < length; i++) to.utf8[end + i] = utf8[start + i];
      end += length;
      to.offsets[block + k + 1] = end;
    }
  }
}

/** FNV-1a over the header, except its own checksum at byte 8. */
function checksum(bytes: Uint8Array, end: number): number {
  let sum = 0x811c9dc5;
  for (let i = 0; i < end; i++) if (i < 8 || i >= 12) sum = Math.imul(sum ^ bytes[i], 0x01000193);
  return sum >>> 0;
}
