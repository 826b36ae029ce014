// Packs lines into the records of a stream.

/**
 * The most bytes of lines in a record, unless a single line has more: half of a stream's limit, which leaves room for
 * keys and line feeds.
 */
export const packBytes = 512 * 1024;

const lineFeed = 10;

/**
 * Groups parts in order. Each group is as large as fits into `most` bytes, with one byte between parts, and never
 * empty.
 */
export function grouped<Part>(parts: Iterable<Part>, bytesOf: (part: Part) => number, most: number): Part[][] {
  const groups: Part[][] = [];
  let size = most;
  for (const part of parts) {
    const bytes = bytesOf(part);
    size += bytes + 1;
    if (size > most) {
      groups.push([]);
      size = bytes;
    }
    groups[groups.length - 1].push(part);
  }
  return groups;
}

/** Joins parts with line feeds, none at the end: the data of a record. */
export function joined(parts: Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0];
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length + 1, -1));
  let at = 0;
  for (const [index, part] of parts.entries()) {
    if (index > 0) bytes[at++] = lineFeed;
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const encoder = new TextEncoder();

/** The data of records with these lines, in order. A line longer than `most` bytes gets its own record. */
export function packLines(lines: string[], most = packBytes): Uint8Array[] {
  const characters = lines.reduce((sum, { length }) => sum + length + 1, -1);
  // Nearly all fit into one record for sure: a character has at most three bytes.
  if (lines.length > 0 && 3 * characters <= most) return [encoder.encode(lines.join('\n'))];
  const parts = lines.map((line) => encoder.encode(line));
  return grouped(parts, ({ length }) => length, most).map(joined);
}
