// The pages of a SQLite file: https://www.sqlite.org/fileformat2.html#b_tree_pages

/** Types of the pages that hold rows and keys, and bytes of their headers. */
const headers = new Map([
  [0x02, 12],
  [0x05, 12],
  [0x0a, 8],
  [0x0d, 8],
]);
const fileHeaderBytes = 100;
const zeros = Buffer.alloc(65_536);

/**
 * Files of more pages may have others that look like these: those of long values begin with the number of their next page, whose
 * first byte then is no longer 0.
 */
export const mostPages = 2 ** 25 - 1;

/**
 * Sets the unused bytes between the list of a page's cells and their content to zero, where any is not; returns which, or undefined.
 * `first`: it is the file's first page. Not for a file with auto_vacuum, which has pages of another form.
 */
export function zeroUnused(page: Buffer, first: boolean): { from: number; to: number } | undefined {
  const start = first ? fileHeaderBytes : 0;
  const header = headers.get(page[start]);
  if (header === undefined) return undefined;
  const from = start + header + 2 * page.readUInt16BE(start + 3);
  const to = page.readUInt16BE(start + 5) || 65_536;
  if (from >= to || to > page.length || zeros.compare(page, from, to, 0, to - from) === 0) return undefined;
  page.fill(0, from, to);
  return { from, to };
}
